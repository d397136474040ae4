"""The groups of approvers as they stand in ``tenants.yaml``, checked against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..domain.approvals import TEAM_ADMIN
from .problems import Path, Problem, listed, suggest

_PLACE: Path = ("approvals", "approvers")


def approver_problems(data: Mapping[Any, Any]) -> Iterator[Problem]:
    """Groups that can't be met, and an emergency group that is not there."""
    section = data.get("approvals")
    section = section if isinstance(section, dict) else {}
    approvers = section.get("approvers")
    approvers = approvers if isinstance(approvers, dict) else {}
    if TEAM_ADMIN in approvers:
        instead = "give it another name: rules mean the team's administrators by admin"
        yield Problem((*_PLACE, TEAM_ADMIN), "admin can't be a group of approvers", instead)
    for name, groups in approvers.items():
        if groups == []:
            yield Problem(
                (*_PLACE, str(name)), "is empty, so nobody could approve", "write for example [corp/security]"
            )
    emergency = section.get("emergency")
    if isinstance(emergency, str) and emergency not in approvers:
        what = f"there is no group of approvers {emergency!r}"
        known = [str(name) for name in approvers]
        instead = suggest(emergency, known, f"the groups are {listed(known)}")
        yield Problem(("approvals", "emergency"), what, instead)
