"""The whole job API against the real service; jobs run as real processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aifactory_hub.client import (
    ClientError,
    DryRun,
    Job,
    JobFailed,
    aio,
    jobs,
    remote,
    submit,
    sweep,
)
from aifactory_hub.client.job_display import job_html
from aifactory_hub.client.session import Account, Session

from ..support.job_service import RunningService
from . import functions

CPU = "cpu-small"


@pytest.fixture
def session(service: RunningService) -> Iterator[Session]:
    session = Session(Account(service.url.rstrip("/"), "ada-token", tenant="nlp", profile=CPU, user="ada"))
    yield session
    session.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, and a change since."""
    folder = tmp_path / "project"
    folder.mkdir()

    def git(*words: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)

    git("init", "-q", "-b", "trunk")
    (folder / "measures.py").write_text("ACCURACY = 1\n")
    git("add", ".")
    git("commit", "-qm", "one")
    (folder / "measures.py").write_text("ACCURACY = 2\n")
    monkeypatch.chdir(folder)
    return folder


async def test_a_function_runs_in_a_job_and_its_value_comes_back(service: RunningService, session: Session) -> None:
    def day() -> None:
        job = submit(functions.add, args=(2,), files=None, session=session)
        assert job.name == "add"
        assert job.result(120) == 5
        assert job.artifacts == {}
        assert submit(functions.add, args={"x": 1, "y": 1}, files=None, session=session).result(120) == 2

    await asyncio.to_thread(day)


async def test_remote_calls_and_waits_and_raises_what_was_raised(service: RunningService, session: Session) -> None:
    def day() -> None:
        add = remote(files=None, session=session)(functions.add)
        assert add(40, y=2) == 42
        assert add.local(1, y=1) == 2
        with pytest.raises(ZeroDivisionError) as raised:
            remote(files=None, session=session)(functions.divide)(1, 0)
        assert "In the job:" in str(raised.value.__cause__)

    await asyncio.to_thread(day)


async def test_a_job_that_did_not_return_says_its_last_lines(service: RunningService, session: Session) -> None:
    def day() -> None:
        with pytest.raises(JobFailed, match=r"exit code 3\.\nIts last lines:\nsorry"):
            submit("echo sorry; exit 3", files=None, session=session).result(120)
        with pytest.raises(ClientError, match="which returns nothing"):
            submit("true", files=None, session=session).result(120)
        with pytest.raises(ClientError, match="args are for a function"):
            submit("true", args=(1,), session=session)

    await asyncio.to_thread(day)


async def test_the_job_runs_what_is_in_the_folder_and_says_where_it_comes_from(
    service: RunningService, session: Session, project: Path
) -> None:
    def day() -> None:
        job = submit("python3 -c 'import measures; print(measures.ACCURACY)'", session=session)
        assert job.wait(120, progress=False, poll=0.05) == "SUCCEEDED"
        assert job.logs() == "2\n"
        told = job.provenance
        assert (told["branch"], told["dirty"], len(told["commit"])) == ("trunk", True, 40)
        assert "+ACCURACY = 2" in told["diff"]
        assert any(line.startswith("httpx==") for line in told["packages"])
        old = submit("python3 -c 'import measures; print(measures.ACCURACY)'", git="HEAD", session=session)
        assert old.wait(120, progress=False, poll=0.05) == "SUCCEEDED"
        assert old.logs() == "1\n"
        cloned = submit("cat measures.py", git=f"{project}@{told['commit']}", files=None, session=session)
        assert cloned.wait(120, progress=False, poll=0.05) == "SUCCEEDED"
        assert cloned.logs() == "ACCURACY = 1\n"
        with pytest.raises(ClientError, match="git='nowhere'"):
            submit("true", git="nowhere", session=session)

    await asyncio.to_thread(day)


