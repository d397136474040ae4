"""The table of faults, on the real test cluster: ``make e2e-faults``, or this module inside the cluster's network.

Real: Kubernetes, the vClusters, Kueue, the identity provider, the hub, its proxy, the notebooks, and every fault.
Simulated: the GPUs. The node's capacity names slices behind which there is no device.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..rig import TENANTS_FILE, apply_registry, clear_tenants, finish, open_rig
from .apis import Apis
from .databases import Databases
from .deaths import Deaths
from .homes import Homes
from .host import Host, before_the_host
from .leftovers import Leftovers
from .names import Names
from .people import People
from .proxy import clear_rules, in_front_of
from .refusals import Refusals
from .site import HUB, Site, tenants_file
from .spare import removed_after, spare
from .table import Row, Table
from .vclusters import SERVER, USER, VClusters

STAY = {("nlp-user", ""): "nlp", ("vision-user", ""): "vision", (USER, SERVER): "spare"}


@contextmanager
def ready_site(folder: Path, teams: Sequence[str]) -> Iterator[tuple[Site, list[Row]]]:
    """A hub with a server in each of these teams; the rows that can be tried on it."""
    clear_rules()
    rig = open_rig()
    with ExitStack() as stack:
        stack.callback(apply_registry, rig.cluster, TENANTS_FILE)
        # Without it only its namespace and queue are there: a team whose vCluster is not installed yet.
        stack.enter_context(spare(rig.cluster) if "spare" in teams else removed_after(rig.cluster))
        apply_registry(rig.cluster, tenants_file())
        stack.callback(clear_tenants, rig.cluster, HUB, teams)
        clear_tenants(rig.cluster, HUB, teams)
        hub = rig.hub(folder, tenants_file())
        people = stack.enter_context(rig.people(hub.url))
        site = Site(hub, rig.cluster, people)
        stack.callback(hub.stop)
        folder.mkdir(parents=True, exist_ok=True)
        relay, hub.kubeconfig = stack.enter_context(before_the_host(hub.kubeconfig, folder))
        proxy = stack.enter_context(in_front_of(rig.cluster, "nlp"))
        hub.start_proxy()
        hub.start_hub()
        sign_in_and_start(site, teams)
        rows = [
            *Apis(site, proxy).rows(),
            *Refusals(site).rows(),
            *People(site, rig.found).rows(),
            *Names(site, rig.found).rows(),
            *Leftovers(site).rows(),
            *Databases(site).rows(),
            *Deaths(site, proxy, teams).rows(),
            *VClusters(site).rows(),
            *Homes(site).rows(),
            *Host(site, relay).rows(),
        ]
        yield site, rows


def sign_in_and_start(site: Site, teams: Sequence[str]) -> None:
    """Everybody signs in; one server in each team."""
    for name in ("nlp-user", "vision-user", "two-team-user"):
        site.people[name].sign_in()
    for (user, server), tenant in staying(teams).items():
        outcome = site.start(user, server, tenant=tenant)
        if not outcome.ready:
            raise RuntimeError(f"no server for {user} in {tenant}: {outcome}")
        print(f"{user} runs a server in {tenant} ({outcome.seconds:.1f} s)", flush=True)


def staying(teams: Sequence[str]) -> dict[tuple[str, str], str]:
    """The servers that run all the while: (user, server) by team."""
    return {server: tenant for server, tenant in STAY.items() if tenant in teams}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the rows that are part of every test run")
    parser.add_argument("--only", default="", metavar="PATTERN", help="only rows whose name this is found in")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    options = parser.parse_args()
    # Who is stopped from outside cleans up too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="aifactory-faults-"))
    print("The GPUs of this cluster are SIMULATED: capacity on the node, no device behind it.", flush=True)
    table = Table()
    teams = ("nlp", "vision") if options.quick else ("nlp", "vision", "spare")
    with ready_site(folder / "hub", teams) as (site, rows):
        table.after_failure = lambda: site.tidy(staying(teams))
        for row in rows:
            if re.search(options.only, row.name) and (row.quick or not options.quick):
                print(row.name, flush=True) if options.list else table.run(row)
    if options.list:
        return 0
    return finish(folder, good=table.close())


if __name__ == "__main__":
    sys.exit(main())
