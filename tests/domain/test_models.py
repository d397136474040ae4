"""What may be registered, and where an alias leads after what happened to it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.file_formats import format_of, formats
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.models import (
    MOST_FILES,
    AliasMove,
    Chosen,
    MoveKind,
    alias_after,
    alias_problem,
    check_job,
    choose_files,
    name_problem,
    number_of,
)
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.signing.manifest import FileEntry

THERE = [
    FileEntry(name, 1, "a" * 64) for name in ("model/w.bin", "model/sub/c.json", "report.txt", ".aifactory/r.json")
]


def names(asked: str) -> tuple[list[str], str] | str:
    found = choose_files(asked, THERE, "j1")
    if isinstance(found, Chosen):
        return [file.name for file in found.files.files], found.folder
    return f"{found.field}: {found.message}"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("model/", (["sub/c.json", "w.bin"], "model/")),
        ("model", (["sub/c.json", "w.bin"], "model/")),
        ("./model", (["sub/c.json", "w.bin"], "model/")),
        ("model/w.bin", (["w.bin"], "model/")),
        ("report.txt", (["report.txt"], "")),
        ("", (["model/sub/c.json", "model/w.bin", "report.txt"], "")),
        (".", (["model/sub/c.json", "model/w.bin", "report.txt"], "")),
    ],
)
def test_a_folder_a_file_or_all(asked: str, found: tuple[list[str], str]) -> None:
    assert names(asked) == found


@pytest.mark.parametrize("asked", ["mod", "model/w", "other/", ".aifactory/", "/", "../x"])
def test_what_is_not_there_is_named_with_what_is(asked: str) -> None:
    said = names(asked)
    assert isinstance(said, str)
    assert said.startswith("files: files is ")
    assert "model/w.bin" in said


def test_a_version_has_so_many_files_at_most() -> None:
    there = [FileEntry(f"m/{n}", 1, "a" * 64) for n in range(MOST_FILES + 1)]
    assert isinstance(choose_files("m/", there[:-1], "j1"), Chosen)
    found = choose_files("m/", there, "j1")
    assert isinstance(found, Refusal)
    assert str(MOST_FILES) in found.message


@pytest.mark.parametrize("state", list(JobState))
def test_only_a_job_that_succeeded(state: JobState) -> None:
    found = check_job(state, "j1")
    assert (found is None) == (state is JobState.SUCCEEDED)
    assert found is None or found.reason is RefusalReason.NOT_REGISTRABLE


def test_names() -> None:
    assert [name_problem(text) for text in ("fraud", "a", "bert-2.1_x", "1st")] == [None] * 4
    assert all(name_problem(text) for text in ("", "Fraud", "-a", "a-", "a b", "a@b", "a/b", "é", "a" * 64))
    assert [alias_problem(text) for text in ("prod", "p", "eu-west.1")] == [None] * 3
    assert all(alias_problem(text) for text in ("", "3", "latest", "Prod", "a@b", "p" * 33))
    assert [number_of(text) for text in ("1", "12", "0", "01", "-1", "prod", "9" * 10)] == [1, 12, *[None] * 5]


def move(number: int, kind: MoveKind, before: str | None, after: str | None) -> AliasMove:
    return AliasMove(number, "m", "prod", kind, before, after, "ada", float(number))


def test_one_rollback_after_the_other_goes_back_step_by_step() -> None:
    moves = [
        move(1, MoveKind.PROMOTE, None, "a"),
        move(2, MoveKind.PROMOTE, "a", "b"),
        move(3, MoveKind.PROMOTE, "b", "c"),
    ]
    alias = alias_after("prod", moves)
    assert (alias.version, alias.earlier, alias.frozen, alias.held) == ("c", "b", None, ("a", "b", "c"))
    alias = alias_after("prod", [*moves, move(4, MoveKind.ROLL_BACK, "c", "b")])
    assert (alias.version, alias.earlier, alias.frozen is not None, alias.since) == ("b", "a", True, 4.0)
    alias = alias_after("prod", [*moves, move(4, MoveKind.ROLL_BACK, "c", "b"), move(5, MoveKind.THAW, "b", "b")])
    assert (alias.version, alias.frozen, alias.since) == ("b", None, 4.0)


@given(st.lists(st.tuples(st.sampled_from(list(MoveKind)), st.sampled_from("abc")), max_size=12), st.randoms())
def test_where_an_alias_leads_is_what_happened_last(told: list[tuple[MoveKind, str]], random: Random) -> None:
    moves, now, frozen = [], None, False
    for number, (kind, version) in enumerate(told):
        after = now if kind in (MoveKind.FREEZE, MoveKind.THAW) else None if kind is MoveKind.REMOVE else version
        moves.append(move(number, kind, now, after))
        now = after
        frozen = kind in (MoveKind.FREEZE, MoveKind.ROLL_BACK) or (frozen and kind is not MoveKind.THAW)
    shuffled = list(moves)
    random.shuffle(shuffled)
    alias = alias_after("prod", shuffled)
    assert (alias.version, alias.frozen is not None) == (now, frozen)
    assert alias == alias_after("prod", moves)
    assert set(alias.held) == {each.after for each in moves if each.after is not None}


@pytest.mark.parametrize(
    ("name", "head", "found"),
    [
        ("w.safetensors", b"\x10\x00\x00\x00", "safetensors"),
        ("w.safetensors", b"\x80\x04\x95", "pickle"),
        ("MODEL.PKL", b"", "pickle"),
        ("m.joblib", b"\x78\x9c", "pickle"),
        ("m.json", b"\x1f\x8b\x08", "unknown"),
        ("m.txt", b"PK\x03\x04......archive/data.pkl", "torch-archive"),
        ("m.zip", b"PK\x03\x04......model.json", "unknown"),
        ("m", b"\x89HDF\r\n\x1a\n", "hdf5"),
        ("m.weights", b"abc", "unknown"),
    ],
)
def test_the_bytes_say_what_a_file_is_and_the_name_where_they_don_t(name: str, head: bytes, found: str) -> None:
    assert format_of(name, head) == found


def test_formats_name_what_runs_code() -> None:
    found = formats([("a.json", b"{}"), ("b.json", b"{}"), ("c.onnx", b"\x80\x02.")])
    assert (found.counts, found.runs_code) == ({"json": 2, "pickle": 1}, ("c.onnx",))
