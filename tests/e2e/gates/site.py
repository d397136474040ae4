"""A hub with rules and approvers on the test cluster, and what its people and its administrator see."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from aifactory_hub import constants

from ..person import Person
from ..processes import HubUnderTest
from ..rig import TENANTS_FILE, Rig, rendered

PREFIX = "/services/aifactory/"
TEAM, PROFILE = "nlp", "cpu-small"
MEMBER, ADMIN, SECURITY = "nlp-user", "two-team-user", "sec-user"
ADMIN_GROUPS = ["teams/nlp", "teams/nlp/admins", "teams/vision"]
APPROVALS = "approvals: {approvers: {security: [corp/security]}, expire_after: 1h}\npolicies: {folder: policies}\n"
RULES = """\
apiVersion: aifactory-hub.io/policy-v1
rules:
  - id: short-jobs
    title: Jobs are short
    target: job
    severity: hard
    assert: job.max_seconds <= 7200
    message: "'It may run for ' + string(job.max_seconds) + ' seconds, and jobs here run for two hours at most.'"
    fix: Set max_seconds to 7200 or less.
    field: max_seconds
    cases:
      - {expect: pass, view: {job: {max_seconds: 60}}}
      - {expect: fail, view: {job: {max_seconds: 7201}}}
  - id: long-jobs
    title: More than an hour needs approval
    target: job
    severity: hard
    assert: job.max_seconds <= 3600
    message: "'It may run for more than an hour.'"
    fix: Set max_seconds to 3600 or less, or wait for the approval.
    approval: [{role: admin}, {role: security}]
    cases:
      - {expect: pass, view: {job: {max_seconds: 60}}}
      - {expect: fail, view: {job: {max_seconds: 7200}}}
  - id: no-large-slices
    title: Pods take no large slice
    target: pod
    severity: hard
    assert: object.spec.containers.all(c, !has(c.resources.limits) || !('nvidia.com/mig-3g.40gb' in c.resources.limits))
    message: "'Pods of this site take no 3g.40gb slice.'"
    fix: Take a smaller profile.
    field: profile
    cases:
      - {expect: pass}
      - expect: fail
        view: {object: {spec: {containers: [{image: a, resources: {limits: {nvidia.com/mig-3g.40gb: "1"}}}]}}}
"""
RULE_OF_PODS, WORDS_OF_PODS = "no-large-slices", "Pods of this site take no 3g.40gb slice."


@dataclass
class GatedSite:
    """The hub, its people by name, and the cluster's administrator."""

    rig: Rig
    hub: HubUnderTest
    people: dict[str, Person]

    def api(self, who: str, method: str, path: str, **body: Any) -> httpx.Response:
        """A request with a person's token, as a notebook or a program sends it."""
        head = {"Authorization": f"token {self.people[who].token}"}
        url = f"{self.hub.url}{PREFIX}api/v1/{path}"
        return httpx.request(method, url, json=body or None, headers=head, timeout=30, trust_env=False)

    def submit(self, seconds: int, command: str = "echo approved", **asked: Any) -> httpx.Response:
        """A job of the member's that may run so long."""
        body = {"command": command, "profile": PROFILE, "tenant": TEAM, "key": uuid.uuid4().hex, **asked}
        return self.api(MEMBER, "POST", "jobs", max_seconds=seconds, **body)

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.api(MEMBER, "GET", f"jobs/{job_id}").json())

    def approval(self, job_id: str) -> dict[str, Any]:
        """The newest approval of a job, which the service opens a moment after it has taken the job in."""
        until(lambda: self.approvals(job_id), "there is an approval", within=20)
        return self.approvals(job_id)[0]

    def approvals(self, job_id: str) -> list[dict[str, Any]]:
        """All approvals of a job, the newest first."""
        return list(self.api(MEMBER, "GET", f"approvals?subject={job_id}").json()["approvals"])

    def vote(self, who: str, approval: dict[str, Any], vote: str = "yes", comment: str = "") -> httpx.Response:
        """A vote in a browser, on what ``approval`` shows."""
        browser = self.people[who].browser
        browser.get(f"{self.hub.url}{PREFIX}approvals").raise_for_status()
        proof = [c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == PREFIX]
        url = f"{self.hub.url}{PREFIX}api/v1/approvals/{approval['id']}/vote"
        body = {"vote": vote, "digest": approval["digest"], "comment": comment}
        return browser.put(url, json=body, headers={"X-XSRFToken": str(proof[-1]), "Accept": "application/json"})

    def of_job(self, job_id: str) -> list[str]:
        """All that the cluster has of a job: its ticket on the host, and objects in the team's vCluster."""
        tickets = [ticket.name for ticket in self.rig.cluster.tickets(TEAM) if ticket.owner == job_id]
        inside = self.rig.cluster.inside(TEAM, "get", "jobs,pods,secrets", "-n", constants.JOBS_NAMESPACE, "-o", "name")
        return [*tickets, *(name for name in inside.split() if job_id in name)]

    def host_rules(self) -> str:
        """The site's rules of pods as the host's admission policies, without the walls that every site has."""
        documents = yaml.safe_load_all(rendered(self.hub.tenants, "policies"))
        return str(yaml.safe_dump_all([each for each in documents if RULE_OF_PODS in each["metadata"]["name"]]))

    def until(self, job_id: str, *states: str, within: float = 120) -> dict[str, Any]:
        """The job, once it is in one of these states. Raises AssertionError when it is not in time."""
        deadline = time.monotonic() + within
        while (job := self.job(job_id))["state"] not in states:
            if time.monotonic() > deadline:
                raise AssertionError(f"job {job_id} is {job['state']} ({job['reason']}), not {states}")
            time.sleep(0.5)
        return job

    def write(self, text: str) -> None:
        """Save tenants.yaml, as editors do."""
        beside = self.hub.tenants.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self.hub.tenants)


def until(condition: Callable[[], object], what: str, within: float = 120) -> None:
    """Wait for it. Raises AssertionError when it is not so in time."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within:.0f} s: {what}")
        time.sleep(1)


def write_site(folder: Path, text: str, rules: str) -> Path:
    """A tenants.yaml with these rules, and with approvals; where it is."""
    tenants = folder / "tenants.yaml"
    tenants.write_text(text.replace("tenants:\n", f"{APPROVALS}tenants:\n", 1))
    (folder / "policies").mkdir()
    (folder / "policies" / "site.yaml").write_text(rules)
    return tenants


@contextmanager
def gated_site(
    rig: Rig, folder: Path, tenants: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[GatedSite]:
    """The hub with these rules, or those of ``tenants``, everybody signed in; stopped at the end."""
    hub = rig.hub(folder / "hub", tenants=tenants or write_site(folder, TENANTS_FILE.read_text(), RULES))
    hub.environment.update(environment or {})
    with rig.found.account(SECURITY, f"{SECURITY}@example.org", ["corp/security"]) as security:
        try:
            hub.start()
            with rig.people(hub.url) as people:
                people[SECURITY] = Person(SECURITY, security.email, security.password, hub.url)
                for name in (MEMBER, ADMIN, SECURITY):
                    people[name].sign_in()
                    people[name].make_token()
                yield GatedSite(rig, hub, people)
                people[SECURITY].close()
        finally:
            hub.stop()
            rig.found.set_groups(ADMIN, ADMIN_GROUPS)
