"""What the ledger says beside what the oracle saw."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from .oracle import Truth

# A pod that never said when it ended: between what etcd showed and what was heard of it there are moments.
_NEAR = 2


@dataclass
class Drift:
    """``seconds`` are all that the ledger has too many or too few. ``uncertain`` are those that it names itself."""

    pods: int = 0
    seconds: int = 0
    uncertain: int = 0
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        return f"ledger: {self.pods} pods, {self.seconds} s drift"


def holds(database: Path) -> dict[str, tuple[int, int | None, int | None]]:
    """Pod -> start, end, and the latest that it may have ended, as the ledger has them."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as db:
        rows = db.execute('SELECT pod, start, "end", latest_end FROM usage_holds WHERE NOT void')
        return {pod: (start, end, latest) for pod, start, end, latest in rows}


def compare(pods: Mapping[str, Truth], known: Mapping[str, tuple[int, int | None, int | None]]) -> Drift:
    """Every pod that held something, and every hold of which there is no pod."""
    drift = Drift()
    held = {uid: truth for uid, truth in pods.items() if truth.start is not None}
    for uid, truth in held.items():
        drift.pods += 1
        _judge(drift, uid, truth, known.get(uid))
    for uid in known.keys() - held.keys():
        start, end, _ = known[uid]
        drift.seconds += (end or start) - start
        drift.problems.append(f"{uid}: a hold of which etcd never saw a pod")
    return drift


def _judge(drift: Drift, uid: str, truth: Truth, hold: tuple[int, int | None, int | None] | None) -> None:
    assert truth.start is not None
    if hold is None:
        length = (truth.end or int(truth.gone or truth.start)) - truth.start
        drift.seconds += length
        if length:
            drift.problems.append(f"{truth.name} ({uid}): not in the ledger, {length} s")
        return
    start, end, latest = hold
    drift.uncertain += 0 if end is None or latest is None else latest - end
    off = abs(start - truth.start) + _end_off(truth, end, latest)
    if off:
        drift.seconds += off
        drift.problems.append(f"{truth.name} ({uid}): {hold} in the ledger, {truth} in etcd")


def _end_off(truth: Truth, end: int | None, latest: int | None) -> int:
    if truth.end is not None:
        return abs((end or 0) - truth.end)
    if truth.gone is None:
        return 0 if end is None else 1
    if end is None or latest is None:
        return 1
    return 0 if end - _NEAR <= truth.gone <= latest + _NEAR else int(abs(truth.gone - end))
