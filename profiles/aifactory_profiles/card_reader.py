"""Reads the text of a card. Whatever does not fit is named with file, line and key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from .card import CARD_FIGURES, DEVICE_PREFIX, FIGURES, Card, CardError, Slice

_UNKNOWN = "unknown"
_MAY_BE_UNKNOWN = {"products", "memory_slices", "memory", "starts", "usable_gib"}
_SLICE_NAME = re.compile(r"\d+g\.\d+gb(?:[+-][a-z]+(?:\.[a-z]+)*)?")
_CARD_KEYS = {"name", "display_name", *CARD_FIGURES, "sources", "slices"}

Path = tuple[str | int, ...]


class _Wrong(Exception):
    """Something at ``path`` does not fit."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self.path = path


def read_card(text: str, source: str) -> Card:
    """Read one card; ``source`` is the name for errors. Raises CardError with the line and key that is wrong."""
    try:
        data = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}" if mark else source
        raise CardError(f"{place}: not valid YAML: {error.problem or error.context}") from error
    except (YAMLError, RecursionError) as error:
        raise CardError(f"{source}: not valid YAML: {error}") from error
    try:
        return _card(data)
    except _Wrong as error:
        # Lines are looked up for an error only: a card that is right is read twice as fast without them.
        line = _line(YAML(typ="safe", pure=True).compose(text), error.path)
        raise CardError(f"{source}:{line}: {_key(error.path)}: {error}") from error


