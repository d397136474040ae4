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
        (["old"], 100, [], []),
        ([], 100, [], []),
    ],
)
def test_what_is_kept_fits_and_what_is_left_is_named(
    outputs: list[str] | None, room: int, kept: list[str], left: list[str]
) -> None:
    choice = choose({"old": Stamp(1, 1)}, AFTER, outputs=outputs, max_bytes=room)
    assert list(choice.kept) == kept
    assert sorted(choice.left) == left
