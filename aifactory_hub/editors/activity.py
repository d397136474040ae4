"""Whether an editor is used: decided from its own notes and from the processes below it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..domain.environments import Kind

# Seconds after which a note of a program that writes one every few seconds is too old to say what is so now.
STALE = 90.0
# Seconds after an edit or a change of focus within which somebody is taken to be at work.
AT_WORK = 60.0
_SHELLS = frozenset({"bash", "sh", "zsh", "fish", "dash", "ksh"})
_MOST = 5


@dataclass(frozen=True, slots=True)
class Running:
    """One process: its name as the system tells it."""

    pid: int
    parent: int
    name: str


@dataclass(frozen=True, slots=True)
class Activity:
    """What is reported: ``last_used`` in seconds since 1970, ``what`` as short sentences."""

    busy: bool
    last_used: float
    what: tuple[str, ...] = field(default=())


def commands_in_terminals(root: int, processes: Iterable[Running]) -> list[str]:
    """What shells below the process ``root`` run now. A shell that waits for a command runs nothing.

    A shell that a shell started is looked into, and is no command itself.
    """
    known = {each.pid: each for each in processes}
    below = [each for each in known.values() if _is_below(each, root, known)]
    shells = {each.pid for each in below if each.name in _SHELLS}
    return sorted(each.name for each in below if each.parent in shells and each.pid not in shells)


def _is_below(process: Running, root: int, known: Mapping[int, Running]) -> bool:
    seen: set[int] = set()
    parent = process.parent
    while parent in known and parent not in seen and parent != root:
        seen.add(parent)
        parent = known[parent].parent
    return parent == root


def code_activity(note: Mapping[str, Any], commands: Iterable[str], now: float, before: float) -> Activity:
    """Of VS Code: ``note`` is what our extension last wrote, empty where there is none; ``before`` is the last use
    that is known. An open window in which nothing happens is no use."""
    fresh = now - _number(note.get("at")) < STALE
    edited = _number(note.get("edited"))
    what = [f"{name} runs in a terminal" for name in commands]
    if fresh:
        what += [f"the task {name} runs" for name in _texts(note.get("tasks"))]
        what += ["a program is debugged"] if note.get("debugging") is True else []
        what += ["cells of a notebook run"] if note.get("cells") is True else []
    if now - edited < AT_WORK:
        what.append("somebody edits")
    return _activity(what, now, max(edited, before))


def marimo_activity(note: Mapping[str, Any], now: float, before: float) -> Activity | None:
    """Of marimo: None where its note is missing or old, for then nothing is known."""
    if now - _number(note.get("at")) >= STALE:
        return None
    what = [f"{name} runs" for name in _texts(note.get("running"))]
    return _activity(what, now, max(_number(note.get("used")), before))


def _activity(what: list[str], now: float, last: float) -> Activity:
    return Activity(bool(what), now if what else min(last, now), tuple(what[:_MOST]))


def body_of(activity: Activity, server: str, kind: Kind) -> dict[str, Any]:
    """What is sent to the job service."""
    moment = datetime.fromtimestamp(activity.last_used, UTC).isoformat(timespec="seconds")
    return {
        "server": server,
        "kind": kind.value,
        "busy": activity.busy,
        "last_used": moment,
        "what": list(activity.what),
    }


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _texts(value: Any) -> list[str]:
    return [str(each)[:80] for each in value if isinstance(each, str)] if isinstance(value, list) else []
