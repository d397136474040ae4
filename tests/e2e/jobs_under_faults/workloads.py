"""Random workloads, the same ones for the same seed: what each is to do, and what is done to it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

TEAMS = ("nlp", "vision")
# Seconds over which the workloads are submitted.
SPREAD = 60.0
# A workload that something is done to goes on for so long at least, in seconds: it is then surely in the middle.
_LONG = 14
_OVERDUE = 8


class Kind(StrEnum):
    COMMAND = "command"
    FUNCTION = "function"
    NOTEBOOK = "notebook"


class Act(StrEnum):
    """What is done to a job. The last two end an attempt as a node's or a colleague's mishap does."""

    NOTHING = "nothing"
    CANCEL = "cancel"
    SUSPEND = "suspend"
    DELETE_POD = "pod deleted"
    KILL_CONTAINER = "container killed"

    @property
    def is_hit(self) -> bool:
        return self in (Act.DELETE_POD, Act.KILL_CONTAINER)


@dataclass(frozen=True)
class Workload:
    """``seconds`` and ``lines`` are of one attempt; its first ``fails`` attempts end with ``exit_code``.

    ``act_after`` is in seconds: after its submission, or for a hit after its first line. ``eats`` is more memory than
    its profile has. ``twice``: submitted again under its key, as a client does that was killed before the answer came.
    """

    number: int
    team: str
    kind: Kind
    profile: str
    at: float
    seconds: float
    lines: int
    width: int
    exit_code: int
    fails: int
    retries: int
    eats: bool = False
    max_seconds: int | None = None
    act: Act = Act.NOTHING
    act_after: float = 0.0
    twice: bool = False
    files: int = 1
    engine: str = "kubernetes-job"
    nodes: int = 1

    @property
    def name(self) -> str:
        return f"w{self.number:02d}-{self.kind}"

    @property
    def overdue(self) -> bool:
        return self.max_seconds is not None

    @property
    def code_of_failure(self) -> int:
        """A notebook's cell has no exit code of its own."""
        return 1 if self.kind is Kind.NOTEBOOK else self.exit_code

    def told(self) -> str:
        """In a few words, for the table."""
        parts = [f"{self.kind} {self.profile}", f"{self.seconds:.0f} s", f"{self.lines}x{self.width} B"]
        parts += [f"{self.engine} on {self.nodes}"] if self.nodes > 1 else []
        parts += [f"fails {self.fails} of {self.retries + 1} (exit {self.code_of_failure})"] if self.fails else []
        parts += [f"{self.retries} retries"] if self.retries and not self.fails else []
        parts += ["out of memory"] if self.eats else []
        parts += [f"at most {self.max_seconds} s"] if self.overdue else []
        parts += [f"{self.act} at {self.act_after:.0f} s"] if self.act is not Act.NOTHING else []
        parts += ["sent twice"] if self.twice else []
        return ", ".join(parts)


# What must be among the first ones, whatever the seed says, so that a short run has it as well.
_ALWAYS: tuple[dict[str, object], ...] = (
    {"act": Act.DELETE_POD},
    {"fails": 1, "retries": 1, "twice": True},
    {"act": Act.CANCEL},
    {"act": Act.SUSPEND},
    {"eats": True},
    {"act": Act.KILL_CONTAINER},
    {"max_seconds": _OVERDUE},
    {"fails": 1, "retries": 0},
)

# Of those on several nodes one is cancelled and one suspended.
_OF_SEVERAL_NODES = {9: Act.CANCEL, 14: Act.SUSPEND}


def random_workloads(seed: int, count: int, engines: Sequence[str] = ("kubernetes-job",)) -> list[Workload]:
    """Workloads that are reproduced by their seed, count and engines."""
    dice = random.Random(seed)
    spread = SPREAD * min(1.0, count / 20)
    made = [_workload(dice, number, spread, engines) for number in range(count)]
    return [_settled(dice, workload) for workload in made]


