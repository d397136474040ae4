"""No job's ticket past its budgets: before what it may cost is reserved, and none that borrows where it may not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from aifactory_profiles import Device

from ..admission import Admission, AdmissionUnavailable
from ..constants import KIND_JOB
from ..domain.budgets import Action
from ..domain.refusals import Refusal
from ..domain.tickets import Ticket, TicketRequest, TicketState
from ..store import Jobs
from .budgets import Budgets
from .executors import reconciling

# Seconds after which a ticket that was let through and is not seen was not filed.
_FORGET_AFTER = 60.0
_TAKES = (TicketState.QUEUED, TicketState.ADMITTED, TicketState.EVICTED)


@dataclass(frozen=True)
class BudgetPolicy:
    """A TicketPolicy. ``admission`` says what the team has."""

    budgets: Budgets
    jobs: Jobs
    admission: Admission
    # What was let through and may not be filed yet, by team and ticket, and when.
    _passed: dict[str, dict[str, tuple[Mapping[Device, int], float]]] = field(default_factory=dict)

    async def review(self, request: TicketRequest) -> Refusal | None:
        """See TicketPolicy. Raises AdmissionUnavailable while a budget holds the job, or has it wait for devices of
        the team's own."""
        if request.kind != KIND_JOB or request.running or self.budgets.team(request.tenant) is None:
            return None
        job = await reconciling.run(self.jobs.get, request.owner)
        why = None if job is None else await reconciling.run(self.budgets.reserve, job)
        if why is None:
            why = await self._borrows(request)
        if why is not None:
            raise AdmissionUnavailable(why)
        return None

    async def _borrows(self, request: TicketRequest) -> str | None:
        """Why the ticket waits before it is filed; None where it takes what is the team's own, or may borrow."""
        tenant = self.budgets.get_registry().tenants[request.tenant]
        if not request.takes or not any(budget.at(Action.NO_BORROWING) for budget in tenant.budgets):
            return None
        if not await reconciling.run(self.budgets.kept_to_own, request.tenant, request.user):
            return None
        taken = await self._taken(request)
        for device, asked in request.takes.items():
            own = tenant.quota.nominal.get(device, 0)
            if taken[device] + asked > own:
                of_own = f"{taken[device]} of its own {own} {device} are taken or waited for"
                return f"a budget of team {request.tenant} lets its jobs borrow nothing, and {of_own}"
        # Nobody else is asked between this and the look at what is taken.
        self._passed.setdefault(request.tenant, {})[request.name] = (request.takes, time.monotonic())
        return None

    async def _taken(self, request: TicketRequest) -> Counter[Device]:
        """What the team holds and waits for, without this ticket."""
        tickets = await self.admission.tickets(request.tenant)
        usage = await self.admission.usage(request.tenant)
        taken = Counter(usage.used)
        for ticket in tickets:
            if ticket.state is TicketState.QUEUED and ticket.name != request.name:
                taken.update(ticket.devices)
        there, now = {ticket.name for ticket in tickets}, time.monotonic()
        passed = self._passed.get(request.tenant, {})
        for name, (takes, at) in list(passed.items()):
            if now - at > _FORGET_AFTER:
                del passed[name]
            elif name not in there and name != request.name:
                taken.update(takes)
        return taken


def to_give_back(tickets: list[Ticket], own: Mapping[Device, int]) -> list[Ticket]:
    """The waiting tickets of jobs that would have to borrow, the newest first: their jobs file others later."""
    taken: Counter[Device] = Counter()
    for ticket in tickets:
        if ticket.state in _TAKES:
            taken.update(ticket.devices)
    found = []
    waiting = [ticket for ticket in tickets if ticket.kind == KIND_JOB and ticket.state is TicketState.QUEUED]
    for ticket in sorted(waiting, key=lambda each: (each.filed_at or 0.0, each.name), reverse=True):
        if any(taken[device] > own.get(device, 0) for device in ticket.devices):
            found.append(ticket)
            taken.subtract(ticket.devices)
    return found
