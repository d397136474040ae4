"""The last sign-ins and the rules that matched, for administrators who look for a missing membership."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ..domain.mapping import TenantMapping
from ..domain.rule_trace import bounded, match_text

_KEPT = 200
_MOST_GROUPS = 50


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in. ``at`` in epoch seconds. ``refused`` says why not, in the words that the person read."""

    at: float
    name: str
    tenants: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    more: int = 0  # groups beyond those in ``lines``
    refused: str = ""


class SignIns:
    """StoredSession in memory only: it is about people."""

    def __init__(self) -> None:
        self._seen: deque[SignIn] = deque(maxlen=_KEPT)

    def note(self, name: str, groups: Sequence[str], mapping: TenantMapping, now: float) -> None:
        """Somebody whose groups could be read."""
        lines = []
        for group in groups[:_MOST_GROUPS]:
            said = ", ".join(match_text(match) for match in mapping.matches([group]))
            lines.append(f"{bounded(group)}: {said or 'no rule claims it'}")
        tenants = tuple(f"{role.label} of {tenant}" for tenant, role in sorted(mapping.roles(groups).items()))
        approves = mapping.approver_groups(groups)
        tenants += tuple(f"approver in {name}" for name in approves)
        refused = "" if tenants else "in no team"
        more = max(0, len(groups) - _MOST_GROUPS)
        self._seen.appendleft(SignIn(now, bounded(name), tenants, tuple(lines), more, refused))

    def note_refusal(self, why: str, now: float, name: str = "") -> None:
        """Somebody who did not get so far. ``name`` is the account that was asked for, where that is known."""
        if not (self._seen and self._seen[0].refused and now - self._seen[0].at < 1):
            self._seen.appendleft(SignIn(now, bounded(name), refused=bounded(why)))

    def latest(self) -> list[SignIn]:
        """The newest first."""
        return list(self._seen)
