"""What a service that is wrong would do, done by hand: so that one sees the checks fail."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from ..cluster import Cluster
from ..processes import HubUnderTest
from ..steps import wait_until
from .people import Outcome
from .witness import Witness


def double(_hub: HubUnderTest, cluster: Cluster, witness: Witness, outcome: Outcome) -> None:
    """A second pod of an attempt that runs."""
    job = outcome.job
    assert job is not None
    wait_until(lambda: witness.running(job.id), 120)
    found = witness.running(job.id)
    assert found is not None
    pod = json.loads(cluster.inside(found[1].team, "get", "pod", found[1].name, "-n", "jobs", "-o", "json"))
    labels = {k: v for k, v in pod["metadata"]["labels"].items() if "controller-uid" not in k and "batch." not in k}
    copy = {"apiVersion": "v1", "kind": "Pod", "spec": {k: v for k, v in pod["spec"].items() if k != "nodeName"}}
    copy["metadata"] = {"name": f"{found[1].name}-2", "namespace": "jobs", "labels": labels}
    cluster.inside(found[1].team, "apply", "-f", "-", stdin=json.dumps(copy))


def lose(hub: HubUnderTest, _cluster: Cluster, _witness: Witness, outcome: Outcome) -> None:
    """A job that was acknowledged is forgotten."""
    _change(hub, "DELETE FROM jobs WHERE id = ?", outcome)


def end(hub: HubUnderTest, _cluster: Cluster, _witness: Witness, outcome: Outcome) -> None:
    """A job that ended well is said to have failed."""
    _change(hub, "UPDATE jobs SET state = 'FAILED' WHERE id = ?", outcome)


def log(hub: HubUnderTest, _cluster: Cluster, _witness: Witness, outcome: Outcome) -> None:
    """A line of a stored log is lost."""
    assert outcome.job is not None
    for path in (hub.folder / "files").rglob("*"):
        if path.is_file() and outcome.job.id in str(path) and "log" in path.name:
            lines = path.read_bytes().splitlines(keepends=True)
            Path(path).write_bytes(b"".join(lines[:2] + lines[3:]))
            return
    raise RuntimeError(f"no stored log of {outcome.job.id}")


def _change(hub: HubUnderTest, statement: str, outcome: Outcome) -> None:
    assert outcome.job is not None
    with sqlite3.connect(hub.folder / "service.sqlite", timeout=20) as database:
        changed = database.execute(statement, (outcome.job.id,)).rowcount
    if changed != 1:
        raise RuntimeError(f"{changed} jobs changed")


Spoil = Callable[[HubUnderTest, Cluster, Witness, Outcome], None]
WHILE_IT_RUNS: dict[str, Spoil] = {"double": double}
AFTER_ITS_END: dict[str, Spoil] = {"lose": lose, "end": end, "log": log}
