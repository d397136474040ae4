"""``python3 -P -m aifactory_hub.runner.notebook PATH``: runs a notebook with parameters, by papermill.

The notebook that was run, with all outputs, is kept beside it as ``<name>.out.ipynb``, written after each cell: what
ran before a failure is never lost.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..notebook_parameters import language_of, undeclared
from .kernel import without_interrupt
from .memory import read_memory
from .reason import write_reason

_NOT_RUN = 126
# Seconds. A kernel of a large environment on a cold node takes its time.
_KERNEL_STARTS_WITHIN = 300
# A socket's path may have 107 bytes (unix(7)) on Linux, 103 on macOS; "-1" to "-5" come behind it.
_LONGEST_NAME = 100
# papermill puts cells with this tag into a notebook that failed.
_ERROR_MARK = "papermill-error-cell-tag"
_RAISES = "raises-exception"
_FORMAT = 4


class NotRun(Exception):
    """The notebook can't be run; the text says why and what to do."""


def main(argv: list[str] | None = None) -> int:
    """0 when all cells ran, 1 when one failed or the kernel died, 126 when none ran."""
    parser = argparse.ArgumentParser(prog="python3 -P -m aifactory_hub.runner.notebook")
    parser.add_argument("path", type=Path)
    parser.add_argument("--parameters", type=json.loads, default={}, help="a JSON object")
    asked = parser.parse_args(argv)
    if not isinstance(asked.parameters, dict):
        parser.error("--parameters must be a JSON object")
    try:
        return _run(_papermill(), asked.path, asked.parameters)
    except NotRun as error:
        return _fail(f"{ascii_name(asked.path)} was not run: {error}", _NOT_RUN)


def output_of(path: Path) -> Path:
    """Where the notebook with its outputs goes."""
    return path.with_name(f"{path.stem}.out.ipynb")


