"""A job that borrows is stopped for the owner's jobs and for an owner's notebook, says so, and goes on from its own
checkpoints: on real Kueue."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from aifactory_hub.client.api import submit
from aifactory_hub.client.job import Job

from ..person import Person
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
_MOST = 160
# Kubernetes tells times in whole seconds.
_GRAIN = 1.5


class Wrong(AssertionError):
    """Something else was seen than should have been."""


@dataclass
class Trial:
    """One preemption: whose, what was seen to be so, and the jobs that are cancelled at its end."""

    people: People
    name: str
    seen: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    def check(self, condition: object, what: str, found: object = "") -> None:
        if not condition:
            raise Wrong(f"not so: {what}. Seen: {found!r}"[:3000])
        self.seen.append(what)

    def submit(self, team: str, name: str, program: str, **more: Any) -> Job:
        folder = Path(self.people.folder) / f"{self.name}-{name}"
        folder.mkdir()
        (folder / "main.py").write_text(program)
        options: dict[str, Any] = {"profile": SLICE, "name": name, "files": folder, **more}
        made = submit("python3 main.py", session=self.people.session(team), **options)
        assert isinstance(made, Job)
        self.jobs.append(made)
        return made

    def borrowers(self) -> list[Job]:
        """Counting jobs of nlp, more than it owns, each of which has something to lose."""
        counting = [self.submit("nlp", f"counter-{n}", COUNTER.format(most=_MOST)) for n in range(OWN + BORROWED)]
        self.check(
            wait_until(lambda: all(job.status == "RUNNING" for job in counting), 120),
            f"nlp, which owns {OWN} slices, runs {OWN + BORROWED} counting jobs: {BORROWED} on slices of others",
            [str(job) for job in counting],
        )
        self.check(wait_until(lambda: all("count 6" in job.logs() for job in counting), 90), "each has counted to 6")
        return counting

    def victim(self, counting: Sequence[Job]) -> Job:
        """The one that is preempted; it has to say so."""

        def find() -> Job | None:
            return next((job for job in counting if job.refresh().data["preemptions"]), None)

        wait_until(find, 90)
        victim = find()
        self.check(victim, "one of them is preempted", [(str(job), job.data["history"]) for job in counting])
        assert victim is not None
        ended = victim.data["history"][0]
        self.check(ended["kind"] == "preempted", f"its history says why: {ended['reason']}", ended)
        wait_until(lambda: victim.refresh().state in ("PENDING", "QUEUED") and "preempted" in str(victim.reason), 20)
        self.check("preempted" in str(victim.reason), f"while it waits it says so: {victim.reason}", str(victim))
        self.check(victim.data["retries"]["used"] == 0, "it costs the job no retry")
        return victim

    def check_goes_on(self, victim: Job, after: str) -> None:
        """It runs again, from where it was stopped, and never beside itself."""
        last = _reached(victim, self.people)
        self.check(wait_until(lambda: _begun_again(victim), 180), f"{after}, and it runs again", str(victim))
        first = int(re.search(r"from (\d+)", victim.logs())[1])  # type: ignore[index]
        self.check(first >= 6, f"and counts on from {first}, not from 0", victim.logs()[:500])
        if last is not None:
            self.check(abs(first - 1 - last) <= 2, f"where it was stopped: it had counted to {last}", (first, last))
        self.check(_apart(self.people.witness.pods(victim.id)), "its two attempts never ran at the same time")


def try_preemption(people: People, owner: Person) -> bool:
    """Whether a job gives way as it should to jobs of the owner and to a notebook; prints what was seen."""
    by_jobs = _try(Trial(people, "preemption"), _owners_jobs)
    return _try(Trial(people, "notebook"), lambda trial: _owners_notebook(trial, owner)) and by_jobs


def _try(trial: Trial, body: Callable[[Trial], None]) -> bool:
    begun = time.monotonic()
    try:
        body(trial)
        good = True
    except Exception:
        traceback.print_exc()
        good = False
    finally:
        for job in trial.jobs:
            job.cancel()
    took = time.monotonic() - begun
    print(f"\n{trial.name}: {'as it should be' if good else 'WRONG'} in {took:.0f} s", flush=True)
    for what in trial.seen:
        print(f"    - {what}", flush=True)
    return good


def _owners_jobs(trial: Trial) -> None:
    """Two own, two lent: the third of vision's finds nothing idle."""
    counting = trial.borrowers()
    owners = [
        trial.submit("vision", f"owner-{number}", "import time; print('mine', flush=True); time.sleep(12)")
        for number in range(OTHERS)
    ]
    asked = time.time()
    victim = trial.victim(counting)
    running = wait_until(lambda: all(job.status in ("RUNNING", "SUCCEEDED") for job in owners), 60)
    trial.check(
        running,
        f"all {OTHERS} of vision's run {time.time() - asked:.1f} s after they were asked for",
        list(map(str, owners)),
    )
    trial.check_goes_on(victim, "vision's end")


def _owners_notebook(trial: Trial, owner: Person) -> None:
    """Vision's one idle slice has an urgent job of its own; its notebook gets one back that it has lent."""
    counting = trial.borrowers()
    own = trial.submit("vision", "urgent", "import time; time.sleep(300)", priority="high")
    trial.check(wait_until(lambda: own.status == "RUNNING", 60), "vision's own job has the slice that was idle", own)
    asked = time.time()
    refused = owner.spawn("vision", SLICE)
    trial.check(refused is None, f"{owner.name} starts a notebook on one more", refused and refused.text[:2000])
    try:
        victim = trial.victim(counting)
        events = owner.progress()
        trial.check(events[-1].get("ready"), f"it is ready {time.time() - asked:.1f} s after the click", events)
        over = max((pod.finished or float("inf") for pod in trial.people.witness.pods(victim.id)), default=asked)
        made = trial.people.cluster.pod("vision", "notebooks", owner.name).made
        trial.check(over <= made + _GRAIN, "its pod was made once that of the job was gone", (over, made))
        others = [job.status for job in counting if job.id != victim.id]
        trial.check(others == ["RUNNING"] * (OWN + BORROWED - 1), "all others of nlp's run on", others)
        trial.check(own.status == "RUNNING", "and so does vision's own", own)
    finally:
        owner.stop()
    trial.check_goes_on(victim, "the notebook ends")


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
        a.finished is not None and (b.started or 0.0) >= a.finished - _GRAIN for a, b in pairwise(started)
    )
