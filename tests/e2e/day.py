"""The day, end to end, on the real test cluster: ``python -m tests.e2e.day`` inside the cluster's network namespace.

Nothing here is a mock: a real identity provider, a real JupyterHub with its proxy, real vClusters, real Kueue.
Only the GPUs are simulated: the node's capacity names slices behind which there is no device.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from . import steps
from .rig import Rig, clear_tenants, finish, open_rig
from .steps import Day
from .table import Table

STEPS = (
    ("sign in through the identity provider", steps.sign_in),
    ("the spawn page tells the truth", steps.menus),
    ("pick mig-1g.10gb, get a notebook in the team's vCluster", steps.notebook),
    ("submit a job from the kernel, see it finish", steps.job),
    ("another team does the same at the same time", steps.neighbours),
    ("one slice too many is refused with numbers", steps.refusal),
    ("stop while a job runs, and find the file and the job again", steps.stop_and_return),
    ("the hub is killed and comes back", steps.crash),
)


def run_day(rig: Rig, folder: Path) -> bool:
    """One whole day from an empty hub. Returns whether every step passed."""
    clear_tenants(rig.cluster)
    hub = rig.hub(folder)
    table = Table(len(STEPS))
    try:
        hub.start()
        with rig.people(hub.url) as people:
            run_steps(table, Day(hub, rig.cluster, people))
    finally:
        hub.stop()
        clear_tenants(rig.cluster)
    return table.close()


def run_steps(table: Table, day: Day) -> None:
    """The steps in order; after one that fails, the ends of the logs and no more steps."""
    for number, (title, body) in enumerate(STEPS, start=1):
        if not table.run(number, title, partial(body, day)):
            for name in ("hub", "service"):
                print(f"--- the end of the {name}'s log\n{day.hub.log_tail(name, 60)}", flush=True)
            return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1, help="how many days in a row (default 1)")
    parser.add_argument("--keep", action="store_true", help="keep the hub's folder with its logs")
    options = parser.parse_args()
    rig = open_rig()
    print("The GPUs of this cluster are SIMULATED: capacity on the node, no device behind it.", flush=True)
    passed = 0
    for turn in range(options.times):
        folder = Path(tempfile.mkdtemp(prefix="aifactory-day-"))
        if options.times > 1:
            print(f"day {turn + 1} of {options.times}", flush=True)
        good = run_day(rig, folder)
        passed += good
        finish(folder, good=good and not options.keep)
        if not good:
            break
    if options.times > 1:
        print(f"days: {passed} of {options.times} passed", flush=True)
    return 0 if passed == options.times else 1


if __name__ == "__main__":
    sys.exit(main())
