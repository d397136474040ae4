"""marimo with a note of which cells run: it is started with the arguments of its own command line."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

# As in activity_reporter.py, which this process need not import.
NOTE_VARIABLE = "AIFACTORY_ACTIVITY_NOTE"
_EVERY = 2.0
_BUSY = ("queued", "running")


def busy_notebooks(sessions: Iterable[Any]) -> list[str]:
    """Names of the notebooks of which a cell runs or waits to. Raises AttributeError for sessions of another form."""
    found = []
    for session in sessions:
        cells = session.session_view.cell_notifications.values()
        if any(cell.status in _BUSY for cell in cells):
            found.append(Path(session.app_file_manager.path or "a new notebook").name)
    return sorted(found)


@asynccontextmanager
async def noting(app: Any) -> AsyncIterator[None]:
    """While the server runs: write into the note's file which notebooks run cells, and when one last did."""
    file = os.environ.get(NOTE_VARIABLE)
    task = None if not file else asyncio.create_task(_note(app, Path(file)), name="note of activity")
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _note(app: Any, file: Path) -> None:
    used = 0.0
    while True:
        # A marimo that keeps its sessions in another way gives no note, and what is not known is not reported.
        with suppress(AttributeError, OSError):
            running = busy_notebooks(app.state.session_manager.sessions.values())
            now = time.time()
            used = now if running else used
            write_note(file, {"at": now, "running": running, "used": used})
        await asyncio.sleep(_EVERY)


def write_note(file: Path, note: dict[str, Any]) -> None:
    """In one step, so that nobody reads half of it."""
    half = file.with_suffix(".half")
    half.write_text(json.dumps(note))
    half.replace(file)


def main() -> None:
    from marimo._cli.cli import main as run
    from marimo._server.registry import LIFESPAN_REGISTRY

    LIFESPAN_REGISTRY.register("aifactory-activity", noting)
    run()


if __name__ == "__main__":
    main()
