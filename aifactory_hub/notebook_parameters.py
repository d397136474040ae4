"""What parameters a notebook declares: the names assigned in its cell with the tag ``parameters``.

Both the client, before it submits, and the runner use it, so it needs nothing but the standard library.
"""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

TAG = "parameters"


def declared(notebook: Mapping[str, Any]) -> frozenset[str] | None:
    """The declared names; None when they can't be told: another language, or a cell that is not valid Python.

    Empty when no cell has the tag. Lines of IPython's own syntax (``%magic``, ``!command``) are passed over.
    """
    if language_of(notebook) not in (None, "python"):
        return None
    cell = next((cell for cell in _cells(notebook) if TAG in _tags(cell)), None)
    if cell is None:
        return frozenset()
    lines = _source(cell).splitlines()
    try:
        tree = ast.parse("\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines))
    except (SyntaxError, ValueError, RecursionError):
        return None
    return frozenset(name for statement in tree.body for name in _assigned(statement))


def language_of(notebook: Mapping[str, Any]) -> str | None:
    """The language in lower case, from the kernelspec or else from language_info; None when neither says it."""
    metadata = _mapping(notebook.get("metadata"))
    for value in (
        _mapping(metadata.get("kernelspec")).get("language"),
        _mapping(metadata.get("language_info")).get("name"),
    ):
        if isinstance(value, str) and value:
            return value.lower()
    return None


def undeclared(notebook: Mapping[str, Any], given: Iterable[str]) -> str | None:
    """A sentence about the given parameters that the notebook does not declare; None when there are none."""
    names = declared(notebook)
    unknown = [] if names is None else [name for name in given if name not in names]
    if not unknown or names is None:
        return None
    if not names:
        return (
            f"The notebook declares no parameters, so {unknown[0]!r} would change nothing: "
            f"give the cell that sets it the tag {TAG!r}."
        )
    near = difflib.get_close_matches(unknown[0], sorted(names), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"The notebook declares no parameter {unknown[0]!r}.{hint} It declares: {', '.join(sorted(names))}."


def read(content: bytes) -> Mapping[str, Any] | None:
    """The notebook's JSON as a mapping; None when it is none. What runs it says what is wrong with it."""
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _assigned(statement: ast.stmt) -> Iterable[str]:
    if isinstance(statement, ast.Assign):
        targets: list[ast.expr] = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        return
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _cells(notebook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    cells = notebook.get("cells")
    return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []


def _tags(cell: Mapping[str, Any]) -> list[Any]:
    tags = _mapping(cell.get("metadata")).get("tags")
    return tags if isinstance(tags, list) else []


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source")
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
