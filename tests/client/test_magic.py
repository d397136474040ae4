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
