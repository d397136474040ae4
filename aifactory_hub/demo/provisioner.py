"""The demo's provisioner: it makes nothing, and says of each team what the real one would say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..domain.menu import TeamLoad
from ..domain.provisioning import STEPS, Stage, Wish
from ..domain.team_records import TeamRecord
from ..domain.team_sleep import SleepFacts, wish_of
from ..registry import RegistryProvider
from ..service.team_requests import TeamDesk

# In their order; a team passes one in each look.
_PASSED = (Stage.WALLS, Stage.QUEUE, Stage.CONTROL_PLANE, Stage.API, Stage.CREDENTIALS, Stage.DOOR, Stage.READY)
_EVERY = 1.0
_SENTENCES = {
    Stage.READY: "the team can start notebooks and jobs",
    Stage.ASLEEP: "the team's control plane sleeps, because nothing of the team runs; a start wakes it",
}


@dataclass(frozen=True, slots=True)
class Quiet:
    """Whether a team is used: ``tickets`` that it has now, None: not known; it sleeps ``after`` seconds without any,
    None: never."""

    tickets: int | None = None
    after: float | None = None


def next_record(record: TeamRecord | None, *, asked_for: bool, now: float, quiet: Quiet = Quiet()) -> TeamRecord:
    """What is said next of a team. One that stands in tenants.yaml has been there for long."""
    if record is None:
        stage = Stage.WALLS if asked_for else Stage.READY
        opened = None if asked_for else now
        return replace(_at(TeamRecord.nothing(), stage, now), begun=now, opened=opened, version="simulated")
    if record.stage in (Stage.READY, Stage.ASLEEP):
        return _rested(record, quiet, now)
    if record.stage is Stage.WAKING:
        return _at(record, Stage.READY, now)
    stage = _PASSED[_PASSED.index(record.stage) + 1]
    opened = now if stage is Stage.READY else None
    return replace(_at(record, stage, now), opened=opened, last_used=now)


def _rested(record: TeamRecord, quiet: Quiet, now: float) -> TeamRecord:
    asleep = record.stage is Stage.ASLEEP
    facts = SleepFacts(
        after=quiet.after,
        replicas=0 if asleep else 1,
        asleep_since=record.since if asleep else None,
        tickets=quiet.tickets,
        pods=quiet.tickets,
        last_used=record.last_used or record.since,
        now=now,
    )
    wish = wish_of(facts)
    if asleep:
        return record if wish is Wish.ASLEEP else _at(record, Stage.WAKING, now)
    if wish is Wish.ASLEEP:
        return _at(record, Stage.ASLEEP, now)
    return replace(record, last_used=now) if quiet.tickets else record


def _at(record: TeamRecord, stage: Stage, now: float) -> TeamRecord:
    sentence = _SENTENCES.get(stage) or STEPS[stage].sentence
    return replace(record, stage=stage, since=now, sentence=f"{sentence} (simulated)")


def quiet_of(load: TeamLoad | None, after: float | None) -> Quiet:
    """What is known of a team's use."""
    if load is None or load.usage is None or load.queue is None:
        return Quiet(None, after)
    return Quiet(len(load.usage.holders) + len(load.queue), after)


async def simulate_provisioner(
    desk: TeamDesk, provider: RegistryProvider, clock: Callable[[], float] = time.time, every: float = _EVERY
) -> None:
    """Tell of all teams for ever, until cancelled."""
    while True:
        registry = provider.registry
        sleeping = {name: each.sleep_after for name, each in registry.tenants.items() if each.sleep_after is not None}
        loads = await desk.loads.of(dict.fromkeys(sleeping))
        desk.heard(
            {
                name: next_record(
                    desk.states.get(name),
                    asked_for=name in registry.granted,
                    now=clock(),
                    quiet=quiet_of(loads.get(name), sleeping.get(name)),
                )
                for name in registry.tenants
            }
        )
        await asyncio.sleep(every)
