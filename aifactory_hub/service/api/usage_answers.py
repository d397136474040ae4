"""Makes the answers about usage and bills: from rows, lines and holds to JSON, without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal, cast

from ...domain.bills import BillLine, charges
from ...domain.prices import Prices, PriceVersion, rounded
from ...domain.usage import Hold, UsageFact, clip
from ...domain.usage_answers import By, Scope, UsageRow, note_for
from .. import usage_answer_types as types
from ..usage_reader import Summary


def money(amount: Decimal | None) -> str | None:
    """As text; null stays null."""
    return None if amount is None else f"{amount:f}"


def number(amount: Fraction, places: int = 3) -> float:
    """GPU-seconds and means, which are no money."""
    return round(float(amount), places)


def own_usage(
    summary: Summary, lines: Iterable[BillLine], prices: Prices, *, as_of: int, currency: str
) -> types.OwnUsage:
    """Of one person. ``currency`` is the site's now, for a month without any price."""
    total, versions = summary.total, versions_of(prices)
    return {
        "month": summary.span.name,
        "start": summary.span.start,
        "end": summary.span.end,
        "as_of": as_of,
        "seconds": total.seconds,
        "gpu_seconds": number(total.gpu_seconds),
        "pods": total.pods,
        "amount": money(total.amount),
        "currency": currency_said(summary, currency),
        "uncertain_seconds": summary.uncertain,
        "simulated": summary.simulated,
        "lines": [_own_line(line, versions) for line in lines],
    }


def _own_line(line: BillLine, versions: Mapping[int, PriceVersion]) -> types.OwnLine:
    return {
        "tenant": line.key.tenant,
        "profile": line.key.profile,
        "kind": line.key.kind,
        "seconds": line.seconds,
        "gpu_seconds": number(line.gpu_seconds),
        "pods": line.pods,
        "per_hour": per_hour(line, versions),
        "amount": money(line.amount),
    }


def versions_of(prices: Prices) -> dict[int, PriceVersion]:
    """All versions by their number."""
    return {version.number: version for each in prices.versions.values() for version in each}


def per_hour(line: BillLine, versions: Mapping[int, PriceVersion]) -> str | None:
    """What an hour of this line costs; None: no price."""
    version = versions.get(line.key.price)
    return None if version is None else money(version.per_hour)


def currency_said(summary: Summary, currency: str) -> str | None:
    """That of the amounts, which is the site's where nothing has a price; null where the site has none."""
    if summary.currency is None:
        return None
    return summary.currency or currency or None


def team_usage(
    summary: Summary, tenant: str, scope: Scope, by: By, *, zone: str, as_of: int, currency: str
) -> types.TeamUsage:
    """Of a team, or of one person in it."""
    return {
        "tenant": tenant,
        "scope": "team" if scope is Scope.TEAM else "own",
        "by": cast("Literal['user', 'profile', 'kind', 'day', 'hour']", by.value),
        **_summary_answer(summary, zone, as_of, currency),
    }


def platform_usage(summary: Summary, by: By, *, zone: str, as_of: int, currency: str) -> types.PlatformUsage:
    """Of all teams."""
    return {
        "by": cast("Literal['tenant', 'profile', 'day']", by.value),
        **_summary_answer(summary, zone, as_of, currency),
    }


def _summary_answer(summary: Summary, zone: str, as_of: int, currency: str) -> types.SummaryAnswer:
    return {
        "zone": zone,
        "start": summary.span.start,
        "end": summary.span.end,
        "as_of": as_of,
        "uncertain_seconds": summary.uncertain,
        "simulated": summary.simulated,
        "currency": currency_said(summary, currency),
        "rows": [row_answer(row) for row in summary.rows],
        "total": row_answer(summary.total),
    }


def row_answer(row: UsageRow) -> types.UsageRowAnswer:
    """One row."""
    return {
        "key": row.key,
        "seconds": row.seconds,
        "gpu_seconds": number(row.gpu_seconds),
        "pods": row.pods,
        "amount": money(row.amount),
        "unpriced_seconds": row.unpriced,
    }


def week(cells: Sequence[Sequence[Fraction]]) -> list[list[float]]:
    """Means to four places."""
    return [[number(cell, 4) for cell in row] for row in cells]


def hold_answer(hold: Hold, prices: Prices, start: int, end: int, scope: Scope) -> types.HoldAnswer:
    """One hold, with what it has and costs within ``[start, end)``."""
    whose = hold.possession
    costs = [(charge.exact, charge.version) for charge in charges(hold, prices, start, end)]
    priced = [(exact, version) for exact, version in costs if exact is not None and version is not None]
    amount = None
    if priced and len({version.currency for _, version in priced}) == 1:
        amount = rounded(sum((exact for exact, _ in priced), Decimal(0)), priced[0][1].currency)
    return {
        "pod": hold.pod,
        "name": whose.name,
        "user": whose.user,
        "profile": whose.profile,
        "kind": whose.kind,
        "owner": whose.owner,
        "node": whose.node,
        "devices": dict(whose.devices),
        "simulated": whose.simulated,
        "start": hold.start,
        "end": hold.end,
        "uncertain_seconds": hold.uncertain,
        "seconds": clip(hold, start, end),
        "amount": money(amount),
        "ended_by": hold.ended_by,
        "source": hold.source,
        "void": hold.void,
        "note": note_for(hold.note, scope),
    }


def fact_answer(fact: UsageFact, scope: Scope) -> types.FactAnswer:
    """What one witness saw."""
    return {
        "seq": fact.place,
        "kind": fact.kind,
        "source": fact.source,
        "at": fact.at,
        "earliest": fact.earliest,
        "latest": fact.latest,
        "observed_at": fact.observed_at,
        "note": note_for(fact.note, scope),
    }
