"""Whether an editor is used: an open window is not, a command that runs is."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.environments import Kind
from aifactory_hub.editors.activity import (
    Running,
    body_of,
    code_activity,
    commands_in_terminals,
    marimo_activity,
)

NOW = 1_800_000_000.0
ROOT = 10
# The wrapper, its proxy, code-server, the host of terminals, and a shell in one of them.
TREE = [
    Running(1, 0, "tini"),
    Running(ROOT, 1, "python"),
    Running(11, ROOT, "python"),
    Running(12, 11, "node"),
    Running(13, 12, "node"),
    Running(14, 13, "bash"),
    Running(90, 1, "bash"),
    Running(91, 90, "make"),
]


def test_a_shell_that_waits_runs_nothing_and_others_shells_do_not_count() -> None:
    assert commands_in_terminals(ROOT, TREE) == []


def test_what_a_shell_runs_counts_with_what_a_script_runs_and_not_the_shells() -> None:
    more = [Running(15, 14, "python3"), Running(16, 14, "bash"), Running(17, 16, "make"), Running(18, 17, "cc1")]
    assert commands_in_terminals(ROOT, [*TREE, *more]) == ["make", "python3"]


def test_processes_in_a_circle_end() -> None:
    assert commands_in_terminals(ROOT, [Running(5, 6, "bash"), Running(6, 5, "x")]) == []


@pytest.mark.parametrize(
    ("note", "commands", "busy", "last", "what"),
    [
        ({}, [], False, NOW - 500, ()),
        ({"at": NOW, "edited": NOW - 3600}, [], False, NOW - 500, ()),
        ({"at": NOW, "edited": NOW - 300}, [], False, NOW - 300, ()),
        ({"at": NOW, "edited": NOW - 5}, [], True, NOW, ("somebody edits",)),
        ({}, ["python3"], True, NOW, ("python3 runs in a terminal",)),
        ({"at": NOW, "tasks": ["build"]}, [], True, NOW, ("the task build runs",)),
        ({"at": NOW, "debugging": True}, [], True, NOW, ("a program is debugged",)),
        ({"at": NOW, "cells": True}, [], True, NOW, ("cells of a notebook run",)),
        ({"at": NOW - 600, "tasks": ["build"], "cells": True}, [], False, NOW - 500, ()),
        ({"at": "x", "edited": [], "tasks": 3, "debugging": "yes"}, [], False, NOW - 500, ()),
    ],
    ids=[
        "no note",
        "an open window that nobody touches",
        "an edit five minutes ago",
        "an edit now",
        "a command in a terminal without a window",
        "a task",
        "a debugger",
        "cells",
        "a note of a window that was closed",
        "a note that is none",
    ],
)
def test_vs_code(note: dict[str, Any], commands: list[str], busy: bool, last: float, what: tuple[str, ...]) -> None:
    found = code_activity(note, commands, NOW, NOW - 500)
    assert (found.busy, found.last_used, found.what) == (busy, last, what)


def test_a_clock_that_runs_ahead_gives_no_use_in_the_future() -> None:
    assert code_activity({"at": NOW, "edited": NOW + 9999}, [], NOW, 0.0).last_used == NOW


def test_marimo() -> None:
    running = marimo_activity({"at": NOW, "running": ["a.py"], "used": NOW}, NOW, NOW - 500)
    assert running is not None
    assert (running.busy, running.last_used, running.what) == (True, NOW, ("a.py runs",))
    quiet = marimo_activity({"at": NOW, "running": [], "used": NOW - 400}, NOW, NOW - 500)
    assert quiet is not None
    assert (quiet.busy, quiet.last_used) == (False, NOW - 400)


@pytest.mark.parametrize("note", [{}, {"at": NOW - 600, "running": []}], ids=["none", "an old one"])
def test_a_marimo_that_says_nothing_is_unknown_and_not_idle(note: dict[str, Any]) -> None:
    assert marimo_activity(note, NOW, NOW) is None


def test_what_is_sent() -> None:
    found = code_activity({"at": NOW, "edited": NOW - 300}, ["python3"], NOW, 0.0)
    assert body_of(found, "second", Kind.CODE) == {
        "server": "second",
        "kind": "code",
        "busy": True,
        "last_used": "2027-01-15T08:00:00+00:00",
        "what": ["python3 runs in a terminal"],
    }
