"""What a site lets people ask for: templates of teams, and what needs whose approval. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aifactory_profiles import Device

from .approvals import Reason
from .tenants import Role
from .verdicts import Need


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """What is more than ``above`` needs these people. An empty ``above``: whatever is asked for needs them."""

    above: Mapping[Device, int]
    needs: tuple[Need, ...]

    def asks_for(self, quota: Mapping[Device, int]) -> bool:
        """Whether this much needs them."""
        return not self.above or any(count > self.above.get(device, 0) for device, count in quota.items())


@dataclass(frozen=True, slots=True)
class TeamTemplate:
    """A kind of team. ``groups`` are patterns of groups that may be named, ``lasts`` how many seconds it may last until
    somebody asks for more time (None: for ever), ``most`` and ``most_borrowed`` the most devices."""

    name: str
    profiles: tuple[str, ...]
    groups: tuple[str, ...]
    steps: tuple[ApprovalStep, ...]
    description: str = ""
    most: Mapping[Device, int] = field(default_factory=dict)
    most_borrowed: Mapping[Device, int] = field(default_factory=dict)
    lasts: float | None = None

    def needs(self, quota: Mapping[Device, int]) -> tuple[Need, ...]:
        """Who approves a team with this much, each group with the largest number that a step names."""
        counts: dict[str, int] = {}
        for need in (need for step in self.steps if step.asks_for(quota) for need in step.needs):
            counts[need.role] = max(need.count, counts.get(need.role, 0))
        return tuple(Need(role, count) for role, count in sorted(counts.items()))

    def reasons(self, quota: Mapping[Device, int], names: Mapping[Device, str]) -> tuple[Reason, ...]:
        """Why they are asked."""
        found = [step for step in self.steps if step.asks_for(quota)]
        return tuple(Reason(f"template {self.name}", _why(step, names)) for step in found)


@dataclass(frozen=True, slots=True)
class SelfService:
    """``ask`` is what one has to be in some team to ask for another one. ``notice`` is how many seconds before its end
    a team's people are told. ``names`` are the devices by all of their names in tenants.yaml."""

    ask: Role = Role.MEMBER
    teams_per_person: int = 3
    notice: float = 14 * 86400.0
    templates: Mapping[str, TeamTemplate] = field(default_factory=dict)
    names: Mapping[str, Device] = field(default_factory=dict)

    def name_of(self, device: Device) -> str:
        """The name that people read: the first one of it."""
        return next((name for name, each in self.names.items() if each == device), str(device))

    def counts(self, counts: Mapping[Device, int]) -> dict[str, int]:
        """Counts by the names that people read."""
        return {self.name_of(device): count for device, count in counts.items()}


def _why(step: ApprovalStep, names: Mapping[Device, str]) -> str:
    if not step.above:
        return "whatever is asked for by this template is approved by somebody"
    most = ", ".join(f"{count} {names.get(device, str(device))}" for device, count in step.above.items())
    return f"more than {most} is approved by somebody"
