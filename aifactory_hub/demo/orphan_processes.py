"""What a demo that was killed has left running, so that the next one can end it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from ..engines.process_tree import Process, alive, family, kill, processes

# Seconds between two looks at what runs.
_EVERY = 2.0
# What was killed is gone in much less, unless the machine is very busy.
_TIMEOUT = 10.0


async def keep_record(file: Path) -> None:
    """Note all processes below this one in ``file``, for ever, until cancelled."""
    before: list[Process] = []
    while True:
        # The first one is this process, which the next demo finds ended: it has the lock.
        below = family(os.getpid(), processes())[1:]
        if below != before:
            record(file, below)
            before = below
        await asyncio.sleep(_EVERY)


def record(file: Path, members: list[Process]) -> None:
    """Write ``members`` down, whole or not at all."""
    aside = file.with_suffix(".new")
    aside.write_text(json.dumps([asdict(one) for one in members]))
    aside.replace(file)


def end_leftovers(file: Path) -> int:
    """Kill what ``file`` names and still runs, and all that is below it; how many there were."""
    if not file.exists():
        return 0
    found = alive(Process(**one) for one in json.loads(file.read_text()))
    seen = processes()
    members = {member for one in found for member in family(one.pid, seen)}
    kill(members)
    give_up = time.monotonic() + _TIMEOUT
    while alive(members) and time.monotonic() < give_up:
        # Until then their ports are taken.
        time.sleep(0.05)
    file.unlink()
    return len(members)
