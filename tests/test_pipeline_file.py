"""The text of a pipeline file: lines, limits, and hostile YAML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.pipeline_file import LARGEST, BadPipeline, read_pipeline

HEAD = b"apiVersion: aifactory-hub.io/pipeline/v1\n"


def faults(text: bytes) -> list[tuple[str, int | None]]:
    with pytest.raises(BadPipeline) as caught:
        read_pipeline(text)
    return [(fault.message, fault.line) for fault in caught.value.faults]


def test_values_are_what_yaml_says() -> None:
    environment = b"{A: 2026-01-01, C: 1e3, D: yes, E: '', F: 0x1F}"
    text = HEAD + b"steps:\n  a:\n    command: date\n    environment: " + environment
    step = read_pipeline(text).pipeline.steps[0]
    assert dict(step.environment) == {"A": "2026-01-01", "C": "1000.0", "D": "yes", "E": "", "F": "31"}


def test_a_file_without_a_name_gets_one() -> None:
    text = HEAD + b"steps: {a: {command: x}}"
    found = read_pipeline(text, name="repository")
    assert (found.pipeline.name, found.data["name"]) == ("repository", "repository")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (b"", "the file: nothing is not a mapping", None),
        (b"\xff", "it is not UTF-8", None),
        (b"a: &x [1]\nb: *x", "anchors and aliases are not read", 1),
        (b"a: 1\na: 2", "'a' is given twice", 2),
        (b"a: b: c", "not valid YAML", 1),
        (b"a: !!python/object:os.system x", "the tag tag:yaml.org,2002:python/object:os.system is not read", 1),
        (b"? [a]\n: b", "a name is not a text", 1),
        (b"a: 010", "'010' is not a number that can be read: put it in quotes", 1),
        (b"x" * (LARGEST + 1), f"it has {LARGEST + 1} bytes", None),
        (
            HEAD + b"steps:\n  a:\n    command: x\n    retries: many\n",
            "steps.a.retries: 'many' is not a whole number",
            5,
        ),
        (HEAD + b"steps:\n  a: {}\n", "steps.a: a step has one of", 3),
    ],
)
def test_a_fault_has_its_line(text: bytes, message: str, line: int | None) -> None:
    found = faults(text)
    assert any(said.removeprefix("line").find(message) >= 0 and at in (line, None) for said, at in found), found
    assert line is None or any(at == line for _, at in found), found


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 60_000,
        b"{a: " * 16_000,
        b"- " * 30_000,
        b"a:\n" * 20_000,
        b"'" * 65_000,
        b"".join(b"k%d: [1, 2]\n" % number for number in range(4500)),
        b"a: &a [x]\n" + b"b: [*a, *a, *a, *a]\n" * 3000,
        b"! " * 30_000,
        b"? " * 30_000,
        b"%YAML 1.2\n" * 6000,
        b"a: |\n" + b"  x\n" * 16_000,
    ],
)
def test_hostile_text_takes_little_time(text: bytes) -> None:
    began = time.process_time()
    assert faults(text)
    assert time.process_time() - began < 4.0


@given(st.binary(max_size=300) | st.text("abk:[]{}-!&*#'\" \n|>%", max_size=300).map(str.encode))
def test_any_text_is_a_pipeline_or_has_faults(text: bytes) -> None:
    try:
        read_pipeline(text)
    except BadPipeline as error:
        assert error.faults
