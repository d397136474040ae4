"""Servers and jobs while everything around them is killed, and the ledger beside etcd's history: ``make e2e-ledger``.

Real: Kubernetes, the vClusters, Kueue, the identity provider, the hub, its proxy, the job service, and every fault:
processes are killed without a word. Simulated: the GPUs, behind whose names there is no device.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from ..faults.proxy import in_front_of
from ..jobs_under_faults.__main__ import DATABASE, HUB, LEDGER_WITHIN, TENANTS, Site, run
from ..jobs_under_faults.people import People
from ..jobs_under_faults.troubles import Troubles, all_troubles
from ..jobs_under_faults.witness import Witness
from ..jobs_under_faults.workloads import TEAMS, random_workloads
from ..person import Person
from ..processes import HubUnderTest
from ..restarts.parts import Parts
from ..rig import TENANTS_FILE, Rig, apply_registry, clear_tenants, finish, open_rig
from ..steps import wait_until
from .oracle import Oracle
from .verdict import Drift, compare, holds

SLICE = "mig-1g.10gb"


@dataclass
class Stage:
    """The hub, its people, and who watches etcd."""

    rig: Rig
    hub: HubUnderTest
    people: Mapping[str, Person]
    oracle: Oracle

    def drift(self) -> Drift:
        return compare(self.oracle.pods, holds(self.hub.folder / DATABASE))


def service_is_away(stage: Stage, seconds: float) -> None:
    """Servers come and go while the service is away and the hub is killed once; nobody but the hub sees them."""
    ada, kai = stage.people["nlp-user"], stage.people["vision-user"]
    start(ada, "nlp", "stays")
    start(kai, "vision", "goes")
    until = time.monotonic() + seconds
    stage.hub.kill("service")
    say(f"the service is killed, for {seconds:.0f} s")
    kai.stop("goes")
    start(ada, "nlp", "short")
    ada.stop("short")
    stage.hub.kill("hub")
    time.sleep(3)
    stage.hub.start_hub()
    say("the hub was killed and is back")
    start(kai, "vision", "later")
    kai.stop("later")
    time.sleep(max(0.0, until - time.monotonic()))
    stage.hub.start_service()
    say("the service is back")
    ada.stop("stays")


def start(person: Person, tenant: str, server: str) -> None:
    refused = person.spawn(tenant, SLICE, server)
    assert refused is None, refused
    last = person.progress(server)[-1]
    assert last.get("ready"), last


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def _lose(db: sqlite3.Connection) -> None:
    db.execute('DELETE FROM usage_holds WHERE pod = (SELECT pod FROM usage_holds ORDER BY "end" - start DESC LIMIT 1)')


def _double(db: sqlite3.Connection) -> None:
    columns = [row[1] for row in db.execute("PRAGMA table_info(usage_holds)")]
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join("'twice'" if name == "pod" else f'"{name}"' for name in columns)
    copied = f'INSERT INTO usage_holds ({names}) SELECT {values} FROM usage_holds ORDER BY "end" - start DESC LIMIT 1'  # noqa: S608
    db.execute(copied)


def _shift(db: sqlite3.Connection) -> None:
    db.execute("UPDATE usage_holds SET start = start + 1 WHERE pod = (SELECT pod FROM usage_holds LIMIT 1)")


# What a ledger that is wrong would have, done by hand: so that one sees the check fail.
SPOILS: dict[str, Callable[[sqlite3.Connection], None]] = {"lose": _lose, "double": _double, "shift": _shift}


def report(stage: Stage, spoil: str) -> bool:
    """What is wrong, and the figure."""
    wait_until(lambda: not stage.drift().problems, LEDGER_WITHIN)
    if spoil:
        with closing(sqlite3.connect(stage.hub.folder / DATABASE, timeout=20)) as db, db:
            SPOILS[spoil](db)
    drift = stage.drift()
    for problem in drift.problems:
        print(f"not so: {problem}")
    if not stage.oracle.sees:
        print("not so: the watch of etcd's history ended")
    print(f"at load {os.getloadavg()[0]:.1f}; {drift.uncertain} s named as uncertain", flush=True)
    print(drift.line(), flush=True)
    return stage.oracle.sees and bool(drift.pods) and not drift.seconds


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.ledger", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="makes the same workloads and faults again")
    parser.add_argument("--count", type=int, default=12, help="how many workloads under faults, 0 for none")
    parser.add_argument("--away", type=float, default=600.0, help="seconds that the service is away")
    parser.add_argument("--spoil", choices=list(SPOILS), default="", help="see the check fail")
    return parser.parse_args()


def main() -> int:
    options = parse()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    print("The GPUs of this cluster are SIMULATED: capacity on the node, no device behind it.", flush=True)
    print(f"seed {seed}, {options.count} workloads, the service is away for {options.away:.0f} s", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="aifactory-ledger-"))
    rig = open_rig()
    with ExitStack() as stack:
        stack.callback(apply_registry, rig.cluster, TENANTS_FILE)
        clear_tenants(rig.cluster, HUB)
        apply_registry(rig.cluster, TENANTS)
        stack.callback(clear_tenants, rig.cluster, HUB)
        hub = rig.hub(folder, TENANTS)
        stack.callback(hub.stop)
        proxy = stack.enter_context(in_front_of(rig.cluster, "nlp"))
        hub.start()
        oracle, witness = Oracle(rig.cluster), Witness(rig.cluster, HUB)
        for watcher in (oracle, witness):
            stack.callback(watcher.stop)
            watcher.start()
        people = stack.enter_context(rig.people(hub.url))
        tokens = {}
        for team in TEAMS:
            people[f"{team}-user"].sign_in()
            tokens[team] = people[f"{team}-user"].make_token()
        problems: list[str] = []
        if options.count:
            site = Site(rig, hub, People(hub.url, tokens, folder, rig.cluster, witness), witness)
            troubles = Troubles(all_troubles(Parts(hub, rig.cluster), hub, proxy), seed)
            workloads = random_workloads(seed, options.count, ["kubernetes-job"])
            problems = run(site, workloads, troubles, "")[1]
        stage = Stage(rig, hub, people, oracle)
        service_is_away(stage, options.away)
        for problem in problems:
            print(f"not so: {problem}")
        good = report(stage, options.spoil) and not problems
    return finish(folder, good=good)


if __name__ == "__main__":
    sys.exit(main())
