"""A month for FOCUS, as the database and tenants.yaml have it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from ..domain.focus import Account, FocusRefused, Month
from ..domain.months import month as month_named
from ..registry import Registry
from .billing import Billing
from .focus_files import Written, write_focus
from .ledger import Ledger
from .usage_reports import UsageReports


def write_month(db: Engine, registry: Registry, name: str, folder: Path, *, version: str, form: str) -> Written:
    """Write the month ``name``, such as 2026-10, into ``folder``: see write_focus.

    Raises ValueError for what is no month, and FocusRefused for one of which nothing was heard yet.
    """
    billing = Billing(db)
    month = read_month(db, registry, name)
    holds = UsageReports(db).holds(month.span.start, month.span.end)
    records = billing.records(month=name)
    records += [each for each in billing.records(booked_in=name) if each.month != name]
    return write_focus(folder, month, holds, billing.prices(), records, version=version, form=form)


def read_month(db: Engine, registry: Registry, name: str) -> Month:
    """The month as it stands. Raises ValueError for what is no month, FocusRefused before it has begun."""
    months, position = Billing(db).closed(), Ledger(db).position()
    closed = months.get(name)
    span = month_named(name, registry.billing.zone) if closed is None else closed.span
    until = span.end if closed is not None else 0 if position is None else min(span.end, position.heard_at)
    if until <= span.start:
        raise FocusRefused(f"nothing was heard yet of what ran in {name}: name a month that has begun")
    return Month(
        Account(registry.hub, registry.site.name, registry.cluster.name),
        span,
        until,
        registry.billing.chargeback,
        closed,
        {each.span.name: each.span for each in months.values()},
        {tenant.name: tenant.display_name for tenant in registry.tenants.values()},
    )
