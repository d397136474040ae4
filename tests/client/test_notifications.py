"""What one is told by mail, chosen on the command line, against the real service and a real mail server's settings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_hub.mail.smtp import SmtpServer
from aifactory_hub.settings import MailSettings, MailTls

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, running_service


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    mail = SmtpServer(MailSettings("127.0.0.1", 25, MailTls.NONE, "hub@example.org"))
    async with running_service(tmp_path / "service", hub=hub, reconciling=False, mail=mail) as service:
        yield service


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["notifications", *arguments])


@pytest.mark.usefixtures("here")
async def test_the_command_says_and_chooses(hub: FakeHub) -> None:
    hub.addresses["ada"] = "ada@example.org"
    shown = await run()
    assert shown.exit_code == 0, shown.output
    assert "what failed, and what waits for you (failures, the site's default)" in shown.output
    assert "It goes to ada@example.org." in shown.output
    assert "(all, your choice)" in (await run("all")).output
    assert json.loads((await run("--json")).output)["chosen"] == "all"
    assert "(failures, the site's default)" in (await run("default")).output
    assert (await run("some")).exit_code == 2


@pytest.mark.usefixtures("here")
async def test_the_command_chooses_by_kind_and_leaves_the_others(hub: FakeHub) -> None:
    hub.addresses["ada"] = "ada@example.org"
    await run("off")
    assert "Besides: a job of mine is held (job.held)." in (await run("--with", "job.held")).output
    shown = (await run("--with", "job.failed", "--with", "job.succeeded")).output
    assert "told nothing (off, your choice)" in shown
    assert [kind in shown for kind in ("(job.held)", "(job.failed)", "(job.succeeded)")] == [True] * 3
    assert "(job.held)" not in (await run("--without", "job.held")).output
    refused = await run("--with", "job.lost")
    assert refused.exit_code == 1 and "job.lost" in refused.output
    assert "But not: a job of mine is held (job.held)." in (await run("all", "--without", "job.held")).output
    assert "(job.held)" not in (await run("default")).output


@pytest.mark.usefixtures("here")
async def test_the_command_says_why_nothing_comes() -> None:
    shown = await run("off")
    assert shown.exit_code == 0, shown.output
    assert "told nothing (off, your choice)" in shown.output
    assert "gives no verified address of yours" in shown.output
