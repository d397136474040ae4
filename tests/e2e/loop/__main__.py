"""The loop, end to end: ``python -m tests.e2e.loop`` inside the cluster's network namespace.

A team member reaches shares of a budget, an idle server is noticed, kept and stopped, and what waited runs on its
slice. Real: identity provider, hub, notebooks, service, Kueue, vCluster, ledger, Prometheus. Simulated: the GPUs and
their exporter. The last line is ``loop: N of N``.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from aifactory_hub import constants

from ..gates.site import until
from ..steps import start
from ..story import Story
from ..table import Step
from .site import ADA, BOB, BUDGET, SLICE, TEAM, LoopSite, loop_site

# More than a tick of the watch (60 s), a report (60 s), `after` and `notice` (60 s each), and the noise of a machine.
LOOK = 400.0
NORMAL, LOWERED = (constants.PRIORITIES[each] for each in (constants.PRIORITY_BATCH, constants.PRIORITY_LOWERED))
# A kernel that works without using the GPU, and without anybody who looks.
WORK = "import threading, time\nthreading.Event().wait(3600)"


def begin(site: LoopSite, step: Step) -> None:
    for who in (ADA, BOB):
        start(site.people[who], TEAM, profile=SLICE)
    site.noted["begun"] = time.time()
    asked = site.api(ADA, "POST", "jobs", command="echo ran", profile=SLICE, tenant=TEAM, key="waits")
    step.check(
        asked.status_code in (200, 201, 202),
        "two servers hold the team's two slices, and a job is taken in",
        asked.text,
    )
    site.noted["waits"] = job = asked.json()["id"]
    until(lambda: site.priority(job) == NORMAL, "it waits in Kueue at its priority")
    step.check(True, f"it waits in Kueue with priority {NORMAL}")
    until(lambda: all(site.server(who) for who in (ADA, BOB)), "both servers are looked at", within=LOOK)
    told = site.idle()
    step.check(told["trouble"] is None and told["action"] == "dry-run", "Prometheus answers, and it is a dry run", told)
    step.check(all(each["simulated"] for each in told["servers"]), "the GPUs are named as simulated", told["servers"])


def works(site: LoopSite, step: Step) -> None:
    """Bob's kernel works, and his GPU does nothing: one witness is enough for busy."""
    kernel = site.people[BOB].start_kernel()
    site.noted["kernel"] = kernel
    threading.Thread(target=partial(_run_quietly, kernel), daemon=True).start()
    until(lambda: "kernel" in str((site.server(BOB) or {}).get("why")), "bob's server says that a kernel works", LOOK)
    found = site.server(BOB)
    step.check(found and found["verdict"] == "busy", "a kernel that works while the GPU does nothing: busy", found)


def _run_quietly(kernel: object) -> None:
    try:
        kernel.run(WORK, timeout=3600)  # type: ignore[attr-defined]
    except Exception:  # the server is stopped at the end
        return


def dry_run(site: LoopSite, step: Step) -> None:
    until(lambda: "would-stop" in site.acts(ADA), "a dry run would have stopped ada's server", within=LOOK)
    found = site.server(ADA)
    step.check(found and found["verdict"] == "idle", "nobody uses ada's server: idle", found)
    evidence = next(each["evidence"] for each in site.idle()["acts"] if each["act"] == "would-stop")
    step.check(len(evidence) >= 2 and "GPU" in str(evidence), f"with its evidence: {evidence[0]}", evidence)
    step.check(site.people[ADA].servers()[""]["ready"], "it runs on", site.people[ADA].servers())
    step.check("stopped" not in site.acts(ADA), "and nothing was stopped", site.acts(ADA))
    step.check(site.acts(BOB) == [], "nothing was done about bob's", site.acts(BOB))


def warned(site: LoopSite, step: Step) -> None:
    until(lambda: site.budget()["per_cent"] >= 80, "ada's budget is at 80 %", within=BUDGET)
    until(lambda: "budget.warn" in told(site, ADA), "the webhook is told", within=30)
    budget = site.budget()
    step.check(True, f"at {budget['per_cent']:.0f} % the webhook is told: {budget['words']}")
    step.check(site.priority(site.noted["waits"]) == NORMAL, "the job's priority is as before")


def lowered(site: LoopSite, step: Step) -> None:
    until(lambda: site.priority(site.noted["waits"]) == LOWERED, "the job's priority is lowered", within=BUDGET)
    budget = site.budget()
    step.check(
        budget["per_cent"] >= 95, f"at {budget['per_cent']:.0f} % the waiting job's priority is {LOWERED}", budget
    )


def held(site: LoopSite, step: Step) -> None:
    until(lambda: site.budget()["per_cent"] >= 100, "ada's budget is used up", within=BUDGET)
    asked = site.api(ADA, "POST", "jobs", command="echo later", profile=SLICE, tenant=TEAM, key="held")
    job = asked.json()
    step.check(job["state"] == "HELD", f"a new job is held: {job['reason']}", job)
    names = [ticket.name for ticket in site.rig.cluster.tickets(TEAM)]
    step.check(f"job-{job['id']}" not in names, "and has no ticket on the host", names)
    dry = site.api(ADA, "POST", "jobs/dry-run", command="true", profile=SLICE, tenant=TEAM).json()
    step.check("budget" in str(dry).lower(), "a dry run says so before", dry)
    site.noted["held"] = job["id"]


