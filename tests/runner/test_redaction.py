"""Values of secrets in what a command prints, however its output is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.runner.redaction import MASK, Redactor


def shown(values: list[str], *chunks: bytes) -> bytes:
    redactor = Redactor(values)
    return b"".join([*(redactor.pass_on(chunk) for chunk in chunks), redactor.rest()])


def test_without_secrets_everything_passes_at_once() -> None:
    redactor = Redactor([])
    assert redactor.pass_on(b"loss 0.1\n") == b"loss 0.1\n"
    assert redactor.rest() == b""


def test_a_value_is_masked_also_where_two_reads_cut_it() -> None:
    assert shown(["hf_secret"], b"token=hf_se", b"cret\n") == b"token=" + MASK + b"\n"


def test_what_only_begins_like_one_is_shown_and_at_the_latest_at_the_end() -> None:
    redactor = Redactor(["hf_secret"])
    assert redactor.pass_on(b"hf_se") == b""
    assert redactor.pass_on(b"ries") == b"hf_series"
    assert redactor.pass_on(b" hf_") == b" "
    assert redactor.rest() == b"hf_"


def test_progress_is_not_held_back() -> None:
    assert Redactor(["hf_secret"]).pass_on(b"\r 10 %") == b"\r 10 %"


@pytest.mark.parametrize("cut", range(12))
def test_a_value_whose_end_is_its_beginning_is_never_half_shown(cut: int) -> None:
    text = b"x ababab y"
    assert shown(["ababab"], text[:cut], text[cut:]) == b"x " + MASK + b" y"


def test_the_longer_of_two_is_masked_whole() -> None:
    assert shown(["secret", "secret-longer"], b"secret-lon", b"ger secret") == MASK + b" " + MASK


def test_lines_of_a_key_are_masked_one_by_one_but_not_its_short_ones() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n}\n-----END KEY-----\n"
    said = shown([key], b"line: MIIEvQIBADANBg\nbrace: }\n")
    assert said == b"line: " + MASK + b"\nbrace: }\n"


@given(st.lists(st.text("ab", min_size=6, max_size=9), min_size=1, max_size=3), st.data())
def test_no_value_is_ever_in_what_is_shown(values: list[str], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sampled_from([*values, "a", "b", "c", "\n"]), max_size=12))
    text = "".join(parts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    cut, whole = shown(values, *chunks), shown(values, text)
    assert cut == whole
    assert not any(value.encode() in cut for value in values)
