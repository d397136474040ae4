"""What is told of usage: to whom, for which time, and which lines are added up to which rows. Without I/O."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from .bills import BillLine, LineKey, charges
from .months import Span, day_of, month, month_of
from .names import slug
from .prices import EXACT, Prices, shared_out
from .tenants import Role
from .usage import Hold, clip
from .usage_series import by_span

# The longest time that one question may be about, in days, and that in hours.
MOST_DAYS, MOST_DAYS_IN_HOURS = 400, 62
_DAY = 24 * 3600
_SECONDS = re.compile(r"[0-9]{1,11}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BY = " (corrected by "
# A team, a profile and the number of its price.
_Price = tuple[str, str, int]


class Scope(StrEnum):
    """Whose usage somebody sees in a team: their OWN, or the TEAM's."""

    OWN = "own"
    TEAM = "team"


class By(StrEnum):
    """What lines are added up by."""

    USER = "user"
    PROFILE = "profile"
    KIND = "kind"
    TENANT = "tenant"
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Lines that are added up. ``amount`` None: nothing of it has a price; ``unpriced`` seconds have none."""

    key: str
    seconds: int = 0
    gpu_seconds: Fraction = Fraction(0)
    pods: int = 0
    amount: Decimal | None = None
    unpriced: int = 0


class PeriodRefused(ValueError):
    """A time that nothing can be told of. ``field`` is the parameter that is wrong; the text says what to do."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def scope_in(role: Role | None, *, platform: bool) -> Scope | None:
    """What somebody of this role in the team sees of it; None: nothing. ``platform``: an administrator of that."""
    if platform or role is Role.ADMIN:
        return Scope.TEAM
    return None if role is None else Scope.OWN


def names_of(user: str) -> tuple[str, ...]:
    """The names under which the ledger may have somebody: a label has no room for every name."""
    return tuple(dict.fromkeys((user, slug(user))))


def period(name: str | None, since: str | None, until: str | None, *, now: int, zone: ZoneInfo) -> Span:
    """The month of this name, or from ``since`` to before ``until``, each a day or seconds since 1970; the month that
    ``now`` is in where nothing is said. Raises PeriodRefused."""
    if name is not None and (since is not None or until is not None):
        raise PeriodRefused("month", f"month is {name!r}, with from or to: say the month, or from and to")
    if since is None and until is None:
        return month_of(now, zone) if name is None else named_month(name, zone)
    if since is None:
        raise PeriodRefused("from", f"to is {until!r}, without from: say both")
    start, end = _instant("from", since, zone), now if until is None else _instant("to", until, zone)
    if start >= end:
        raise PeriodRefused("to", f"to is {until or 'now'}, which is not after from, {since}: say a later one")
    if end - start > MOST_DAYS * _DAY:
        raise PeriodRefused("to", f"from {since} to {until or 'now'} is more than {MOST_DAYS} days: ask in parts")
    return Span(f"{since}/{until or now}", start, end)


def named_month(name: str, zone: ZoneInfo, field: str = "month") -> Span:
    """The month of this name. Raises PeriodRefused."""
    try:
        return month(name, zone)
    except ValueError as error:
        raise PeriodRefused(field, f"{field}: {error}") from error


def check_length(span: Span, by: By) -> None:
    """Raises PeriodRefused for more hours than one answer has."""
    if by is By.HOUR and span.seconds > MOST_DAYS_IN_HOURS * _DAY:
        raise PeriodRefused("by", f"by is 'hour' for more than {MOST_DAYS_IN_HOURS} days: ask by day, or in parts")


def _instant(field: str, text: str, zone: ZoneInfo) -> int:
    if _SECONDS.fullmatch(text):
        return int(text)
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not 1970 < day.year < 9999:
        raise PeriodRefused(field, f"{field} is {text!r}: write a day as 2026-10-25, or seconds since 1970")
    # Noon: no clock skips that.
    return day_of(datetime(day.year, day.month, day.day, 12, tzinfo=zone).timestamp(), zone).start


KEYS: Mapping[By, Callable[[LineKey], str]] = {
    By.USER: lambda key: key.user,
    By.PROFILE: lambda key: key.profile,
    By.KIND: lambda key: key.kind,
    By.TENANT: lambda key: key.tenant,
}


def rows(lines: Iterable[BillLine], by: By) -> list[UsageRow]:
    """The lines added up. Of each team exact amounts are added up and rounded once, so that they sum to its bill."""
    key_of, all_lines = KEYS[by], list(lines)
    groups: dict[str, list[BillLine]] = {}
    exact: dict[str, dict[str, Decimal]] = {}
    for line in all_lines:
        key = key_of(line.key)
        groups.setdefault(key, []).append(line)
        if line.exact is not None:
            of_team = exact.setdefault(line.key.tenant, {})
            of_team[key] = EXACT.add(of_team.get(key, Decimal(0)), line.exact)
    found = [_row(key, groups[key]) for key in sorted(groups)]
    return _with_amounts(found, exact, currency_of(all_lines))


def currency_of(lines: Iterable[BillLine]) -> str | None:
    """That of the lines with a price: "" where the site names none, None where it changed among them."""
    found = {line.currency for line in lines if line.exact is not None}
    return "" if not found else found.pop() if len(found) == 1 else None


def _row(key: str, lines: Sequence[BillLine]) -> UsageRow:
    return UsageRow(
        key,
        sum(line.seconds for line in lines),
        sum((line.gpu_seconds for line in lines), Fraction(0)),
        sum(line.pods for line in lines),
        unpriced=sum(line.seconds for line in lines if line.exact is None),
    )


