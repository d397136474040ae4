"""Patterns of output files mean what they mean in a shell and in git."""

from __future__ import annotations

import pytest

from aifactory_hub.runner.patterns import fits

FILES = ("top.csv", "run[1].csv", "out/a.csv", "out/deep/b.csv", "out/c.txt", ".hidden.csv", "a{b}.txt")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.csv", ["top.csv", "run[1].csv", "out/a.csv", "out/deep/b.csv", ".hidden.csv"]),
        ("out/*.csv", ["out/a.csv"]),
        ("out/**/*.csv", ["out/a.csv", "out/deep/b.csv"]),
        ("out/**", ["out/a.csv", "out/deep/b.csv", "out/c.txt"]),
        ("out", ["out/a.csv", "out/deep/b.csv", "out/c.txt"]),
        ("./out/", ["out/a.csv", "out/deep/b.csv", "out/c.txt"]),
        ("deep", ["out/deep/b.csv"]),
        ("*.{csv,txt}", list(FILES)),
        ("run[1].csv", ["run[1].csv"]),
        ("run[[]1].csv", ["run[1].csv"]),
        ("[!.]op.csv", ["top.csv"]),
        ("t?p.csv", ["top.csv"]),
        ("a{b}.txt", ["a{b}.txt"]),
        ("/top.csv", ["top.csv"]),
        ("*", list(FILES)),
        ("none", []),
        ("[", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_pattern_fits_what_a_shell_would_say(pattern: str, expected: list[str]) -> None:
    assert [name for name in FILES if fits(name, pattern)] == expected


def test_a_pattern_of_many_words_is_refused_in_bounded_time() -> None:
    assert not fits("a", "{a,b}" * 40)
    assert not fits("a" * 200 + "!", "*a" * 30 + "*b")
