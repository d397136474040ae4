"""Whether what became of a workload is right: pure, from what the service told and what the cluster was seen to do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .workloads import Act, Kind, Workload

_LINE = re.compile(r"^line (\d+) ([\d.]+) (x*)$")
# What a container printed this long before it was killed may be missing, in seconds: it was on its way.
FLUSH = 2.0
# Kubernetes tells times in whole seconds.
_GRAIN = 1.5
_ENDED_BY_OTHERS = ("suspended", "preempted")


@dataclass(frozen=True)
class PodSeen:
    """A job's pod as the host's API showed it. Times in seconds since 1970, None while they have not come."""

    uid: str
    run_id: str
    started: float | None = None
    finished: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class Told:
    """What the service says at the end: the job as JSON and its log. ``ids`` are those that its key ever gave."""

    job: Mapping[str, Any]
    log: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """What was done to the workload: when, in seconds since 1970, and to which attempt."""

    at: float
    attempt: int


@dataclass
class Verdict:
    """``lost`` and ``doubled`` are what must never be; ``problems`` are all that is not as it should be."""

    problems: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return not (self.problems or self.lost or self.doubled)


def judge(workload: Workload, told: Told | None, pods: Sequence[PodSeen], done: Done | None) -> Verdict:
    """``told`` None: the service does not know the job that it acknowledged."""
    verdict = Verdict()
    if told is None:
        verdict.lost.append("the service knows nothing of it")
        return verdict
    if len(set(told.ids)) != 1:
        verdict.doubled.append(f"one key gave several jobs: {sorted(set(told.ids))}")
    if not told.job["final"]:
        verdict.lost.append(f"it never ended: {told.job['state']}, {told.job['reason']}")
        return verdict
    _look_for_doubles(workload, told, pods, verdict)
    _look_at_end(workload, told, done, verdict)
    if told.job["state"] == "SUCCEEDED" and not any(_ran_well(pod, told) for pod in pods):
        verdict.lost.append("it is said to have succeeded, and no pod of its last attempt ended with 0")
    _look_at_log(workload, told, pods, done, verdict)
    return verdict


def strangers(jobs: Sequence[Mapping[str, Any]], known: Sequence[str]) -> list[str]:
    """Jobs that nobody has submitted."""
    return sorted(str(job["id"]) for job in jobs if job["id"] not in known)


def _run_id(job: Mapping[str, Any], attempt: int) -> str:
    return str(job["id"]) if attempt == 1 else f"{job['id']}r{attempt}"


def _ran_well(pod: PodSeen, told: Told) -> bool:
    return pod.run_id == _run_id(told.job, told.job["attempt"]) and pod.exit_code == 0


def _look_for_doubles(workload: Workload, told: Told, pods: Sequence[PodSeen], verdict: Verdict) -> None:
    started = [pod for pod in pods if pod.started is not None]
    for run_id, count in Counter(pod.run_id for pod in started).items():
        if count > workload.nodes:
            verdict.doubled.append(f"{count} pods of {run_id} ran, not {workload.nodes}")
    known = {_run_id(told.job, attempt) for attempt in range(1, told.job["attempt"] + 1)}
    for run_id in sorted({pod.run_id for pod in started} - known):
        verdict.doubled.append(f"{run_id} ran, of which the service knows nothing")
    for one in started:
        for other in started:
            if one.run_id < other.run_id and _overlap(one, other):
                verdict.doubled.append(f"{one.run_id} and {other.run_id} ran at the same time")


def _overlap(one: PodSeen, other: PodSeen) -> bool:
    first, second = sorted((one, other), key=lambda pod: pod.started or 0.0)
    return first.finished is not None and (second.started or 0.0) < first.finished - _GRAIN


def _look_at_end(workload: Workload, told: Told, done: Done | None, verdict: Verdict) -> None:
    job, used = told.job, 0
    state, attempt = job["state"], job["attempt"]
    for entry in job["history"]:
        if entry["kind"] in _ENDED_BY_OTHERS:
            continue
        used += 1
        if not _fails(workload, entry["attempt"], done):
            verdict.problems.append(f"attempt {entry['attempt']} is said to have failed: {entry['reason']}")
    if used > workload.retries:
        verdict.problems.append(f"{used} retries, and {workload.retries} were allowed")
    if state == "CANCELLED":
        if workload.act is not Act.CANCEL or done is None:
            verdict.problems.append(f"nobody cancelled it: {job['reason']}")
        return
    fails = _fails(workload, attempt, done)
    if (state == "FAILED") is not fails:
        verdict.problems.append(f"{state} after attempt {attempt}, which should {'fail' if fails else 'succeed'}")
    if state == "FAILED" and used < workload.retries and not workload.overdue:
        verdict.problems.append(f"given up after {used} of {workload.retries} retries")
    if workload.act is Act.SUSPEND and done is not None and done.attempt and not _was_suspended(job, done):
        verdict.problems.append("it was suspended while it ran, and no attempt of it ended so")
    _look_at_words(workload, told, done, verdict)


def _was_suspended(job: Mapping[str, Any], done: Done) -> bool:
    """Or it was over before the service came to it."""
    return job["attempt"] == done.attempt or any(entry["kind"] == "suspended" for entry in job["history"])


def _look_at_words(workload: Workload, told: Told, done: Done | None, verdict: Verdict) -> None:
    job = told.job
    expected: int | None = None
    if job["state"] == "SUCCEEDED":
        expected = 0
    elif job["state"] == "FAILED" and not workload.overdue and not _was_hit(workload, job["attempt"], done):
        expected = workload.code_of_failure
    if expected is not None and job["exit_code"] != expected:
        verdict.problems.append(f"exit code {job['exit_code']}, not {expected}")
    for wanted, word in ((workload.eats, "memory"), (workload.overdue, "longer")):
        if wanted and word not in str(job["reason"]):
            verdict.problems.append(f"its reason does not say {word!r}: {job['reason']}")
    if job["state"] == "FAILED" and not job["reason"]:
        verdict.problems.append("it failed without a reason")


def _fails(workload: Workload, attempt: int, done: Done | None) -> bool:
    planned = workload.eats or workload.overdue or attempt <= workload.fails
    return planned or _was_hit(workload, attempt, done)


def _was_hit(workload: Workload, attempt: int, done: Done | None) -> bool:
    return workload.act.is_hit and done is not None and done.attempt == attempt


def _look_at_log(workload: Workload, told: Told, pods: Sequence[PodSeen], done: Done | None, verdict: Verdict) -> None:
    """Of the last attempt: no line is missing before another one, none comes twice, and the end is there."""
    job = told.job
    mine = [pod for pod in pods if pod.run_id == _run_id(job, job["attempt"]) and pod.started is not None]
    if not mine:
        if told.log:
            verdict.problems.append("it has a log, and its last attempt had no pod")
        return
    found = [m for line in told.log.splitlines() if (m := _LINE.match(line))]
    numbers = [int(m[1]) for m in found]
    if numbers != list(range(len(numbers))):
        verdict.problems.append(f"its log has lines missing or doubled: {len(numbers)} lines, {_first_gap(numbers)}")
        return
    if any(len(m[3]) != workload.width for m in found[:-1]):
        verdict.problems.append("its log has a line that is cut")
    by_itself = job["state"] == "SUCCEEDED" or (
        job["state"] == "FAILED" and not workload.overdue and not _was_hit(workload, job["attempt"], done)
    )
    if by_itself:
        if len(numbers) != workload.lines:
            verdict.problems.append(f"its log has {len(numbers)} of {workload.lines} lines")
        if job["state"] == "SUCCEEDED" and "end" not in told.log.splitlines()[-1:] and workload.kind is Kind.COMMAND:
            verdict.problems.append("its log lacks the last line")
        return
    if not found and not workload.act.is_hit:
        return  # its command may not have begun: the service, which has its files, was away
    _look_at_last_line(workload, mine, found, done, verdict)


def _look_at_last_line(  # a hit comes after the first line
    workload: Workload, mine: Sequence[PodSeen], found: Sequence[re.Match[str]], done: Done | None, verdict: Verdict
) -> None:
    """Of an attempt that others ended: what it printed until then is there."""
    began = min(pod.started or 0.0 for pod in mine)
    until = done.at if done is not None else began + (workload.max_seconds or 0)
    last = float(found[-1][2]) if found else began
    missing = until - last - workload.seconds / workload.lines
    if missing > FLUSH and len(found) < workload.lines:
        verdict.problems.append(f"the last {missing:.1f} s of its log are missing ({len(found)} lines)")


def _first_gap(numbers: Sequence[int]) -> str:
    for place, number in enumerate(numbers):
        if number != place:
            return f"line {number} stands where {place} should"
    return ""
