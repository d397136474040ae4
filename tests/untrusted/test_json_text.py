"""JSON with limits: what is refused, and where it says that it is."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from aifactory_hub.untrusted.json_text import BadJson, JsonLimits, read_json


@pytest.mark.parametrize(
    "value",
    [
        *({}, [], "", "é💥\t", 0, -1, 1.5, 1e308, True, None, {"a": [1, {"b": ['[{\\"', "}]"]}]}, "\\u0000"),
        *(2**63 - 1, -(2**63)),
    ],
)
@pytest.mark.parametrize("plain", [True, False])
def test_what_is_right_is_read(value: Any, plain: bool) -> None:
    assert read_json(json.dumps(value, ensure_ascii=plain).encode()) == value


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        (b"", "", "not JSON"),
        (b"\xef\xbb\xbf{}", "", "not JSON"),
        (b"\xff", "", "UTF-8"),
        (b"\xed\xa0\x80", "", "UTF-8"),
        (b"{}{}", "", "not JSON"),
        (b"[}", "", "not JSON"),
        (b'"\x01"', "", "not JSON"),
        (b'{"a": NaN}', "a", "NaN"),
        (b'{"a": {"b": [0, -Infinity]}}', "a.b.1", "-Infinity"),
        (b'{"a": 1e400}', "a", "too large"),
        (b'{"a": 9223372036854775808}', "a", "64 bits"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a", "64 bits"),
        (b'{"a": {"b": 1, "b": 1}}', "a.b", "comes twice"),
        (b'{"a": {"b\\u0000": 1}}', "a.b\\x00", "its name: it has a NUL"),
        (b'{"a": "\\u0000"}', "a", "NUL"),
        (b'{"a": "\\ud800"}', "a", "surrogate"),
        (b'{"\\udc00": 1}', "\\udc00", "surrogate"),
        (b"[" * 65 + b"]" * 65, "", "deeper than 64"),
        (b'{"a":[' * 33 + b"]}" * 33, "", "deeper than 64"),
        (b"[" * 500_000, "", "values"),
        (b"[" * 90_000, "", "deeper"),
        (b"[0" + b",0" * 100_001 + b"]", "", "more than 100000 values"),
    ],
)
def test_what_is_refused_is_named(text: bytes, field: str, said: str) -> None:
    with pytest.raises(BadJson) as raised:
        read_json(text)
    assert (raised.value.field, said in raised.value.problem) == (field, True), raised.value.problem


def test_depth_is_counted_exactly_and_not_in_texts() -> None:
    assert read_json(b'{"a":[' * 32 + b"]}" * 32)
    assert read_json(b'"' + b"[" * 1000 + b'"') == "[" * 1000
    assert read_json(b'["\\"[[[[", "]"]', JsonLimits(depth=1)) == ['"[[[[', "]"]


def depth_of(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(depth_of, inside), default=0)


def test_depth_is_counted_as_it_is_whatever_the_texts_look_like() -> None:
    dice = random.Random(1)

    def made(depth: int) -> Any:
        if depth == 0 or dice.random() < 0.2:
            return dice.choice([1, "a\\", '"', '\\"', "[{", "\\\\", "\n", '}\\"]', "ü"])
        parts = [made(depth - 1) for _ in range(dice.randrange(3))]
        return (
            parts
            if dice.random() < 0.5
            else {dice.choice(["a", "\\", '"[', '\\"{']) + str(n): p for n, p in enumerate(parts)}
        )

    for _ in range(3000):
        value = made(dice.randrange(7))
        text, depth = json.dumps(value, ensure_ascii=dice.random() < 0.5).encode(), depth_of(value)
        assert read_json(text, JsonLimits(depth=depth)) == value
        if depth:
            with pytest.raises(BadJson, match="deeper"):
                read_json(text, JsonLimits(depth=depth - 1))


@pytest.mark.parametrize(
    "text",
    [b"[" * 2**20, b"[]" * 2**19, b'"' + b'\\"' * 2**19, b'"a' * 2**18, b"\\" * 2**20, b'{"":' * 2**18, b"9" * 2**20],
    ids=range(7),
)
def test_a_mebibyte_of_anything_takes_little_time(text: bytes) -> None:
    began = time.process_time()
    with pytest.raises(BadJson):
        read_json(text)
    assert time.process_time() - began < 0.5
