"""What can be said of a job beforehand: who is before it, when it would start, what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from aifactory_profiles import Device, Profile

from .menu import TeamLoad
from .quota import Usage
from .tenants import Tenant
from .tickets import Ticket
from .wait_forecast import UNKNOWN, Running, Wait, Waiting, expected_wait

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Forecast:
    """``position`` is how many of the team's requests are served before it. None and UNKNOWN: not known."""

    position: int | None = None
    wait: Wait = UNKNOWN


def forecast(tenant: Tenant, profile: Profile, team_load: TeamLoad, *, ticket: str | None = None) -> Forecast:
    """The place and wait of a job that asks for ``profile``: of the one that waits with this ``ticket``, or a new one.

    A job waits behind everything that waits for a device of its kind, and nothing gives way to it.
    """
    if team_load.usage is None or team_load.queue is None:
        return Forecast()
    before = _before(team_load.queue, profile, ticket)
    if not profile.devices:
        return Forecast(0, Wait(0.0, 0.0, 0.0))
    waits = [
        _wait(tenant, device, asked, team_load, team_load.usage, before) for device, asked in profile.takes.items()
    ]
    known = all(wait.known for wait in waits)
    longest = max(waits, key=lambda wait: (wait.high or 0.0, wait.most or 0.0)) if known else UNKNOWN
    return Forecast(len(before), longest)


def cost(price_per_hour: Decimal | None, seconds: float) -> Decimal | None:
    """The price of so much time, to the cent; None where the site sets no price."""
    if price_per_hour is None:
        return None
    return (price_per_hour * Decimal(str(seconds)) / 3600).quantize(_CENT, ROUND_HALF_UP)


def _before(queue: Sequence[Ticket], profile: Profile, ticket: str | None) -> list[Ticket]:
    names = [waiting.name for waiting in queue]
    place = names.index(ticket) if ticket in names else len(queue)
    return [t for t in queue[:place] if any(t.devices.get(device) for device in profile.takes)]


def _wait(
    tenant: Tenant, device: Device, asked: int, team_load: TeamLoad, usage: Usage, before: Sequence[Ticket]
) -> Wait:
    own = max(0, tenant.quota.nominal.get(device, 0) - usage.used.get(device, 0))
    free = own + (team_load.borrowable or {}).get(device, 0)
    running = [
        Running(
            holder.devices[device],
            age=None if holder.since is None else max(0.0, team_load.now - holder.since),
            left=None if holder.ends_by is None else max(0.0, holder.ends_by - team_load.now),
            lengths=team_load.lengths.get((holder.kind, holder.profile), ()),
        )
        for holder in usage.holders
        if holder.devices.get(device)
    ]
    ahead = [
        Waiting(t.devices[device], t.max_seconds, team_load.lengths.get((t.kind, t.profile), ()))
        for t in before
        if t.devices.get(device)
    ]
    return expected_wait(asked, free, running, ahead)
