"""Processes that outlive this one, known by pid AND start time: a reused pid is not ours."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    pid: int
    start: int  # in clock ticks after boot
    boot: str

    def alive(self) -> bool:
        return identify(self.pid) == self

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, how)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.rename(path)


def parse_start(stat: str) -> tuple[str, int]:
    """State and start time of a /proc/PID/stat line; the name in it may hold spaces and parentheses."""
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def identify(pid: int) -> Identity | None:
    """Who has this pid now; None for nobody, and for a dead process that nobody has reaped."""
    try:
        state, start = parse_start(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    if state in "ZX":
        return None
    return Identity(pid, start, Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def load(path: Path) -> Identity | None:
    """The saved process if it still lives."""
    try:
        saved = Identity(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return saved if saved.alive() else None


def children(pid: int) -> list[int]:
    try:
        return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def wait_gone(identity: Identity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while identity.alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