def _workload(dice: random.Random, number: int, spread: float, engines: Sequence[str]) -> Workload:
    team = dice.choice(TEAMS)
    values: dict[str, object] = {
        "number": number,
        "team": team,
        "kind": list(Kind)[number % 3],
        "profile": dice.choice(["cpu-small", "mig-1g.10gb", "mig-1g.10gb", *(["mig-3g.40gb"] * (team == "nlp"))]),
        "at": dice.uniform(0, spread),
        "seconds": dice.uniform(1, 12),
        "lines": dice.choice([5, 40, 300]),
        "width": dice.choice([10, 200, 2000]),
        "exit_code": dice.choice([1, 2, 7, 42]),
        "fails": dice.choice([0, 0, 0, 1, 2]),
        "retries": dice.choice([0, 1, 2]),
        "twice": dice.random() < 0.3,
        "files": dice.choice([1, 20, 200]),
        "act": dice.choice([Act.NOTHING, Act.NOTHING, *Act]),
        "act_after": dice.uniform(1, 10),
    }
    if number < len(_ALWAYS):
        values |= {"act": Act.NOTHING, "fails": 0, **_ALWAYS[number]}
    if "jobset" in engines and number % 5 == 4 and not values.get("eats"):
        values |= {"engine": "jobset", "nodes": 2, "team": "nlp", "kind": Kind.COMMAND, "profile": "cpu-small"}
        values |= {"act": _OF_SEVERAL_NODES.get(number, Act.NOTHING)}
    return Workload(**values)  # type: ignore[arg-type]


def _settled(dice: random.Random, workload: Workload) -> Workload:
    """Without what contradicts itself: what is done to a job meets it in the middle."""
    from dataclasses import replace

    if workload.eats:
        return replace(workload, kind=Kind.COMMAND, retries=0, fails=0, act=Act.NOTHING, seconds=3.0, exit_code=137)
    if workload.overdue:
        return replace(workload, seconds=60.0, lines=300, fails=0, act=Act.NOTHING, kind=Kind.COMMAND)
    if workload.act.is_hit:
        return replace(workload, seconds=float(_LONG), fails=0, act_after=dice.uniform(1, 5), nodes=1,
                       engine="kubernetes-job")  # fmt: skip
    if workload.act is Act.SUSPEND:
        return replace(workload, seconds=float(_LONG), fails=0)
    return workload


# One program for all kinds. Each line is numbered and timed, so that a gap, a doubled line and a missing end are seen.
PROGRAM = """\
import os
import sys
import time


def work(seconds, lines, width, fails, exit_code, eats):
    attempt = int(os.environ["AIFACTORY_ATTEMPT"])
    print(f"begin {attempt}", flush=True)
    for number in range(lines):
        print(f"line {number} {time.time():.2f} " + "x" * width, flush=True)
        time.sleep(seconds / lines)
    held = []
    while eats:
        held.append(b"x" * (16 * 2**20))
    if attempt <= fails:
        sys.exit(exit_code)
    print("end", flush=True)
    return lines


if __name__ == "__main__":
    import json

    work(**json.loads(sys.argv[1]))
"""


def arguments(workload: Workload) -> dict[str, object]:
    """What the program is called with."""
    return {
        "seconds": workload.seconds,
        "lines": workload.lines,
        "width": workload.width,
        "fails": workload.fails,
        "exit_code": workload.exit_code,
        "eats": workload.eats,
    }


def write_files(workload: Workload, folder: Path) -> None:
    """The folder that travels with the workload."""
    folder.mkdir(parents=True)
    (folder / "work.py").write_text(PROGRAM)
    for number in range(workload.files):
        (folder / f"data-{number}.txt").write_text(f"{workload.name} {number}\n" * 50)
    cells = [("parameters", "asked = {}"), ("", "from work import work\nwork(**asked)")]
    notebook = {
        "cells": [
            {"cell_type": "code", "id": f"cell{n}", "execution_count": None, "outputs": [], "source": source,
             "metadata": {"tags": [tag]} if tag else {}}
            for n, (tag, source) in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip
    (folder / "work.ipynb").write_text(json.dumps(notebook))
