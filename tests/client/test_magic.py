"""The cell magic, in a real IPython shell."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aifactory_hub.client import api

from ..support.job_service import RunningService

IPython = pytest.importorskip("IPython", reason="the notebook image has IPython, the base install does not")


async def test_a_cell_runs_as_a_job(
    service: RunningService, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "ada-token")
    monkeypatch.setenv("AIFACTORY_SERVICE_URL", service.url)
    monkeypatch.chdir(work)

    def cell() -> str:
        shell = IPython.core.interactiveshell.InteractiveShell()
        shell.run_line_magic("load_ext", "aifactory_hub.client")
        line = "--profile mig-1g.10gb --into job --wait"
        job = shell.run_cell_magic("submit", line, "import measures\nprint('it is', measures.ACCURACY)")
        assert shell.user_ns["job"] is job
        api.forget_sessions()
        return str(job.state)

    assert await asyncio.to_thread(cell) == "SUCCEEDED"
    assert "it is 0.97" in capsys.readouterr().out


async def test_jobs_are_listed_read_and_cancelled_by_magic(
    service: RunningService, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "ada-token")
    monkeypatch.setenv("AIFACTORY_SERVICE_URL", service.url)
    monkeypatch.chdir(work)

    def day() -> None:
        shell = IPython.core.interactiveshell.InteractiveShell()
        shell.run_line_magic("load_ext", "aifactory_hub.client")
        line = "profile=mig-1g.10gb files=none max_duration=5m into=job"
        made = shell.run_cell_magic("submit", line, "print('hello')")
        assert made.data["max_seconds"] == 300
        made.wait(120, progress=False, poll=0.05)
        assert [job.id for job in shell.run_line_magic("jobs", "--state succeeded print")] == [made.id]
        capsys.readouterr()
        shell.run_line_magic("logs", "job")
        shell.run_line_magic("logs", f"-f {made.id}")
        shell.run_line_magic("logs", "--attempt 1 job")
        assert capsys.readouterr().out == "hello\nhello\nhello\n"
        with pytest.raises(IPython.core.error.UsageError, match="has no attempt 2"):
            shell.run_line_magic("logs", "--attempt 2 job")
        with pytest.raises(IPython.core.error.UsageError, match="leave --attempt or --follow out"):
            shell.run_line_magic("logs", "--attempt 1 -f job")
        assert shell.run_line_magic("cancel", "job").state == "SUCCEEDED"
        shell.user_ns["number"] = 3
        for unknown in ("--profiel mig-1g.10gb", "profiel=mig-1g.10gb"):
            with pytest.raises(IPython.core.error.UsageError, match=r"unrecognized.*Did you mean --profile\?"):
                shell.run_cell_magic("submit", unknown, "print('hello')")
        with pytest.raises(IPython.core.error.UsageError, match="number is a int, no job"):
            shell.run_line_magic("logs", "number")
        with pytest.raises(IPython.core.error.UsageError, match="no job 'nope'"):
            shell.run_line_magic("logs", "nope")  # in a line, without the way through the client
        said = shell.run_cell_magic("submit", "--profile mig-1g.10gb --files none --dry-run", "pass")
        assert said.accepted
        api.forget_sessions()

    await asyncio.to_thread(day)
