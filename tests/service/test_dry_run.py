"""What would happen to a job, without anything happening."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from aifactory_hub.admission.base import AdmissionUnavailable
from aifactory_hub.service.api import forecasts

from ..support.job_service import RunningService
from ..support.tenants import SMALL

JOB = {"command": "python train.py", "profile": "mig-1g.10gb", "environment": {"API_KEY": "hunter2"}}


async def test_it_says_what_would_run_and_when_and_for_how_much(service: RunningService) -> None:
    async with service.http("ada") as http:
        said = (await http.post("/jobs/dry-run", json=JOB)).json()
    assert (said["accepted"], said["refusal"], said["simulated"]) == (True, None, True)
    assert [(v["check"], v["ok"]) for v in said["verdicts"]] == [
        ("profile", True),
        ("quota", True),
        ("image", True),
    ]
    assert (said["profile"], said["devices"], said["quota_left"]) == (
        "mig-1g.10gb",
        {SMALL.resource: 1},
        [{**SMALL._asdict(), "count": 2}],
    )
    assert said["cost"] == {"per_hour": "0.40", "currency": "EUR", "hours": 24.0, "at_most": "9.60", "so_far": "0.00"}
    assert (said["position"], said["expected_wait"]["most"]) == (0, 0.0)
    (process,) = said["manifest"]
    assert process["argv"] == ["python3", "-m", "aifactory_hub.runner"]
    assert "hunter2" not in json.dumps(said)


async def test_the_cost_is_that_of_the_longest_that_the_job_may_run(service: RunningService) -> None:
    async with service.http("ada") as http:
        said = (await http.post("/jobs/dry-run", json={**JOB, "max_seconds": 7200})).json()
        again = (await http.post("/jobs/dry-run", json={**JOB, "max_seconds": 7200, "retries": 2})).json()
    assert said["cost"] == {"per_hour": "0.40", "currency": "EUR", "hours": 2.0, "at_most": "0.80", "so_far": "0.00"}
    assert again["cost"] == {"per_hour": "0.40", "currency": "EUR", "hours": 6.0, "at_most": "2.40", "so_far": "0.00"}


async def test_nothing_is_stored_or_queued(service: RunningService) -> None:
    async with service.http("ada") as http:
        for _ in range(2):
            assert (await http.post("/jobs/dry-run", json={**JOB, "key": "k"})).status_code == 200
        assert (await http.get("/jobs")).json()["jobs"] == []
        assert (await http.post("/jobs", json={**JOB, "key": "k"})).status_code == 201
    assert await service.admission.tickets("nlp") == []


async def test_a_full_quota_says_so_and_when_there_will_be_room(service: RunningService) -> None:
    async with service.http("ada") as http:
        for n in range(3):
            assert (await http.post("/jobs", json={**JOB, "key": str(n)})).status_code == 201
        await service.reconciler.settle()
        said = (await http.post("/jobs/dry-run", json=JOB)).json()
        waiting = (await http.get("/jobs?state=QUEUED")).json()["jobs"]
        one = (await http.get(f"/jobs/{waiting[0]['id']}")).json()
    assert said["accepted"] is True
    quota = said["verdicts"][1]
    assert (quota["ok"], "Asked 1, used 2, limit 2" in quota["detail"]) == (False, True)
    assert (said["position"], said["quota_left"]) == (1, [{**SMALL._asdict(), "count": 0}])
    # Two run for a day at most; the one before takes the first room, this one the second.
    assert said["expected_wait"]["most"] == pytest.approx(86400, abs=120)
    assert (one["position"], one["expected_wait"]["low"]) == (0, None)
    assert one["expected_wait"]["most"] == pytest.approx(86400, abs=120)
    assert one["expected_wait"]["words"]
    assert [job["position"] for job in waiting] == [0]
    assert waiting[0]["expected_wait"]["words"]


async def test_a_list_does_not_wait_for_a_quota_engine_that_hangs(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(context: Any, tenant: str) -> None:
        await asyncio.Event().wait()

    async with service.http("ada") as http:
        for n in range(3):
            await http.post("/jobs", json={**JOB, "key": str(n)})
        await service.reconciler.settle()
        monkeypatch.setattr(forecasts, "look", hang)
        monkeypatch.setattr(forecasts, "_LIST_WAITS", 0.05)
        waiting = (await http.get("/jobs?state=QUEUED")).json()["jobs"]
    assert [job["position"] for job in waiting] == [None]


@pytest.mark.parametrize(
    ("change", "reason", "check"),
    [
        ({"profile": "mig-9g"}, "profile-not-allowed", "profile"),
        ({"profile": "mig-3g.40gb"}, "never-fits", "profile"),
        ({"command": " "}, "bad-field", "command"),
    ],
)
async def test_a_job_that_would_be_refused_is_an_answer_with_the_refusal(
    service: RunningService, change: dict[str, str], reason: str, check: str
) -> None:
    async with service.http("ada") as http:
        said = await http.post("/jobs/dry-run", json={**JOB, **change})
        refused = await http.post("/jobs", json={**JOB, **change, "key": "k"})
    assert said.status_code == 200
    assert said.json()["accepted"] is False
    assert said.json()["refusal"] == refused.json()
    assert said.json()["refusal"]["reason"] == reason
    assert [(v["check"], v["ok"]) for v in said.json()["verdicts"]] == [(check, False)]


async def test_what_is_not_known_is_null_and_not_zero(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(tenant: str) -> None:
        raise AdmissionUnavailable("no answer")

    monkeypatch.setattr(service.admission, "tickets", silent)
    async with service.http("ada") as http:
        said = (await http.post("/jobs/dry-run", json=JOB)).json()
    assert said["accepted"] is True
    assert said["verdicts"][1]["ok"] is False
    assert (said["position"], said["expected_wait"], said["quota_left"]) == (None, None, None)


async def test_who_may_not_submit_may_not_try(service: RunningService) -> None:
    for token, status in (("reader", 403), ("no-access", 403), (None, 401)):
        async with service.http(token) as http:
            assert (await http.post("/jobs/dry-run", json=JOB)).status_code == status
    async with service.http("ada") as http:
        assert (await http.post("/jobs/dry-run", json={**JOB, "tenant": "vision"})).status_code == 403
        assert (await http.post("/jobs/dry-run", json={**JOB, "gpus": 1})).json()["field"] == "gpus"


async def test_the_key_may_come_as_a_header(service: RunningService) -> None:
    async with service.http("ada") as http:
        first = await http.post("/jobs", json=JOB, headers={"Idempotency-Key": "k"})
        again = await http.post("/jobs", json={**JOB, "key": "k"})
        other = await http.post("/jobs", json={**JOB, "key": "k"}, headers={"Idempotency-Key": "l"})
        broken = await http.post("/jobs", content=b"[", headers={"Idempotency-Key": "l"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["field"]) == (400, "key")
    assert broken.status_code == 400
