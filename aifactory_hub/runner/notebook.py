"""``python3 -m aifactory_hub.runner.notebook PATH``: runs a notebook with parameters, by papermill.

The notebook that was run, with all outputs, is kept beside it as ``<name>.out.ipynb``, written after each cell: what
ran before a failure is never lost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NOT_RUN = 126
# A socket's path may have 107 bytes (unix(7)) on Linux, 103 on macOS; "-1" to "-5" come behind it.
_LONGEST_NAME = 100


def main(argv: list[str] | None = None) -> int:
    """0 when all cells ran."""
    parser = argparse.ArgumentParser(prog="python3 -m aifactory_hub.runner.notebook")
    parser.add_argument("path", type=Path)
    parser.add_argument("--parameters", type=json.loads, default={}, help="a JSON object")
    asked = parser.parse_args(argv)
    if not isinstance(asked.parameters, dict):
        parser.error("--parameters must be a JSON object")
    try:
        import papermill
    except ImportError:
        print(
            "This image has no papermill, which runs notebooks: pip install 'aifactory-hub[notebook]'.", file=sys.stderr
        )
        return _NOT_RUN
    return _run(papermill, asked.path, asked.parameters)


def output_of(path: Path) -> Path:
    """Where the notebook with its outputs goes."""
    return path.with_name(f"{path.stem}.out.ipynb")


@contextmanager
def _by_ipc() -> Iterator[Any]:
    """Settings by which a kernel is spoken to through sockets in a folder that is this user's alone.

    ipykernel 7 begins each log with a warning where its messages go over TCP, and other users of the machine can open
    its ports. None where temporary folders have too long a name for a socket's.
    """
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="kernel-") as folder:
        # By default they would be in the working folder, and always of the same names.
        sockets = Path(folder, "kernel")
        fits = len(os.fsencode(sockets)) < _LONGEST_NAME
        yield Config({"KernelManager": {"transport": "ipc", "ip": str(sockets)}}) if fits else None


def _run(papermill: Any, path: Path, parameters: dict[str, Any]) -> int:
    try:
        with _by_ipc() as config:
            papermill.execute_notebook(
                str(path),
                str(output_of(path)),
                parameters=parameters,
                cwd=str(path.parent) if str(path.parent) != "." else None,
                progress_bar=False,
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
                config=config,
            )
    except papermill.exceptions.PapermillExecutionError as error:
        print(f"cell {error.cell_index + 1} failed: {error.ename}: {error.evalue}", file=sys.stderr)
        print("\n".join(error.traceback), file=sys.stderr)
        return 1
    except ValueError as error:
        # papermill's word for a notebook that it can't make sense of; the file's name is not in it.
        print(f"{path} was not run: {error}", file=sys.stderr)
        return _NOT_RUN
    return 0


if __name__ == "__main__":
    sys.exit(main())
