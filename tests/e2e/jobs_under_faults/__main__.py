"""Random jobs while the site's parts fail: ``make e2e-jobs``, or this module in the cluster's network.

Real: Kubernetes, the vClusters, Kueue, JobSet, the identity provider, the hub, its proxy, the job service, the client,
and every fault: processes are killed without a word. Simulated: the GPUs, behind whose names there is no device.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from aifactory_hub.client.job_list import jobs as listing
from aifactory_hub.engines.installed import engine_needs
from aifactory_hub.registry.output import yaml_documents
from aifactory_hub.registry.render_vcluster import seeded_objects
from tests.cluster import engines
from tests.cluster.settings import layout

from ...support.tenants import make_tenant
from ..faults.proxy import in_front_of
from ..ledger.oracle import Oracle
from ..ledger.verdict import compare, holds
from ..processes import ROOT, HubUnderTest
from ..restarts.parts import Parts
from ..rig import TENANTS_FILE, Rig, apply_registry, clear_tenants, finish, open_rig
from ..steps import wait_until
from .people import Outcome, People
from .preemption import try_preemption
from .spoil import AFTER_ITS_END, WHILE_IT_RUNS
from .troubles import QUICK, Troubles, all_troubles
from .verdict import Verdict, judge, strangers
from .witness import Witness
from .workloads import TEAMS, Workload, random_workloads

HUB = "e2e-jobs"
TENANTS = ROOT / "tests/e2e/jobs_under_faults/tenants.yaml"
# How long the service may take, after the last job's end, until nothing of them is left, in seconds.
CLEAN_WITHIN = 90.0
QUICK_COUNT = 5
# How long the ledger may take to know of the last pod's end, in seconds.
LEDGER_WITHIN = 60.0
DATABASE = "service.sqlite"


@dataclass
class Site:
    """The hub, what is looked at, and who submits."""

    rig: Rig
    hub: HubUnderTest
    people: People
    witness: Witness


def left(rig: Rig) -> list[str]:
    """What of this hub's jobs is still on the cluster."""
    found = []
    ours = f"aifactory-hub.io/hub={HUB}"
    for team in TEAMS:
        try:
            told = rig.cluster.inside(team, "get", "jobs,pods,secrets", "-n", "jobs", "-l", ours, "-o", "json")
        except RuntimeError as error:
            return [str(error)]
        items = json.loads(told)["items"]
        items += rig.cluster.get("jobs", "-n", f"vc-{team}", "-l", ours)["items"]
        found += [f"{team}: {item['kind']} {item['metadata']['name']}" for item in items]
    return found


def run(site: Site, workloads: Sequence[Workload], troubles: Troubles, spoil: str) -> tuple[list[Outcome], list[str]]:
    """All workloads to their ends; what is wrong with the whole of it."""
    begun = time.time()
    outcomes: list[Outcome] = []
    troubles.start()
    with ThreadPoolExecutor(len(workloads)) as pool:
        running = [pool.submit(site.people.see_through, workload, begun) for workload in workloads]
        if spoil in WHILE_IT_RUNS:
            _spoil_while_it_runs(site, spoil)
        for each in running:
            outcomes.append(each.result())
            told = outcomes[-1]
            state = told.job.state if told.job else "never submitted"
            print(f"  {told.workload.name}: {state} {told.problem}", flush=True)
    troubles.stop()
    problems = [f"{trouble} (could not be made or undone)" for trouble in troubles.failed]
    if not wait_until(lambda: not left(site.rig), CLEAN_WITHIN):
        problems.append(f"left on the cluster after {CLEAN_WITHIN:.0f} s: {left(site.rig)[:8]}")
    if not site.witness.sees:
        problems.append("the witness of the pods went blind: nothing can be said of doubles")
    for outcome in outcomes:
        if spoil in AFTER_ITS_END and outcome.job is not None and outcome.job.state == "SUCCEEDED":
            AFTER_ITS_END[spoil](site.hub, site.rig.cluster, site.witness, outcome)
            break
    known = [job_id for outcome in outcomes for job_id in outcome.ids]
    for team in TEAMS:
        listed = [job.data for job in listing.each(tenant=team, session=site.people.session(team))]
        problems += [f"doubled: {job_id} was never submitted" for job_id in strangers(listed, known)]
    return outcomes, problems


def _spoil_while_it_runs(site: Site, spoil: str) -> None:
    def work() -> None:
        session = site.people.session("nlp")
        wait_until(lambda: listing.list(state="RUNNING", session=session), 180)
        for job in listing.list(state="RUNNING", session=session):
            WHILE_IT_RUNS[spoil](site.hub, site.rig.cluster, site.witness, Outcome(None, job))  # type: ignore[arg-type]
            return

    threading.Thread(target=work, daemon=True).start()


