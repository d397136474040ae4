"""What is rendered is read by kubectl, Helm and others, whose YAML is that of version 1.1."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from aifactory_hub.registry.output import yaml_documents

ODD = [
    "y", "N", "no", "Yes", "on", "OFF", "null", "~", "true", "1", "0123", "0x1f", "0b11", "1_000", "12e3", "12:30:45",
    "1:2", ".5", "1.", "1_0.5", "=", "<<", "-", "#x", "a: b", "2020-01-01", "a\nb", " a", "a ", "", "%x", "@x", "1e3",
    ".inf", "!x",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(ODD),
    st.text("0123456789.:_+-eExXbynoYNOfF", max_size=12),
    st.text("abc\n \t'\"#:{}[],&*", max_size=8),
)


def both(data: Any) -> list[Any]:
    text = yaml_documents([data])
    return [yaml.safe_load(text), YAML(typ="safe", pure=True).load(text)]


@pytest.mark.parametrize("text", ODD)
def test_a_text_is_a_text_to_readers_of_either_version(text: str) -> None:
    data = {"value": text, "list": [text], f"{text}": "key"}
    assert both(data) == [data, data]


@given(TEXTS, TEXTS)
def test_any_text_is_read_back_as_itself(key: str, value: str) -> None:
    assert both({key: [value]}) == [{key: [value]}] * 2


def test_what_is_no_text_stays_what_it_is() -> None:
    data = {"yes": True, "n": 3, "price": 0.5, "none": None}
    assert both(data) == [data, data]


def test_a_plain_text_is_written_plainly() -> None:
    assert yaml_documents([{"a": "nlp", "b": "8Gi"}]) == "a: nlp\nb: 8Gi\n"
