"""Gathers what a menu says of a team: who holds what, who waits, what other teams leave, and how long runs take."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aifactory_profiles import Device

from ..domain.borrowing import Reclaim, free_for
from ..domain.menu import TeamLoad
from ..domain.quota import Usage
from ..domain.tenants import Tenant
from ..domain.tickets import Ticket, TicketState
from .base import Admission, AdmissionRefused, AdmissionUnavailable

log = logging.getLogger(__name__)

# Seconds. A page may ask as often as it likes: the engine is asked again only after this long.
FRESH = 1.0
# How long a person waits for numbers at most; what has not come by then is unknown.
TIMEOUT = 5.0
# How often all tenants are looked at, so that the length of a run is known to within it.
LOOK_EVERY = 60.0
# Ended runs of one kind and profile that are remembered: the newest ones.
_REMEMBERED = 200


@dataclass(slots=True)
class History:
    """How many seconds ended runs took, by kind and profile, learned by looking.

    With a ``file`` it outlives the process: read at the start, written after each look that learned something.
    """

    file: Path | None = None
    lengths: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    _learned: bool = False
    _running: dict[str, dict[str, Ticket]] = field(default_factory=dict)
    _looked_at: dict[str, float] = field(default_factory=dict)

    def look(self, tenant: str, tickets: Iterable[Ticket], now: float) -> None:
        """Take note of all tickets of a tenant at ``now``; what is gone since the last look has ended."""
        running = {t.uid: t for t in tickets if t.state is TicketState.ADMITTED and t.admitted_at is not None}
        before = self._running.get(tenant, {})
        # After a long pause nobody knows when they ended.
        if now - self._looked_at.get(tenant, now) <= 2 * LOOK_EVERY:
            for uid, ticket in before.items():
                if uid not in running and ticket.admitted_at is not None:
                    self.learn(ticket.kind, ticket.profile, now - ticket.admitted_at)
        self._running[tenant], self._looked_at[tenant] = running, now

    def learn(self, kind: str, profile: str, seconds: float) -> None:
        """One run that has ended."""
        self.lengths.setdefault((kind, profile), deque(maxlen=_REMEMBERED)).append(max(0.0, seconds))
        self._learned = True

    def read(self) -> None:
        """What an earlier process learned. A file that can't be read is as good as none: forecasts are unknown then."""
        try:
            rows = json.loads(self.file.read_text(encoding="utf-8")) if self.file is not None else []
            for row in rows:
                seconds = deque((float(each) for each in row["seconds"]), maxlen=_REMEMBERED)
                self.lengths[(str(row["kind"]), str(row["profile"]))] = seconds
        except FileNotFoundError:
            pass
        except (OSError, ValueError, LookupError, TypeError) as error:
            log.warning("how long earlier runs took is not known: %s can't be read (%s)", self.file, error)

    def write(self) -> None:
        """What was learned since the last time, whole or not at all."""
        if self.file is None or not self._learned:
            return
        rows = [{"kind": k, "profile": p, "seconds": list(seconds)} for (k, p), seconds in self.lengths.items()]
        beside = self.file.with_name(f"{self.file.name}.new")
        try:
            beside.write_text(json.dumps(rows), encoding="utf-8")
            beside.replace(self.file)
        except OSError as error:
            log.warning("how long runs take can't be kept in %s: %s", self.file, error)
        else:
            self._learned = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """A tenant's tickets as of ``at``, and what it holds with those of other hubs; None when the engine did not answer.

    ``asked`` is when it was asked.
    """

    asked: float
    at: float
    tickets: list[Ticket] | None = None
    usage: Usage | None = None


