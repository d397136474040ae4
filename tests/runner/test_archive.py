"""Choosing what to bring home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aifactory_hub.runner.archive import Stamp, choose, stamps


def test_new_and_changed_files_are_seen_and_caches_are_not(tmp_path: Path) -> None:
    for name in ("same", "grown", "rewritten"):
        (tmp_path / name).write_text("abc")
        os.utime(tmp_path / name, (1, 1))
    before = stamps(tmp_path)
    (tmp_path / "grown").write_text("abcd")
    (tmp_path / "rewritten").write_text("xyz")
    (tmp_path / "sub" / "__pycache__").mkdir(parents=True)
    (tmp_path / "sub" / "__pycache__" / "m.pyc").write_text("x")
    (tmp_path / "sub" / "new").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    choice = choose(before, stamps(tmp_path), outputs=None, max_bytes=100)
    assert sorted(choice.kept) == ["grown", "rewritten", "sub/new"]


AFTER = {"model.bin": Stamp(2, 80), "log.txt": Stamp(2, 10), "out/a.csv": Stamp(2, 15), "old": Stamp(1, 1)}


@pytest.mark.parametrize(
    ("outputs", "room", "kept", "left"),
    [
        (None, 200, ["log.txt", "out/a.csv", "model.bin"], []),
        (None, 100, ["log.txt", "out/a.csv"], ["model.bin"]),
        (None, 0, [], ["log.txt", "model.bin", "out/a.csv"]),
        (["*.bin"], 100, ["model.bin"], []),
        (["out"], 100, ["out/a.csv"], []),
        (["./out/", "log.*"], 100, ["log.txt", "out/a.csv"], []),
        (["old"], 100, [], ["old"]),  # it is there, and as it was
        ([], 100, [], []),
    ],
)
def test_what_is_kept_fits_and_what_is_left_is_named(
    outputs: list[str] | None, room: int, kept: list[str], left: list[str]
) -> None:
    choice = choose({"old": Stamp(1, 1)}, AFTER, outputs=outputs, max_bytes=room)
    assert list(choice.kept) == kept
    assert sorted(choice.left) == left


def test_a_pattern_that_fits_nothing_is_named_among_what_is_left() -> None:
    choice = choose({}, AFTER, outputs=["out/*.csv", "run*.csv", ".aifactory/result.*"], max_bytes=1000)
    assert choice.kept == ("out/a.csv",)
    assert dict(choice.left) == {"run*.csv": "it fits no new or changed file"}


def test_of_too_many_files_those_at_the_top_are_kept_and_the_others_named() -> None:
    after = {f"cache/{n:04d}": Stamp(2, 1) for n in range(30)} | {"zz-result.txt": Stamp(2, 500)}
    choice = choose({}, after, outputs=None, max_bytes=1000, max_files=10)
    assert len(choice.kept) == 10
    assert "zz-result.txt" in choice.kept
    assert len(choice.left) == 21
    assert set(choice.left.values()) == {"a job keeps 10 files at most: narrow its outputs down, or pack them into one"}


@pytest.mark.parametrize("name", ["ma\udcf1ana.csv", "a\tb", "a\nb", "a\x9bb", "n" * 501])
def test_a_file_whose_name_can_not_be_sent_is_left_and_takes_nothing_with_it(name: str) -> None:
    choice = choose({}, {name: Stamp(2, 1), "model.txt": Stamp(2, 2)}, outputs=None, max_bytes=100)
    assert choice.kept == ("model.txt",)
    assert list(choice.left) == [ascii(name)[1:-1]]
