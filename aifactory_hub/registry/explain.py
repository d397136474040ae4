"""What pydantic found wrong, in the words of somebody who has to mend the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .problems import Path, Problem, listed, suggest
from .scalars import shown
from .schema import TenantsFile

# Keys that somebody might write a secret under. Their value is never shown.
_SECRET_WORDS = ("secret", "password", "token", "credential")
_TYPES = {
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def explain(error: ValidationError) -> list[Problem]:
    """One problem for each thing that pydantic lists, without lines: those are the document's to know."""
    return [_explain(details) for details in error.errors(include_url=False)]


def _explain(details: ErrorDetails) -> Problem:
    path = _path(details["loc"])
    kind = details["type"]
    if kind == "explained":
        context = details["ctx"]
        return Problem(path, context["what"], context["instead"])
    if kind == "extra_forbidden":
        return _unknown_key(path)
    example = _example(path)
    if kind == "missing":
        return Problem(path, "is missing", f"add for example `{path[-1]}: {example}`")
    if kind in ("too_short", "string_too_short"):
        return Problem(path, "is empty", f"write for example {example}")
    if "[key]" in details["loc"]:
        return Problem(path, f"the key {shown(details['input'])} is not text", "write it in quotes")
    if kind in _TYPES:
        what = "is empty" if details["input"] is None else f"{shown(details['input'])} is not {_TYPES[kind]}"
        return Problem(path, what, f"write for example {example}")
    if kind == "literal_error":
        return Problem(path, f"{shown(details['input'])} is not possible here", f"write {example}")
    return Problem(path, details["msg"], f"write for example {example}")


def _path(location: tuple[str | int, ...]) -> Path:
    """Pydantic's location as our path: numbers are places in lists, a number as a key of a mapping is text."""
    steps: list[str | int] = []
    for step in location:
        if step != "[key]":
            in_list = get_origin(_shape(tuple(steps))) is list
            steps.append(step if in_list else str(step))
    return tuple(steps)


def _unknown_key(path: Path) -> Problem:
    name = str(path[-1])
    if any(word in name.lower() for word in _SECRET_WORDS):
        what = "secrets do not belong in this file"
        instead = "remove it and give the hub AIFACTORY_HUB_CLIENT_SECRET in its environment"
        return Problem(path, what, instead)
    known = list(_fields(_shape(path[:-1])))
    return Problem(path, "unknown key", suggest(name, known, f"the keys here are {listed(known)}"))


def _example(path: Path) -> str:
    """The example of the field that ``path`` leads to, or of the mapping or list that it is in."""
    for end in range(len(path), 0, -1):
        field = _fields(_shape(path[: end - 1])).get(str(path[end - 1]))
        if field is not None and field.examples:
            return str(field.examples[0])
    return "..."


def _shape(path: Path) -> Any:
    """The type that the schema gives the value at ``path``."""
    shape: Any = TenantsFile
    for step in path:
        field = _fields(shape).get(str(step))
        if field is not None:
            shape = _without_none(field.annotation)
        else:
            arguments = get_args(shape)
            shape = arguments[-1] if get_origin(shape) in (dict, list) else None
    return shape


def _without_none(annotation: Any) -> Any:
    kept = [part for part in get_args(annotation) if part is not type(None)]
    return kept[0] if type(None) in get_args(annotation) and len(kept) == 1 else annotation


def _fields(shape: Any) -> Mapping[str, Any]:
    return shape.model_fields if isinstance(shape, type) and issubclass(shape, BaseModel) else {}
