"""Live output, in pieces that may come twice, late or not at all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from aifactory_hub.store.spool import LogPiece, LogSpool

LIMIT = 1000


@pytest.fixture
def spool(tmp_path: Path) -> LogSpool:
    return LogSpool(tmp_path / "spool", limit=LIMIT)


def test_pieces_are_read_from_any_place(spool: LogSpool) -> None:
    assert spool.append("j1", 0, b"hello ") == 6
    assert spool.append("j1", 6, b"world") == 11
    assert spool.read("j1", 0, most=100) == LogPiece(0, b"hello world")
    assert spool.read("j1", 4, most=4) == LogPiece(4, b"o wo")
    assert spool.read("j1", 11, most=100) == LogPiece(11, b"")
    assert (spool.size("j1"), spool.size("j2")) == (11, 0)
    assert spool.read("j2", 0, most=9).content == b""


def test_a_piece_that_comes_twice_or_overlaps_changes_nothing(spool: LogSpool) -> None:
    spool.append("j1", 0, b"abcdef")
    assert spool.append("j1", 0, b"abcdef") == 6
    assert spool.append("j1", 3, b"defgh") == 8
    assert spool.append("j1", 2, b"c") == 8
    assert spool.tail("j1", most=100) == b"abcdefgh"


def test_what_a_sender_had_to_drop_is_a_gap_and_not_an_error(spool: LogSpool) -> None:
    spool.append("j1", 0, b"begin")
    assert spool.append("j1", 100, b"end") == 103
    assert spool.read("j1", 5, most=9) == LogPiece(100, b"end")
    assert spool.tail("j1", most=9) == b"beginend"


def test_only_the_end_of_much_is_kept(spool: LogSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aifactory_hub.store.spool._JOINED", 100)
    dice = random.Random(1)
    said = dice.randbytes(20_000)
    at = 0
    while at < len(said):
        step = dice.randint(1, 300)
        at = spool.append("j1", at, said[at : at + step])
    kept = spool.tail("j1", most=10**6)
    assert LIMIT <= len(kept) < LIMIT + 600
    assert said.endswith(kept)
    first = spool.read("j1", 0, most=10)
    assert first.start == len(said) - len(kept)
    assert first.content == said[first.start : first.start + 10]


def test_runs_are_dropped_and_apart(spool: LogSpool) -> None:
    spool.append("j1", 0, b"a")
    spool.append("j2", 0, b"b")
    assert sorted(spool.runs(older_than=2e10)) == ["j1", "j2"]
    assert spool.runs(older_than=0) == []
    spool.drop("j1")
    assert (spool.size("j1"), spool.size("j2")) == (0, 1)
    for bad in ("../x", "", "a/b", "A"):
        with pytest.raises(ValueError, match="not a run's id"):
            spool.append(bad, 0, b"x")
