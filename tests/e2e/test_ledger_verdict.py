"""The judgement on the ledger, which must fail for a ledger that is wrong. Without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from .cluster import Cluster
from .ledger.oracle import Oracle, Truth
from .ledger.verdict import compare

PODS = {
    "u1": Truth("a", 100, 160),
    "u2": Truth("b", 200, None, gone=230.4),
    "u3": Truth("c", 300),
    "u4": Truth("never bound"),
}
RIGHT = {"u1": (100, 160, 160), "u2": (200, 230, 230), "u3": (300, None, None)}


def test_a_ledger_that_has_what_etcd_saw_has_no_drift() -> None:
    drift = compare(PODS, RIGHT)
    assert (drift.line(), drift.problems) == ("ledger: 3 pods, 0 s drift", [])


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"u1": None}, 60),
        ({"u1": (101, 160, 160)}, 1),
        ({"u1": (100, 170, 170)}, 10),
        ({"u1": (100, None, None)}, 160),
        ({"u2": (200, 210, 210)}, 20),
        ({"u3": (300, 310, 310)}, 1),
        ({"u9": (400, 450, 450)}, 50),
    ],
)
def test_what_is_lost_shifted_doubled_or_goes_on_for_ever_is_drift(
    changes: dict[str, tuple[int, int | None, int | None] | None], seconds: int
) -> None:
    wrong = {uid: hold for uid, hold in {**RIGHT, **changes}.items() if hold is not None}
    assert compare(PODS, wrong).seconds == seconds
    assert compare(PODS, wrong).problems


def test_what_the_ledger_does_not_know_itself_is_no_drift_and_counted() -> None:
    drift = compare(PODS, {**RIGHT, "u2": (200, 205, 240)})
    assert (drift.seconds, drift.uncertain) == (0, 35)


def test_the_oracle_reads_a_pods_versions() -> None:
    oracle = Oracle(Cluster(Path("kubectl"), Path("kubeconfig"), "node"))
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "1970-01-01T00:01:40Z"}
    metadata = {"uid": "u1", "name": "a", "annotations": {}}
    ended = {"terminated": {"finishedAt": "1970-01-01T00:02:40Z"}}
    for status in ({}, {"conditions": [scheduled]}, {"phase": "Failed", "containerStatuses": [{"state": ended}]}):
        oracle.take("MODIFIED", {"metadata": metadata, "status": status})
    assert oracle.pods == {"u1": Truth("a", 100, 160)}
    oracle.take("DELETED", {"metadata": metadata, "status": {}})
    assert oracle.pods == {"u1": Truth("a", 100, 160)}
