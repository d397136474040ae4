"""Going on in a log of which only the end is kept."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.logs import LONGEST_MARK, place_in, shortened
from aifactory_hub.runner.command import LogTail


def read_on(stored: bytes, offset: int) -> tuple[int, bytes]:
    start, place = place_in(stored[:LONGEST_MARK], offset)
    return start, stored[place:]


@given(printed=st.binary(min_size=70, max_size=90), kept=st.integers(60, 90), offset=st.integers(0, 90))
def test_whatever_is_kept_is_read_on_at_its_place_in_the_output(printed: bytes, kept: int, offset: int) -> None:
    stored = shortened(printed[-kept:], len(printed))
    start, rest = read_on(stored, offset)
    assert len(stored) == min(kept, len(printed))
    assert start >= offset
    assert rest == printed[start:]


def test_a_runners_log_is_read_on_as_well(tmp_path: Path) -> None:
    log = LogTail(tmp_path / "log", 100)
    printed = b"".join(f"line {n:03}\n".encode() for n in range(1000))
    log.write(printed)
    stored = log.read()
    log.close()
    assert stored == shortened(printed[-100:], len(printed))
    assert read_on(stored, 0) == (8936, printed[8936:])
    assert read_on(stored, 8991) == (8991, b"line 999\n")
    assert read_on(stored, 9000) == (9000, b"")


def test_a_whole_log_is_read_on_as_it_is() -> None:
    assert read_on(b"one\ntwo\n", 4) == (4, b"two\n")
