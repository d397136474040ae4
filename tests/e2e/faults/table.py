"""The table: fault, what was running, what happened, seconds, survived or not. One line each, all are tried."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field


class NotSurvived(AssertionError):
    """Something else happened than should have."""


@dataclass
class Fault:
    """One fault under way: ``check`` notes what was seen, or raises; ``running`` is what was at stake."""

    name: str
    running: str
    seen: list[str] = field(default_factory=list)

    def check(self, condition: object, what: str, seen: object = "") -> None:
        if not condition:
            raise NotSurvived(f"{self.name}: not so: {what}. Seen: {seen!r}"[:3000])
        self.seen.append(what)


@dataclass(frozen=True)
class Row:
    """A fault that can be tried. ``quick`` ones are part of every test run."""

    name: str
    running: str
    body: Callable[[Fault], None]
    quick: bool = False


@dataclass
class Table:
    """Tries each row, whatever became of the one before."""

    survived: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    after_failure: Callable[[], None] = lambda: None

    def run(self, row: Row) -> None:
        fault, begun = Fault(row.name, row.running), time.monotonic()
        try:
            row.body(fault)
        except Exception:
            self._line(row, time.monotonic() - begun, [*fault.seen, "NOT SURVIVED"])
            traceback.print_exc()
            self.failed.append(row.name)
            try:
                self.after_failure()
            except Exception:
                # The next row says what it finds.
                traceback.print_exc()
        else:
            self._line(row, time.monotonic() - begun, fault.seen)
            self.survived.append(row.name)

    def close(self) -> bool:
        total = len(self.survived) + len(self.failed)
        if self.failed:
            print(f"not survived: {'; '.join(self.failed)}", flush=True)
        print(f"faults: {len(self.survived)} of {total} survived", flush=True)
        return bool(total) and not self.failed

    @staticmethod
    def _line(row: Row, seconds: float, seen: list[str]) -> None:
        print(f"{row.name} | {row.running} | {seconds:.1f} s", flush=True)
        for what in seen:
            print(f"    - {what}", flush=True)
