"""``aifactory-hub queue`` against the real service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_hub.constants import SCOPE_PLATFORM

from ..service.test_queue import SMALLS, Host, submitted
from ..support.fake_hub import FakeHub, scopes_for
from ..support.gpus import gpu
from ..support.job_service import RunningService, running_service


@pytest.fixture
def host() -> Host:
    return Host([gpu("gpu-1", 0, *(f"{name}*" for name in SMALLS)), gpu("gpu-2", 0, "3g.40gb", "3g.40gb")])


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub, host: Host) -> AsyncIterator[RunningService]:
    hub.administrators.add("rene")
    hub.add("rene-token", "rene", [*scopes_for(), SCOPE_PLATFORM])
    async with running_service(tmp_path / "service", hub=hub, reconciling=False, host=host) as running:
        yield running


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["queue", *arguments])


@pytest.mark.usefixtures("here")
async def test_a_member_reads_that_nothing_waits(service: RunningService) -> None:
    assert "Nothing waits." in (await run()).output


@pytest.mark.usefixtures("here")
async def test_a_member_reads_who_waits_and_why(service: RunningService) -> None:
    jobs = await submitted(service, "ada-token", 3)
    shown = await run("--tenant", "nlp")
    assert f"{jobs[2]}: The team holds 2 of its own 2 mig-1g.10gb, and may borrow none." in shown.output, shown.output
    assert "GPUs:" not in shown.output
    told = json.loads((await run("--json")).output)
    assert [each["owner"] for each in told["waiting"]] == jobs[2:]
    refused = await run("--plan")
    assert refused.exit_code == 1 and "it is for administrators of the hub" in refused.output
    assert (await run("--plan", "--tenant", "nlp")).exit_code == 2


@pytest.mark.usefixtures("here")
async def test_an_administrator_reads_the_plan(
    service: RunningService, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    await submitted(service, "ada-token", 3)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "rene-token")
    shown = (await run("--plan")).output
    for text in (
        "GPUs: 1 idle, 0 partly held, 1 full, 0 not known; 1 free in slices, 1 of it of use to nothing that waits.",
        "gpu-2 0 h100-80gb: 2 of 2 3g.40gb free",
        "Plan: Cut anew, 1 idle GPU would have room for 1 more.",
        "gpu-2 0: 2 x 3g.40gb -> 4 x 1g.10gb + 1 x 3g.40gb; room for 1 mig-1g.10gb of nlp",
        "cluster.carved of nvidia.com/mig-1g.10gb (h100-80gb): 7 -> 11",
        "team nlp needs 1 more nvidia.com/mig-1g.10gb in its quota to start",
        "version: v1\nmig-configs:\n  recarve-1:\n    - devices: [0]\n",
        "kubectl label node gpu-2 nvidia.com/mig.config=recarve-1 --overwrite",
    ):
        assert text in shown, shown
    host.layouts = None
    unknown = await run("--plan")
    assert unknown.exit_code == 1 and "how the GPUs are cut is not known" in unknown.output
    assert "How the GPUs are cut is not known: telemetry.prometheus is not set" in unknown.output
