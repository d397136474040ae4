"""Why a step took an earlier result, or why it ran."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.datasets import GivenVersion
from aifactory_hub.domain.step_cache_reasons import changed_files, data_note, why_run, why_taken

NAMES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("12"))
CLAIMS = GivenVersion("claims", 3, "d" * 64, "content")


@pytest.mark.parametrize(
    ("before", "now", "files", "said"),
    [
        ({"files": "1"}, {"files": "2"}, ("src/train.py changed",), "src/train.py changed since run p1"),
        ({"files": "1"}, {"files": "2"}, (), "its files changed since run p1"),
        ({"command": "1"}, {"command": "2"}, ("a is new",), "command changed since run p1"),
        ({}, {"variable SEED": "1"}, (), "variable SEED is new since run p1"),
        ({"variable SEED": "1"}, {}, (), "variable SEED is gone since run p1"),
        ({"profile": "small"}, {"profile": "big"}, (), "profile small became big since run p1"),
        ({"data claims": "3"}, {"data claims": "4"}, (), "data claims @3 became @4 since run p1"),
        ({}, {"data claims": "4"}, (), "data claims nothing became @4 since run p1"),
        (
            {"files": "1", "image": "1"},
            {"files": "2", "image": "2"},
            ("a changed", "b changed", "c is new"),
            "a changed, b changed, c is new and 1 more since run p1",
        ),
        (None, {"command": "1"}, (), "what decided it in run p1 is not known"),
        ({"command": "1"}, {"command": "1"}, ("a changed",), None),
    ],
)
def test_why_it_ran_names_what_changed(
    before: Mapping[str, str] | None, now: Mapping[str, str], files: tuple[str, ...], said: str | None
) -> None:
    assert why_run("p1", before, now, files, ()) == said


def test_what_is_not_certain_of_data_is_said() -> None:
    listing = GivenVersion("photos", 1, "e" * 64, "listing")
    assert data_note(()) == ""
    assert data_note([GivenVersion("model:fraud", 1, "d" * 64)]) == "", "the service has a model's bytes itself"
    assert data_note([CLAIMS]) == "; claims@3 is declared, not verified"
    assert data_note([listing, CLAIMS]) == (
        "; claims@3 is declared, not verified; photos@1 is known by a listing, not by content"
    )
    many = [GivenVersion("claims", number, "d" * 64, "dvc") for number in range(5)]
    assert data_note(many) == "; claims@0, claims@1, claims@2 and 2 more versions are declared, not verified"
    assert why_run("p1", {}, {"command": "1"}, (), [CLAIMS]) == (
        "command is new since run p1; claims@3 is declared, not verified"
    )


def test_what_was_taken_says_which_files_decided() -> None:
    assert why_taken((), ()) == "nothing that decides it has changed"
    assert why_taken(("src/**", "requirements.txt"), [CLAIMS]) == (
        "nothing that decides it has changed; of the run's files src/**, requirements.txt decide; "
        "claims@3 is declared, not verified"
    )


@given(NAMES, NAMES)
def test_each_file_that_differs_is_named_once(before: dict[str, str], now: dict[str, str]) -> None:
    unlike = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    assert sorted(word.partition(" ")[0] for word in changed_files(before, now)) == sorted(unlike)


def test_content_that_changed_comes_first() -> None:
    before, now = {"z": "1", "gone": "1", "same": "1"}, {"z": "2", "new": "1", "same": "1"}
    assert changed_files(before, now) == ("z changed", "new is new", "gone is gone")
