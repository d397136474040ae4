"""Asking for teams on the command line and from Python, against the real service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_hub.client import Refused, change_team, renew_team, request_team, team_requests, team_templates
from aifactory_hub.client.session import Session
from aifactory_hub.registry import RegistryProvider

from ..service.test_team_requests import FILE
from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, running_service


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    file = tmp_path / "tenants.yaml"
    file.write_text(FILE)

    def registry(_url: str) -> RegistryProvider:
        return RegistryProvider.open(file, tmp_path / "kept")

    async with running_service(tmp_path / "service", hub=hub, registry=registry, reconciling=False) as service:
        yield service


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["team", *arguments])


@pytest.mark.usefixtures("here")
async def test_the_commands_ask_show_and_take_back() -> None:
    shown = await run("templates")
    assert "small: a team for a trial" in shown.output, shown.output
    assert "mig-1g.10gb: 3 at most, and 1 borrowed; 2 of 8 are promised to nobody" in shown.output
    how = ("audio", "--template", "small", "--group", "teams/audio", "--reason", "speech")
    tried = await run("request", *how, "--quota", "mig-1g.10gb=2", "--check")
    assert tried.output.startswith("needs-approval: one of platform"), tried.output
    assert (await run("list")).output == "There are no requests.\n", "a check asks for nothing"
    asked = await run("request", *how, "--quota", "mig-1g.10gb=2", "--json")
    request = json.loads(asked.output)
    assert (asked.exit_code, request["state"]) == (0, "WAITING")
    listed = await run("list")
    assert request["id"] in listed.output and "waits for one of platform" in listed.output
    assert "approved  now    waits for one of platform" in (await run("show", request["id"])).output
    refused = await run("request", *how, "--quota", "mig-1g.10gb=3")
    assert refused.exit_code == 1 and "you can have 2 now" in refused.output, refused.output
    wrong = await run("request", *how, "--quota", "three")
    assert wrong.exit_code == 2 and "is not SIZE=N" in wrong.output
    taken = await run("withdraw", request["id"])
    assert taken.output == f"{request['id']} is WITHDRAWN: taken back by ada\n"
    forbidden = await run("list", "--all")
    assert forbidden.exit_code == 1 and "administrators" in forbidden.output


async def test_from_python(session: Session) -> None:
    def use() -> None:
        assert [each["name"] for each in team_templates(session=session)["templates"]] == ["small", "held"]
        made = request_team("audio", "small", reason="speech", members=["teams/audio"], session=session)
        assert made["state"] == "GRANTED"
        assert [each["id"] for each in team_requests(session=session)] == [made["id"]]
        with pytest.raises(Refused, match="its administrators"):
            renew_team("nlp", "2027-03-31", reason="more", session=session)
        with pytest.raises(Refused, match="its administrators"):
            change_team("nlp", reason="more", quota={"mig-1g.10gb": 4}, session=session)

    await asyncio.to_thread(use)


@pytest.mark.usefixtures("here")
async def test_the_command_changes_what_it_names(
    service: RunningService, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its administrator asks: less of what it has is granted at once."""
    how = ("audio", "--template", "small", "--group", "teams/audio", "--reason", "speech")
    made = await run("request", *how, "--quota", "mig-1g.10gb=1")
    assert made.exit_code == 0, made.output
    refused = await run("change", "audio", "--quota", "mig-1g.10gb=2", "--reason", "more")
    assert refused.exit_code == 1 and "its administrators: you are none" in refused.output, refused.output
    for _ in range(2):
        await service.context.provider.look()
    hub.add("boss-token", "boss", scopes_for("audio"), groups=["tenant-audio", "tenant-audio-admin"])
    hub.memberships["boss"] = {"standing": "known", "tenants": {"audio": "admin"}, "resolved_at": 0}
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "boss-token")
    tried = await run("change", "audio", "--quota", "mig-1g.10gb=2", "--reason", "more", "--check")
    assert tried.output.startswith("needs-approval: one of platform"), tried.output
    less = await run("change", "audio", "--quota", "mig-1g.10gb=0", "--reason", "done", "--json")
    assert (less.exit_code, json.loads(less.output)["quota"]) == (0, {}), less.output
    nothing = await run("change", "audio", "--group", "teams/audio", "--reason", "the same")
    assert nothing.exit_code == 1 and "is like that already" in nothing.output, nothing.output
