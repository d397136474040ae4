"""The whole service on each kind of database, over HTTP: taken in once, listed in pages, steered, found again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from aifactory_hub.admission.in_process import InProcessAdmission
from aifactory_hub.engines.memory import MemoryEngine

from ..support.fake_hub import FakeHub
from ..support.job_service import make_registry, running_service

JOB = {"command": "python train.py", "profile": "mig-1g.10gb", "environment": {"NAME": "ö\u2028"}}


async def take(http: httpx.AsyncClient, key: str, **changes: Any) -> httpx.Response:
    return await http.post("/jobs", json={**JOB, **changes}, headers={"Idempotency-Key": key})


async def pages(http: httpx.AsyncClient, **asked: Any) -> list[list[str]]:
    """The ids of each page of 10."""
    found: list[list[str]] = []
    before: dict[str, str] = {}
    while True:
        answer = (await http.get("/jobs", params={"limit": 10, **asked, **before})).json()
        found.append([job["id"] for job in answer["jobs"]])
        if answer["next"] is None:
            return found
        before = {"before": answer["next"]}


async def test_forty_at_once_with_twenty_keys_are_twenty_jobs_also_after_a_restart(
    tmp_path: Path, hub: FakeHub, database_url: str
) -> None:
    admission, engine = InProcessAdmission(make_registry().tenants), MemoryEngine()
    how: dict[str, Any] = {"hub": hub, "admission": admission, "engine": engine, "database": database_url}
    async with running_service(tmp_path, **how, reconciling=False) as service, service.http("ada", timeout=60) as http:
        answers = await asyncio.gather(*(take(http, f"k{n % 20}") for n in range(40)))
        assert sorted(answer.status_code for answer in answers) == [200] * 20 + [201] * 20
        ids = {answer.json()["id"] for answer in answers}
        assert len(ids) == 20
        conflict = await take(http, "k3", command="another")
        assert (conflict.status_code, conflict.json()["reason"]) == (409, "idempotency-conflict")
        found = await pages(http)
        assert [len(page) for page in found] == [10, 10]
        assert {job_id for page in found for job_id in page} == ids
        await service.reconciler.settle()
        assert len(engine.created) == 2, "the team's quota"
        assert len((await pages(http, state="QUEUED"))[0]) == 10
        assert sum(map(len, await pages(http, state=["STARTING", "RUNNING"]))) == 2
        first = engine.created[0].run_id
        engine.end("nlp", first, 0)
        cancelled = (await pages(http, state="QUEUED"))[0][0]
        assert (await http.delete(f"/jobs/{cancelled}")).status_code == 202
    async with running_service(tmp_path, **how, reconciling=False) as again, again.http("ada", timeout=60) as http:
        await again.reconciler.settle()
        assert (await http.get(f"/jobs/{first}")).json()["state"] == "SUCCEEDED"
        assert (await http.get(f"/jobs/{cancelled}")).json()["state"] == "CANCELLED"
        repeated = await take(http, "k7")
        assert (repeated.status_code, repeated.json()["id"] in ids) == (200, True)
        assert len(engine.created) == 3, "one more has its turn, and none has two"
        assert {job_id for page in await pages(http) for job_id in page} == ids
