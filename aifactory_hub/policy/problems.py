"""What is wrong with a folder of rules, in a form that whoever wrote them can act on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One thing that is wrong: in which file, where (counted from 1, None for the file as a whole), what, and what to
    write instead. ``where`` is the key in the file, such as ``rules[0].assert``."""

    source: str
    what: str
    instead: str
    where: str = ""
    line: int | None = None
    column: int | None = None

    def text(self) -> str:
        """``file:line:column: key: what is wrong; what to write instead``."""
        place = ":".join(str(part) for part in (self.source, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.where, f"{self.what}; {self.instead}") if part)


class PolicyError(Exception):
    """The folder can't be used. ``problems`` are all that were found, in the order of the files."""

    def __init__(self, problems: Iterable[PolicyProblem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.source, p.line or 0, p.column or 0)))
        super().__init__("\n".join(problem.text() for problem in self.problems))
