"""The table of restarts: part, what ran, requests that failed, what became of the jobs, seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

HEADER = "part | what ran | failed requests to the notebooks | jobs | away (s) | checked after (s)"


class NotSurvived(AssertionError):
    """Something else was seen than should have been."""


@dataclass
class Row:
    """What was seen of one restart. ``problems`` are what should not have been so."""

    part: str
    ran: str
    asked: int = 0
    failed: int = 0
    jobs: list[str] = field(default_factory=list)
    away: float = 0.0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def check(self, condition: object, what: str, seen: object = "") -> None:
        """Note what is not so; the rest of the row is looked at all the same."""
        if not condition:
            self.problems.append(f"not so: {what}. Seen: {seen!r}"[:1500])

    def line(self) -> str:
        verdict = "" if not self.problems else " | NOT SURVIVED"
        jobs = ", ".join(self.jobs)
        return (
            f"{self.part} | {self.ran} | {self.failed} of {self.asked} | {jobs} | {self.away:.1f} | "
            f"{self.seconds:.1f}{verdict}"
        )


@dataclass
class Table:
    """All rows are tried, whatever became of the one before."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(row.line(), flush=True)
        for problem in row.problems:
            print(f"    {problem}", flush=True)

    def close(self) -> bool:
        good = [row for row in self.rows if not row.problems]
        print("\n".join(("", HEADER, *(row.line() for row in self.rows))), flush=True)
        print(f"restarts: {len(good)} of {len(self.rows)} survived", flush=True)
        return bool(self.rows) and len(good) == len(self.rows)
