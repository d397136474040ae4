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


def run(path: Path, parameters: str = '{"rate": 3}', **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-P", "-m", "aifactory_hub.runner.notebook"]
    argv += ["--parameters", parameters, "--", path.name]
    # As in a job, where nothing but the frozen modules of the debugger is said otherwise.
    env = {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1", **environment}
    for _ in range(5):
        done = subprocess.run(argv, cwd=path.parent, capture_output=True, text=True, timeout=120, env=env, check=False)
        # On a busy machine ipykernel can flush its output, at its very end, into a socket that it has closed already.
        if "operation on non-socket" not in done.stderr:
            break
    return done


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


def test_a_notebook_that_names_neither_kernel_nor_language_is_refused_in_words(tmp_path: Path) -> None:
    done = run(notebook(tmp_path, PARAMETERS, SAYS, metadata={}))
    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr == (
        "fit.ipynb was not run: it names no kernel and no language. "
        "Open it in JupyterLab, choose a kernel, and save it\n"
    )


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"language_info": {"name": "python", "version": "3.11.4"}}, ""),  # as VS Code saves it
        ({"kernelspec": {"name": "python3", "display_name": "Python 3"}}, ""),
        (
            {"kernelspec": {"name": "conda-env-ml", "display_name": "ml", "language": "python"}},
            "This image has no kernel 'conda-env-ml'; the notebook runs with 'python3'.\n",
        ),
    ],
)
def test_a_kernel_of_the_notebook_s_language_runs_it(tmp_path: Path, metadata: dict[str, Any], said: str) -> None:
    done = run(notebook(tmp_path, PARAMETERS, SAYS, metadata=metadata))
    assert (done.returncode, done.stdout, done.stderr) == (0, "the rate is 3\n", said)


def test_a_kernel_that_this_image_can_not_replace_is_named_with_those_that_it_has(tmp_path: Path) -> None:
    spec = {"name": "ir", "display_name": "R", "language": "R"}
    reason = tmp_path / "reason"
    done = run(notebook(tmp_path, PARAMETERS, SAYS, metadata={"kernelspec": spec}), AIFACTORY_REASON_FILE=str(reason))
    assert done.returncode == 126
    assert done.stderr.startswith("fit.ipynb was not run: this image has no kernel 'ir'; it has ")
    assert "python3" in done.stderr
    assert reason.read_text() == done.stderr.strip()


def test_a_kernel_that_dies_is_one_line_with_the_memory_and_what_to_do(tmp_path: Path) -> None:
    reason = tmp_path / "reason"
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    done = run(notebook(tmp_path, PARAMETERS, kill), AIFACTORY_REASON_FILE=str(reason))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert reason.read_text().startswith("the kernel died while a cell ran: ")
    assert reason.read_text().endswith("Choose a profile with more memory.")


# The kernel is still at its last answer when it is told to end.
SLOW = """
import time
kernel = get_ipython().kernel
answer = kernel.shell_handlers["kernel_info_request"]
async def slow(*message):
    await answer(*message)
    time.sleep(1)
kernel.shell_handlers["kernel_info_request"] = slow
"""


def test_a_kernel_that_is_still_at_its_last_answer_writes_no_error_into_the_log(tmp_path: Path) -> None:
    done = run(notebook(tmp_path, PARAMETERS, SLOW, SAYS))
    assert (done.returncode, done.stdout, done.stderr) == (0, "the rate is 3\n", "")


def test_a_cell_that_is_meant_to_raise_ends_nothing(tmp_path: Path) -> None:
    path = notebook(tmp_path, PARAMETERS, "1 / 0", "print('after')")
    content = json.loads(path.read_text())
    content["cells"][1]["metadata"]["tags"] = ["raises-exception"]
    path.write_text(json.dumps(content))
    done = run(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "after\n", "")
    assert "papermill-error-cell-tag" not in output_of(path).read_text()


@pytest.mark.parametrize("name", ["fold{1}-{date}.ipynb", "-draft.ipynb"])
def test_a_file_s_name_is_never_a_format(tmp_path: Path, name: str) -> None:
    path = notebook(tmp_path, PARAMETERS, SAYS).rename(tmp_path / name)
    done = run(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the rate is 3\n", "")
    assert output_of(path).exists()


def test_files_beside_the_notebook_do_not_hide_what_the_runner_imports(tmp_path: Path) -> None:
    for module in ("calendar", "token", "queue", "email", "string", "inspect", "tempfile"):
        (tmp_path / f"{module}.py").write_text("print('mine')\n")
    done = run(notebook(tmp_path, PARAMETERS, SAYS))
    assert (done.returncode, done.stdout, done.stderr) == (0, "the rate is 3\n", "")


def test_a_parameter_that_the_notebook_does_not_declare_is_named_in_the_log(tmp_path: Path) -> None:
    done = run(notebook(tmp_path, "rat = 'a=b'", "print(rat)"))
    assert (done.returncode, done.stdout) == (0, "a=b\n")
    assert done.stderr == ("The notebook declares no parameter 'rate'. Did you mean 'rat'? It declares: rat.\n")


def test_a_notebook_of_format_3_runs(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "collapsed": False, "input": ["print('old')"], "language": "python"}
    cell |= {"metadata": {}, "outputs": [], "prompt_number": 1}
    path = tmp_path / "old.ipynb"
    sheets = [{"cells": [cell], "metadata": {}}]
    path.write_text(json.dumps({"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}))
    done = run(path, parameters="{}")
    assert (done.returncode, done.stdout) == (0, "old\n"), done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is not a notebook that nbformat can read"),
        (b"{}", "it is not a notebook that nbformat can read"),
        ('{"cells": ["ü"]}'.encode("latin-1"), "it is not UTF-8"),
    ],
)
def test_what_is_no_notebook_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(content)
    done = run(path)
    assert done.returncode == 126
    assert done.stderr.startswith(f"a.ipynb was not run: {words}")
    assert done.stderr.count("\n") == 1
