"""A person asks for a team by REST, another one approves it in a browser, and a notebook starts in it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from .. import steps
from ..person import Person
from ..processes import HubUnderTest
from ..rig import Rig
from ..table import Step
from .site import TenantsSite, until

PREFIX = "/services/aifactory/"
ASKER, APPROVER, TEAM, PROFILE = "robots-user", "platform-user", "asked", "cpu-small"
SELF_SERVICE = """\
approvals: {approvers: {platform: [corp/platform]}, expire_after: 1h}
self_service:
  templates:
    small:
      profiles: [cpu-small, mig-1g.10gb]
      groups: ["teams/*", "teams/*/admins"]
      most: {mig-1g.10gb: 2}
      lasts: 30d
      approval: [{approvers: {platform: 1}}]
"""
WISH = {
    "name": TEAM,
    "template": "small",
    "members": [f"teams/{TEAM}"],
    "admins": [f"teams/{TEAM}/admins"],
    "reason": "a day of tests",
}
SLICE = "mig-1g.10gb"


@dataclass
class AskedSite:
    """A hub and a job service on the provisioner's registry, and two people."""

    rig: Rig
    site: TenantsSite
    hub: HubUnderTest
    people: dict[str, Person] = field(default_factory=dict)

    def api(self, who: str, method: str, path: str, **body: Any) -> httpx.Response:
        """A request with a person's token."""
        head = {"Authorization": f"token {self.people[who].token}"}
        url = f"{self.hub.url}{PREFIX}api/v1/{path}"
        return httpx.request(method, url, json=body or None, headers=head, timeout=30, trust_env=False)

    def approve(self, approval: str) -> httpx.Response:
        """The approver's vote, in a browser."""
        browser, address = self.people[APPROVER].browser, f"{self.hub.url}{PREFIX}"
        browser.get(f"{address}approvals/{approval}").raise_for_status()
        proof = [c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == PREFIX]
        head = {"X-XSRFToken": str(proof[-1]), "Accept": "application/json"}
        url = f"{address}api/v1/approvals/{approval}"
        found = browser.get(url, headers=head).json()
        return browser.put(f"{url}/vote", json={"vote": "yes", "digest": found["digest"]}, headers=head)

    def request(self, request_id: str) -> dict[str, Any]:
        return dict(self.api(ASKER, "GET", f"teams/requests/{request_id}").json())

    def now(self, request_id: str) -> str:
        """The step that is now, in words; empty once all are done."""
        steps_now = [each for each in self.request(request_id)["steps"] if each["state"] == "now"]
        return f"{steps_now[0]['name']}: {steps_now[0]['sentence']}" if steps_now else ""


@contextmanager
def asked_site(rig: Rig, site: TenantsSite) -> Iterator[AskedSite]:
    """The hub and the service, both people signed in; stopped at the end."""
    hub = rig.hub(site.folder / "hub", tenants=site.file)
    hub.environment["AIFACTORY_HUB_PROVISIONER_TOKEN"] = site.token
    asked = AskedSite(rig, site, hub)
    groups = {ASKER: ["teams/robots", f"teams/{TEAM}", f"teams/{TEAM}/admins"], APPROVER: ["corp/platform"]}
    with (
        rig.found.account(ASKER, f"{ASKER}@example.org", groups[ASKER]) as asker,
        rig.found.account(APPROVER, f"{APPROVER}@example.org", groups[APPROVER]) as approver,
    ):
        try:
            hub.start()
            for account in (asker, approver):
                person = Person(account.name, account.email, account.password, hub.url)
                person.sign_in()
                person.make_token()
                asked.people[account.name] = person
            yield asked
        finally:
            for person in asked.people.values():
                person.close()
            hub.stop()


def asked_for(rig: Rig, site: TenantsSite, step: Step) -> None:
    """From the form to a notebook, with nothing restarted."""
    with asked_site(rig, site) as asked:
        _refused(asked, step)
        answer = asked.api(ASKER, "POST", "teams/requests", **WISH, quota={"mig-1g.10gb": 2})
        step.check(answer.status_code == 201, "a member of a team asks for another one", answer.text)
        request = answer.json()
        site.made.append(TEAM)
        step.check(request["state"] == "WAITING", "it waits for whom the template names", request)
        time.sleep(5)
        step.check(site.get("namespace", f"vc-{TEAM}") is None, "and nothing of it exists")
        before = {name: process.pid for name, process in asked.hub.running.items()}
        begun = time.monotonic()
        vote = asked.approve(request["approval"])
        step.check(vote.status_code == 200, "another person approves it in a browser", vote.text)
        seen = _until_ready(asked, request["id"])
        ready = time.monotonic() - begun
        step.check(len(seen) >= 2, f"ready {ready:.1f} s after the vote; the page said: {' | '.join(seen)}")
        _notebook(asked, step, begun)
        _changed(asked, step)
        after = {name: process.pid for name, process in asked.hub.running.items() if process.poll() is None}
        step.check(before == after, "hub, proxy and service are the same processes as before", (before, after))
        _restarted(asked, step, request["id"])