def _with_amounts(
    found: Iterable[UsageRow], exact: Mapping[str, Mapping[str, Decimal]], currency: str | None
) -> list[UsageRow]:
    """The rows with what they cost. Amounts of different currencies are no sum."""
    amounts: dict[str, Decimal] = {}
    for of_team in exact.values() if currency is not None else ():
        for key, amount in zip(of_team, shared_out(list(of_team.values()), currency or ""), strict=True):
            amounts[key] = amounts.get(key, Decimal(0)) + amount
    return [replace(row, amount=amounts.get(row.key)) for row in found]


def summed(found: Iterable[UsageRow], pods: int) -> UsageRow:
    """All rows as one; ``pods`` because one pod can be in several."""
    all_rows = list(found)
    amounts = [row.amount for row in all_rows if row.amount is not None]
    return UsageRow(
        "",
        sum(row.seconds for row in all_rows),
        sum((row.gpu_seconds for row in all_rows), Fraction(0)),
        pods,
        sum(amounts, Decimal(0)) if amounts else None,
        sum(row.unpriced for row in all_rows),
    )


def rows_by_span(pages: Iterable[Sequence[Hold]], spans: Sequence[Span], prices: Prices) -> list[UsageRow]:
    """A row for each of the spans, which follow on each other. What goes on is counted up to the end of the last."""
    held: dict[_Price, list[int]] = {}
    gpu, pods = [Fraction(0)] * len(spans), [0] * len(spans)
    for page in pages:
        for key, parts in _by_price(page, spans, prices).items():
            add_seconds(parts, spans, held.setdefault(key, [0] * len(spans)), gpu)
        _count(pods, page, spans)
    return _span_rows(spans, held, gpu, pods, prices)


def add_seconds(holds: Iterable[Hold], spans: Sequence[Span], seconds: list[int], gpu_seconds: list[Fraction]) -> None:
    """Add to each of the spans what the holds have in it. Holds of one part of a GPU are added up together."""
    by_part: dict[Fraction | None, list[Hold]] = {}
    for hold in holds:
        by_part.setdefault(hold.possession.gpus, []).append(hold)
    for part, some in by_part.items():
        for place, held in enumerate(by_span(some, spans)):
            if held:
                seconds[place] += int(held)
                gpu_seconds[place] += (part or 0) * held


def _by_price(holds: Iterable[Hold], spans: Sequence[Span], prices: Prices) -> dict[_Price, list[Hold]]:
    """The holds cut where prices change, by team, profile and the price's number."""
    found: dict[_Price, list[Hold]] = {}
    if not spans:
        return found
    start, end = spans[0].start, spans[-1].end
    numbers: dict[str, int | None] = {}
    for hold in holds:
        whose = hold.possession
        if whose.profile not in numbers:
            numbers[whose.profile] = _only_price(whose.profile, prices, start, end)
        number = numbers[whose.profile]
        if number is not None:
            found.setdefault((whose.tenant, whose.profile, number), []).append(hold)
            continue
        for charge in charges(hold, prices, start, end):
            part = replace(hold, start=charge.start, end=charge.end)
            found.setdefault((whose.tenant, whose.profile, charge.key.price), []).append(part)
    return found


def _only_price(profile: str, prices: Prices, start: int, end: int) -> int | None:
    """The number of the price that counts in all of ``[start, end)``, 0 for none; None where it changes meanwhile."""
    if prices.starts(start, end, profile):
        return None
    version = prices.at(profile, start)
    return 0 if version is None else version.number


def _count(pods: list[int], holds: Iterable[Hold], spans: Sequence[Span]) -> None:
    """Add to each span how many of the holds have a second in it."""
    starts = [span.start for span in spans]
    changes = [0] * (len(spans) + 1)
    for hold in holds:
        if spans and clip(hold, starts[0], spans[-1].end):
            end = spans[-1].end if hold.end is None else min(hold.end, spans[-1].end)
            changes[bisect_right(starts, max(hold.start, starts[0])) - 1] += 1
            changes[bisect_right(starts, end - 1)] -= 1
    now = 0
    for place in range(len(spans)):
        now += changes[place]
        pods[place] += now


def _span_rows(
    spans: Sequence[Span],
    held: Mapping[_Price, Sequence[int]],
    gpu: Sequence[Fraction],
    pods: Sequence[int],
    prices: Prices,
) -> list[UsageRow]:
    versions = {version.number: version for each in prices.versions.values() for version in each}
    found = [UsageRow(span.name, 0, gpu[place], pods[place]) for place, span in enumerate(spans)]
    exact: dict[str, dict[str, Decimal]] = {}
    currencies = set()
    for (tenant, _, number), seconds in held.items():
        version = versions.get(number)
        per_second = None if version is None else version.per_second
        for place, count in enumerate(seconds):
            unpriced = count if per_second is None else 0
            row = found[place]
            found[place] = replace(row, seconds=row.seconds + count, unpriced=row.unpriced + unpriced)
        if version is not None and per_second is not None:
            currencies.add(version.currency)
            _cost(exact.setdefault(tenant, {}), spans, seconds, per_second)
    currency = None if len(currencies) > 1 else next(iter(currencies), "")
    return _with_amounts(found, exact, currency)


def _cost(of_team: dict[str, Decimal], spans: Sequence[Span], seconds: Sequence[int], per_second: Decimal) -> None:
    for span, count in zip(spans, seconds, strict=True):
        if count:
            cost = EXACT.multiply(per_second, Decimal(count))
            of_team[span.name] = EXACT.add(of_team.get(span.name, Decimal(0)), cost)


def corrected_note(reason: str, by: str) -> str:
    """What the ledger keeps of a correction."""
    return f"{reason}{_BY}{by})"


def note_for(note: str, scope: Scope) -> str:
    """The note as somebody of this scope may read it: names of others are for who sees all of the team."""
    return note if scope is Scope.TEAM else note.rpartition(_BY)[0] or note
