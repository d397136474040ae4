"""The demo's provisioner: it makes nothing, and says of each team what the real one would say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from ..domain.provisioning import STEPS, Stage
from ..domain.team_records import TeamRecord
from ..registry import RegistryProvider
from ..service.team_requests import TeamDesk

# In their order; a team passes one in each look.
_PASSED = (Stage.WALLS, Stage.QUEUE, Stage.CONTROL_PLANE, Stage.API, Stage.CREDENTIALS, Stage.DOOR, Stage.READY)
_EVERY = 1.0
_READY = "the team can start notebooks and jobs (simulated)"


def next_record(record: TeamRecord | None, *, asked_for: bool, now: float) -> TeamRecord:
    """What is said next of a team. One that stands in tenants.yaml has been there for long."""
    if record is None:
        stage = Stage.WALLS if asked_for else Stage.READY
        return TeamRecord(
            stage, now, _sentence(stage), begun=now, opened=None if asked_for else now, version="simulated"
        )
    if record.stage is Stage.READY:
        return record
    stage = _PASSED[_PASSED.index(record.stage) + 1]
    opened = now if stage is Stage.READY else None
    return replace(record, stage=stage, since=now, sentence=_sentence(stage), opened=opened)


def _sentence(stage: Stage) -> str:
    return _READY if stage is Stage.READY else f"{STEPS[stage].sentence} (simulated)"


async def simulate_provisioner(
    desk: TeamDesk, provider: RegistryProvider, clock: Callable[[], float] = time.time, every: float = _EVERY
) -> None:
    """Tell of all teams for ever, until cancelled."""
    while True:
        registry = provider.registry
        desk.heard(
            {
                name: next_record(desk.states.get(name), asked_for=name in registry.granted, now=clock())
                for name in registry.tenants
            }
        )
        await asyncio.sleep(every)
