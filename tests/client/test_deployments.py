"""Deployments from a notebook and on the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_hub.client import deploy, deployments
from aifactory_hub.client.errors import ClientError, Refused
from aifactory_hub.client.session import Account, Session
from aifactory_hub.engines.serving.memory import MemoryServing

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, running_service
from ..support.models import trained


@pytest.fixture
async def quiet(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    async with running_service(tmp_path / "service", hub=hub, reconciling=False, serving=MemoryServing()) as service:
        for number in (1, 2):
            job = await trained(service, {"model.pkl": b"%d" % number}, who="ada-token", key=f"k{number}")
            async with service.http("ada-token") as http:
                await http.post("/models/fraud/versions", json={"job": job})
                await http.post("/models/fraud/aliases/prod/promote", json={"version": str(number)})
        yield service


@pytest.fixture
def nlp(quiet: RunningService) -> Iterator[Session]:
    session = Session(Account(quiet.url.rstrip("/"), "ada-token", tenant="nlp"), timeout=3.0)
    yield session
    session.close()


async def settle(service: RunningService) -> None:
    controller = service.context.deployments.controller
    assert controller is not None
    controller._rests.clear()
    await controller.tick()


async def test_a_model_is_deployed_asked_and_taken_back(quiet: RunningService, nlp: Session) -> None:
    made = await asyncio.to_thread(deploy, "fraud@2", profile="mig-1g.10gb", session=nlp)
    assert (made.name, made.state) == ("fraud", "STARTING")
    await settle(quiet)
    assert (await asyncio.to_thread(made.wait, 10)).state == "READY"
    assert await asyncio.to_thread(made.predict, [[1.0, 2.0], [3.0, 4.0]]) == [[1.0, 2.0], [3.0, 4.0]]
    await asyncio.to_thread(deploy, "fraud@1", profile="mig-1g.10gb", session=nlp)
    await settle(quiet)
    back = await asyncio.to_thread(made.rollback, "it is worse")
    assert (back.data["at"], back.data["serving"]["version"]) == ("2", 2)
    with pytest.raises(ClientError, match="has served nothing else"):
        await asyncio.to_thread(back.rollback, "again")
    [listed] = await asyncio.to_thread(deployments, session=nlp)
    assert (listed.name, [each["state"] for each in await asyncio.to_thread(listed.releases)]) == (
        "fraud",
        ["RETIRED", "SERVING"],
    )
    assert (await asyncio.to_thread(listed.stop)).state == "STOPPED"
    with pytest.raises(Refused):
        await asyncio.to_thread(listed.predict, [1.0])


async def test_a_release_that_fails_ends_the_waiting(quiet: RunningService, nlp: Session) -> None:
    made = await asyncio.to_thread(deploy, "fraud@prod", profile="mig-1g.10gb", session=nlp)
    serving = quiet.context.deployments.desk.engine
    assert isinstance(serving, MemoryServing)
    serving.by_itself = False
    await settle(quiet)
    quiet.context.deployments.stored.change(serving.made[0].run.run_id, problem="a wrong byte")
    await settle(quiet)
    with pytest.raises(ClientError, match="Release 1 of fraud is FAILED: a wrong byte"):
        await asyncio.to_thread(made.wait, 10)


async def test_the_command_line_tells_the_story(
    quiet: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIFACTORY_SERVICE_URL", quiet.url.rstrip("/"))
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "ada-token")
    monkeypatch.setenv("AIFACTORY_TENANT", "nlp")
    asked = tmp_path / "ask.json"
    asked.write_text(json.dumps({"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [7]}]}))

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, main, ["deployment", *words])

    assert "no deployments" in (await run("list")).output
    made = await run("create", "fraud@prod", "--profile", "mig-1g.10gb", "--example", str(asked))
    assert (made.exit_code, "fraud is STARTING" in made.output) == (0, True), made.output
    await settle(quiet)
    told = (await run("list")).output.splitlines()[1].split()
    assert told[:5] == ["fraud", "READY", "fraud@prod", "2", "1"]
    assert json.loads((await run("ask", "fraud", str(asked))).output)["outputs"][0]["data"] == [7]
    assert "SERVING" in (await run("show", "fraud")).output
    usage = (await run("usage", "fraud")).output
    assert "1 request in the last 24 hours, of which 0 failed; half of the answers took up to" in usage
    assert [line.split()[1:3] for line in usage.splitlines()[2:]] == [["1", "0"]]
    assert json.loads((await run("usage", "fraud", "--json")).output)["asked"] == 1
    refused = await run("rollback", "fraud", "--reason", "worse")
    assert (refused.exit_code, "served nothing else" in refused.output) == (1, True), refused.output
    assert json.loads((await run("stop", "fraud", "--json")).output)["state"] == "STOPPED"
    assert (await run("show", "other")).exit_code == 1
    asked.write_text("{")
    assert "is no JSON" in (await run("ask", "fraud", str(asked))).output
