"""Rules and approvals, end to end: ``python -m tests.e2e.gates`` inside the cluster's network namespace.

A real identity provider, hub, service, Kueue and vCluster. The last line is ``gates: N of N``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from aifactory_hub import constants
from tests.cluster.settings import RESTRICTED_POD

from ..faults.people import signs_in
from ..story import Story
from ..table import Step
from .site import ADMIN, ADMIN_GROUPS, MEMBER, SECURITY, TEAM, WORDS_OF_PODS, GatedSite, gated_site, until

HOUR = 3600
HELD = "held until one of the team's administrators and one of security approves it"


def refused(site: GatedSite, step: Step) -> None:
    answer = site.submit(3 * HOUR)
    said = answer.json()
    step.check(answer.status_code == 403 and said["reason"] == "policy", "a rule refuses it", said)
    step.check("two hours at most" in said["detail"], "in the rule's words", said)
    step.check(said["field"] == "max_seconds", "and names the field", said)
    dry = site.api(MEMBER, "POST", "jobs/dry-run", command="true", profile="cpu-small", max_seconds=3 * HOUR).json()
    step.check("two hours at most" in str(dry), "as a dry run does, before anything is sent", dry)


def held(site: GatedSite, step: Step) -> None:
    job = site.submit(2 * HOUR).json()
    step.check((job["state"], job["reason"]) == ("HELD", HELD), "a rule holds it and says for whom", job)
    for _ in range(8):
        time.sleep(1)
        found = site.of_job(job["id"])
        step.check(found == [], "the host and the vCluster have nothing of it", found)
    step.checked[:] = [step.checked[0], "for 8 s the host and the vCluster have nothing of it"]
    approval = site.approval(job["id"])
    for name in (ADMIN, SECURITY):
        path = f"approvals/{approval['id']}/vote"
        answer = site.api(name, "PUT", path, vote="yes", digest=approval["digest"])
        step.check(answer.status_code == 403, f"a token of {name} can't vote", answer.text)
    step.check(site.vote(MEMBER, approval).status_code == 403, "nor who submitted it, in a browser")
    answer = site.vote(ADMIN, approval)
    step.check(answer.status_code == 200, "an administrator approves it in a browser", answer.text)
    step.check(site.of_job(job["id"]) == [], "which alone lets nothing go")
    answer = site.vote(SECURITY, approval)
    step.check(answer.status_code == 200, "one of security approves it, who is in no team", answer.text)
    done = site.until(job["id"], "SUCCEEDED", "FAILED")
    step.check(done["state"] == "SUCCEEDED", "it runs and succeeds", done)
    step.check(site.approval(job["id"])["why"] == f"approved by {SECURITY} and {ADMIN}", "and it is kept who approved")


def leaver(site: GatedSite, step: Step) -> None:
    job = site.submit(2 * HOUR).json()
    approval = site.approval(job["id"])
    site.vote(ADMIN, approval).raise_for_status()
    site.rig.found.set_groups(ADMIN, ["teams/nlp", "teams/vision"])
    # This provider says other groups at a sign-in only, not when a session is renewed.
    step.check(signs_in(site.people[ADMIN]), "an administrator who has approved it leaves the group, and signs in")
    try:

        def fallen() -> bool:
            votes = site.approval(job["id"])["votes"]
            return all(vote["counts"] is False for vote in votes)

        until(fallen, "the administrator's vote counts no longer", within=60)
        step.check(True, "the vote of an administrator who is none any more falls")
        site.vote(SECURITY, approval).raise_for_status()
        time.sleep(3)
        step.check(site.job(job["id"])["state"] == "HELD", "the other vote does not let it go", site.job(job["id"]))
        step.check(site.of_job(job["id"]) == [], "and nothing of it exists")
    finally:
        site.rig.found.set_groups(ADMIN, ADMIN_GROUPS)
    site.api(MEMBER, "DELETE", f"jobs/{job['id']}")
    site.until(job["id"], "CANCELLED")
    step.check(site.approval(job["id"])["state"] == "WITHDRAWN", "cancelled, nobody is asked any more")
    signs_in(site.people[ADMIN])


def changed(site: GatedSite, step: Step) -> None:
    job = site.submit(2 * HOUR).json()
    approval = site.approval(job["id"])
    site.vote(ADMIN, approval).raise_for_status()
    text = site.hub.tenants.read_text()
    image = "docker.io/aifactory-hub/notebook:test"
    site.write(text.replace(f"jobs:\n  image: {image}", "jobs:\n  image: registry.invalid/none:1"))
    try:
        wanted = {"command": "true", "profile": "cpu-small", "max_seconds": 60}
        until(
            lambda: "registry.invalid" in site.api(MEMBER, "POST", "jobs/dry-run", **wanted).text,
            "the service knows the new image",
        )
        # The service may have looked at the job meanwhile: then this vote comes too late, and is refused in words.
        answer = site.vote(SECURITY, approval)
        step.check(answer.status_code in (200, 409), "the other votes on what was shown before", answer.text)
        until(lambda: site.approval(job["id"])["id"] != approval["id"], "people are asked anew", within=90)
    finally:
        site.write(text)
    old = site.api(MEMBER, "GET", f"approvals/{approval['id']}").json()
    step.check(old["state"] == "STALE" and "image" in old["why"], "another image makes the votes out of date", old)
    step.check(site.of_job(job["id"]) == [], "nothing of it exists")
    site.api(MEMBER, "DELETE", f"jobs/{job['id']}")
    site.until(job["id"], "CANCELLED")


def no(site: GatedSite, step: Step) -> None:
    job = site.submit(2 * HOUR).json()
    site.vote(SECURITY, site.approval(job["id"]), "no", "not with this data").raise_for_status()
    ended = site.until(job["id"], "CANCELLED")
    step.check("not with this data" in ended["reason"], "one no ends it, with its word", ended)
    step.check(site.of_job(job["id"]) == [], "nothing of it exists")


def killed(site: GatedSite, step: Step) -> None:
    job = site.submit(2 * HOUR).json()
    site.hub.kill("service")
    site.hub.start_service()
    approval = site.approval(job["id"])
    step.check(site.of_job(job["id"]) == [], "the service is killed while it is held: still held")
    site.vote(ADMIN, approval).raise_for_status()
    site.vote(SECURITY, approval).raise_for_status()
    site.hub.kill("service")
    site.hub.start_service()
    done = site.until(job["id"], "SUCCEEDED", "FAILED", within=180)
    step.check(done["state"] == "SUCCEEDED", "killed at the last vote: it runs", done)
    step.check(done["attempt"] == 1, "once", done)
    used = site.approvals(job["id"])
    step.check([one["state"] for one in used] == ["USED"], "by one approval", used)


def pods(site: GatedSite, step: Step) -> None:
    refused = site.submit(60, profile="mig-3g.40gb")
    step.check(
        refused.status_code == 403 and WORDS_OF_PODS in refused.text, "the service refuses the job", refused.text
    )
    cluster, text = site.rig.cluster, site.host_rules()
    cluster.run("apply", "--server-side", "-f", "-", stdin=text)
    try:
        good, bad = vcluster_pod("rule-good", {}), vcluster_pod("rule-bad", {"nvidia.com/mig-3g.40gb": "1"})
        time.sleep(5)  # the host's API server takes a policy into use a moment after it is stored
        for pod in (good, bad):
            cluster.inside(TEAM, "create", "-n", constants.JOBS_NAMESPACE, "-f", "-", stdin=json.dumps(pod))
        until(lambda: WORDS_OF_PODS in said_of(site, "rule-bad"), "the host says it", within=60)
        step.check(True, "the host refuses the same pod by the vCluster's administrator, in the same words")
        until(lambda: "rule-good" in cluster.virtual_pod_names(TEAM), "another pod passes", within=60)
        step.check("rule-bad" not in cluster.virtual_pod_names(TEAM), "it never came to the host, and another did")
    finally:
        names = ["rule-good", "rule-bad"]
        cluster.inside(TEAM, "delete", "pod", "-n", constants.JOBS_NAMESPACE, "--ignore-not-found", "--force", *names)
        cluster.run("delete", "--ignore-not-found", "-f", "-", stdin=text)


def vcluster_pod(name: str, devices: dict[str, str]) -> dict[str, Any]:
    """A pod as a team's administrator makes it, past the hub."""
    amounts = {"cpu": "50m", "memory": "64Mi", **devices}
    container = {
        "name": "main",
        "image": "docker.io/aifactory-hub/notebook:test",
        "command": ["sleep", "600"],
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {"containers": [container], "securityContext": dict(RESTRICTED_POD), "restartPolicy": "Never"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def said_of(site: GatedSite, pod: str) -> str:
    """What the vCluster's events say of a pod."""
    wanted = ("get", "events", "-n", constants.JOBS_NAMESPACE, "--field-selector", f"involvedObject.name={pod}")
    return site.rig.cluster.inside(TEAM, *wanted, "-o", "jsonpath={.items[*].message}")


STEPS: tuple[tuple[str, Callable[[GatedSite, Step], None]], ...] = (
    ("a rule refuses a job", refused),
    ("a rule holds a job until two people have approved it", held),
    ("the vote of somebody who left falls", leaver),
    ("what would run changes between two votes", changed),
    ("somebody refuses it", no),
    ("the service is killed between the steps", killed),
    ("a rule of pods is the host's too", pods),
)


STORY = Story(
    "gates", "The GPUs of this cluster are SIMULATED. No job of this run asks for one.", STEPS, gated_site, go_on=True
)


if __name__ == "__main__":
    sys.exit(STORY.run())
