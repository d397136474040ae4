"""The section ``self_service`` as values."""

from __future__ import annotations

from collections.abc import Mapping

from aifactory_profiles import Device

from ..domain.self_service import ApprovalStep, SelfService, TeamTemplate
from ..domain.tenants import Role
from ..domain.verdicts import Need
from .devices import DeviceNames
from .self_service_schema import SelfServiceSection, TemplateSection


def self_service_of(section: SelfServiceSection, devices: DeviceNames) -> SelfService:
    """What the section says; names of devices that are none are left out, others have complained of them."""
    names = {name: device for name in devices.names if (device := devices.device(name)) is not None}
    return SelfService(
        ask=Role[section.ask.upper()],
        teams_per_person=section.teams_per_person,
        notice=float(section.notice),
        templates={name: _template(name, each, names) for name, each in section.templates.items()},
        names=names if section.templates else {},
    )


def _template(name: str, section: TemplateSection, names: Mapping[str, Device]) -> TeamTemplate:
    steps = [
        ApprovalStep(
            _counted(step.above, names),
            tuple(Need(group, count) for group, count in sorted(step.approvers.items())),
        )
        for step in section.approval
    ]
    return TeamTemplate(
        name=name,
        profiles=tuple(section.profiles),
        groups=tuple(section.groups),
        steps=tuple(steps),
        description=section.description or "",
        most=_counted(section.most, names),
        most_borrowed=_counted(section.most_borrowed, names),
        lasts=None if section.lasts is None else float(section.lasts),
    )


def _counted(counts: Mapping[str, int], names: Mapping[str, Device]) -> dict[Device, int]:
    return {names[name]: count for name, count in counts.items() if name in names}
