"""A job that borrows is stopped for the owner's, says so, and goes on from its own checkpoints: on real Kueue."""

from __future__ import annotations

import re
import time
import traceback
from itertools import pairwise
from pathlib import Path
from typing import Any

from aifactory_hub.client.api import submit
from aifactory_hub.client.job import Job

from ..steps import wait_until
from .people import People
from .verdict import PodSeen

SLICE = "mig-1g.10gb"
# Counts on from what it finds among its checkpoints, and notes each number there.
COUNTER = """\
import os, pathlib, time
kept = pathlib.Path(os.environ["AIFACTORY_CHECKPOINTS"]) / "count.txt"
first = int(kept.read_text()) + 1 if kept.exists() else 0
print("from", first, flush=True)
for number in range(first, {most}):
    aside = kept.with_suffix(".new")
    aside.write_text(str(number))
    aside.replace(kept)
    print("count", number, flush=True)
    time.sleep(0.5)
print("done", flush=True)
"""
# What nlp owns and may borrow, and what vision owns (tenants.yaml).
OWN, BORROWED, OTHERS = 2, 2, 3
_MOST = 120


class Wrong(AssertionError):
    """Something else was seen than should have been."""


def try_preemption(people: People) -> bool:
    """Whether it went as it should; prints what was seen."""
    begun = time.monotonic()
    seen: list[str] = []
    jobs: list[Job] = []
    try:
        _try(people, seen, jobs)
        good = True
    except Exception:
        traceback.print_exc()
        good = False
    finally:
        for job in jobs:
            job.cancel()
    print(f"\npreemption: {'as it should be' if good else 'WRONG'} in {time.monotonic() - begun:.0f} s", flush=True)
    for what in seen:
        print(f"    - {what}", flush=True)
    return good


def _try(people: People, seen: list[str], jobs: list[Job]) -> None:
    def check(condition: object, what: str, found: object = "") -> None:
        if not condition:
            raise Wrong(f"not so: {what}. Seen: {found!r}"[:3000])
        seen.append(what)

    for number in range(OWN + BORROWED):
        jobs.append(_submit(people, "nlp", f"counter-{number}", COUNTER.format(most=_MOST)))
    borrowers = list(jobs)
    check(
        wait_until(lambda: all(job.status == "RUNNING" for job in borrowers), 120),
        f"nlp, which owns {OWN} slices, runs {OWN + BORROWED} counting jobs: {BORROWED} on slices of others",
        [str(job) for job in borrowers],
    )
    check(wait_until(lambda: all("count 6" in job.logs() for job in borrowers), 90), "each has counted to 6")
    # Two own, two lent: the third of vision's finds nothing idle.
    for number in range(OTHERS):
        jobs.append(
            _submit(people, "vision", f"owner-{number}", "import time; print('mine', flush=True); time.sleep(12)")
        )
    owners = jobs[len(borrowers) :]
    asked = time.time()
    victim = _preempted(borrowers)
    check(victim, "one of them is preempted", [(str(job), job.data["history"]) for job in borrowers])
    assert victim is not None
    check(
        victim.data["history"][0]["kind"] == "preempted", f"its history says why: {victim.data['history'][0]['reason']}"
    )
    told = _says(victim)
    check(told, f"while it waits it says so: {told}", str(victim))
    running = wait_until(lambda: all(job.status in ("RUNNING", "SUCCEEDED") for job in owners), 60)
    check(
        running,
        f"all {OTHERS} of vision's run {time.time() - asked:.1f} s after they were asked for",
        list(map(str, owners)),
    )
    check(victim.data["preemptions"] >= 1 and victim.data["retries"]["used"] == 0, "it costs the job no retry")
    last = _reached(victim, people)
    check(wait_until(lambda: _begun_again(victim), 180), "vision's end, and it runs again", str(victim))
    first = int(re.search(r"from (\d+)", victim.logs())[1])  # type: ignore[index]
    check(first >= 6, f"and counts on from {first}, not from 0", victim.logs()[:500])
    if last is not None:
        check(abs(first - 1 - last) <= 2, f"where it was stopped: it had counted to {last}", (first, last))
    check(_apart(people.witness.pods(victim.id)), "its two attempts never ran at the same time")


def _submit(people: People, team: str, name: str, program: str) -> Job:
    folder = Path(people.folder) / f"preemption-{name}"
    folder.mkdir()
    (folder / "main.py").write_text(program)
    options: dict[str, Any] = {"profile": SLICE, "name": name, "files": folder, "session": people.session(team)}
    made = submit("python3 main.py", **options)
    assert isinstance(made, Job)
    return made


def _preempted(jobs: list[Job]) -> Job | None:
    def find() -> Job | None:
        return next((job for job in jobs if job.refresh().data["preemptions"]), None)

    wait_until(find, 90)
    return find()


def _says(job: Job) -> str:
    """What it says of its waiting."""
    wait_until(lambda: job.refresh().state in ("PENDING", "QUEUED") and "preempted" in str(job.reason), 20)
    return str(job.reason) if "preempted" in str(job.reason) else ""


def _begun_again(job: Job) -> bool:
    return job.refresh().state == "RUNNING" and int(job.data["attempt"]) > 1 and "from " in job.logs()


def _reached(job: Job, people: People) -> int | None:
    """The last number that its first attempt noted among the checkpoints, as they are kept."""
    answer = people.session(job.tenant).get(f"/jobs/{job.id}/artifacts")["artifacts"]
    name = next((each["name"] for each in answer if each["name"].endswith("count.txt")), None)
    if name is None:
        return None
    return int(people.session(job.tenant).text(f"/jobs/{job.id}/artifacts/{name.replace('/', '%2F')}"))


def _apart(pods: list[PodSeen]) -> bool:
    started = sorted((pod for pod in pods if pod.started is not None), key=lambda pod: pod.started or 0.0)
    return len(started) >= 2 and all(
        a.finished is not None and (b.started or 0.0) >= a.finished - 1.5 for a, b in pairwise(started)
    )
