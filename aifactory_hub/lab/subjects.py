"""How a file or folder would run as a job: read from the file alone, nothing is executed."""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..client.api import notebook_command

# The tag by which papermill, nbclient's friends and the job runner find the cell.
PARAMETERS_TAG = "parameters"
_MOST_PARAMETERS = 100
_LARGEST_NOTEBOOK = 64 * 2**20
_SCRIPTS: Mapping[str, str] = {".py": "python3", ".sh": "sh"}
# What a folder is run by when it has one of these, in this order.
_ENTRIES = ("main.py", "train.py", "run.sh")


class NotASubject(Exception):
    """It can't run as a job; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One assignment of the tagged cell. ``value`` is a plain value, as JSON has them; ``about`` its comment."""

    name: str
    value: Any
    about: str


@dataclass(frozen=True, slots=True)
class Subject:
    """``folder`` travels with the job and ``command`` runs in it; paths are below the server's folder."""

    kind: str
    path: str
    name: str
    folder: str
    command: str
    parameters: tuple[Parameter, ...]


def inspect(root: Path, path: str) -> Subject:
    """What ``path``, below ``root``, would run as. Raises NotASubject."""
    place = below(root, path)
    if place.is_dir():
        return _folder(root, place)
    if not place.is_file():
        raise NotASubject(f"There is no file {path!r} any more. Reload the file browser.")
    folder, name = _relative(root, place.parent), place.name
    if place.suffix == ".ipynb":
        parameters = tuple(parameters_of(read_notebook(place)))
        return Subject("notebook", _relative(root, place), place.stem, folder, notebook_command(name, {}), parameters)
    if place.suffix not in _SCRIPTS:
        raise NotASubject(f"{name!r} can't run as a job: choose a notebook, a .py or .sh file, or a folder.")
    command = f"{_SCRIPTS[place.suffix]} {shlex.quote(name)}"
    return Subject("script", _relative(root, place), place.stem, folder, command, ())


def below(root: Path, path: str) -> Path:
    """``path`` as the file browser names it. Raises NotASubject for one that leads out of ``root``."""
    place = (root / PurePosixPath(path.strip("/"))).resolve()
    if not place.is_relative_to(root):
        raise NotASubject(f"{path!r} is not below the folder of this server.")
    return place


def read_notebook(file: Path) -> Mapping[str, Any]:
    """A notebook's JSON. Raises NotASubject."""
    try:
        if file.stat().st_size > _LARGEST_NOTEBOOK:
            raise NotASubject(f"{file.name!r} is larger than 64 MiB: clear its outputs first.")
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotASubject(f"{file.name!r} can't be read as a notebook: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("cells"), list):
        raise NotASubject(f"{file.name!r} is not a notebook of format 4: save it with a newer Jupyter.")
    return found


def parameters_of(notebook: Mapping[str, Any]) -> list[Parameter]:
    """The plain assignments of the first code cell that is tagged ``parameters``."""
    for cell in notebook["cells"]:
        tags = (cell.get("metadata") or {}).get("tags") or []
        if cell.get("cell_type") == "code" and PARAMETERS_TAG in tags:
            source = cell.get("source") or ""
            return list(_assignments(source if isinstance(source, str) else "".join(source)))[:_MOST_PARAMETERS]
    return []


def _assignments(source: str) -> Iterable[Parameter]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    lines = source.splitlines()
    for node in tree.body:
        target: ast.expr | None = None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        if not isinstance(target, ast.Name):
            continue
        try:
            plain = json.loads(json.dumps(ast.literal_eval(value)))
        except (ValueError, TypeError):
            continue  # computed in the notebook: it is not for filling in
        end = node.end_lineno or node.lineno
        about = lines[end - 1].encode()[node.end_col_offset or 0 :].decode(errors="replace").partition("#")[2].strip()
        yield Parameter(target.id, plain, about)


def _folder(root: Path, place: Path) -> Subject:
    entry = next((name for name in _ENTRIES if (place / name).is_file()), None)
    command = "" if entry is None else f"{_SCRIPTS[Path(entry).suffix]} {entry}"
    path = _relative(root, place)
    return Subject("folder", path, place.name if path else "home", path, command, ())


def _relative(root: Path, place: Path) -> str:
    text = place.relative_to(root).as_posix()
    return "" if text == "." else text