def _refused(asked: AskedSite, step: Step) -> None:
    answer = asked.api(ASKER, "POST", "teams/requests", **WISH, quota={"mig-1g.10gb": 9})
    step.check(answer.json()["reason"] == "above-template", "more than the template has is refused", answer.text)
    answer = asked.api(ASKER, "POST", "teams/requests", **{**WISH, "members": ["corp/board"]})
    step.check(answer.json()["field"] == "members", "and a group that it does not allow", answer.text)


def _until_ready(asked: AskedSite, request_id: str) -> list[str]:
    """What the page said on the way."""
    seen: list[str] = []

    def done() -> bool:
        now = asked.now(request_id)
        if now and now not in seen:
            seen.append(now)
        return not now

    until("the team is ready", done, 180)
    return seen


def _notebook(asked: AskedSite, step: Step, begun: float) -> None:
    person = asked.people[ASKER]
    offered = until("the team is on the asker's menu, and available", lambda: _offers(person), 60)
    step.check(offered, "the team is on the asker's menu, and available")
    steps.start(person, TEAM, profile=PROFILE)
    step.check(True, f"a notebook runs in it {time.monotonic() - begun:.1f} s after the vote")
    pods = asked.site.get("pods", "-n", f"vc-{TEAM}", "-l", "vcluster.loft.sh/namespace=notebooks") or {}
    step.check(len(pods.get("items", [])) == 1, "its pod is in the team's namespace on the host", pods)
    person.stop()
    until("the notebook's pod is gone", lambda: not _pods(asked), 60)


def _changed(asked: AskedSite, step: Step) -> None:
    """Its administrator gives a slice back, and asks for it again."""
    step.check(_owned(asked) == 2, "the team's queue owns two slices", _owned(asked))
    change = {"kind": "change", "name": TEAM, "reason": "one is enough"}
    less = asked.api(ASKER, "POST", "teams/requests", **change, quota={SLICE: 1})
    step.check(less.json().get("state") == "GRANTED", "its administrator gives one back: granted at once", less.text)
    until("the team's queue owns one slice", lambda: _owned(asked) == 1, 60)
    step.check(True, "the provisioner makes its queue smaller")
    more = asked.api(ASKER, "POST", "teams/requests", **change, quota={SLICE: 2}).json()
    step.check(more.get("state") == "WAITING", "and asks for it again: it waits for a vote", more)
    step.check(asked.approve(more["approval"]).status_code == 200, "another person approves it")
    until("the team's queue owns two slices again", lambda: _owned(asked) == 2, 60)
    step.check(True, "its queue owns two slices again, and nothing was restarted")


def _owned(asked: AskedSite) -> int:
    """Slices that the team's ClusterQueue owns on the host."""
    queue = asked.site.get("clusterqueue", TEAM) or {"spec": {}}
    flavors = [flavor for group in queue["spec"].get("resourceGroups", []) for flavor in group["flavors"]]
    resources = [each for flavor in flavors for each in flavor["resources"]]
    return sum(int(each["nominalQuota"]) for each in resources if each["name"].endswith(SLICE))


def _pods(asked: AskedSite) -> list[object]:
    found = asked.site.get("pods", "-n", f"vc-{TEAM}", "-l", "vcluster.loft.sh/namespace=notebooks") or {}
    return list(found.get("items", []))


def _offers(person: Person) -> bool:
    page = person.spawn_page()
    if TEAM not in page.tenants and TEAM not in page.text:
        person.sign_in()
        page = person.spawn_page()
    return (TEAM in page.tenants or TEAM in page.text) and f"{TEAM} unavailable" not in page.text


def _restarted(asked: AskedSite, step: Step, request_id: str) -> None:
    """The service is killed: the team stays, and is told of again."""
    asked.hub.kill("service")
    time.sleep(4)
    step.check(asked.site.get("statefulset", TEAM, "-n", f"vc-{TEAM}"), "with the service away the team stays")
    asked.hub.start_service()
    until("all steps are told again", lambda: asked.now(request_id) == "", 60)
    step.check(asked.request(request_id)["state"] == "GRANTED", "and the service knows it after a restart")


def new_token() -> str:
    """What the job service and the provisioner share."""
    return secrets.token_hex(16)
