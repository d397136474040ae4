"""Whether a server is idle: never while it is used, and never for lack of samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from aifactory_hub.domain.idle import FRESH, Busy, GpuSamples, Idle, Report, Unknown, Watched, heard, judge, may_stop

from ..support.idle_traces import AFTER, KINDS, NOW, traces

REPORT = Report("lab", busy=False, last_used=NOW - 9000, received_at=NOW - 2, since=NOW - 4000)
GPU = GpuSamples(90, 90, 0.003, 0.0, 12 * 2**20, xid=0)
QUIET = Watched(NOW - 20_000, REPORT, GPU, cpu=0.01)


def test_quiet_by_both_witnesses_is_idle_with_evidence() -> None:
    verdict = judge(QUIET, after=AFTER, now=NOW)
    assert isinstance(verdict, Idle)
    assert verdict.since == NOW - AFTER
    said = " ".join(verdict.evidence)
    assert "90 of 90 samples" in said and "for 45 minutes" in said and "0.3%" in said


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (replace(QUIET, running_from=NOW - 100), "started"),
        (replace(QUIET, report=replace(REPORT, busy=True, what=("kernel train.ipynb works",))), "train.ipynb"),
        (replace(QUIET, report=replace(REPORT, last_used=NOW - 60)), "a short while ago"),
        (replace(QUIET, gpu=replace(GPU, engine=0.01)), "computed"),
        (replace(QUIET, gpu=replace(GPU, dram=0.5)), "moved data"),
        (replace(QUIET, gpu=replace(GPU, memory_changed=True)), "has changed"),
        (replace(QUIET, cpu=0.4), "0.40 cores"),
    ],
)
def test_one_sign_of_use_is_enough(seen: Watched, word: str) -> None:
    verdict = judge(seen, after=AFTER, now=NOW)
    assert isinstance(verdict, Busy)
    assert word in verdict.why


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (replace(QUIET, report=None), "has not said whether"),
        (replace(QUIET, report=replace(REPORT, received_at=NOW - FRESH - 1)), "for 3 minutes"),
        (replace(QUIET, report=replace(REPORT, since=NOW - 120)), "for 2 minutes only"),
        (replace(QUIET, gpu=None), "no samples"),
        (replace(QUIET, gpu=replace(GPU, engine=None)), "no samples"),
        (replace(QUIET, gpu=replace(GPU, dram=None)), "no samples"),
        (replace(QUIET, gpu=replace(GPU, samples=80)), "80 of 90"),
        (replace(QUIET, gpu=GpuSamples(0, 0, 0.0, 0.0, xid=0)), "0 of 0"),
        (replace(QUIET, gpu=replace(GPU, xid=None)), "Xid"),
        (replace(QUIET, gpu=replace(GPU, xid=31)), "Xid error 31"),
        (replace(QUIET, gpu=replace(GPU, disturbed="its GPU was cut anew")), "cut anew"),
    ],
)
def test_a_witness_that_is_away_is_unknown(seen: Watched, word: str) -> None:
    verdict = judge(seen, after=AFTER, now=NOW)
    assert isinstance(verdict, Unknown)
    assert word in verdict.why


def test_a_busy_report_that_is_old_says_nothing_any_more() -> None:
    old = replace(REPORT, busy=True, received_at=NOW - 3600)
    assert isinstance(judge(replace(QUIET, report=old), after=AFTER, now=NOW), Unknown)


def test_a_server_is_stopped_only_right_after_it_spoke() -> None:
    older = replace(QUIET, report=replace(REPORT, received_at=NOW - 40))
    assert may_stop(QUIET, judge(QUIET, after=AFTER, now=NOW), NOW)
    assert isinstance(judge(older, after=AFTER, now=NOW), Idle)
    assert not may_stop(older, judge(older, after=AFTER, now=NOW), NOW)
    assert not may_stop(QUIET, Unknown("why"), NOW)


def test_memory_that_is_held_is_told_and_keeps_nothing() -> None:
    verdict = judge(replace(QUIET, gpu=replace(GPU, memory=8 * 2**30)), after=AFTER, now=NOW)
    assert isinstance(verdict, Idle)
    assert "8.0 GiB" in verdict.evidence[-1]


def test_the_quiet_time_is_the_services_own_whatever_the_servers_clock_says() -> None:
    said = Report("lab", busy=False, last_used=0.0, received_at=100.0, since=100.0)
    again = heard(said, replace(said, received_at=160.0, since=160.0))
    assert again.since == 100.0
    used = heard(again, replace(said, last_used=30.0, received_at=220.0, since=220.0))
    assert used.since == 220.0
    busy = heard(used, replace(used, busy=True, received_at=280.0))
    assert heard(busy, replace(used, received_at=340.0)).since == 340.0
    assert heard(None, said).since == 100.0


def test_no_server_that_is_used_is_stopped() -> None:
    """The long form with a million is `make bench NAME=idle`."""
    found: Counter[tuple[str, str]] = Counter()
    for each in traces(seed=20, count=6_000):
        verdict = judge(each.seen, after=AFTER, now=NOW)
        found[each.kind, type(verdict).__name__] += 1
        assert not (each.used and may_stop(each.seen, verdict, NOW)), each
    # The traces are worth something: of what is not used and not disturbed, much is found.
    assert found["open idle tab", "Idle"] > 300 and found["memory held", "Idle"] > 300
    assert found["busy without a tab", "Busy"] == 400
    for kind in ("missing series", "profiler", "zeros after an Xid error", "exporter restarted", "GPU cut anew"):
        assert found[kind, "Idle"] == 0, kind
    assert all(found[kind, "Busy"] + found[kind, "Unknown"] for kind in KINDS)


def test_the_traces_catch_a_judge_that_believes_one_witness_alone() -> None:
    """Else the test before would prove nothing."""
    missed: Counter[str] = Counter()
    for each in traces(seed=21, count=6_000):
        gpu_alone = replace(each.seen, report=REPORT, cpu=None)
        report_alone = replace(each.seen, gpu=GPU, cpu=None)
        no_xid = each.seen.gpu and replace(each.seen.gpu, xid=0, samples=90)
        xid_unread = replace(each.seen, gpu=no_xid, report=REPORT, cpu=None)
        for name, seen in (("gpu", gpu_alone), ("report", report_alone), ("xid", xid_unread)):
            missed[name] += each.used and may_stop(seen, judge(seen, after=AFTER, now=NOW), NOW)
    assert missed["gpu"] > 40 and missed["report"] > 40 and missed["xid"] > missed["gpu"]
