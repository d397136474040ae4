"""The command line, against the real service."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest

from aifactory_hub.client import commands

from .terminal import run


async def test_a_job_by_hand(here: Path, tmp_path: Path) -> None:
    submitted = await run(commands.job, "submit", "--wait", "--name", "one", "--", "python3", "train.py")
    assert submitted.exit_code == 0, submitted.output
    job_id = submitted.stdout.splitlines()[0]
    listed = await run(commands.job, "list", "--mine")
    assert [line.split() for line in listed.output.splitlines()] == [
        ["JOB", "STATE", "PROFILE", "OWNER", "DONE", "NAME", "METRICS"],
        [job_id, "SUCCEEDED", "mig-1g.10gb", "ada", "one"],
    ]
    assert (await run(commands.job, "logs", job_id)).output == "accuracy 0.97\n"
    saved = await run(commands.job, "artifacts", job_id, "--save", str(tmp_path / "got"))
    assert saved.output.split()[::2] == ["700", "model.bin"]
    assert (tmp_path / "got" / "model.bin").stat().st_size == 700
    nothing = (await run(commands.job, "submit", "--wait", "--", "true")).stdout.splitlines()[0]
    none = await run(commands.job, "artifacts", nothing)
    assert (none.stdout, none.stderr) == ("", f"job {nothing} gave back no files\n")


async def test_a_job_of_a_commit_by_hand(here: Path) -> None:
    def git(*words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        return subprocess.run(["git", *who, *words], cwd=here, check=True, capture_output=True, text=True).stdout

    git("init", "-q", "-b", "trunk")
    git("add", ".")
    git("commit", "-qm", "as it was")
    (here / "measures.py").write_text("ACCURACY = 0.1\n")
    old = await run(commands.job, "submit", "--wait", "--git", "HEAD", "--", "python3", "train.py")
    assert old.exit_code == 0, old.output
    commit = git("rev-parse", "HEAD").strip()
    assert old.stderr.splitlines()[:2] == [
        f"commit {git('rev-parse', '--short', 'HEAD').strip()} as it was",
        "what is not committed stays here: measures.py",
    ]
    old_id = old.stdout.splitlines()[0]
    assert (await run(commands.job, "logs", old_id)).output == "accuracy 0.97\n"
    assert f"{'commit':<10} {commit[:12]} (HEAD)\n" in (await run(commands.job, "show", old_id)).output
    new_id = (await run(commands.job, "submit", "--wait", "python3 train.py")).stdout.splitlines()[0]
    assert (await run(commands.job, "logs", new_id)).output == "accuracy 0.1\n"
    shown = await run(commands.job, "show", new_id)
    assert f"{'commit':<10} {commit[:12]} (trunk) with changes\n" in shown.output


async def test_a_failed_job_gives_its_exit_code(here: Path) -> None:
    result = await run(commands.job, "submit", "--wait", "--no-files", "exit 7")
    assert result.exit_code == 7, result.output


async def test_a_job_is_cancelled_by_hand(here: Path) -> None:
    job_id = (await run(commands.job, "submit", "--no-files", "sleep 60")).stdout.strip()
    assert (await run(commands.job, "cancel", job_id)).exit_code == 0
    waited = await run(commands.job, "wait", job_id)
    assert waited.exit_code == 1
    assert "CANCELLED: cancelled by ada" in waited.output


async def test_mistakes_are_said_plainly(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = await run(commands.job, "submit", "--profile", "mig-9g", "--no-files", "true")
    assert refused.exit_code == 1
    assert "has no profile 'mig-9g'" in refused.output
    assert "[profile-not-allowed]" in refused.output
    unknown = await run(commands.job, "logs", "j000000000000")
    assert (unknown.exit_code, "no job 'j000000000000'" in unknown.output) == (3, True)
    assert (await run(commands.job, "submit", "--env", "NAME", "true")).exit_code == 2
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN")
    assert "JUPYTERHUB_API_TOKEN is missing" in (await run(commands.job, "list")).output


async def test_tables_for_people_and_json_for_programs(here: Path) -> None:
    job_id = (await run(commands.job, "submit", "--no-files", "--name", "one", "echo hi")).stdout.strip()
    await run(commands.job, "wait", job_id)
    shown = await run(commands.job, "show", job_id)
    assert shown.exit_code == 0
    assert f"{'state':<10} SUCCEEDED" in shown.output
    told = json.loads((await run(commands.job, "show", "--json", job_id)).output)
    assert (told["id"], told["state"]) == (job_id, "SUCCEEDED")
    listed = json.loads((await run(commands.job, "list", "--json", "--state", "succeeded")).output)
    assert [job["id"] for job in listed] == [job_id]
    assert json.loads((await run(commands.job, "list", "--json", "--state", "failed")).output) == []
    assert (await run(commands.job, "list", "--state", "lost")).exit_code == 2


async def test_what_is_waited_for_is_one_object_for_programs_and_its_last_lines_for_people(here: Path) -> None:
    asked = ("submit", "--no-files", "--wait")
    told = await run(commands.job, *asked, "--json", "exit 3")
    assert told.exit_code == 3
    assert json.loads(told.stdout)["state"] == "FAILED"
    failed = await run(commands.job, *asked, "echo it broke here; exit 3")
    assert failed.exit_code == 3
    assert failed.stderr.splitlines()[-2:] == ["The end of its log:", "it broke here"]


async def test_a_list_without_jobs_says_so(here: Path) -> None:
    assert "There are no such jobs." in (await run(commands.job, "list", "--state", "failed")).stderr


async def test_a_dry_run_by_hand(here: Path) -> None:
    said = await run(commands.job, "submit", "--dry-run", "--no-files", "true")
    assert (said.exit_code, "would be taken" in said.output) == (0, True)
    refused = await run(commands.job, "submit", "--dry-run", "--no-files", "--profile", "mig-9g", "true")
    assert (refused.exit_code, "would be refused" in refused.output) == (1, True)


async def test_job_ids_are_completed_and_a_service_that_is_away_holds_no_shell_up(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = (await run(commands.job, "submit", "--no-files", "--name", "one", "true")).stdout.strip()

    def complete(typed: str) -> list[tuple[str, str | None]]:
        return [(item.value, item.help) for item in commands._complete_job(None, None, typed)]  # type: ignore[arg-type]

    found = await asyncio.to_thread(complete, job_id[:4])
    assert [value for value, _ in found] == [job_id]
    assert await asyncio.to_thread(complete, "zzz") == []
    monkeypatch.setenv("AIFACTORY_SERVICE_URL", "http://127.0.0.1:9/services/aifactory")
    assert await asyncio.to_thread(complete, "") == []


async def test_every_attempt_of_a_job_is_shown_with_its_log(here: Path) -> None:
    script = "echo try $AIFACTORY_ATTEMPT; test $AIFACTORY_ATTEMPT = 2"
    asked = ("--retries", "1", "--retry-backoff", "1s", "--no-files", "--wait")
    submitted = await run(commands.job, "submit", *asked, "--profile", "mig-1g.10gb", "--", script)
    assert submitted.exit_code == 0, submitted.output
    job_id = submitted.stdout.splitlines()[0]
    for words, printed in (([], "try 2\n"), (["--attempt", "1"], "try 1\n"), (["--attempt", "2"], "try 2\n")):
        assert (await run(commands.job, "logs", job_id, *words)).output == printed
    shown = [line.split(None, 1) for line in (await run(commands.job, "show", job_id)).output.splitlines()]
    attempts = [fact[1] for fact in shown if fact[0] == "attempt"]
    assert [re.sub(r"[0-9]+s with", "0s with", each) for each in attempts] == [
        "1, retry, 0s with its devices, exit code 1: the command ended with exit code 1",
        "2, 0s with its devices, exit code 0",
    ]
    unknown = await run(commands.job, "logs", job_id, "--attempt", "3")
    assert (unknown.exit_code, "has no attempt 3: the last one is 2" in unknown.output) == (1, True)
    assert (await run(commands.job, "logs", job_id, "--attempt", "0")).exit_code == 2
    assert (await run(commands.job, "logs", job_id, "--attempt", "1", "-f")).exit_code == 2
