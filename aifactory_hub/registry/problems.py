"""What is wrong with ``tenants.yaml``, in a form that an administrator can act on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what, and what to write instead. ``path`` () is the file as a whole.

    ``file`` is that of a team, where it is not the registry's own.
    """

    path: Path
    what: str
    instead: str
    line: int | None = None
    file: str | None = None

    def text(self, source: str) -> str:
        """``file:line: key: what is wrong; what to write instead``."""
        file = self.file or source
        place = file if self.line is None else f"{file}:{self.line}"
        key = show_path(self.path)
        return f"{place}: {key}: {self.what}; {self.instead}" if key else f"{place}: {self.what}; {self.instead}"


class RegistryError(Exception):
    """``tenants.yaml`` can't be used. ``problems`` are all that were found, in the order of the file."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda p: (p.file or "", p.line or 0, show_path(p.path))))
        super().__init__("\n".join(problem.text(source) for problem in self.problems))


def show_path(path: Path) -> str:
    """``tenants.nlp.groups[0].role``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def suggest(wrong: str, known: Iterable[str], otherwise: str) -> str:
    """ "did you mean ..." when a known name is close to ``wrong``, else ``otherwise``."""
    close = get_close_matches(wrong, list(known), n=1)
    return f"did you mean {close[0]}?" if close else otherwise


def listed(names: Iterable[str]) -> str:
    """The names for a message; "none" when there are none."""
    return ", ".join(names) or "none"
