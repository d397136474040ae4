"""Where in a YAML file a value stands, and where in the file a place of an expression is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, counted from 1."""

    line: int
    column: int


class Places:
    """The places of one document's values."""

    def __init__(self, text: str) -> None:
        """``text`` is YAML that can be read."""
        self._text = text
        yaml = YAML(typ="rt")
        yaml.allow_duplicate_keys = True
        self._root: Node | None = yaml.compose(text)

    def of(self, path: Path) -> Place:
        """The place of the deepest part of ``path`` that is in the file, so also of a key that is missing."""
        node, found = self._root, Place(1, 1)
        for step in path:
            entry = None if node is None else _step(node, step)
            if entry is None:
                return found
            key, node = entry
            found = Place(key.start_mark.line + 1, key.start_mark.column + 1)
        return found

    def within(self, path: Path, line: int, column: int) -> Place:
        """The place in the file of a place in the text that stands at ``path``, whatever its style: a block, in quotes,
        over several lines. Both are counted from 1.

        Styles differ in white space alone (and in escapes, of which one quote doubled is the usual one), so what counts
        is how many other characters are before it.
        """
        node = self._root
        for step in path:
            entry = None if node is None else _step(node, step)
            if entry is None:
                return self.of(path)
            node = entry[1]
        if not isinstance(node, ScalarNode):
            return self.of(path)
        # The parser marks where it folded lines.
        before = _before(node.value.replace("\a", ""), line, column)
        for place in self._characters(node):
            if before == 0:
                return place
            before -= 1
        return Place(node.start_mark.line + 1, node.start_mark.column + 1)

    def _characters(self, node: ScalarNode) -> Iterator[Place]:
        """The places of a scalar's characters but white space, and one more for its end."""
        index, end = node.start_mark.index, node.end_mark.index
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        skip = 1 if node.style in ("'", '"') else 0
        block, last = node.style in ("|", ">"), Place(line, column)
        while index < end:
            here = self._text[index]
            doubled = node.style == "'" and self._text[index : index + 2] == "''"
            escaped = node.style == '"' and here == "\\"
            if here == "\n":
                line, column, block = line + 1, 0, False
            elif not here.isspace() and not block:
                if skip:
                    skip -= 1
                else:
                    last = Place(line, column)
                    yield last
                if doubled or escaped:
                    index, column = index + 1, column + 1
            index, column = index + 1, column + 1
        yield last


def _step(node: Node, step: str | int) -> tuple[Node, Node] | None:
    """The key (or the item) and the value that a step leads to."""
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and str(key.value) == str(step):
                return key, value
    return None


def _before(text: str, line: int, column: int) -> int:
    """How many characters but white space stand before this place of a text."""
    lines = text.split("\n")
    whole = "".join(lines[: line - 1]) + (lines[line - 1][: column - 1] if line <= len(lines) else "")
    return sum(not character.isspace() for character in whole)