class TeamLoads:
    """TeamLoads of tenants on one quota engine. ``run`` it, so that it learns how long runs take."""

    def __init__(
        self,
        admission: Admission,
        tenants: Mapping[str, Tenant],
        carved: Mapping[Device, int],
        clock: Callable[[], float] = time.time,
        *,
        fresh: float = FRESH,
        reclaim: Reclaim = Reclaim.ANY,
        history: Path | None = None,
    ) -> None:
        """An answer of the engine is good for ``fresh`` seconds. ``history`` is the file of what was learned."""
        self._reclaim = reclaim
        self._fresh = fresh
        self.history = History(history)
        self.history.read()
        self._admission = admission
        self._tenants = tenants
        self._carved = carved
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._asking: dict[str, asyncio.Task[_Seen]] = {}

    async def of(self, unavailable: Mapping[str, str | None]) -> dict[str, TeamLoad]:
        """The load of each tenant named; the value says why it can't start anything now, or None."""
        # Those that are named may be gone by now, and others may have come while these were looked at.
        tenants = self._tenants
        seen = await self._look({*tenants, *unavailable})
        return {name: self._team_load(name, why, tenants, seen) for name, why in unavailable.items()}

    def follow(self, tenants: Mapping[str, Tenant], carved: Mapping[Device, int], reclaim: Reclaim) -> None:
        """Look at these tenants from now on."""
        self._tenants, self._carved, self._reclaim = tenants, carved, reclaim
        self._seen = {name: seen for name, seen in self._seen.items() if name in tenants}

    async def run(self) -> None:
        """Look at all tenants for ever, until cancelled."""
        while True:
            try:
                await self._look(self._tenants)
                self.history.write()
            except Exception:
                log.exception("the tenants could not be looked at; the next look is in %s s", LOOK_EVERY)
            await asyncio.sleep(LOOK_EVERY)

    def _team_load(
        self, name: str, unavailable: str | None, tenants: Mapping[str, Tenant], looked: Mapping[str, _Seen]
    ) -> TeamLoad:
        seen = looked[name]
        tickets, usage = seen.tickets, seen.usage
        held = _held(tenants, looked)
        return TeamLoad(
            now=seen.at,
            usage=usage,
            unavailable=unavailable,
            queue=None if tickets is None else _queue(tickets),
            borrowable=None if held is None or name not in tenants else _borrowable(name, tenants, held),
            cluster_used=None if held is None else _sum(held.values()),
            carved=self._carved,
            lengths=self.history.lengths,
            reclaim=self._reclaim,
        )

    async def _look(self, names: Iterable[str]) -> dict[str, _Seen]:
        asked = list(names)
        return dict(zip(asked, await asyncio.gather(*map(self._refresh, asked)), strict=True))

    async def _refresh(self, name: str) -> _Seen:
        """One question at a time for each tenant, however many pages ask."""
        seen = self._seen.get(name)
        if seen is not None and 0 <= self._clock() - seen.asked < self._fresh:
            return seen
        if name not in self._asking:
            self._asking[name] = asyncio.create_task(self._ask(name))
            self._asking[name].add_done_callback(lambda _: self._asking.pop(name, None))
        seen = await asyncio.shield(self._asking[name])
        if name in self._tenants:
            self._seen[name] = seen
        return seen

    async def _ask(self, name: str) -> _Seen:
        try:
            async with asyncio.timeout(TIMEOUT):
                seen = await self._admission.overview(name)
        except (AdmissionUnavailable, AdmissionRefused, TimeoutError) as error:
            log.warning("what %s holds is not known now: %s", name, error)
            return _Seen(self._clock(), self._clock())
        now = self._clock()
        self.history.look(name, seen.tickets, now - seen.age)
        return _Seen(now, now - seen.age, seen.tickets, seen.usage)


def _held(tenants: Iterable[str], seen: Mapping[str, _Seen]) -> dict[str, Mapping[Device, int]] | None:
    """The devices that each tenant holds; None when one of them is not known."""
    held = {}
    for name in tenants:
        usage = seen[name].usage
        if usage is None:
            return None
        held[name] = usage.used
    return held


def _borrowable(
    name: str, tenants: Mapping[str, Tenant], held: Mapping[str, Mapping[Device, int]]
) -> dict[Device, int]:
    quotas = {tenant.name: tenant.quota for tenant in tenants.values()}
    found = free_for(name, quotas[name].borrowing, quotas, held)
    return {device: free.borrowable for device, free in found.items()}


def _queue(tickets: Iterable[Ticket]) -> tuple[Ticket, ...]:
    """Those that wait, the first to be served first: servers before jobs, then in the order of their filing."""
    waiting = [ticket for ticket in tickets if ticket.state is TicketState.QUEUED]
    return tuple(sorted(waiting, key=lambda t: (t.kind != "server", t.filed_at or 0.0, t.name)))


def _sum(counts: Iterable[Mapping[Device, int]]) -> dict[Device, int]:
    total: Counter[Device] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
