"""Which rule led where, in words: for the command line and for the page of the last sign-ins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .mapping import Match, TenantMapping
from .tenants import hub_groups

_LONGEST = 120


def trace(mapping: TenantMapping, groups: Iterable[str]) -> Iterator[str]:
    """A line for each group, for each tenant that they lead to, and for the hub groups that follow."""
    held = list(dict.fromkeys(groups))
    for group in held:
        said = ", ".join(match_text(match) for match in mapping.matches([group]))
        yield f"group {bounded(group)}: {said or 'no rule claims it'}"
    roles = mapping.roles(held)
    for tenant, role in sorted(roles.items()):
        yield f"tenant {tenant}: {role.label}"
    if not roles:
        yield "no tenant: this person is refused at sign-in"
    yield f"hub groups: {', '.join(hub_groups(roles)) or 'none'}"


def match_text(match: Match) -> str:
    """One rule that fits, and what it gives."""
    if match.role is None or match.tenant is None:
        return f"nothing, {match.why} ({match.place})"
    return f"{match.role.label} of {match.tenant} ({match.place})"


def bounded(text: str) -> str:
    """A name from outside on one line, without what can't be seen, and not too long."""
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return short if short.isprintable() else repr(short)
