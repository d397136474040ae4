"""Reads a pipeline file, which whoever can push has written: bounded, without aliases, with line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from .domain.pipeline_reader import read
from .domain.pipeline_schema import Place
from .domain.pipelines import Pipeline

PATH = ".aifactory/pipeline.yaml"
# In bytes.
LARGEST = 64 * 1024
_DEEPEST = 12
# Brackets that may be open at once: the parser's time grows with the square of them.
_MOST_OPEN = 100
_NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))
_STRINGS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp"})


@dataclass(frozen=True, slots=True)
class PlacedFault:
    """A fault with its line, counted from 1; None where it has none."""

    message: str
    line: int | None = None
    place: str = ""


class BadPipeline(Exception):
    """The file is no pipeline; ``faults`` are all that was found."""

    def __init__(self, faults: Sequence[PlacedFault]) -> None:
        self.faults = tuple(faults)
        first = self.faults[0]
        where = "" if first.line is None else f"line {first.line}: "
        more = f" ({len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        super().__init__(f"{where}{first.message}{more}")


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """A pipeline, and the plain data that ``domain.pipeline_reader.read`` makes it of again."""

    pipeline: Pipeline
    data: Mapping[str, Any]


def read_pipeline(text: bytes, *, name: str = "pipeline") -> PipelineFile:
    """The pipeline of a file's text, called ``name`` unless it says its own. Raises BadPipeline."""
    if len(text) > LARGEST:
        raise BadPipeline([PlacedFault(f"it has {len(text)} bytes, and at most {LARGEST} are allowed")])
    if _most_open(text) > _MOST_OPEN:
        raise BadPipeline([PlacedFault("it is nested too deeply")])
    lines: dict[Place, int] = {}
    data = _data(text, lines)
    found = read(data, name=name)
    if isinstance(found, Pipeline):
        return PipelineFile(found, {**data, "name": found.name})
    raise BadPipeline([PlacedFault(str(f), _line(f.place, lines), ".".join(map(str, f.place))) for f in found])


def _most_open(text: bytes) -> int:
    depth = most = 0
    for bracket in re.findall(rb"[\[\]{}]", text):
        depth = max(0, depth + (1 if bracket in b"[{" else -1))
        most = max(most, depth)
    return most


def _line(place: Place, lines: dict[Place, int]) -> int | None:
    """The line of the deepest part of a place that is in the file."""
    for end in range(len(place), -1, -1):
        if place[:end] in lines:
            return lines[place[:end]]
    return None


def _data(text: bytes, lines: dict[Place, int]) -> Any:
    try:
        node = YAML(typ="safe", pure=True).compose(text.decode())
        return None if node is None else _Reader(lines).plain(node, ())
    except UnicodeDecodeError as error:
        raise BadPipeline([PlacedFault("it is not UTF-8")]) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise BadPipeline([PlacedFault(f"not valid YAML: {said}", mark.line + 1 if mark else None)]) from error
    except YAMLError as error:
        raise BadPipeline([PlacedFault(f"not valid YAML: {str(error).splitlines()[0]}")]) from error
    except RecursionError as error:
        raise BadPipeline([PlacedFault("it is nested too deeply")]) from error


class _Reader:
    """Makes plain values of nodes and notes their lines. Raises BadPipeline for what a pipeline needs none of."""

    def __init__(self, lines: dict[Place, int]) -> None:
        self._lines = lines
        self._seen: set[int] = set()

    def plain(self, node: Node, place: Place) -> Any:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in self._seen:
            raise _bad(node, "anchors and aliases are not read: write the values out")
        self._seen.add(id(node))
        if len(place) > _DEEPEST:
            raise _bad(node, "it is nested too deeply")
        if isinstance(node, MappingNode):
            return dict(self._entries(node, place))
        if isinstance(node, SequenceNode):
            return [self.plain(item, (*place, number)) for number, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return _scalar(node)
        raise _bad(node, "this is not read")

    def _entries(self, node: MappingNode, place: Place) -> Iterator[tuple[str, Any]]:
        names: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise _bad(key, "a name is not a text")
            if key.value in names:
                raise _bad(key, f"{key.value[:80]!r} is given twice")
            names.add(key.value)
            self._lines[(*place, key.value)] = key.start_mark.line + 1
            yield key.value, self.plain(value, (*place, key.value))


def _scalar(node: ScalarNode) -> Any:
    text, tag = node.value, str(node.tag)
    try:
        match tag:
            case t if t in _STRINGS:
                return text
            case t if t == _NULL:
                return None
            case t if t == _BOOL:
                return text.lower() == "true"
            case t if t == _INT:
                return int(text.replace("_", ""), 0) if text[:1] == "0" and text != "0" else int(text)
            case t if t == _FLOAT:
                return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise _bad(node, f"{text[:80]!r} is not a number that can be read: put it in quotes") from None
    raise _bad(node, f"the tag {tag[:80]} is not read")


def _bad(node: Node, message: str) -> BadPipeline:
    return BadPipeline([PlacedFault(message, node.start_mark.line + 1)])
