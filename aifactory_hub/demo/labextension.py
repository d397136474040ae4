"""JupyterLab's panel in the demo. An installed wheel has it; in a checkout it is built, and shown from there."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2] / "labextension"
_BUILD = CHECKOUT / "build.py"
# Nobody waits for it, and people are using the machine.
_NICENESS = 10


def paths() -> dict[str, str]:
    """What tells a Jupyter server to look into the checkout; nothing when this is no checkout."""
    if not _BUILD.exists():
        return {}
    return {
        "JUPYTER_PATH": _first(CHECKOUT / "built", "JUPYTER_PATH"),
        "JUPYTER_CONFIG_PATH": _first(CHECKOUT / "jupyter-config", "JUPYTER_CONFIG_PATH"),
    }


def _first(folder: Path, variable: str) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get(variable)])])


@asynccontextmanager
async def building(say: Callable[[str], None]) -> AsyncIterator[None]:
    """Build it meanwhile if it has not been built from these sources. Without it everything else works."""
    if not _BUILD.exists() or await _run("--state") == 0:
        yield
        return
    say("JupyterLab's panel is being built; reload JupyterLab when it is there (a minute, the first time)")
    task = asyncio.create_task(_build(say), name="labextension")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _build(say: Callable[[str], None]) -> None:
    code = await _run()
    say("JupyterLab's panel is built" if code == 0 else "JupyterLab's panel could not be built; the log says why")


async def _run(*words: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", str(_NICENESS), sys.executable, str(_BUILD), *words), start_new_session=True
    )
    try:
        return await process.wait()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
            os.killpg(process.pid, 15)
        await process.wait()
        raise
