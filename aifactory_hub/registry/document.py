"""A YAML file as plain data that remembers the lines. Knows YAML, nothing of tenants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scalarbool import ScalarBoolean

from .problems import Path, Problem, RegistryError


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: ``data`` is plain Python data, ``line`` says where a key stands (counted from 1)."""

    data: Any
    _tree: Any
    repeated: tuple[Problem, ...] = ()

    def line(self, path: Path) -> int:
        """The line of the deepest part of ``path`` that is in the file, so also of a key that is missing."""
        tree, line = self._tree, 1
        for step in path:
            found = _find(tree, step)
            if found is None:
                return line
            line, tree = found
        return line


def read_document(text: str, source: str) -> Document:
    """Parse ``text``. Raises RegistryError when it is no YAML document; keys given twice are in ``repeated``."""
    try:
        yaml = YAML(typ="rt")
        # Looked for below instead: the parser stops at the first repeated key, we want to name all of them.
        yaml.allow_duplicate_keys = True
        node = yaml.compose(text)
        tree = yaml.load(text)
        return Document(_plain(tree), tree, tuple(_repeated(node, ())))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise RegistryError(source, [_syntax(what, mark.line + 1 if mark else None)]) from error
    except YAMLError as error:
        raise RegistryError(source, [_syntax(str(error).splitlines()[0], None)]) from error
    except ValueError as error:  # ruamel makes dates of what looks like one, before anybody can say what it is for
        what = f"a value looks like a date or time and is none: {error}"
        raise RegistryError(source, [Problem((), what, "correct it, or put it in quotes")]) from error
    except RecursionError as error:
        what = "an alias refers to something that it is part of, or lists are nested too deeply"
        raise RegistryError(source, [Problem((), what, "write the values out")]) from error


def _syntax(what: str, line: int | None) -> Problem:
    # Only the parser's own words, never its excerpt of the file: it might show a value that is a secret.
    return Problem((), f"not valid YAML: {what}", "check indentation, colons and quotes around this line", line)


def _find(tree: Any, step: str | int) -> tuple[int, Any] | None:
    """Line and value of one step, None when the tree has no such key or the key came by a merge (``<<``)."""
    if isinstance(tree, CommentedSeq) and isinstance(step, int) and step < len(tree):
        return tree.lc.item(step)[0] + 1, tree[step]
    if isinstance(tree, CommentedMap):
        for key in tree:
            if str(key) == str(step) and key in (tree.lc.data or {}):
                return tree.lc.key(key)[0] + 1, tree[key]
    return None


def _plain(tree: Any) -> Any:
    """The parser's special values as the plain ones that they stand for."""
    if isinstance(tree, dict):
        return {_plain(key): _plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_plain(item) for item in tree] if isinstance(tree, list) else tuple(map(_plain, tree))
    if isinstance(tree, TaggedScalar):
        return str(tree.value)
    if isinstance(tree, ScalarBoolean):
        return bool(tree)
    for kind in (bool, int, float, str):
        if isinstance(tree, kind):
            return kind(tree)
    return tree


def _repeated(node: Node | None, path: Path) -> Iterator[Problem]:
    """A problem for each key that one mapping has twice."""
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated(item, (*path, index))
    if isinstance(node, MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, ScalarNode) else "?"
            line = key.start_mark.line + 1
            if name in first:
                what = f"given twice, first in line {first[name]}"
                yield Problem((*path, name), what, "keep one of the two", line)
            first.setdefault(name, line)
            yield from _repeated(value, (*path, name))
