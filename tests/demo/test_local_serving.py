"""Releases as real processes: a version is fetched, checked, read and asked; a wrong byte never serves."""

from __future__ import annotations

import asyncio
import pickle
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from sklearn.linear_model import LinearRegression

from aifactory_hub.engines.process_tree import alive, family, processes
from aifactory_hub.engines.serving.local import LocalServing

from ..service.conftest import hub as _hub
from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, running_service
from ..support.models import damage, trained

hub = _hub
ASK = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [3]}]}
WISH: dict[str, Any] = {"model": "line@prod", "profile": "mig-1g.10gb", "example": ASK}
PATH = "/tenants/nlp/deployments/line"


def line(slope: float) -> bytes:
    return pickle.dumps(LinearRegression().fit(numpy.array([[0.0], [1.0]]), numpy.array([0.0, slope])))


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    serving = LocalServing(tmp_path / "releases")
    async with running_service(tmp_path / "disk", hub=hub, reconciling=False, serving=serving) as service:
        yield service
        await serving.close()


async def promote(service: RunningService, key: str, files: dict[str, bytes]) -> str:
    job = await trained(service, key=key, files=files)
    async with service.http("ada") as http:
        number = (await http.post("/models/line/versions", json={"job": job})).json()["version"]
        answer = await http.post("/models/line/aliases/prod/promote", json={"version": str(number)})
        assert answer.status_code == 200, answer.text
    return job


async def until(service: RunningService, number: int, *states: str) -> dict[str, Any]:
    """The release once it is in one of these states."""
    async with service.http("ada") as http, asyncio.timeout(120):
        while True:
            controller = service.context.deployments.controller
            assert controller is not None
            controller._rests.clear()
            await controller.tick()
            told = (await http.get(PATH)).json()
            found = [each for each in told["releases"] if each["number"] == number]
            if found and found[0]["state"] in states:
                return dict(found[0])
            assert not found or found[0]["state"] != "FAILED", found
            await asyncio.sleep(0.1)


async def deploy(service: RunningService, **changes: Any) -> None:
    async with service.http("ada") as http:
        answer = await http.put(PATH, json={**WISH, **changes})
        assert answer.status_code in (200, 201), answer.text


async def predicted(service: RunningService) -> float:
    async with service.http("ada") as http:
        answer = await http.post(f"{PATH}/infer", json=ASK)
        assert answer.status_code == 200, answer.text
        return float(answer.json()["outputs"][0]["data"][0])


async def test_a_model_answers_and_the_next_version_takes_over(service: RunningService, tmp_path: Path) -> None:
    await promote(service, "one", {"model.pkl": line(2)})
    await deploy(service)
    await until(service, 1, "SERVING")
    assert await predicted(service) == pytest.approx(6.0)
    [secrets] = (tmp_path / "releases").glob("*/secrets")
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    await promote(service, "two", {"model.pkl": line(5)})
    await until(service, 2, "SERVING")
    assert await predicted(service) == pytest.approx(15.0)


async def test_a_wrong_byte_is_named_and_the_release_before_goes_on(service: RunningService) -> None:
    await promote(service, "one", {"model.pkl": line(2)})
    await deploy(service)
    await until(service, 1, "SERVING")
    job = await promote(service, "two", {"model.pkl": line(5)})
    damage(service.context, job, "model.pkl")
    failed = await until(service, 2, "FAILED", "RETIRED")
    assert failed["state"] == "FAILED" and "model.pkl: its SHA-256 is" in failed["reason"]
    assert await predicted(service) == pytest.approx(6.0)
    async with service.http("ada") as http:
        assert (await http.get("/models/line/aliases/prod")).json()["alias"]["frozen"]["by"] == "the service"


async def test_what_can_t_be_read_fails_with_its_words(service: RunningService) -> None:
    await promote(service, "one", {"weights.bin": b"0"})
    await deploy(service)
    failed = await until(service, 1, "FAILED")
    assert failed["reason"].startswith("the files are no model that is known here")


async def test_a_server_that_was_killed_is_started_again_and_stopping_leaves_nothing(
    service: RunningService, tmp_path: Path
) -> None:
    await promote(service, "one", {"model.pkl": line(2)})
    await deploy(service, example=None)
    await until(service, 1, "SERVING")
    engine = service.context.deployments.desk.engine
    assert isinstance(engine, LocalServing)
    [run] = engine._runs._runs.values()
    run.process.kill()
    run.process.wait()
    async with asyncio.timeout(60):
        while run in engine._runs._runs.values():
            await until(service, 1, "SERVING")
    async with asyncio.timeout(60), service.http("ada") as http:
        while (await http.post(f"{PATH}/infer", json=ASK)).status_code != 200:
            await asyncio.sleep(0.1)
    members = family(next(iter(engine._runs._runs.values())).process.pid, processes())
    async with service.http("ada") as http:
        await http.delete(PATH)
    await until(service, 1, "RETIRED")
    async with asyncio.timeout(60):
        while service.context.deployments.stored.going_on():
            await until(service, 1, "RETIRED")
    assert alive(members) == []
