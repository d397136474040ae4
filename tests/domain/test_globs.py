"""Patterns of branches and paths."""

from __future__ import annotations

import time

import pytest

from aifactory_hub.domain.globs import fits, path_fits


@pytest.mark.parametrize(
    ("name", "pattern", "fit"),
    [
        ("main", "main", True),
        ("main", "mai", False),
        ("main", "ma*", True),
        ("main", "*", True),
        ("feature/x", "*", False),
        ("feature/x", "**", True),
        ("feature/x", "feature/*", True),
        ("feature/x/y", "feature/*", False),
        ("feature/x/y", "feature/**", True),
        ("feature", "feature/**", False),
        ("a/b/c", "a/**/c", True),
        ("a/c", "a/**/c", True),
        ("ab/c", "a/**/c", False),
        ("v1.2", "v?.?", True),
        ("v1/2", "v1?2", False),
        ("a[b]", "a[b]", True),
        ("ab", "a[b]", False),
        ("a.b", "a.b", True),
        ("axb", "a.b", False),
        ("", "", True),
        ("x", "", False),
        ("a\nb", "a?b", True),
        ("**", "**", True),
    ],
)
def test_names(name: str, pattern: str, fit: bool) -> None:
    assert fits(name, pattern) is fit


@pytest.mark.parametrize(
    ("path", "pattern", "fit"),
    [
        ("src/train.py", "train.py", True),
        ("src/train.py", "*.py", True),
        ("src/train.py", "src", True),
        ("src/train.py", "src/", True),
        ("src/train.py", "./src/**", True),
        ("srcs/train.py", "src", False),
        ("deep/src/train.py", "src/*.py", False),
        ("deep/src/train.py", "**/src/*.py", True),
        ("a/b", ".", True),
    ],
)
def test_paths(path: str, pattern: str, fit: bool) -> None:
    assert path_fits(path, pattern) is fit


def test_a_hostile_pattern_takes_no_time() -> None:
    began = time.process_time()
    assert not path_fits("a" * 500, "*a" * 120 + "b")
    assert not path_fits("a/" * 250 + "a", "**/a/*" * 40 + "b")
    assert time.process_time() - began < 1.0
