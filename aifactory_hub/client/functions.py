"""A function on its way to a job: as source, with what it uses of the notebook, found without running it.

Modules travel as imports, functions and classes of the notebook as source, plain values as they are written. What is
left goes as a pickle, which only the same minor version of Python may read: another one may crash on it.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import inspect
import io
import json
import pickle
import symtable
import sys
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import ClientError, NotShippable
from .files import OWN_FOLDER

SOURCE = f"{OWN_FOLDER}/function.py"
CALL = f"{OWN_FOLDER}/call.json"
VALUES = f"{OWN_FOLDER}/values.pickle"
# With -P the person's own files do not hide modules of the standard library from the runner.
COMMAND = "python3 -P -m aifactory_hub.runner.call"
# A value that is longer as text is better off as a pickle.
_LONGEST_TEXT = 10_000
# The module whose names exist in this process only.
_HERE = "__main__"


@dataclass(frozen=True, slots=True)
class Shipment:
    """``files`` are what the job's runner of functions reads; ``pickled`` names the values that travel as pickles."""

    files: Mapping[str, bytes]
    pickled: tuple[str, ...]


@dataclass
class _Found:
    """What is collected while the names are followed."""

    imports: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    literals: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def ship(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Shipment:
    """Everything that a call needs. Raises NotShippable, which names all that can't travel and why."""
    name = getattr(function, "__name__", "")
    if not inspect.isfunction(function) or not name.isidentifier():
        raise NotShippable({repr(function): "only a function that was written with def can be sent"})
    found = _Found()
    _follow(name, function, found)
    plain = _as_json(list(args)), _as_json(dict(kwargs))
    if None in plain:
        found.values |= {"args": list(args), "kwargs": dict(kwargs)}
    pickled = _pickle(found)
    if found.problems:
        raise NotShippable(found.problems)
    call = {
        "function": name,
        "python": list(sys.version_info[:2]),
        "args": plain[0],
        "kwargs": plain[1],
        "values": sorted(found.values),
    }
    files = {SOURCE: _program(found).encode(), CALL: json.dumps(call).encode()}
    return Shipment(files | ({} if pickled is None else {VALUES: pickled}), tuple(sorted(found.values)))


def check_arguments(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raises ClientError when the function does not take these arguments, before anything is sent."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a builtin, for example; ship() says why it can't be sent
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        name = getattr(function, "__name__", repr(function))
        unknown = next((key for key in kwargs if key not in signature.parameters), None)
        near = difflib.get_close_matches(unknown or "", signature.parameters, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ClientError(f"{name}{signature}: {error}.{hint}") from None


def is_plain(value: object) -> bool:
    """Whether the value is the same after a way through JSON or source text."""
    if value is None or isinstance(value, (bool, int, str)):
        return True
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    if type(value) in (list, tuple, set, frozenset):
        return all(map(is_plain, value))  # type: ignore[call-overload]
    return type(value) is dict and all(is_plain(k) and is_plain(v) for k, v in value.items())


def _follow(name: str, thing: Any, found: _Found) -> None:
    """Put ``thing``, known to the function as ``name``, where it belongs, and then what it uses itself."""
    if name in found.imports or name in found.sources or name in found.literals or name in found.values:
        return
    thing = getattr(thing, "local", thing) if type(thing).__name__ == "Remote" else thing
    if isinstance(thing, types.ModuleType):
        found.imports[name] = f"import {thing.__name__} as {name}"
    elif inspect.isfunction(thing) or inspect.isclass(thing):
        _follow_code(name, thing, found)
    elif isinstance(thing, types.BuiltinFunctionType) and _is_in_its_module(thing):
        found.imports[name] = f"from {thing.__module__} import {thing.__name__} as {name}"
    elif is_plain(thing) and not isinstance(thing, frozenset) and len(text := repr(thing)) <= _LONGEST_TEXT:
        found.literals[name] = f"{name} = {text}"
    else:
        found.values[name] = thing


def _is_in_its_module(thing: types.BuiltinFunctionType) -> bool:
    return getattr(sys.modules.get(str(thing.__module__)), thing.__name__, None) is thing


def _follow_code(name: str, thing: Any, found: _Found) -> None:
    if thing.__module__ != _HERE and "<locals>" not in thing.__qualname__:
        found.imports[name] = f"from {thing.__module__} import {thing.__qualname__} as {name}"
        return
    if getattr(thing, "__closure__", None):
        cells = ", ".join(thing.__code__.co_freevars)
        found.problems[name] = f"it uses {cells} of the function around it: pass them as arguments"
        return
    try:
        source = _undecorated(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError) as error:
        found.problems[name] = f"its source can't be found ({error})"
        return
    found.sources[name] = source if thing.__name__ == name else f"{source}\n{name} = {thing.__name__}\n"
    space = _space_of(thing)
    for used in sorted(_names(source) - {thing.__name__}):
        if used in space:
            _follow(used, space[used], found)
        elif not hasattr(builtins, used):
            found.problems[used] = f"{name} uses it, but there is nothing of that name"
    # Behind what it uses: a class needs its bases, and a def its decorators, when it is read.
    found.sources[name] = found.sources.pop(name)


def _space_of(thing: Any) -> Mapping[str, Any]:
    if inspect.isfunction(thing):
        return thing.__globals__
    return vars(sys.modules[thing.__module__])


def _names(source: str) -> set[str]:
    """The global names that the source uses, at any depth, also in defaults and annotations."""
    found: set[str] = set()
    waiting = [symtable.symtable(source, "function", "exec")]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        top = table.get_type() == "module"
        for symbol in table.get_symbols():
            here = symbol.is_referenced() and not symbol.is_assigned() if top else symbol.is_global()
            if here and symbol.is_referenced():
                found.add(symbol.get_name())
    return found


def _undecorated(source: str) -> str:
    """Without our own decorator, which would submit a job from within the job."""
    tree = ast.parse(source)
    node = tree.body[0]
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        raise SyntaxError("it is not a def or class statement of its own")
    node.decorator_list = [d for d in node.decorator_list if not _is_remote(d)]
    if len(node.decorator_list) == len(ast.parse(source).body[0].decorator_list):  # type: ignore[attr-defined]
        return source
    first = min((d.lineno for d in node.decorator_list), default=node.lineno)
    lines = source.splitlines(keepends=True)
    kept = [ast.unparse(d) for d in node.decorator_list]
    return (
        "".join([*(f"@{d}\n" for d in kept), *lines[node.lineno - 1 :]])
        if kept
        else "".join(lines[max(first, node.lineno) - 1 :])
    )


def _is_remote(decorator: ast.expr) -> bool:
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (isinstance(named, ast.Name) and named.id == "remote") or (
        isinstance(named, ast.Attribute) and named.attr == "remote"
    )


def _program(found: _Found) -> str:
    parts = [*sorted(found.imports.values()), *sorted(found.literals.values()), *found.sources.values()]
    # Annotations may name what is defined further down.
    return "from __future__ import annotations\n\n" + "\n".join(parts) + "\n"


def _as_json(value: Any) -> Any:
    """The value if JSON gives it back unchanged, else None."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return None
    return value if _same(json.loads(text), value) else None


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all through: JSON makes lists of tuples and text of numbers in keys."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    return bool(one == other)


class _Pickler(pickle.Pickler):
    """Notes the functions and classes of this process that a value needs."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.needs: dict[str, Any] = {}

    def reducer_override(self, obj: Any) -> Any:
        if (inspect.isclass(obj) or inspect.isfunction(obj)) and obj.__module__ == _HERE:
            self.needs[obj.__name__] = obj
        return NotImplemented


def _pickle(found: _Found) -> bytes | None:
    """The values as one pickle; those that can't be are noted, each with why."""
    needs: dict[str, Any] = {}
    for name, value in list(found.values.items()):
        pickler = _Pickler(io.BytesIO())
        try:
            pickler.dump(value)
        except Exception as error:
            found.problems[name] = f"a {type(value).__name__} can't be pickled: {error}"
        needs |= pickler.needs
    for name, thing in needs.items():
        _follow(name, thing, found)
    if found.problems or not found.values:
        return None
    return pickle.dumps(found.values, protocol=pickle.HIGHEST_PROTOCOL)
