"""marimo's note of which cells run; with a real marimo where one is installed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub.editors.marimo_server import busy_notebooks, noting


def session(path: str | None, *states: str | None) -> Any:
    cells = {number: SimpleNamespace(status=state) for number, state in enumerate(states)}
    view = SimpleNamespace(cell_notifications=cells)
    return SimpleNamespace(session_view=view, app_file_manager=SimpleNamespace(path=path))


def test_a_notebook_runs_while_a_cell_does_or_waits_to() -> None:
    sessions = [
        session("/home/a.py", "idle", "running"),
        session("/home/b.py", "queued"),
        session("/home/c.py", "idle", None, "disabled-transitively"),
        session(None, "running"),
        session("/home/d.py"),
    ]
    assert busy_notebooks(sessions) == ["a new notebook", "a.py", "b.py"]


async def test_the_note_says_so_while_the_server_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "note.json"
    monkeypatch.setenv("AIFACTORY_ACTIVITY_NOTE", str(note))
    manager = SimpleNamespace(sessions={"s": session("/home/a.py", "running")})
    async with noting(SimpleNamespace(state=SimpleNamespace(session_manager=manager))):
        while not note.exists():
            await asyncio.sleep(0.01)
    found = json.loads(note.read_text())
    assert found["running"] == ["a.py"]
    assert found["used"] == found["at"]


async def test_a_marimo_of_another_form_gives_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIFACTORY_ACTIVITY_NOTE", str(tmp_path / "note.json"))
    async with noting(SimpleNamespace(state=SimpleNamespace())):
        await asyncio.sleep(0)
    assert not (tmp_path / "note.json").exists()


def test_marimo_still_has_what_the_note_is_made_of() -> None:
    """Internal to marimo: what is used of it is pinned here."""
    pytest.importorskip("marimo", reason="an optional part of the demo")
    from marimo._server.registry import LIFESPAN_REGISTRY
    from marimo._server.session_manager import SessionManager
    from marimo._session.state.session_view import SessionView

    assert callable(LIFESPAN_REGISTRY.register)
    assert isinstance(SessionManager.sessions, property)
    assert SessionView().cell_notifications == {}
