"""Schedules, from Python and from a terminal, against the real service; its jobs run as real processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.client import Refused, Schedule, schedule, schedules
from aifactory_hub.client.commands import job as job_commands
from aifactory_hub.client.schedule_commands import schedule as commands
from aifactory_hub.client.session import Session

from .terminal import run


async def made(session: Session, work: Path, **options: object) -> Schedule:
    how: dict[str, Any] = {"files": work, "profile": "mig-1g.10gb", "name": "nightly", "session": session, **options}
    return await asyncio.to_thread(schedule, "python3 train.py", "0 6 * * mon-fri", **how)


async def test_a_schedule_from_python(session: Session, work: Path) -> None:
    one = await made(session, work, time_zone="Europe/Amsterdam", env={"TOKEN": "secret"})
    assert (one.name, one.cron, one.time_zone, one.owner) == ("nightly", "0 6 * * mon-fri", "Europe/Amsterdam", "ada")
    assert one.next is not None and one.last_job is None and not one.paused
    assert repr(one) == f"<Schedule {one.id} nightly: 0 6 * * mon-fri (Europe/Amsterdam), next {one.next}>"
    await asyncio.to_thread(one.pause)
    assert one.paused and one.next is None and "paused" in repr(one)
    listed = await asyncio.to_thread(schedules.list, session=session)
    assert [(s.id, s.paused) for s in listed] == [(one.id, True)]
    assert "secret" not in json.dumps(listed[0].data)
    await asyncio.to_thread(one.resume)
    assert not (await asyncio.to_thread(one.refresh)).paused
    await asyncio.to_thread(one.delete)
    assert await asyncio.to_thread(schedules.list, session=session) == []
    with pytest.raises(Refused, match="There is no schedule"):
        await asyncio.to_thread(schedules.get, one.id, session=session)


async def test_a_schedule_runs_now_with_the_files_of_the_moment_that_it_was_made(session: Session, work: Path) -> None:
    one = await made(session, work)
    (work / "measures.py").write_text("ACCURACY = 0.5\n")
    await asyncio.to_thread(one.pause)
    job = await asyncio.to_thread(one.run)
    assert await asyncio.to_thread(job.wait, 60) == "SUCCEEDED"
    assert await asyncio.to_thread(job.logs) == "accuracy 0.97\n"
    again = await asyncio.to_thread(one.run)
    assert again.id != job.id and again.name == "nightly"


async def test_the_same_key_is_one_schedule(session: Session, work: Path) -> None:
    first, second = [await made(session, work, idempotency_key="nightly") for _ in range(2)]
    assert first.id == second.id
    with pytest.raises(Refused, match="was used before"):
        await made(session, work, idempotency_key="nightly", name="other")


@pytest.mark.parametrize(
    ("cron", "options", "words"),
    [
        ("0 6 * * nosuchday", {}, "nosuchday"),
        ("0 6 * *", {}, "0 6"),
        ("0 6 * * *", {"time_zone": "Mars/Olympus"}, "Mars/Olympus"),
        ("0 6 * * *", {"profile": "mig-9g"}, "mig-9g"),
        ("0 6 * * *", {"overlap": "maybe"}, "overlap"),
    ],
)
async def test_what_is_wrong_is_named(
    session: Session, work: Path, cron: str, options: dict[str, str], words: str
) -> None:
    how = {"files": work, "profile": "mig-1g.10gb", "session": session, **options}
    with pytest.raises(Refused) as caught:
        await asyncio.to_thread(schedule, "python3 train.py", cron, **how)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert await asyncio.to_thread(schedules.list, session=session) == []


async def test_a_schedule_from_a_terminal(here: Path) -> None:
    added = await run(commands, "add", "--cron", "30 2 * * *", "--name", "nightly", "--", "python3", "train.py")
    assert added.exit_code == 0, added.output
    schedule_id = added.stdout.split()[1]
    listed = (await run(commands, "list")).output.splitlines()
    assert listed[0].split() == ["SCHEDULE", "LAST", "CRON", "TIME", "ZONE", "NEXT", "OWNER", "NAME"]
    assert listed[1].split()[:6] == [schedule_id, "30", "2", "*", "*", "*"]
    ran = await run(commands, "run", schedule_id)
    assert (await run(job_commands, "wait", ran.output.strip())).exit_code == 0
    assert json.loads((await run(commands, "pause", schedule_id, "--json")).output)["paused"] is True
    assert "next 2" in (await run(commands, "resume", schedule_id)).output
    assert (await run(commands, "delete", schedule_id)).output == f"{schedule_id} is deleted\n"
    assert "There are no schedules." in (await run(commands, "list")).output


@pytest.mark.parametrize(
    ("command", "before"), [(job_commands, ("submit",)), (commands, ("add", "--cron", "* * * * *"))]
)
async def test_a_misspelt_option_is_no_command(here: Path, command: object, before: tuple[str, ...]) -> None:
    for words in (("--profil", "mig-3g.40gb", "--", "echo", "hi"), ("--profil=mig-3g.40gb", "echo", "hi")):
        result = await run(command, *before, *words)
        assert result.exit_code == 2
        assert "No such option '--profil'" in result.output and "Did you mean '--profile'" in result.output
    assert "There are no such jobs." in (await run(job_commands, "list")).output


async def test_options_after_the_first_word_are_the_command_s_own(here: Path) -> None:
    result = await run(job_commands, "submit", "--wait", "python3", "-c", "import sys; print(sys.argv)", "--lr", "0.1")
    assert result.exit_code == 0, result.output
