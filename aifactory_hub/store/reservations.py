"""What jobs may still cost, as rows and as sums in memory that follow them.

Each row has the next place in its team. Sums in memory that were made up to another place than the last row's are made
anew from the rows: so a decision reads no row of a long queue, and none is missed whoever has written it. What somebody
else has released is noticed later, and until then more counts as reserved than is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.budgets import Unit
from .budget_tables import GrantRow, ReservationRow
from .budget_usage import SCALE, Amounts

# As whole numbers of this many to a second of a GPU, and to one of the currency.
_STORED: Mapping[Unit, int] = {Unit.GPU_HOURS: SCALE[Unit.GPU_HOURS], Unit.MONEY: 1_000_000}
_FACTOR = {unit: SCALE[unit] // stored for unit, stored in _STORED.items()}
_ROWS = select(ReservationRow.job_id, ReservationRow.owner, ReservationRow.gpu, ReservationRow.money).where(
    ReservationRow.tenant == bindparam("team")
)
# By the kind of database. A job that is stored twice, after a crash, is reserved once.
_RESERVE: Mapping[str, Any] = {
    "sqlite": sqlite.insert(ReservationRow).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(ReservationRow).on_conflict_do_nothing(),
}


@dataclass
class TeamReservations:
    """A team's, up to the row at the place ``last``: by job the owner and what it may cost in all."""

    last: int = -1
    jobs: dict[str, tuple[str, Amounts]] = field(default_factory=dict)
    owners: dict[str, Amounts] = field(default_factory=dict)
    totals: Amounts = field(default_factory=dict)

    def add(self, job_id: str, owner: str, most: Amounts) -> None:
        """Count what a job may cost, in the place of what was known of it."""
        self.drop(job_id)
        self.jobs[job_id] = (owner, most)
        self._sum(owner, most, 1)

    def drop(self, job_id: str) -> None:
        """Count nothing of the job any more."""
        known = self.jobs.pop(job_id, None)
        if known is not None:
            self._sum(*known, -1)

    def _sum(self, owner: str, most: Amounts, sign: int) -> None:
        of_owner = self.owners.setdefault(owner, {})
        for unit, amount in most.items():
            of_owner[unit] = of_owner.get(unit, 0) + sign * amount
            self.totals[unit] = self.totals.get(unit, 0) + sign * amount

    def left(self, unit: Unit, owner: str | None, used: Mapping[str, Amounts]) -> int | Fraction:
        """What jobs of the owner, or all, may still cost: without what they have used already."""
        whole = self.totals.get(unit, 0) if owner is None else self.owners.get(owner, {}).get(unit, 0)
        for job, amounts in used.items():
            known = self.jobs.get(job)
            if known is not None and owner in (None, known[0]):
                whole -= min(known[1].get(unit, 0), amounts.get(unit, 0))
        return whole


def stored_amounts(most: Mapping[Unit, Fraction]) -> Amounts:
    """As it is reserved: rounded up, so that it is never less than what it may cost."""
    return {unit: math.ceil(most.get(unit, Fraction(0)) * stored) * _FACTOR[unit] for unit, stored in _STORED.items()}


def read_reservations(connection: Connection, tenant: str, last: int) -> TeamReservations:
    """All rows of a team."""
    found = TeamReservations(last)
    for job_id, owner, gpu, money in connection.execute(_ROWS, {"team": tenant}):
        amounts: Amounts = {Unit.GPU_HOURS: gpu * _FACTOR[Unit.GPU_HOURS], Unit.MONEY: money * _FACTOR[Unit.MONEY]}
        found.add(job_id, owner, amounts)
    return found


def write_reservations(connection: Connection, rows: Iterable[tuple[str, str, str, Amounts, int, int, float]]) -> None:
    """Store rows of job, team, owner, amounts, attempt, place and time."""
    values = [
        {
            "job_id": job_id,
            "tenant": tenant,
            "owner": owner,
            "gpu": int(most[Unit.GPU_HOURS]) // _FACTOR[Unit.GPU_HOURS],
            "money": int(most[Unit.MONEY]) // _FACTOR[Unit.MONEY],
            "attempt": attempt,
            "place": place,
            "at": at,
        }
        for job_id, tenant, owner, most, attempt, place, at in rows
    ]
    if values:
        connection.execute(_RESERVE[connection.dialect.name], values)


def drop_reservations(connection: Connection, job_ids: Collection[str]) -> None:
    """Remove the rows of these jobs."""
    connection.execute(delete(ReservationRow).where(ReservationRow.job_id.in_(job_ids)))


def hand_over_reservations(connection: Connection, name: str, former: str) -> None:
    """What is reserved for the name's jobs is the former owner's of the account, and what was granted to it."""
    connection.execute(update(ReservationRow).where(ReservationRow.owner == name).values(owner=former))
    connection.execute(update(GrantRow).where(GrantRow.user == name).values(user=former))
