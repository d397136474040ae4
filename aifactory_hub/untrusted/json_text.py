"""JSON with limits. What the standard library's reader lets through and a database does not take is refused here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MOST_DEPTH = 64
MOST_VALUES = 100_000
_MOST_DIGITS = 19
_LARGEST_INT = 2**63
# Where no quote is escaped, a string ends at the next one; a string that is not closed ends with the text.
_STRING = re.compile(rb'"[^"]*"?')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SQUARE = bytes.maketrans(b"{}", b"[]")
_HALF_OF_A_PAIR = re.compile("[\ud800-\udfff]")


class BadJson(Exception):
    """``field`` is the place of the fault, as names and indexes joined by dots; "" for the body as a whole."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """``depth`` is how deep objects and arrays may be nested, ``values`` about how many values there may be."""

    depth: int = MOST_DEPTH
    values: int = MOST_VALUES


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in the read value where the text had what is refused, until its place is known; ``name`` is below it."""

    problem: str
    name: str | None = None


def read_json(text: bytes, limits: JsonLimits | None = None) -> Any:
    """The value that ``text`` says. Raises BadJson.

    Refused are: more depth or values than ``limits`` allow, names that an object has twice, NaN and infinite numbers
    (also those that are only too large for a float), integers of more than 64 bits, NUL characters, halves of surrogate
    pairs, a byte order mark, and text that is not UTF-8.
    """
    limits = limits or JsonLimits()
    _check_structure(text, limits)
    flaws = _Flaws()
    try:
        value = flaws.decoder.decode(text.decode())
    except UnicodeDecodeError as error:
        raise BadJson("", f"it is not UTF-8: byte {error.start} is wrong") from error
    except json.JSONDecodeError as error:
        raise BadJson("", f"it is not JSON: {error.msg} at character {error.pos}") from error
    except (RecursionError, ValueError) as error:
        raise BadJson("", "it is not JSON") from error
    # Without an escape no text has a NUL or half of a pair: JSON refuses the one, UTF-8 the other.
    if flaws.found or b"\\u" in text:
        for place, problem in _problems(value, ""):
            raise BadJson(place, problem)
    return value


def _check_structure(text: bytes, limits: JsonLimits) -> None:
    """Before anything is built: how deep and how many, by operations that take time in proportion to the text."""
    # Backslashes escape each other in pairs from the left; one that is left over escapes what follows.
    bare = _STRING.sub(b"", text.replace(b"\\\\", b"").replace(b'\\"', b""))
    if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > limits.values:
        raise BadJson("", f"it has more than {limits.values} values")
    brackets = bare.translate(_SQUARE, _NOT_BRACKETS)
    for _ in range(limits.depth):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise BadJson("", f"its brackets do not match, or it is nested deeper than {limits.depth}")


class _Flaws:
    """A decoder that notes whether it met something to refuse."""

    def __init__(self) -> None:
        self.found = False
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._int,
            parse_float=self._float,
            parse_constant=lambda name: self._flaw(f"{name} is not a number in JSON"),
        )

    def _flaw(self, problem: str) -> _Flaw:
        self.found = True
        return _Flaw(problem)

    def _object(self, pairs: list[tuple[str, Any]]) -> Any:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        names = [name for name, _ in pairs]
        twice = next(name for name in made if names.count(name) > 1) if len(names) <= 100 else None
        if twice is None:
            return self._flaw("a name comes twice in it")
        self.found = True
        return _Flaw("the name comes twice", twice)

    def _int(self, digits: str) -> Any:
        if len(digits) <= _MOST_DIGITS + 1:
            value = int(digits)
            if -_LARGEST_INT <= value < _LARGEST_INT:
                return value
        return self._flaw("a whole number must fit into 64 bits")

    def _float(self, digits: str) -> Any:
        value = float(digits)
        return value if math.isfinite(value) else self._flaw("the number is too large")


def _problems(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Where something is to be refused, and why; the depth of ``value`` is known to be small."""
    if isinstance(value, _Flaw):
        yield place if value.name is None else _below(place, value.name), value.problem
    elif isinstance(value, str):
        if problem := _bad_text(value):
            yield place, problem
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _problems(each, _below(place, str(number)))
    elif isinstance(value, dict):
        for name, each in value.items():
            if problem := _bad_text(name):
                yield _below(place, name), f"its name: {problem}"
            yield from _problems(each, _below(place, name))


def _bad_text(text: str) -> str | None:
    if "\0" in text:
        return "it has a NUL character"
    return None if text.isascii() or _HALF_OF_A_PAIR.search(text) is None else "it has half of a surrogate pair"


def _below(place: str, name: str) -> str:
    # Names are the sender's: shown so that any answer can hold them.
    shown = ascii(name)[1:-1][:80]
    return f"{place}.{shown}" if place else shown
