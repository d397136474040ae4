"""The table that the day prints: step, seconds, what was checked."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field


class CheckFailed(AssertionError):
    """A step saw something else than it should have."""


@dataclass
class Step:
    """One step under way: ``check`` notes what was seen to be true, or raises."""

    number: int
    title: str
    checked: list[str] = field(default_factory=list)

    def check(self, condition: object, what: str, seen: object = "") -> None:
        if not condition:
            raise CheckFailed(f"step {self.number}: not so: {what}. Seen: {seen!r}"[:4000])
        self.checked.append(what)


@dataclass
class Table:
    """Runs steps in order and prints a line for each; a failed step ends the day."""

    total: int
    passed: int = 0
    started: float = field(default_factory=time.monotonic)

    def run(self, number: int, title: str, body: Callable[[Step], None]) -> bool:
        step, begun = Step(number, title), time.monotonic()
        try:
            body(step)
        except Exception:
            self._line(number, title, time.monotonic() - begun, [*step.checked, "FAILED"])
            traceback.print_exc()
            return False
        self._line(number, title, time.monotonic() - begun, step.checked)
        self.passed += 1
        return True

    def close(self) -> bool:
        seconds = time.monotonic() - self.started
        print(f"day: {self.passed} of {self.total} steps in {seconds:.0f} s", flush=True)
        return self.passed == self.total

    @staticmethod
    def _line(number: int, title: str, seconds: float, checked: list[str]) -> None:
        print(f"{number} | {seconds:6.1f} s | {title}", flush=True)
        for what in checked:
            print(f"  |          |   - {what}", flush=True)
