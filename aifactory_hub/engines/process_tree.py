"""The processes of this machine: who is whose child, so that nothing that we started stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """``began`` tells two processes of one id apart; it is compared only."""

    pid: int
    parent: int
    began: str


def processes() -> dict[int, Process]:
    """All processes that can be seen, without those that have ended and wait for their parent."""
    return _from_proc() if (_PROC / "self/stat").exists() else _from_ps()


def family(pid: int, seen: dict[int, Process]) -> list[Process]:
    """The process and everything below it in ``seen``; empty when it is not there."""
    if pid not in seen:
        return []
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(seen[one])
        waiting += [child.pid for child in seen.values() if child.parent == one]
    return found


def alive(members: Iterable[Process]) -> list[Process]:
    """Those that still run. A new process under an old id does not count."""
    now = processes()
    return [one for one in members if one.pid in now and now[one.pid].began == one.began]


def kill(members: Iterable[Process]) -> None:
    """SIGKILL to those of them that still run."""
    for one in alive(members):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(one.pid, signal.SIGKILL)


def _from_proc() -> dict[int, Process]:
    found = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                # The name in brackets may hold anything, so what follows the last one is read.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    found[int(folder.name)] = Process(int(folder.name), int(fields[1]), fields[19])
    return found


def _from_ps() -> dict[int, Process]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat=,lstart="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return {int(row[0]): Process(int(row[0]), int(row[1]), row[3]) for row in rows if not row[2].startswith("Z")}
