"""What all benchmarks do the same way: time, summarise, print a table, keep the raw numbers.

A benchmark is a module with ``main()`` that measures and ends with ``Report(...).finish()``. Compare within one run
only: the machine is part of every number.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_ROOT = Path(__file__).parent.parent


def percentile(values: Sequence[float], percent: float) -> float:
    """By linear interpolation between the two nearest. Raises ValueError for no values or a percent outside 0-100."""
    if not values or not 0 <= percent <= 100:
        raise ValueError(f"no percentile {percent} of {len(values)} values")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def summary(values: Sequence[float], *, digits: int = 2) -> dict[str, float]:
    """n, p50, p95 and the largest."""
    numbers = {"p50": percentile(values, 50), "p95": percentile(values, 95), "max": max(values)}
    return {"n": len(values), **{name: round(value, digits) for name, value in numbers.items()}}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as aligned text; columns in the order in which they first appear."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *([_text(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(lines)


@dataclass
class Report:
    """One run. ``rows`` are what is told, ``raw`` is every single measurement behind them.

    ``simulated`` names what was not the real thing; ``packages`` are those whose versions matter.
    """

    name: str
    question: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    simulated: Sequence[str] = ()
    packages: Sequence[str] = ("jupyterhub", "jupyterhub-kubespawner", "kubernetes_asyncio", "aiohttp")

    def finish(self, results: Path = RESULTS) -> Path:
        """Print the table and write ``<name>.json``. Returns its path."""
        print(f"\n{self.question}\n\n{table(self.rows)}")
        for line in (*(f"SIMULATED: {what}" for what in self.simulated), *self.notes):
            print(f"- {line}")
        results.mkdir(parents=True, exist_ok=True)
        path = results / f"{self.name}.json"
        path.write_text(json.dumps(self._document(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"raw results: {path}")
        return path

    def _document(self) -> dict[str, Any]:
        return {
            "benchmark": self.name,
            "question": self.question,
            "rows": self.rows,
            "raw": self.raw,
            "notes": self.notes,
            "simulated": list(self.simulated),
            "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "commit": commit(_ROOT),
            "machine": machine(),
            "versions": {name: metadata.version(name) for name in self.packages},
        }


def machine() -> dict[str, Any]:
    """What the numbers were measured on, as far as it matters to them."""
    return {
        "cpus": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def commit(checkout: Path) -> str:
    """What it is at, in short; empty where that is not known."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=checkout, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
