"""Suspend, resume, retry and schedules over HTTP, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.tenants import Role
from aifactory_hub.service.background.schedules import Scheduler

from ..support.job_service import RunningService

JOB = {"command": "python train.py", "profile": "mig-1g.10gb"}


async def submitted(service: RunningService, **more: Any) -> str:
    async with service.http("ada") as http:
        answer = await http.post("/jobs", json={**JOB, "key": "k", **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


async def test_a_job_is_suspended_and_resumed(service: RunningService) -> None:
    job_id = await submitted(service)
    await service.reconciler.settle()
    async with service.http("ada") as http:
        answer = await http.post(f"/jobs/{job_id}/suspend")
        assert (answer.status_code, answer.json()["suspend_asked"]) == (202, True)
        await service.reconciler.settle()
        job = (await http.get(f"/jobs/{job_id}")).json()
        assert (job["state"], job["attempt"], job["history"][0]["kind"]) == ("SUSPENDED", 2, "suspended")
        assert (await http.post(f"/jobs/{job_id}/resume")).status_code == 202
        await service.reconciler.settle()
        assert (await http.get(f"/jobs/{job_id}")).json()["state"] == "STARTING"


async def test_an_ended_job_is_tried_again_as_a_new_one(service: RunningService) -> None:
    job_id = await submitted(service, environment={"SECRET": "x"}, retries=1, priority="low", max_seconds=60)
    async with service.http("ada") as http:
        early = await http.post(f"/jobs/{job_id}/retry", json={"key": "again"})
        assert (early.status_code, early.json()["reason"]) == (409, "job-goes-on")
        await http.delete(f"/jobs/{job_id}")
        await service.reconciler.settle()
        before = (await http.get(f"/jobs/{job_id}")).json()
        first = await http.post(f"/jobs/{job_id}/retry", json={"key": "again"})
        second = await http.post(f"/jobs/{job_id}/retry", json={"key": "again"})
        assert (first.status_code, second.status_code) == (201, 200)
        new = first.json()
        assert new["id"] == second.json()["id"] != job_id
        assert (new["retry_of"], new["command"], new["environment"]) == (job_id, JOB["command"], ["SECRET"])
        assert (new["priority"], new["max_seconds"], new["retries"]["most"]) == ("low", 60, 1)
        assert (await http.get(f"/jobs/{job_id}")).json() == before
        conflict = await http.post(f"/jobs/{job_id}/retry", json={"key": "k"})
        assert (conflict.status_code, conflict.json()["reason"]) == (409, "idempotency-conflict")


# Who may do what to ada's job in team nlp: her team mate bob, grace who administers the team, a token that may only
# read, one with rights in every team whose owner is in none, eve of another team.
READERS = {"ada", "bob", "grace", "reader", "everything"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "", READERS),
        ("DELETE", "", {"ada", "grace"}),
        ("POST", "/suspend", {"ada", "grace"}),
        ("POST", "/resume", {"ada", "grace"}),
        ("POST", "/retry", {"ada"}),
        ("GET", "/messages", {"ada", "grace"}),
        ("GET", "/logs", READERS),
        ("GET", "/artifacts", READERS),
    ],
)
async def test_who_may_do_what_to_a_job(service: RunningService, method: str, path: str, allowed: set[str]) -> None:
    job_id = await submitted(service)
    service.context.jobs.finish(job_id, JobState.FAILED, reason=None, exit_code=1, now=1.0)
    for token in ("ada", "bob", "grace", "reader", "eve", "stranger", "no-access", "robot", "everything"):
        async with service.http(token) as http:
            body = {"json": {"key": f"again-{token}"}} if path == "/retry" else {}
            answer = await http.request(method, f"/jobs/{job_id}{path}", **body)  # type: ignore[arg-type]
        expected = token in allowed
        assert (answer.status_code < 300) is expected, (token, answer.status_code, answer.text)
        if token in ("eve", "stranger"):
            assert answer.status_code == 404, (token, answer.text)
    assert [job.owner for job in service.context.jobs.newest(["nlp"], limit=9)] == ["ada"] * (1 + (path == "/retry"))


SCHEDULE = {"key": "nightly", "cron": "0 3 * * *", "time_zone": "Europe/Amsterdam", "job": JOB}


def scheduler(service: RunningService) -> Scheduler:
    return service.context.scheduler


async def test_a_schedule_makes_one_job_for_each_time(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service.http("ada") as http:
        made = await http.post("/schedules", json={**SCHEDULE, "overlap": "allow"})
        again = await http.post("/schedules", json={**SCHEDULE, "overlap": "allow"})
        assert (made.status_code, again.status_code) == (201, 200)
        assert made.json() == again.json()
        other = await http.post("/schedules", json={**SCHEDULE, "cron": "0 4 * * *"})
        assert (other.status_code, other.json()["reason"]) == (409, "idempotency-conflict")
        schedules = scheduler(service).schedules
        stored = schedules.get(made.json()["id"])
        assert stored is not None
        assert stored.next_at is not None
        clock = Moving(stored.next_at - 1)
        moved = with_clock(service, clock)
        await moved.tick()
        assert (await http.get("/jobs")).json()["jobs"] == []
        clock.now += 1
        # Killed between the job and the note of it: the same time comes again, and is the same job.
        with monkeypatch.context() as broken:
            broken.setattr(type(schedules), "advance", lambda *_, **__: 1 / 0)
            await moved.tick()
        await moved.tick()
        jobs = (await http.get("/jobs")).json()["jobs"]
        assert [job["schedule"] for job in jobs] == [stored.id]
        clock.now += 86400
        await moved.tick()
        assert len((await http.get("/jobs")).json()["jobs"]) == 2
        shown = (await http.get(f"/schedules/{stored.id}")).json()
        assert shown["last_job"] is not None
        assert shown["problem"] is None


async def test_a_schedule_says_why_it_made_no_job(service: RunningService) -> None:
    async with service.http("ada") as http:
        made = (await http.post("/schedules", json=SCHEDULE)).json()
    stored = scheduler(service).schedules.get(made["id"])
    assert stored is not None
    assert stored.next_at is not None
    clock = Moving(stored.next_at)
    moved = with_clock(service, clock)
    await moved.tick()
    clock.now += 86400
    await moved.tick()
    problems = scheduler(service).schedules.get(made["id"])
    assert problems is not None
    assert "still goes on" in str(problems.problem)
    clock.now += 3 * 86400
    await with_clock(service, clock, member=None).tick()
    assert scheduler(service).schedules.get(made["id"]) == problems
    await with_clock(service, clock, member=False).tick()
    left = scheduler(service).schedules.get(made["id"])
    assert left is not None
    assert left.problem == ("ada may not submit jobs into team nlp any more; 2 times passed while the service was away")
    assert len(service.context.jobs.newest(["nlp"], limit=9)) == 1


async def test_a_schedule_rests_and_is_forgotten(service: RunningService) -> None:
    async with service.http("ada") as http, service.http("eve") as eve, service.http("bob") as bob:
        made = (await http.post("/schedules", json=SCHEDULE)).json()
        path = f"/schedules/{made['id']}"
        assert (await eve.get(path)).status_code == 404
        assert (await bob.get(path)).status_code == 200
        for wrong, status in ((eve, 404), (bob, 403)):
            assert (await wrong.patch(path, json={"paused": True})).status_code == status
            assert (await wrong.delete(path)).status_code == status
        paused = await http.patch(path, json={"paused": True})
        assert (paused.json()["paused"], paused.json()["next"]) == (True, None)
        assert (await http.patch(path, json={"paused": False})).json()["next"] == made["next"]
        assert [s["id"] for s in (await bob.get("/schedules")).json()["schedules"]] == [made["id"]]
        assert (await http.delete(path)).status_code == 200
        assert (await http.get(path)).status_code == 404


async def test_a_schedule_is_previewed_before_it_is_made(service: RunningService) -> None:
    asked: dict[str, Any] = {name: SCHEDULE[name] for name in ("cron", "time_zone")}
    async with service.http("ada") as http:
        seen = (await http.get("/schedules/preview", params={**asked, "count": 2})).json()
        assert seen["words"] == "At 03:00 every day"
        assert len(seen["times"]) == 2
        assert (await http.post("/schedules", json=SCHEDULE)).json()["next"] == seen["times"][0]
        refused = await http.get("/schedules/preview", params={**asked, "cron": "0 25 * * *"})
        made = await http.post("/schedules", json={**SCHEDULE, "key": "typo", "cron": "0 25 * * *"})
        assert (refused.status_code, refused.json()["field"]) == (400, "cron")
        assert refused.json()["detail"] == made.json()["detail"]


async def test_schedules_are_listed_in_pages_the_newest_first(service: RunningService) -> None:
    async with service.http("both") as http, service.http("ada") as ada:
        made = []
        for n in range(7):
            body = {**SCHEDULE, "key": f"k{n}", "tenant": ("nlp", "vision")[n % 2]}
            made.append((await http.post("/schedules", json=body)).json()["id"])
        seen: list[str] = []
        asked: dict[str, str | int] = {"limit": 3}
        while True:
            page = (await http.get("/schedules", params=asked)).json()
            assert len(page["schedules"]) <= 3
            seen += [schedule["id"] for schedule in page["schedules"]]
            if page["next"] is None:
                break
            asked["before"] = page["next"]
        assert seen == made[::-1]
        assert [s["id"] for s in (await ada.get("/schedules")).json()["schedules"]] == made[::-2]
        # A place in another team's list is none in hers.
        assert (await ada.get("/schedules", params={"before": made[1]})).status_code == 404
        for wrong in ({"limit": 0}, {"limit": 1000}, {"after": "x"}):
            refused = await ada.get("/schedules", params=wrong)
            assert (refused.status_code, refused.json()["field"]) == (400, next(iter(wrong)))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cron": "often"}, "cron"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"job": {**JOB, "profile": "mig-9g"}}, "profile"),
        ({"job": {**JOB, "files": "a" * 64}}, "job.files"),
        ({"job": {**JOB, "notify": ["http://169.254.169.254/"]}}, "notify"),
        ({"overlap": "maybe"}, "overlap"),
    ],
)
async def test_a_bad_schedule_is_refused_by_name(service: RunningService, change: dict[str, Any], field: str) -> None:
    async with service.http("ada") as http:
        answer = await http.post("/schedules", json={**SCHEDULE, **change})
    assert 400 <= answer.status_code < 500
    assert answer.json()["field"] == field


class Moving:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Said:
    def __init__(self, answer: bool | None) -> None:
        self.answer = answer

    async def may_submit(self, user: str, tenant: str) -> bool | None:
        return self.answer

    async def role(self, user: str, tenant: str) -> Role | None:
        return Role.MEMBER


def with_clock(service: RunningService, clock: Moving, *, member: bool | None = True) -> Scheduler:
    found = scheduler(service)
    return Scheduler(found.schedules, found.jobs, found.snapshots, found.submissions, Said(member), clock)