async def test_files_that_are_there_are_not_sent_again(
    service: RunningService, session: Session, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def day() -> None:
        submit("true", session=session)
        assert "sending 1 of 1 files, 13 B of 13 B" in capsys.readouterr().err
        submit("false", session=session)
        assert "sending" not in capsys.readouterr().err
        Path("new.py").write_text("print(1)")
        Path("copy.py").write_text("print(1)")
        assert submit("python3 copy.py", session=session).wait(60) == "SUCCEEDED"
        assert "sending 1 of 3 files, 8 B of 29 B" in capsys.readouterr().err
        Path("away.txt").symlink_to("/etc/hostname")
        submit("true", session=session)
        assert "away.txt is a link out of the folder: what is in /etc/hostname is sent" in capsys.readouterr().err

    await asyncio.to_thread(day)


async def test_a_sweep_is_many_jobs_in_one_table(service: RunningService, session: Session) -> None:
    def day() -> None:
        table = sweep(functions.add, {"x": [1, 2], "y": [10, 20]}, files=None, session=session)
        assert [job.name for job in table][:2] == ["add [x=1, y=10]", "add [x=1, y=20]"]
        assert table.results() == [11, 21, 12, 22]
        assert table._repr_html_().count("<tr>") == 5
        again = sweep("echo {n}", [{"n": "a b"}], files=None, session=session, idempotency_key="s")
        assert sweep("echo {n}", [{"n": "a b"}], files=None, session=session, idempotency_key="s")[0].id == again[0].id
        assert again.wait(120) == ["SUCCEEDED"]
        assert again[0].logs() == "a b\n"
        for grid, said in (({"n": []}, "0 jobs"), ({"n": "abc"}, "one text"), ([{"m": 1}], "no {m} in it")):
            with pytest.raises(ClientError, match=said.replace("{", r"\{")):
                sweep("echo {n}", grid, files=None, session=session)

    await asyncio.to_thread(day)


async def test_a_dry_run_says_what_would_happen_and_does_nothing(service: RunningService, session: Session) -> None:
    def day() -> None:
        said = submit("true", profile="mig-1g.10gb", dry_run=True, max_duration="90m", session=session)
        assert isinstance(said, DryRun)
        assert (said.accepted, said.position) == (True, 0)
        assert "would be taken" in str(said)
        assert "<li>" in said._repr_html_()
        refused = submit("true", profile="mig-3g.40gb", dry_run=True, session=session)
        assert (refused.accepted, "could never start" in (refused.refusal or "")) == (False, True)
        assert jobs.list(session=session) == []

    await asyncio.to_thread(day)


async def test_lists_are_narrowed_and_come_in_pages(
    service: RunningService, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aifactory_hub.client.job_list._PAGE", 2)

    def day() -> None:
        made = [submit(f"echo {n}", name=f"job {n}", files=None, session=session) for n in range(5)]
        for job in made:
            job.wait(120, progress=False, poll=0.05)
        assert [job.name for job in jobs.list(session=session)] == [f"job {n}" for n in (4, 3, 2, 1, 0)]
        assert len(jobs.list(limit=3, session=session)) == 3
        assert [job.name for job in jobs.list(text="echo 2", session=session)] == ["job 2"]
        assert jobs.list(state=["FAILED", "QUEUED"], session=session) == []
        assert len(jobs.list(state="SUCCEEDED", mine=True, session=session)) == 5

    await asyncio.to_thread(day)


async def test_progress_is_seen_while_the_job_runs(service: RunningService, session: Session) -> None:
    command = (
        "python3 -c 'from aifactory_hub.client import report; print(report(40, {\"loss\": 0.5}, eta=100))'; sleep 30"
    )

    def day() -> None:
        job = submit(command, files=None, session=session)
        for event in session.events(f"/jobs/{job.id}/events"):
            if event.name == "job" and event.data.get("progress"):
                break
        job.refresh()
        assert (job.progress, job.metrics) == (40, {"loss": 0.5})
        assert 0 < (job.eta or 0) <= 100
        assert "40%" in job_html(job)
        job.cancel()
        job.wait(120, progress=False, poll=0.05)

    await asyncio.to_thread(day)


async def test_a_log_is_followed_as_it_comes_with_bytes_that_are_no_text(
    service: RunningService, session: Session
) -> None:
    def day() -> None:
        job = submit("echo one; printf '\\377\\n'; sleep 0.5; echo two", files=None, session=session)
        assert "".join(job.follow()) == "one\n\ufffd\ntwo\n"
        assert job.state == "SUCCEEDED"
        assert job.logs() == "one\n\ufffd\ntwo\n"

    await asyncio.to_thread(day)


async def test_a_job_is_suspended_resumed_and_run_again(service: RunningService, session: Session) -> None:
    def day() -> None:
        job = submit("sleep 1000", profile="mig-1g.10gb", files=None, session=session)
        until(job, "RUNNING")
        job.suspend()
        until(job, "SUSPENDED")
        job.resume()
        until(job, "RUNNING")
        assert [(each["attempt"], each["kind"]) for each in job.attempts] == [(1, "suspended"), (2, None)]
        assert (job.attempt, job.logs(attempt=1)) == (2, "")
        with pytest.raises(ValueError, match="leave attempt out"):
            job.logs(follow=True, attempt=1)
        job.cancel()
        assert job.wait(120, progress=False, poll=0.05) == "CANCELLED"
        again = job.retry(idempotency_key="again")
        assert again.id != job.id
        assert job.retry(idempotency_key="again").id == again.id
        again.cancel()
        again.wait(120, progress=False, poll=0.05)

    await asyncio.to_thread(day)


def until(job: Job, state: str) -> None:
    end = time.monotonic() + 120
    while job.status != state:
        assert time.monotonic() < end, job
        time.sleep(0.05)


async def test_the_same_for_async_code(service: RunningService, session: Session) -> None:
    job = await aio.submit(functions.add, args=(1, 2), files=None, session=session)
    assert await job.result(120) == 3
    assert (job.state, (await job.logs()), (await job.logs(attempt=1))) == ("SUCCEEDED", "", "")
    printing = await aio.submit("echo hello", files=None, session=session)
    assert "".join([text async for text in printing.follow()]) == "hello\n"
    assert [j.id for j in await aio.list_jobs(session=session)] == [printing.id, job.id]
    assert await aio.remote(files=None, session=session)(functions.add)(4, 5) == 9
    long = await aio.submit("sleep 30", files=None, session=session)
    with pytest.raises(TimeoutError, match="It goes on"):
        await long.wait(0.3)
    await long.cancel()
    assert await long.wait(120) == "CANCELLED"
    again = await asyncio.to_thread(lambda: submit("true", files=None, session=session))
    assert await again == "SUCCEEDED"


async def test_a_notebook_runs_with_its_parameters(
    service: RunningService, session: Session, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("papermill", reason="the image has it, the base install does not")

    def cell(source: str, **metadata: object) -> dict[str, object]:
        return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}

    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [cell("rate = 1", tags=["parameters"]), cell("import measures\nprint('rate', rate + measures.ACCURACY)")]
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
    (project / "train.ipynb").write_text(json.dumps(notebook))

    def day() -> None:
        job = submit("train.ipynb", parameters={"rate": 40}, session=session)
        assert job.wait(120, progress=False, poll=0.05) == "SUCCEEDED", job.logs()
        assert "rate 42" in job.logs()
        assert "rate 42" in job.artifacts["train.out.ipynb"].read().decode()
        with pytest.raises(ClientError, match="There is no notebook"):
            submit("none.ipynb", session=session)
        with pytest.raises(ClientError, match=r"declares no parameter 'rat'\. Did you mean 'rate'"):
            submit("train.ipynb", parameters={"rat": 40}, session=session)

    await asyncio.to_thread(day)
