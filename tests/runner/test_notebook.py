"""A notebook as a job: papermill and a kernel run it, and its log is what its cells print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.runner.notebook import output_of

PARAMETERS, SAYS = "rate = 1", "print('the rate is', rate)"
PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def notebook(folder: Path, *cells: str, metadata: dict[str, Any] = PYTHON) -> Path:
    """One whose first cell is tagged as its parameters."""
    made: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "source": source,
            "metadata": {} if number else {"tags": ["parameters"]},
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(cells)
    ]
    path = folder / "fit.ipynb"
    path.write_text(json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    return path


def run(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "aifactory_hub.runner.notebook", path.name, "--parameters", '{"rate": 3}']
    # As in a job, where nothing but the frozen modules of the debugger is said otherwise.
    env = {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1", **environment}
    return subprocess.run(argv, cwd=path.parent, capture_output=True, text=True, timeout=120, env=env, check=False)


def test_the_log_is_what_the_cells_print_and_nothing_else(tmp_path: Path) -> None:
    path = notebook(tmp_path, PARAMETERS, SAYS)
    done = run(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the rate is 3\n", "")
    assert "the rate is 3" in output_of(path).read_text()


def test_what_ran_before_a_failure_is_kept_and_the_cell_is_named(tmp_path: Path) -> None:
    path = notebook(tmp_path, PARAMETERS, SAYS, "1 / 0")
    done = run(path)
    assert done.returncode == 1
    assert done.stdout == "the rate is 3\n"
    # Other libraries may have said something before, of a kernel that is stopped in the middle.
    assert "cell 4 failed: ZeroDivisionError: division by zero\n" in done.stderr
    assert list(tmp_path.glob("kernel*")) == []
    assert "the rate is 3" in output_of(path).read_text()


def test_it_runs_where_temporary_files_have_too_long_a_path_for_a_socket(tmp_path: Path) -> None:
    long = tmp_path / ("t" * 80)
    long.mkdir()
    done = run(notebook(tmp_path, PARAMETERS, SAYS), TMPDIR=str(long))
    assert (done.returncode, done.stdout) == (0, "the rate is 3\n")
    assert list(long.iterdir()) == []


@pytest.mark.parametrize("metadata", [{}, {"kernelspec": {"name": "python3", "display_name": "Python 3"}}])
def test_a_notebook_that_does_not_say_its_language_is_refused_in_words(
    tmp_path: Path, metadata: dict[str, Any]
) -> None:
    done = run(notebook(tmp_path, PARAMETERS, SAYS, metadata=metadata))
    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr.startswith("fit.ipynb was not run: ") and "Traceback" not in done.stderr
