"""The demo's tour does what it says, cell by cell, against the real service; jobs run as real processes."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.client.session import Session

from ..support.job_service import RunningService

HOME = Path(__file__).parents[2] / "aifactory_hub/demo/home"


async def test_every_cell_of_the_tour_runs(
    service: RunningService,
    session: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = tmp_path / "tour"
    here.mkdir()
    shutil.copy(HOME / "train.py.in", here / "train.py")
    cells = json.loads((HOME / "tour.ipynb.in").read_text())["cells"]
    monkeypatch.chdir(here)
    given = {"HOME": str(tmp_path / "home"), "AIFACTORY_SERVICE_URL": service.url.rstrip("/"), "JUPYTERHUB_USER": "ada"}
    given |= {"JUPYTERHUB_API_TOKEN": "ada-token", "AIFACTORY_TENANT": "nlp", "AIFACTORY_PROFILE": "mig-1g.10gb"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    def run() -> None:
        space: dict[str, Any] = {}
        for cell in cells:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), cell["id"], "exec"), space)  # noqa: S102 - the tour's own

    await asyncio.to_thread(run)
    said = capsys.readouterr().out
    assert "accuracy: 0." in said
    assert "reading this file runs code that is in it: ['model.pkl']" in said
    assert "'reason': 'to see how it is done'" in said
    assert "mig-7g.80gb" in said  # what the last cell is refused
