"""Budgets in the database: what is reserved and granted, and decisions in the transaction that stores a job.

The decision and the reservation are one transaction, and those of one team follow on each other: on SQLite all that
write take turns, on PostgreSQL a lock of the team is taken. So of many that come at once exactly those are let through
that fit.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, bindparam, func, insert, select

from ..domain.budget_words import hold_reason
from ..domain.budgets import HELD_BY, Account, Action, Budget, Costs, Grant, Unit, granted, holding, longest_cost
from ..domain.jobs import JobState
from ..domain.months import Span
from ..domain.prices import Prices
from ..domain.usage_answers import names_of
from .billing import read_prices
from .budget_tables import GrantRow, ReservationRow
from .budget_usage import SCALE, Amounts, TeamSpending, read_team
from .database import writing
from .models import JobRow
from .reservations import (
    TeamReservations,
    drop_reservations,
    read_reservations,
    stored_amounts,
    write_reservations,
)
from .usage_tables import HoldRow, PriceRow

_NOTHING = Fraction(0)
# What has changed of all that decisions are made on, in one statement.
_HEADS = select(
    select(func.max(HoldRow.changed)).scalar_subquery(),
    select(func.max(PriceRow.number)).scalar_subquery(),
    select(func.max(GrantRow.number)).scalar_subquery(),
    select(func.max(ReservationRow.place)).where(ReservationRow.tenant == bindparam("team")).scalar_subquery(),
)
_ATTEMPT = select(ReservationRow.attempt).where(ReservationRow.job_id == bindparam("job"))


@dataclass(frozen=True, slots=True)
class TeamBudgets:
    """The budgets of a team as tenants.yaml has them that are in their time, each with that, and when is now.

    ``until`` is the second up to which the ledger knows everything; ``known`` false: that is long ago.
    """

    tenant: str
    budgets: tuple[tuple[Budget, Span], ...]
    zone: ZoneInfo
    currency: str
    now: float
    until: int
    known: bool

    @property
    def spans(self) -> frozenset[Span]:
        """The times that its budgets are in."""
        return frozenset(span for _, span in self.budgets)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job asks of its team's budgets: it may take so many ``seconds`` in all, and ``costs`` are for one."""

    team: TeamBudgets
    user: str
    costs: Costs
    seconds: int
    attempt: int = 1

    @property
    def most(self) -> dict[Unit, Fraction]:
        """What it costs at most in all."""
        return {unit: cost * self.seconds for unit, cost in self.costs.items()}


@dataclass
class _Books:
    """What is known of a team, in memory. ``counted`` are jobs that count as reserved and are not stored yet."""

    spending: TeamSpending
    reserved: TeamReservations = field(default_factory=TeamReservations)
    counted: set[str] = field(default_factory=set)
    grants: Sequence[Grant] = ()

    def accounts(self, team: TeamBudgets, user: str | None, *, without: str | None = None) -> list[Account]:
        """Of the team's own budgets, or of those of each person for ``user``; only those that hold jobs with
        ``without``, a job that is asked about and counts nothing."""
        used = self.spending.of_jobs(team.until)
        found = []
        for budget, span in team.budgets:
            if budget.person is (user is None) or (without is not None and budget.at(Action.HOLD) is None):
                continue
            more = granted(budget, user or "", self.grants, team.now) if self.grants else _NOTHING
            names, scale = None if user is None else names_of(user), SCALE[budget.unit]
            spent = self.spending.spent(span, budget.unit, names, team.until)
            reserved = self.reserved.left(budget.unit, user, used)
            found.append(
                Account(
                    budget,
                    span,
                    user or "",
                    budget.limit + more,
                    more,
                    Fraction(spent, scale) if isinstance(spent, int) else spent / scale,
                    Fraction(reserved, scale) if isinstance(reserved, int) else reserved / scale,
                    team.known,
                )
            )
        return found


