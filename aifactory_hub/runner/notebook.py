"""``python3 -m aifactory_hub.runner.notebook PATH``: runs a notebook with parameters, by papermill.

The notebook that was run, with all outputs, is kept beside it as ``<name>.out.ipynb``, written after each cell: what
ran before a failure is never lost.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

_NOT_RUN = 126


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


def _run(papermill: Any, path: Path, parameters: dict[str, Any]) -> int:
    try:
        papermill.execute_notebook(
            str(path),
            str(output_of(path)),
            parameters=parameters,
            cwd=str(path.parent) if str(path.parent) != "." else None,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
        )
    except papermill.exceptions.PapermillExecutionError as error:
        print(f"cell {error.cell_index + 1} failed: {error.ename}: {error.evalue}", file=sys.stderr)
        print("\n".join(error.traceback), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