def report(site: Site, outcomes: Sequence[Outcome], problems: Sequence[str], seconds: float) -> bool:
    """The table; whether all is right."""
    right = lost = 0
    doubled = sum(problem.startswith("doubled") for problem in problems)
    print("\nworkload | what | end | attempts | verdict", flush=True)
    for outcome in outcomes:
        told = site.people.ask(outcome)
        pods = site.witness.pods(outcome.job.id) if outcome.job else []
        verdict = judge(outcome.workload, told, pods, outcome.done)
        if outcome.problem:
            verdict.problems.append(outcome.problem)
        right, lost, doubled = right + verdict.right, lost + bool(verdict.lost), doubled + bool(verdict.doubled)
        state = "?" if told is None else f"{told.job['state']} ({told.job['reason'] or told.job['exit_code']})"
        attempts = "?" if told is None else _attempts(told.job["history"], told.job["attempt"])
        print(f"{outcome.workload.name} | {outcome.workload.told()} | {state} | {attempts} | {_words(verdict)}")
    for problem in problems:
        print(f"not so: {problem}")
    load = os.getloadavg()[0]
    print(f"{len(outcomes)} workloads in {seconds:.0f} s at load {load:.1f}", flush=True)
    print(f"jobs: {right} of {len(outcomes)} right, {lost} lost, {doubled} doubled", flush=True)
    return right == len(outcomes) and not lost and not doubled and not problems


def report_ledger(oracle: Oracle, hub: HubUnderTest) -> bool:
    """Whether the ledger has what etcd saw, to the second, some moments after the last pod's end."""
    wait_until(lambda: not compare(oracle.pods, holds(hub.folder / DATABASE)).problems, LEDGER_WITHIN)
    drift = compare(oracle.pods, holds(hub.folder / DATABASE))
    for problem in drift.problems:
        print(f"not so: {problem}")
    if not oracle.sees:
        print("not so: the watch of etcd's history ended")
    print(f"{drift.line()}, {drift.uncertain} s named as uncertain", flush=True)
    return oracle.sees and bool(drift.pods) and not drift.seconds


def _attempts(history: Sequence[dict[str, object]], last: int) -> str:
    return " ".join([*(f"{entry['attempt']}:{entry['kind']}" for entry in history), str(last)])


def _words(verdict: Verdict) -> str:
    told = [*(f"LOST: {w}" for w in verdict.lost), *(f"DOUBLED: {w}" for w in verdict.doubled), *verdict.problems]
    return "right" if verdict.right else f"WRONG: {'; '.join(told)}"


def prepare(rig: Rig, with_engines: Sequence[str]) -> None:
    """Queues, policies and, where asked for, the controllers and rights that more engines need."""
    apply_registry(rig.cluster, TENANTS)
    more = tuple(name for name in with_engines if name != "kubernetes-job")
    if more:
        engines.install(layout(), "nlp", more)
        engines.allow_service(
            layout(), "nlp", yaml_documents(seeded_objects(make_tenant("nlp"), engine_needs(with_engines)))
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.jobs_under_faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="makes the same workloads and faults again")
    parser.add_argument("--count", type=int, default=20, help="how many workloads")
    parser.add_argument("--engines", nargs="+", default=["kubernetes-job"], help="kubernetes-job jobset")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_COUNT} workloads and {len(QUICK)} faults")
    parser.add_argument("--no-troubles", action="store_true", help="only what is done to the jobs themselves")
    parser.add_argument("--preemption", action="store_true", help="only the preemptions")
    parser.add_argument("--spoil", choices=[*WHILE_IT_RUNS, *AFTER_ITS_END], default="", help="see the checks fail")
    return parser.parse_args()


def main() -> int:
    options = parse()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    count = QUICK_COUNT if options.quick else options.count
    workloads = random_workloads(seed, count, options.engines)
    print("The GPUs of this cluster are SIMULATED: capacity on the node, no device behind it.", flush=True)
    print(f"seed {seed}, {count} workloads, engines {' '.join(options.engines)}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="aifactory-jobs-"))
    rig = open_rig()
    with ExitStack() as stack:
        # What other tests count on.
        stack.callback(apply_registry, rig.cluster, TENANTS_FILE)
        clear_tenants(rig.cluster, HUB)
        prepare(rig, options.engines)
        stack.callback(clear_tenants, rig.cluster, HUB)
        hub = rig.hub(folder, TENANTS)
        stack.callback(hub.stop)
        proxy = stack.enter_context(in_front_of(rig.cluster, "nlp"))
        hub.start()
        witness = Witness(rig.cluster, HUB)
        stack.callback(witness.stop)
        witness.start()
        oracle = Oracle(rig.cluster)
        stack.callback(oracle.stop)
        oracle.start()
        everybody = stack.enter_context(rig.people(hub.url))
        tokens = {}
        for team in TEAMS:
            everybody[f"{team}-user"].sign_in()
            tokens[team] = everybody[f"{team}-user"].make_token()
        people = People(hub.url, tokens, folder, rig.cluster, witness)
        site = Site(rig, hub, people, witness)
        good = True
        if not options.preemption:
            found = all_troubles(Parts(hub, rig.cluster), hub, proxy)
            wanted = [] if options.no_troubles else [t for t in found if not options.quick or t.name in QUICK]
            begun = time.monotonic()
            outcomes, problems = run(site, workloads, Troubles(wanted, seed), options.spoil)
            good = report(site, outcomes, problems, time.monotonic() - begun)
            good = report_ledger(oracle, hub) and good
        if options.preemption or not options.quick:
            good = try_preemption(people, everybody["vision-user"]) and good
    return finish(folder, good=good)


if __name__ == "__main__":
    sys.exit(main())