class BudgetBook:
    """All budgets of a service. Methods block and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db
        self._books: dict[str, _Books] = {}
        self._prices, self._price_number = Prices({}), -1
        self._grants: dict[str, tuple[Grant, ...]] = {}
        self._grant_number = -1
        # What is in memory is one for all: whoever looks has it until they have read.
        self._lock = threading.Lock()

    def decide(
        self, connection: Connection, rows: Sequence[Mapping[str, Any]], asked: Mapping[str, Asked]
    ) -> tuple[list[dict[str, Any]], set[str]]:
        """New jobs as they are to be stored: those that a budget holds in HELD, with why. Also the jobs that are let
        through: reserve for them with ``reserve_new`` once they are stored, in the same transaction.

        ``asked`` is by job; others are stored as they are.
        """
        books: dict[str, _Books] = {}
        decided, through = [], set()
        for row in rows:
            wants = asked.get(row["id"])
            if wants is None:
                decided.append(dict(row))
                continue
            tenant = wants.team.tenant
            if tenant not in books:
                books[tenant] = self._open(connection, wants.team)
            why = self._judge(books[tenant], row["id"], wants)
            if why is None:
                through.add(row["id"])
                decided.append(dict(row))
            else:
                decided.append({**row, "state": JobState.HELD.value, "reason": why})
        return decided, through

    def reserve_new(self, connection: Connection, job_ids: Iterable[str], asked: Mapping[str, Asked]) -> None:
        """Reserve for those of the ``asked`` jobs that were let through and are stored, in the same transaction."""
        by_team: dict[str, list[tuple[str, Asked, Amounts]]] = {each.team.tenant: [] for each in asked.values()}
        for job_id in job_ids:
            wants = asked[job_id]
            by_team[wants.team.tenant].append((job_id, wants, stored_amounts(wants.most)))
        for tenant, those in by_team.items():
            self._write(connection, tenant, those)

    def reserve(self, job_id: str, wants: Asked) -> str | None:
        """Reserve for a job that is stored already, unless that was done; why a budget holds it, None where none does.

        A further attempt reserves anew what it may cost besides what the job used already.
        """
        with self._db.connect() as connection:
            attempt = connection.scalar(_ATTEMPT, {"job": job_id})
        if attempt is not None and attempt >= wants.attempt:
            return None
        tenant = wants.team.tenant
        with writing(self._db) as connection:
            books = self._open(connection, wants.team)
            before = books.reserved.jobs.get(job_id)
            why = self._judge(books, job_id, wants)
            if why is not None:
                if before is not None:
                    with self._lock:
                        books.reserved.add(job_id, *before)
                return why
            used = books.spending.of_jobs(wants.team.until).get(job_id, {})
            most = {unit: amount + Fraction(used.get(unit, 0)) / SCALE[unit] for unit, amount in wants.most.items()}
            if attempt is not None:
                drop_reservations(connection, [job_id])
            self._write(connection, tenant, [(job_id, wants, stored_amounts(most))])
            with self._lock:  # it counts what the job used already, too
                books.reserved.add(job_id, wants.user, stored_amounts(most))
        return None

    def release(self, now: float, until: int) -> list[str]:
        """Release what is reserved for jobs of which nothing is left, once the ledger knows all that they used; the
        teams in which something was."""
        query = (
            select(ReservationRow.job_id, ReservationRow.tenant)
            .join(JobRow, JobRow.id == ReservationRow.job_id)
            .where(JobRow.cleaned_at.is_not(None), JobRow.cleaned_at <= min(now, until))
        )
        with self._db.connect() as connection:
            over = {row.job_id: row.tenant for row in connection.execute(query)}
        tenants = sorted(set(over.values()))
        if over:
            with writing(self._db) as connection:
                for tenant in tenants:
                    _lock_team(connection, tenant)
                drop_reservations(connection, over)
                self._drop(connection, over)
        return tenants

    def accounts(self, team: TeamBudgets, users: Collection[str] = ()) -> list[Account]:
        """How the team's budgets stand, and those of each of these users."""
        with self._db.connect() as connection:
            books = self._open(connection, team, reads=True)
        with self._lock:
            return [each for user in (None, *users) for each in books.accounts(team, user)]

    def users(self, team: TeamBudgets) -> list[str]:
        """Who used something in the time of a budget of each person, or has something reserved."""
        with self._db.connect() as connection:
            books = self._open(connection, team, reads=True)
        with self._lock:
            found = {user for user, of in books.reserved.owners.items() if any(of.values())}
            for budget, span in team.budgets:
                if budget.person:
                    found |= books.spending.users(span)
        return sorted(found - {""})

    def grants(self, tenant: str) -> tuple[Grant, ...]:
        """All of a team, the newest first."""
        query = select(GrantRow.__table__).where(GrantRow.tenant == tenant).order_by(GrantRow.number.desc())
        with self._db.connect() as connection:
            return tuple(_grant(row._asdict()) for row in connection.execute(query))

    def grant(self, given: Grant) -> Grant:
        """Add a grant; it gets the next number. Of one that is there already, to the same end, nothing is added."""
        values = grant_values(given)
        same = [GrantRow.__table__.c[name] == value for name, value in values.items() if name not in ("number", "at")]
        with writing(self._db) as connection:
            _lock_team(connection, "")
            known = connection.execute(select(GrantRow.__table__).where(*same)).first()
            if known is not None:
                return _grant(known._asdict())
            last = int(connection.scalar(select(func.max(GrantRow.number))) or 0)
            values["number"] = last + 1
            connection.execute(insert(GrantRow).values(**values))
        return _grant(values)

    def held(self) -> dict[str, list[str]]:
        """The jobs that wait in HELD, by team, the oldest first."""
        query = select(JobRow.tenant, JobRow.id).where(JobRow.state == JobState.HELD.value, JobRow.cleaned_at.is_(None))
        found: dict[str, list[str]] = {}
        with self._db.connect() as connection:
            for row in connection.execute(query.order_by(JobRow.submitted_at, JobRow.id)):
                found.setdefault(row.tenant, []).append(row.id)
        return found

    def held_count(self, tenant: str) -> int:
        """How many jobs of the team its budgets hold."""
        this = (JobRow.tenant == tenant, JobRow.state == JobState.HELD.value, JobRow.reason.startswith(HELD_BY))
        with self._db.connect() as connection:
            return int(connection.scalar(select(func.count()).select_from(JobRow).where(*this)) or 0)

    def refresh(self) -> None:
        """Read everything anew at the next look."""
        with self._lock:
            self._books.clear()
            self._grant_number = self._price_number = -1

    def _open(self, connection: Connection, team: TeamBudgets, *, reads: bool = False) -> _Books:
        """What is known of the team, within the transaction. ``reads``: nothing is decided by it."""
        if not reads:
            _lock_team(connection, team.tenant)
        with self._lock:
            changed, price, grant, last = connection.execute(_HEADS, {"team": team.tenant}).one()
            if (price or 0) != self._price_number:
                self._price_number, self._prices = price or 0, read_prices(connection)
                self._books.clear()
            if (grant or 0) != self._grant_number:
                self._grant_number, self._grants = grant or 0, _all_grants(connection)
            books = self._books.get(team.tenant)
            if books is None or books.spending.spans != team.spans:
                books = self._books[team.tenant] = _Books(TeamSpending(team.spans))
            stale = books.spending.seen < 0 or books.reserved.last != (last or 0)
            # Counted by a transaction that failed; one that goes on is left alone by those that only read.
            stale = (stale and not books.counted) if reads else (stale or bool(books.counted))
            read_team(connection, team.tenant, books.spending, changed or 0, self._prices)
            if stale:
                books.counted.clear()
                books.reserved = read_reservations(connection, team.tenant, last or 0)
                books.spending.keep_jobs(books.reserved.jobs)
            books.grants = self._grants.get(team.tenant, ())
        return books

    def _judge(self, books: _Books, job_id: str, wants: Asked) -> str | None:
        """Why a budget holds the job; None: it is counted as reserved from now on."""
        team = wants.team
        with self._lock:
            books.reserved.drop(job_id)
            accounts = [each for user in (None, wants.user) for each in books.accounts(team, user, without=job_id)]
            asked = {
                each.budget.name: longest_cost(wants.costs, each.budget, each.span, seconds=wants.seconds, now=team.now)
                for each in accounts
            }
            found = holding(accounts, asked)
            if found is None:
                books.reserved.add(job_id, wants.user, stored_amounts(wants.most))
                books.counted.add(job_id)
                return None
        account, step = found
        return hold_reason(account, step, asked[account.budget.name], team.tenant, team.currency)

    def _write(self, connection: Connection, tenant: str, those: Sequence[tuple[str, Asked, Amounts]]) -> None:
        """Store them at the next places. What is in memory counts them already, if they are all that it counted."""
        with self._lock:
            books = self._books[tenant]
            last, right = books.reserved.last, {job_id for job_id, _, _ in those} == books.counted
            books.reserved.last = last + len(those) if right else -1
            books.counted.clear()
        rows = []
        for place, (job_id, wants, most) in enumerate(those, last + 1):
            rows.append((job_id, tenant, wants.user, most, wants.attempt, place, wants.team.now))
        write_reservations(connection, rows)

    def _drop(self, connection: Connection, over: Mapping[str, str]) -> None:
        """Count nothing of these jobs any more, each with its team; their rows are gone."""
        query = select(ReservationRow.tenant, func.max(ReservationRow.place)).group_by(ReservationRow.tenant)
        last = {row[0]: int(row[1]) for row in connection.execute(query)}
        with self._lock:
            for tenant in set(over.values()) & self._books.keys():
                books = self._books[tenant]
                those = [job for job, whose in over.items() if whose == tenant]
                for job in those:
                    books.reserved.drop(job)
                books.spending.forget_jobs(those)
                books.reserved.last = last.get(tenant, 0) if books.reserved.last >= 0 else -1


def _lock_team(connection: Connection, tenant: str) -> None:
    """Until the transaction's end nobody else decides for the team. On SQLite whoever writes has a turn already."""
    if connection.dialect.name != "sqlite":
        key = int.from_bytes(sha256(f"budget {tenant}".encode()).digest()[:8], "big", signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(key)))


def grant_values(given: Grant) -> dict[str, Any]:
    """The row of a grant."""
    return {
        "number": given.number,
        "tenant": given.tenant,
        "budget": given.budget,
        "user": given.user,
        "amount": str(given.amount),
        "until": given.until,
        "reason": given.reason,
        "by": given.by,
        "at": given.at,
    }


def _grant(row: Mapping[str, Any]) -> Grant:
    return Grant(**{**row, "amount": Fraction(row["amount"])})


def _all_grants(connection: Connection) -> dict[str, tuple[Grant, ...]]:
    found: dict[str, tuple[Grant, ...]] = {}
    for row in connection.execute(select(GrantRow.__table__).order_by(GrantRow.number)):
        given = _grant(row._asdict())
        found[given.tenant] = (*found.get(given.tenant, ()), given)
    return found