def ascii_name(path: Path) -> str:
    """The path as it can be printed anywhere."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _papermill() -> Any:
    try:
        import papermill
    except ModuleNotFoundError as error:
        if error.name == "papermill":
            raise NotRun("this image has no papermill. Install it: pip install 'aifactory-hub[notebook]'") from error
        raise NotRun(f"papermill can't be loaded, because this image has no module {error.name!r}") from error
    except ImportError as error:
        raise NotRun(f"papermill can't be loaded: {error}") from error
    # It guesses at the defaults of parameters, and reports where it guesses wrong. They are checked here instead.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    return papermill


def _run(papermill: Any, path: Path, parameters: dict[str, Any]) -> int:
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError

    notebook = read_notebook(path)
    kernel, language = choose_kernel(notebook, kernels())
    if problem := undeclared(notebook, parameters):
        print(problem, file=sys.stderr)
    try:
        _execute(papermill, notebook, path, parameters, kernel, language)
    except papermill.exceptions.PapermillExecutionError as error:
        return _cell_failed(error, output_of(path))
    except DeadKernelError:
        memory = read_memory()
        why = "it was killed for want of memory" if memory.killed else "most often that is want of memory"
        return _fail(f"the kernel died while a cell ran: {why} ({memory}). Choose a profile with more memory.", 1)
    except NoSuchKernel as error:
        raise NotRun(f"there is no kernel {error.name!r} in this image") from error
    except RuntimeError as error:
        if "Kernel" in str(error):  # nbclient's and jupyter_client's word for one that does not start
            raise NotRun(f"its kernel {kernel!r} did not start: {error}") from error
        raise NotRun(f"{type(error).__name__}: {error}") from error
    except Exception as error:
        # Whatever the libraries below raise is one line. What ran before is in the output notebook.
        raise NotRun(f"{type(error).__name__}: {error}") from error
    return 0


def _execute(papermill: Any, notebook: Any, path: Path, parameters: dict[str, Any], kernel: str, language: str) -> None:
    with _by_ipc() as config:
        papermill.execute_notebook(
            notebook,
            # papermill takes braces in a path for the names of parameters, and "-" at its begin for standard output.
            str(output_of(path).absolute()).replace("{", "{{").replace("}", "}}"),
            parameters=parameters,
            kernel_name=kernel,
            language=language,
            start_timeout=_KERNEL_STARTS_WITHIN,
            cwd=str(path.parent) if str(path.parent) != "." else None,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            config=config,
            **without_interrupt(),
        )


def read_notebook(path: Path) -> Any:
    """The notebook in the present format; older ones are brought to it. Raises NotRun."""
    import nbformat

    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise NotRun("there is no such file in the job's folder") from error
    except OSError as error:
        raise NotRun(f"it can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotRun("it is not UTF-8, which notebooks are. Open it in JupyterLab and save it") from error
    try:
        # What an older format becomes is of another class, which papermill does not take.
        return nbformat.from_dict(nbformat.reads(text, as_version=_FORMAT))  # type: ignore[no-untyped-call]
    except Exception as error:
        message = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise NotRun(f"it is not a notebook that nbformat can read: {message}") from error


def kernels() -> dict[str, str]:
    """The kernels of this image, each with its language in lower case."""
    from jupyter_client.kernelspec import KernelSpecManager

    found = KernelSpecManager().get_all_specs()
    return {name: str(spec["spec"].get("language", "")).lower() for name, spec in found.items()}


def choose_kernel(notebook: Mapping[str, Any], available: Mapping[str, str]) -> tuple[str, str]:
    """The kernel's name and its language. Raises NotRun.

    A kernel that this image lacks is replaced by the only one, or by ``python3``, of the same language, with a note.
    """
    metadata = notebook.get("metadata", {})
    name: str | None = (metadata.get("kernelspec") or {}).get("name")
    language = language_of(notebook)
    if name is None and language is None and metadata.get("orig_nbformat", _FORMAT) < _FORMAT:
        language = "python"  # before format 4 there was nothing else
    if name is not None and name in available:
        return name, available[name] or language or "python"
    if name is None and language is None:
        raise NotRun("it names no kernel and no language. Open it in JupyterLab, choose a kernel, and save it")
    same = sorted(kernel for kernel, spoken in available.items() if language and spoken == language)
    if "python3" in same or len(same) == 1:
        chosen = "python3" if "python3" in same else same[0]
        if name is not None:
            print(f"This image has no kernel {name!r}; the notebook runs with {chosen!r}.", file=sys.stderr)
        return chosen, available[chosen]
    has = f"it has {', '.join(sorted(available))}" if available else "it has none"
    wanted = f"no kernel {name!r}" if name else f"no kernel for {language}"
    raise NotRun(f"this image has {wanted}; {has}. Choose one of these in JupyterLab and save the notebook")


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


def _cell_failed(error: Any, output: Path) -> int:
    """papermill reports any error output, also of a cell that is meant to raise; nothing runs after any other."""
    if _was_meant(error, output):
        return 0
    _fail(f"cell {error.cell_index + 1} failed: {error.ename}: {error.evalue}", 1)
    print("\n".join(error.traceback), file=sys.stderr)
    return 1


def _was_meant(error: Any, output: Path) -> bool:
    """Whether the last cell that raised has the tag raises-exception; if so papermill's marks are taken out again."""
    import nbformat

    notebook: Any = nbformat.read(output, as_version=_FORMAT)  # type: ignore[no-untyped-call]
    cells = [cell for cell in notebook.cells if _ERROR_MARK not in cell.metadata.get("tags", [])]
    if not 0 <= error.cell_index < len(cells):
        return False
    if _RAISES not in cells[error.cell_index].metadata.get("tags", []):
        return False
    notebook.cells = cells
    nbformat.write(notebook, output)  # type: ignore[no-untyped-call]
    return True


def _fail(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    write_reason(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
