"""Room on the service's disk: counted for each person and team, and reserved before anything is received.

What is kept is counted from the database. What is on its way is in this process's memory: only one process works with
a database (see ``store.lease``), so a check and the reservation after it, between which nothing else runs, are as good
as a transaction, and after a crash there is nothing to take back.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

from sqlalchemy import Engine

from ..domain.jobs import job_of
from ..domain.refusals import Refusal, RefusalReason
from ..domain.room import Disk, RoomLimits, decide_room, log_limit
from ..store import FileStore, LogSpool
from ..store.room import Who, held_bytes, largest_jobs, owners_of
from .errors import ServiceError, from_refusal
from .executors import uploads

# Of a log that there is no room for its end is kept, so many bytes of it.
LEAST_LOG = 64 * 1024
# How old a count may be that somebody is refused by, in seconds.
_FRESH = 2.0
# How long what is known of the disk is used, in seconds.
_LOOK_EVERY = 1.0
_NAMED = 5

Held = Mapping[Who, Mapping[str, int]]


@dataclass(eq=False)
class Reservation:
    """Room for ``size`` bytes of ``kind`` (see domain.room.KINDS). ``job`` for what a job gives back."""

    tenant: str
    owner: str
    kind: str
    size: int
    job: str | None = None


class Room:
    """Counts and reserves. For one event loop; ``recount_now`` is for before it runs."""

    def __init__(self, db: Engine, files: FileStore, spool: LogSpool, limits: RoomLimits) -> None:
        self._db = db
        self._files = files
        self._spool = spool
        self._limits = limits
        self._held: Held = {}
        # Kept since the count began, and before that but after the one whose result is in use.
        self._since: list[Reservation] = []
        self._being_counted: list[Reservation] = []
        self._open: set[Reservation] = set()
        self._counted_at = float("-inf")
        # The disk when it was looked at last, less what has been written since.
        self._total = self._free = 0
        self._looked_at = float("-inf")
        self._counting = asyncio.Lock()
        self._jobs: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def set_limits(self, limits: RoomLimits) -> None:
        """Use these from now on. Nothing that is kept is removed by it."""
        self._limits = limits

    def recount_now(self) -> None:
        """Count what is kept; blocks."""
        self._held = self._count()
        self._counted_at = time.monotonic()

    async def recount(self) -> None:
        """Count what is kept, in a thread. Reservations go on meanwhile, and are never forgotten."""
        async with self._counting:
            began = time.monotonic()
            self._being_counted, self._since = [*self._being_counted, *self._since], []
            self._held = await uploads.run(self._count)
            self._being_counted, self._counted_at = [], began

    def changed(self) -> None:
        """Something was removed: whoever would be refused is counted anew."""
        self._counted_at = float("-inf")

    async def reserve(self, tenant: str, owner: str, kind: str, size: int, *, job: str | None = None) -> Reservation:
        """Room for what is about to come. Raises ServiceError (413, 507) with what is held, and where most of it is."""
        await self._look_at_disk()
        refusal = self._decide(tenant, owner, size)
        if refusal is not None and refusal.reason is RefusalReason.NO_ROOM:
            if time.monotonic() - self._counted_at > _FRESH:
                await self.recount()
            refusal = self._decide(tenant, owner, size)
        if refusal is not None:
            raise await self._refused(tenant, owner, refusal)
        # Nothing was awaited since the decision.
        reservation = Reservation(tenant, owner, kind, size, job)
        self._open.add(reservation)
        return reservation

    def release(self, reservation: Reservation, *, kept: bool) -> None:
        """The upload has ended; ``kept`` when its bytes are recorded in the database now. Again, nothing happens."""
        if reservation in self._open:
            self._open.remove(reservation)
            self._free -= reservation.size
            if kept:
                self._since.append(reservation)

    def reserved_for(self, job: str) -> list[Reservation]:
        """What is on its way for a job."""
        return [each for each in self._open if each.job == job]

    def job_lock(self, job: str) -> asyncio.Lock:
        """Held while the files of a job are read from the database and room is reserved by them, or one is added."""
        lock = self._jobs.get(job)
        if lock is None:
            lock = self._jobs[job] = asyncio.Lock()
        return lock

    async def log_limit(self, tenant: str, owner: str, most: int) -> int:
        """How many bytes of a log may be kept: ``most``, or only the end of it where there is no room."""
        await self._look_at_disk()
        return log_limit(most, LEAST_LOG, self._decide(tenant, owner, most))

    def holders(self, tenant: str | None = None) -> dict[Who, dict[str, int]]:
        """Bytes by person and kind, also those on their way; of one team, or of all."""
        held: dict[Who, dict[str, int]] = {
            who: defaultdict(int, kinds) for who, kinds in self._held.items() if tenant in (None, who[0])
        }

        def add(each: Reservation, kind: str) -> None:
            if tenant in (None, each.tenant):
                held.setdefault((each.tenant, each.owner), defaultdict(int))[kind] += each.size

        for each in (*self._being_counted, *self._since):
            add(each, each.kind)
        for each in self._open:
            add(each, "uploads")
        return held

    async def disk(self) -> Disk:
        """The disk as it is now; what is reserved is not free."""
        await self._look_at_disk()
        return self._with_reserved()

    async def _look_at_disk(self) -> None:
        if time.monotonic() - self._looked_at > _LOOK_EVERY:
            self._total, self._free = await uploads.run(self._files.disk)
            self._looked_at = time.monotonic()

    def _decide(self, tenant: str, owner: str, size: int) -> Refusal | None:
        held = self.holders(tenant)
        person = held.get((tenant, owner), {})
        disk, limits = self._with_reserved(), self._limits
        return decide_room(size, tenant=tenant, person=person, team=_sum(held.values()), limits=limits, disk=disk)

    def _with_reserved(self) -> Disk:
        return Disk(self._total, self._free - sum(each.size for each in self._open))

    async def _refused(self, tenant: str, owner: str, refusal: Refusal) -> ServiceError:
        error = from_refusal(refusal)
        error.numbers["holds"] = dict(self.holders(tenant).get((tenant, owner), {}))
        largest = await uploads.run(largest_jobs, self._db, tenant, owner, limit=_NAMED)
        error.numbers["largest"] = [{"job": job, "bytes": size} for job, size in largest]
        return error

    def _count(self) -> Held:
        held = {who: dict(kinds) for who, kinds in held_bytes(self._db).items()}
        live = self._spool.held()
        owners = owners_of(self._db, sorted({job_of(run) for run in live}))
        for run, size in live.items():
            who = owners.get(job_of(run))
            if who is not None:
                kinds = held.setdefault(who, {})
                kinds["live_logs"] = kinds.get("live_logs", 0) + size
        return held


def _sum(each: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for kinds in each:
        for kind, size in kinds.items():
            total[kind] += size
    return total