def granted(site: LoopSite, step: Step) -> None:
    body = {"budget": "each", "user": ADA, "amount": "1", "until": int(time.time()) + 3600, "reason": "a deadline"}
    refused = site.api(ADA, "POST", f"tenants/{TEAM}/budget/grants", **body)
    step.check(refused.status_code == 403, "ada is refused", refused.text)
    given = site.api(BOB, "POST", f"tenants/{TEAM}/budget/grants", **body)
    step.check(given.status_code == 201, "the team's admin does", given.text)
    until(lambda: site.priority(site.noted["waits"]) == NORMAL, "the job has its priority again", within=60)
    step.check(True, f"the waiting job's priority is {NORMAL} again")
    until(lambda: site.job(site.noted["held"])["state"] != "HELD", "the held job goes on", within=60)
    until(lambda: site.priority(site.noted["held"]) is not None, "and waits in Kueue", within=60)
    step.check(True, "and the held job waits in Kueue")


def noticed_and_kept(site: LoopSite, step: Step) -> None:
    site.write(site.hub.tenants.read_text().replace("action: dry-run", "action: stop"))
    until(lambda: site.idle()["action"] == "stop", "the service knows that idle servers are stopped now")
    until(lambda: (site.server(ADA) or {}).get("notice"), "ada is told", within=LOOK)
    notice = (site.server(ADA) or {})["notice"]
    step.check(notice["stops"], f"ada is told: {notice['why']}", notice)
    refused = site.api(BOB, "POST", "servers/keep", server="")
    kept = site.api(ADA, "POST", "servers/keep", server="")
    step.check(kept.status_code == 200, "ada keeps it", kept.text)
    step.check(
        refused.status_code == 409, "bob, whose server is not about to be stopped, can keep nothing", refused.text
    )
    step.check("kept" in site.acts(ADA), "which is recorded", site.acts(ADA))
    again = site.api(ADA, "POST", "servers/keep", server="")
    step.check(again.status_code == 409, "no second time: this site allows one", again.text)


def away(site: LoopSite, step: Step) -> None:
    """While nobody can be asked, nothing is stopped."""
    site.prometheus.stop()
    until(lambda: site.idle()["trouble"], "the service says that Prometheus does not answer", within=LOOK)
    verdict = (site.server(ADA) or {}).get("verdict")
    step.check(verdict == "unknown", "Prometheus is away: nobody knows whether a server is idle", site.server(ADA))
    time.sleep(75)
    step.check(site.people[ADA].servers()[""]["ready"], "and no server is stopped", site.acts(ADA))
    site.prometheus.start()
    until(lambda: site.idle()["trouble"] is None, "Prometheus is back", within=LOOK)


def stopped(site: LoopSite, step: Step) -> None:
    until(lambda: not site.people[ADA].servers(), "ada's server is stopped", within=2 * LOOK)
    step.check("stopped" in site.acts(ADA), "ada's server is stopped, and it is recorded", site.acts(ADA))
    page = site.people[ADA].spawn_page()
    step.check("nothing had used it" in page.text, "the next start says why", page.text[:1500])
    verdict = (site.server(BOB) or {}).get("verdict")
    step.check(verdict == "busy" and site.people[BOB].servers()[""]["ready"], "bob's runs on: busy", site.server(BOB))
    step.check("stopped" not in site.acts(BOB), "and was never touched", site.acts(BOB))


def recycled(site: LoopSite, step: Step) -> None:
    for name in ("waits", "held"):
        job = site.noted[name]
        until(lambda job=job: site.job(job)["state"] in ("SUCCEEDED", "FAILED"), "it ends", within=180)  # type: ignore[misc]
        step.check(site.job(job)["state"] == "SUCCEEDED", f"the job that {name} runs on its slice", site.job(job))


def told(site: LoopSite, user: str) -> list[str]:
    """The events of budgets that the receiver has had, about one person."""
    return [str(each.get("type") or each.get("event")) for each in site.receiver.messages if user in str(each)]


STEPS: tuple[tuple[str, Callable[[LoopSite, Step], None]], ...] = (
    ("two servers run, and a job waits", begin),
    ("a kernel works", works),
    ("an idle server in a dry run", dry_run),
    ("80 % of a budget", warned),
    ("95 % of a budget", lowered),
    ("100 % of a budget", held),
    ("a grant", granted),
    ("a notice, and a server that is kept", noticed_and_kept),
    ("Prometheus is away", away),
    ("the idle server is stopped for real", stopped),
    ("what waited runs on its slice", recycled),
)


STORY = Story(
    "loop", "The GPUs of this cluster and their exporter are SIMULATED. Prometheus is a real one.", STEPS, loop_site
)


if __name__ == "__main__":
    sys.exit(STORY.run())