def _key(path: Path) -> str:
    if not path:
        return "the card"
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _line(node: Node | None, path: Path) -> int:
    """The line of the deepest part of ``path`` that is in the file, counted from 1."""
    line = 1 if node is None else node.start_mark.line + 1
    for step in path:
        if isinstance(node, MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        else:
            return int(line)
        if found is None:
            return int(line)
        line, node = found[0].start_mark.line + 1, found[1]
    return int(line)


@dataclass(frozen=True, slots=True)
class _Section:
    """A mapping of the file and where it stands."""

    data: Mapping[str, Any]
    path: Path

    def text(self, key: str) -> str:
        return _text(self.data[key], (*self.path, key))

    def count(self, key: str) -> int:
        return _count(self.data[key], (*self.path, key))

    def known(self, key: str) -> bool:
        return key not in _MAY_BE_UNKNOWN or self.data[key] != _UNKNOWN

    def listed(self, key: str, what: str) -> list[Any]:
        value = self.data[key]
        if not isinstance(value, list) or not value:
            raise _Wrong((*self.path, key), f"must be a list with at least one {what}")
        return value


def _card(data: object) -> Card:
    card = _section(data, (), _CARD_KEYS, optional={"notes"})
    sources = _sources(card.data["sources"], (*CARD_FIGURES, *FIGURES), ("sources",))
    _all_sourced(card, CARD_FIGURES, sources)
    memory_slices = card.count("memory_slices") if card.known("memory_slices") else None
    compute_slices = card.count("compute_slices")
    items = card.listed("slices", "slice")
    slices = tuple(_slice(item, ("slices", index), sources) for index, item in enumerate(items))
    _check_fit(slices, compute_slices, memory_slices)
    return Card(
        name=card.text("name"),
        display_name=card.text("display_name"),
        products=_texts(card, "products", "nvidia.com/gpu.product value") if card.known("products") else (),
        compute_slices=compute_slices,
        memory_slices=memory_slices,
        slices=slices,
        sources=sources,
        notes=_texts(card, "notes", "note") if "notes" in card.data else (),
    )


def _slice(data: object, path: Path, card_sources: Mapping[str, str]) -> Slice:
    item = _section(data, path, {"name", *FIGURES}, optional={"sources"})
    own = _sources(item.data.get("sources", {}), FIGURES, (*path, "sources"))
    sources = {figure: text for figure, text in card_sources.items() if figure in FIGURES} | own
    _all_sourced(item, FIGURES, sources)
    return Slice(
        name=_name(item),
        compute=item.count("compute"),
        memory=item.count("memory") if item.known("memory") else None,
        max_count=item.count("max"),
        starts=_starts(item) if item.known("starts") else None,
        usable_gib=_gib(item.data["usable_gib"], (*path, "usable_gib")) if item.known("usable_gib") else None,
        resource=_resource(item),
        sources=sources,
    )


def _check_fit(slices: Sequence[Slice], compute_slices: int, memory_slices: int | None) -> None:
    seen: dict[str, int] = {}
    for index, piece in enumerate(slices):
        path: Path = ("slices", index)
        if piece.name in seen:
            raise _Wrong((*path, "name"), f"slices[{seen[piece.name]}] is called {piece.name} too")
        seen[piece.name] = index
        _check_memory(piece, memory_slices, path)
        if piece.max_count * piece.compute > compute_slices:
            text = f"{piece.max_count} of {piece.name} need more than {compute_slices} compute slices"
            raise _Wrong((*path, "max"), text)


def _check_memory(piece: Slice, memory_slices: int | None, path: Path) -> None:
    if piece.memory is not None and memory_slices is None:
        raise _Wrong((*path, "memory"), "memory_slices is unknown, so this has to be unknown too")
    if piece.starts is None:
        return
    if piece.memory is None or memory_slices is None:
        raise _Wrong((*path, "starts"), f"how much memory {piece.name} takes is unknown, so this has to be too")
    if max(piece.starts) + piece.memory > memory_slices:
        raise _Wrong((*path, "starts"), f"{piece.name} would reach beyond memory slice {memory_slices}")
    if piece.max_count > len(piece.starts):
        raise _Wrong((*path, "max"), f"{piece.max_count} of {piece.name} have only {len(piece.starts)} starts")


def _section(data: object, path: Path, required: set[str], *, optional: set[str]) -> _Section:
    if not isinstance(data, dict):
        raise _Wrong(path, "must be a mapping")
    if missing := sorted(required - set(data)):
        raise _Wrong(path, f"lacks {', '.join(missing)}")
    for key in data:
        if key not in required | optional:
            raise _Wrong((*path, str(key)), f"is no key of a card; known are {', '.join(sorted(required | optional))}")
    return _Section(data, path)


def _sources(data: object, known: Sequence[str], path: Path) -> dict[str, str]:
    if not isinstance(data, dict):
        raise _Wrong(path, "must map figures to the text of their source")
    for figure, text in data.items():
        if figure not in known:
            raise _Wrong((*path, str(figure)), f"is no figure; figures are {', '.join(known)}")
        _text(text, (*path, figure))
    return dict(data)


def _all_sourced(section: _Section, figures: Sequence[str], sources: Mapping[str, str]) -> None:
    for figure in figures:
        if section.known(figure) and figure not in sources:
            raise _Wrong((*section.path, figure), "no source; add one to `sources`, or write `unknown` for the figure")


def _name(item: _Section) -> str:
    name = item.text("name")
    if _SLICE_NAME.fullmatch(name) is None:
        raise _Wrong((*item.path, "name"), f"{name!r} is no slice name; write it as the driver does, such as 1g.10gb")
    return name


def _starts(item: _Section) -> tuple[int, ...]:
    starts = item.listed("starts", "memory slice number")
    path = (*item.path, "starts")
    counted = tuple(_count(start, path, least=0) for start in starts)
    if len(set(counted)) < len(counted):
        raise _Wrong(path, f"{starts} names a start twice")
    return counted


def _texts(section: _Section, key: str, what: str) -> tuple[str, ...]:
    return tuple(_text(item, (*section.path, key, n)) for n, item in enumerate(section.listed(key, what)))


def _resource(item: _Section) -> str:
    text = item.text("resource")
    if not text.startswith(DEVICE_PREFIX):
        raise _Wrong((*item.path, "resource"), f"{text!r} does not start with {DEVICE_PREFIX}")
    return text


def _text(value: object, path: Path) -> str:
    if not isinstance(value, str) or not value:
        raise _Wrong(path, f"{value!r} is not text")
    return value


def _count(value: object, path: Path, *, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        unknown = " nor `unknown`" if path[-1] in _MAY_BE_UNKNOWN else ""
        raise _Wrong(path, f"{value!r} is {'neither' if unknown else 'not'} a whole number from {least}{unknown}")
    return value


def _gib(value: object, path: Path) -> Decimal:
    # A comparison, so that not-a-number and infinity are refused with the rest.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**20:
        raise _Wrong(path, f"{value!r} is neither a number of GiB nor `unknown`")
    return Decimal(str(value))
