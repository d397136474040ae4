"""Jobs: how fast one is taken in, how fast a long list answers, and what many that run cost.

Our service is the real one over HTTP with a real database file, in a process of its own with a hub that knows one
token; the cluster is in its memory. jupyter-scheduler and dask-gateway are measured beside it in the same run, each
without the part that starts something. ``ARGS`` names parts, ``--scale 0.1`` makes all of them shorter, and
``--before FOLDER`` measures the service of another checkout beside this one.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from . import jobs_lists, jobs_live, jobs_submits
from .frame import Report, commit
from .jobs_peers import PINNED

PARTS = {
    "submits": jobs_submits.measure,
    "lists": jobs_lists.measure,
    "memory": jobs_live.memory,
    "due_jobs": jobs_live.due_jobs,
}


def main() -> None:
    """Measure and report: all, or the parts that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all, if none is named")
    parser.add_argument("--scale", type=float, default=1.0, help="of counts and of waiting, for a trial")
    parser.add_argument("--before", type=Path, help="another checkout, whose service is measured beside this one's")
    asked = parser.parse_args()
    if unknown := {*asked.parts} - {*PARTS}:
        parser.error(f"{', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    report = Report(
        "-".join(["jobs", *asked.parts, *(["before"] if asked.before else []), *_trial(asked.scale)]),
        "Jobs: taken in, listed, and running",
        simulated=["the cluster and the hub are in the service's process; requests come from the same machine"],
        packages=("sqlalchemy", "tornado", "psycopg", "pydantic"),
    )
    loads = []
    for name, measure in PARTS.items():
        if not asked.parts or name in asked.parts:
            measure(report, asked.scale, asked.before)
            loads.append(f"{name} {os.getloadavg()[0]:.1f}")
    if asked.before is not None:
        report.notes.append(f"before: the checkout at {commit(asked.before)}")
    elif not asked.parts or {"submits", "lists"} & {*asked.parts}:
        report.notes.append(f"beside: {', '.join(PINNED)}, each with a database file of its own")
    report.notes.append(f"load at the end of each part: {', '.join(loads)}")
    report.finish()


def _trial(scale: float) -> list[str]:
    return ["trial"] if scale != 1.0 else []


if __name__ == "__main__":
    main()
