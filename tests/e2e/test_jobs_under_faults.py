"""What is called right, lost, doubled or wrong of random workloads: each check fails where it should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from .jobs_under_faults.verdict import Done, PodSeen, Told, Verdict, judge, strangers
from .jobs_under_faults.witness import read_pod
from .jobs_under_faults.workloads import Act, Kind, Workload, random_workloads

ID = "j0123456789ab"
PLAIN = Workload(
    number=0, team="nlp", kind=Kind.COMMAND, profile="cpu-small", at=0.0, seconds=10.0, lines=5, width=3, exit_code=7,
    fails=0, retries=1,
)  # fmt: skip
FAILED_ONCE = {"attempt": 1, "kind": "retry", "reason": "?"}
FAILING = replace(PLAIN, fails=1, retries=0)
POD = PodSeen("u1", ID, started=1000.0, finished=1012.0, exit_code=0)


def lines(count: int, width: int = 3) -> list[str]:
    return [f"line {n} {1001 + 2 * n:.2f} {'x' * width}" for n in range(count)]


def log(count: int = 5, *more: str) -> str:
    return "\n".join(["begin 1", *lines(count), *more]) + "\n"


def told(text: str | None = None, ids: tuple[str, ...] = (ID,), **changes: Any) -> Told:
    job = {"id": ID, "state": "SUCCEEDED", "final": True, "reason": None, "exit_code": 0, "attempt": 1, "history": []}
    return Told({**job, **changes}, log(5, "end") if text is None else text, ids)


def failed(**changes: Any) -> dict[str, Any]:
    return {"state": "FAILED", "exit_code": 7, "reason": "the command ended with exit code 7", **changes}


def test_all_as_it_should_be_is_right() -> None:
    assert judge(PLAIN, told(), [POD], None).right


def judged(workload: Workload, said: Told | None, pods: list[PodSeen], done: Done | None = None) -> Verdict:
    verdict = judge(workload, said, pods, done)
    assert not verdict.right
    return verdict


def test_a_job_that_nobody_knows_is_lost() -> None:
    assert judged(PLAIN, None, [POD]).lost


def test_a_job_without_an_end_is_lost() -> None:
    assert judged(PLAIN, told(state="RUNNING", final=False), [POD]).lost


@pytest.mark.parametrize("pods", [[], [replace(POD, exit_code=1)], [replace(POD, run_id=f"{ID}r2")]])
def test_a_success_that_no_pod_had_is_lost(pods: list[PodSeen]) -> None:
    assert judged(PLAIN, told(), pods).lost


def test_one_key_with_two_jobs_is_doubled() -> None:
    assert judged(PLAIN, told(ids=(ID, "jffffffffffff")), [POD]).doubled


def test_two_pods_of_one_attempt_are_doubled_and_as_many_as_nodes_are_not() -> None:
    pods = [POD, replace(POD, uid="u2")]
    assert judged(PLAIN, told(), pods).doubled
    assert judge(replace(PLAIN, nodes=2), told(), pods, None).right


def test_an_attempt_that_the_service_does_not_know_is_doubled() -> None:
    second = PodSeen("u2", f"{ID}r2", started=1020.0, finished=1030.0, exit_code=0)
    assert judged(PLAIN, told(), [POD, second]).doubled


def test_attempts_that_meet_are_doubled() -> None:
    first = replace(POD, exit_code=7)
    history = [{"attempt": 1, "kind": "retry", "reason": "the command ended with exit code 7"}]
    apart, meet = (PodSeen("u2", f"{ID}r2", started=at, finished=1030.0, exit_code=0) for at in (1013.0, 1005.0))
    asked = replace(PLAIN, fails=1)
    assert judge(asked, told(attempt=2, history=history), [first, apart], None).right
    assert judged(asked, told(attempt=2, history=history), [first, meet]).doubled


def test_a_job_that_nobody_submitted_is_named() -> None:
    assert strangers([{"id": "a"}, {"id": "b"}], ["a"]) == ["b"]


@pytest.mark.parametrize(
    ("workload", "said", "pods", "word"),
    [
        (PLAIN, told(**failed()), [replace(POD, exit_code=7)], "should succeed"),
        (replace(PLAIN, fails=2), told(), [POD], "should fail"),
        (replace(PLAIN, fails=2), told(log(), **failed()), [replace(POD, exit_code=7)], "given up after 0 of 1"),
        (PLAIN, told(state="CANCELLED", exit_code=None), [POD], "nobody cancelled"),
        (FAILING, told(log(), **failed(exit_code=8)), [replace(POD, exit_code=8)], "exit code 8, not 7"),
        (FAILING, told(log(), **failed(reason=None)), [replace(POD, exit_code=7)], "without a reason"),
        (replace(FAILING, eats=True), told(log(), **failed()), [replace(POD, exit_code=7)], "does not say 'memory'"),
        (replace(PLAIN, max_seconds=8, retries=0), told(log(), **failed()), [POD], "does not say 'longer'"),
        (PLAIN, told(history=[FAILED_ONCE], attempt=2), [], "is said to have failed"),
        (PLAIN, told(log(4, "end")), [POD], "4 of 5 lines"),
        (PLAIN, told(log()), [POD], "lacks the last line"),
        (PLAIN, told("\n".join(["begin 1", *lines(2), *lines(5)[3:], "end"])), [POD], "missing or doubled"),
        (PLAIN, told("\n".join(["begin 1", *lines(3), *lines(5)[2:], "end"])), [POD], "missing or doubled"),
        (PLAIN, told("\n".join([*lines(3, width=2), *lines(5)[3:], "end"])), [POD], "cut"),
    ],
)  # fmt: skip
def test_an_end_or_a_log_that_is_not_right_is_said(
    workload: Workload, said: Told, pods: list[PodSeen], word: str
) -> None:
    assert word in " ".join(judged(workload, said, pods).problems)


def test_what_a_killed_job_printed_until_then_must_be_there() -> None:
    hit = replace(PLAIN, act=Act.KILL_CONTAINER, retries=0, seconds=50.0, lines=25)
    done, pods = Done(1012.0, attempt=1), [replace(POD, exit_code=137)]
    end = failed(exit_code=137, reason="the command ended with exit code 137")
    assert judge(hit, told(log(5), **end), pods, done).right
    assert "are missing" in judged(hit, told(log(1), **end), pods, done).problems[0]
    assert "are missing" in judged(hit, told("", **end), pods, done).problems[0]
    late = replace(hit, act=Act.CANCEL)
    cancelled = told("", state="CANCELLED", exit_code=None)
    assert judge(late, cancelled, pods, done).right  # it may not have begun


def test_a_cancelled_job_may_have_ended_before() -> None:
    asked = replace(PLAIN, act=Act.CANCEL, seconds=50.0, lines=25)
    done = Done(1010.0, attempt=1)
    cancelled = told(log(5), state="CANCELLED", exit_code=None, reason="cancelled by ada")
    assert judge(asked, cancelled, [replace(POD, exit_code=143)], done).right
    assert judge(replace(asked, lines=5), told(), [POD], done).right


def test_a_suspension_of_a_running_job_ends_an_attempt() -> None:
    asked = replace(PLAIN, act=Act.SUSPEND)
    second = PodSeen("u2", f"{ID}r2", started=1020.0, finished=1030.0, exit_code=0)
    history = [{"attempt": 1, "kind": "suspended", "reason": "suspended"}]
    pods, done = [replace(POD, exit_code=143), second], Done(1005.0, attempt=1)
    assert judge(asked, told(attempt=2, history=history), pods, done).right
    other = [{"attempt": 1, "kind": "preempted", "reason": "?"}]
    assert "no attempt of it ended so" in judged(asked, told(attempt=2, history=other), pods, done).problems[0]


def test_a_seed_gives_the_same_workloads_and_a_short_run_has_each_kind_of_trouble() -> None:
    assert random_workloads(7, 20) == random_workloads(7, 20)
    assert random_workloads(7, 20) != random_workloads(8, 20)
    for seed in range(20):
        few = random_workloads(seed, 5)
        assert {Act.DELETE_POD, Act.CANCEL, Act.SUSPEND} <= {workload.act for workload in few}
        assert any(workload.eats for workload in few)
        assert any(workload.fails for workload in few)
        many = random_workloads(seed, 20, ["kubernetes-job", "jobset"])
        assert {workload.engine for workload in many} == {"kubernetes-job", "jobset"}
        assert {workload.kind for workload in many} == set(Kind)
        assert all(not workload.act.is_hit or workload.nodes == 1 for workload in many)


def test_a_pod_is_read_from_what_the_host_shows() -> None:
    ended = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z", "exitCode": 3}
    metadata = {"uid": "u", "labels": {"aifactory-hub.io/owner": ID}}
    waiting = read_pod({"metadata": metadata, "status": {}})
    assert (waiting.started, waiting.finished) == (None, None)
    seen = read_pod({"metadata": metadata, "status": {"containerStatuses": [{"state": {"terminated": ended}}]}})
    assert (seen.run_id, seen.exit_code) == (ID, 3)
    assert (seen.finished or 0) - (seen.started or 0) == 9
