"""What does importing the client cost a notebook, and what does the first call load besides?"""

from __future__ import annotations

import subprocess
import sys

from .frame import Report, summary

_RUNS = 30
# The whole start of a bare Python is taken off by measuring within it. Processor time: a busy machine adds none.
_PROGRAM = """
import time
begin = time.process_time()
{statement}
print((time.process_time() - begin) * 1000)
"""
_STATEMENTS = {
    "import aifactory_hub.client": "import aifactory_hub.client",
    "submit, jobs, remote, report": "from aifactory_hub.client import submit, jobs, remote, report",
    "submit and its HTTP client": "from aifactory_hub.client import submit; import httpx",
    "httpx alone": "import httpx",
}
_GOAL_MS = 150.0


def main() -> None:
    """Measure each statement in fresh processes, one after the other in turns."""
    raw: dict[str, list[float]] = {name: [] for name in _STATEMENTS}
    for _ in range(_RUNS):
        for name, statement in _STATEMENTS.items():
            raw[name].append(_milliseconds(statement))
    rows = [{"statement": name, "unit": "ms of processor", **summary(values)} for name, values in raw.items()]
    rows.append({"statement": "goal", "unit": "ms of processor", "p50": _GOAL_MS})
    question = "What does importing the client cost?"
    Report("client_import", question, rows=rows, raw=raw, packages=["httpx"]).finish()


def _milliseconds(statement: str) -> float:
    argv = [sys.executable, "-c", _PROGRAM.format(statement=statement)]
    return float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
