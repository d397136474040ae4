"""What a team has published to be run, from Python and by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aifactory_hub.client import commands, run_template, templates
from aifactory_hub.client.session import Session
from aifactory_hub.domain.engines import EngineFacts, Parameter, Published
from aifactory_hub.engines.memory import MemoryEngine

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, running_service
from .terminal import run

MIG = "mig-1g.10gb"
ARGO = EngineFacts("argo-workflow", "steps", publishes="WorkflowTemplate", runs_commands=False, most_nodes=4)
TRAIN = Published("argo-workflow", "train", "Trains it.\nTwice.", (Parameter("data"), Parameter("epochs", "3")))


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    engine = MemoryEngine(facts=ARGO, templates=[TRAIN])
    async with running_service(tmp_path / "service", hub=hub, engine=engine, reconciling=False) as service:
        yield service


@pytest.fixture
def here(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "ada-token")
    monkeypatch.setenv("AIFACTORY_SERVICE_URL", service.url)
    monkeypatch.setenv("AIFACTORY_TENANT", "nlp")
    monkeypatch.setenv("AIFACTORY_PROFILE", MIG)


async def test_a_template_is_found_and_run(session: Session) -> None:
    (found,) = await asyncio.to_thread(templates, session=session)
    assert [each["name"] for each in found["parameters"]] == ["data", "epochs"]
    asked = {"data": "s3://b", "epochs": 5}
    job = await asyncio.to_thread(run_template, "train", asked, profile=MIG, priority="high", nodes=2, session=session)
    assert (job.data["engine"], job.data["template"], job.data["nodes"]) == ("argo-workflow", "train", 2)
    assert (job.data["parameters"], job.data["priority"]) == ({"data": "s3://b", "epochs": "5"}, "high")


@pytest.mark.usefixtures("here")
async def test_a_template_is_found_and_run_by_hand() -> None:
    listed = await run(commands.job, "templates")
    assert [line.split() for line in listed.output.splitlines()] == [
        ["TEMPLATE", "ENGINE", "PARAMETERS", "ABOUT"],
        ["train", "argo-workflow", "data", "epochs=3", "Trains", "it."],
    ]
    made = await run(commands.job, "run", "train", "--parameter", "data=s3://b", "--priority", "low")
    assert made.exit_code == 0, made.output
    told = json.loads((await run(commands.job, "show", "--json", made.stdout.strip())).output)
    assert (told["template"], told["priority"]) == ("train", "low")
    refused = await run(commands.job, "run", "train")
    assert (refused.exit_code, "'data'" in refused.output) == (1, True)
