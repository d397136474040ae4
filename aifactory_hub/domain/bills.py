"""From holds and prices to the lines of a bill: exact, and rounded once."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .months import Span
from .prices import EXACT, Prices, PriceVersion, shared_out
from .usage import Hold, clip


@dataclass(frozen=True, slots=True, order=True)
class LineKey:
    """The subject of one line of a bill. ``price`` is the number of the price's version, 0 where there is no price."""

    tenant: str
    user: str
    profile: str
    kind: str
    price: int
    simulated: bool = False

    @property
    def order(self) -> tuple[str, str, str, str, int, bool]:
        """The key by which lines are sorted: in the order in which they compare, and faster."""
        return self.tenant, self.user, self.profile, self.kind, self.price, self.simulated


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long pods of one line held their profile, and how much of GPUs that was, in GPU-seconds."""

    key: LineKey
    held: int
    gpu: Fraction = Fraction(0)
    pods: int = 0


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line: seconds at a price. ``exact`` is their product, ``amount`` what is to be paid, in whole coins.

    ``per_second`` None: no price is set. ``pods`` is how many pods there were.
    """

    key: LineKey
    seconds: int
    gpu_seconds: Fraction
    pods: int
    per_second: Decimal | None
    currency: str
    exact: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Bill:
    """A team's lines of one month. ``amount`` is the sum of theirs, None where no line has a price."""

    tenant: str
    lines: tuple[BillLine, ...]

    @property
    def amount(self) -> Decimal | None:
        amounts = [line.amount for line in self.lines if line.amount is not None]
        return sum(amounts, Decimal(0)) if amounts else None

    @property
    def currency(self) -> str:
        return next((line.currency for line in self.lines if line.amount is not None), "")


@dataclass(frozen=True, slots=True)
class Charge:
    """The part of one hold that one price counts for: ``[start, end)``. ``version`` None: no price is set."""

    hold: Hold
    start: int
    end: int
    version: PriceVersion | None

    @property
    def seconds(self) -> int:
        return self.end - self.start

    @property
    def gpu_seconds(self) -> Fraction:
        """Seconds of GPUs, 0 where the card does not say."""
        return (self.hold.possession.gpus or Fraction(0)) * self.seconds

    @property
    def key(self) -> LineKey:
        """The line that it is part of."""
        whose = self.hold.possession
        number = 0 if self.version is None else self.version.number
        return LineKey(whose.tenant, whose.user, whose.profile, whose.kind, number, whose.simulated)

    @property
    def exact(self) -> Decimal | None:
        """The price of its seconds, not rounded."""
        per_second = None if self.version is None else self.version.per_second
        return None if per_second is None else EXACT.multiply(per_second, Decimal(self.seconds))


def charges(hold: Hold, prices: Prices, start: int, end: int) -> list[Charge]:
    """The hold's seconds within ``[start, end)``: a price that changes meanwhile splits it."""
    if not clip(hold, start, end):
        return []
    since, until = max(hold.start, start), end if hold.end is None else min(hold.end, end)
    cuts = [since, *prices.starts(since, until, hold.possession.profile), until]
    return [Charge(hold, a, b, prices.at(hold.possession.profile, a)) for a, b in itertools.pairwise(cuts)]


def summed(charged: Iterable[Charge]) -> list[Seconds]:
    """The charges by line; a pod is counted once for each."""
    held: Counter[LineKey] = Counter()
    gpu: dict[LineKey, Fraction] = {}
    pods: dict[LineKey, set[str]] = {}
    for charge in charged:
        key = charge.key
        held[key] += charge.seconds
        gpu[key] = gpu.get(key, Fraction(0)) + charge.gpu_seconds
        pods.setdefault(key, set()).add(charge.hold.pod)
    return [Seconds(key, held[key], gpu[key], len(pods[key])) for key in sorted(held)]


def bills(seconds: Iterable[Seconds], prices: Prices) -> list[Bill]:
    """A bill for each team. Each is rounded by itself: what another team used changes no cent of it."""
    costs = {v.number: (v.per_second, v.currency) for each in prices.versions.values() for v in each}
    by_tenant: dict[str, list[Seconds]] = {}
    for each in sorted(seconds, key=lambda s: s.key.order):
        by_tenant.setdefault(each.key.tenant, []).append(each)
    return [Bill(tenant, tuple(_lines(found, costs))) for tenant, found in by_tenant.items()]


def _lines(seconds: Sequence[Seconds], costs: Mapping[int, tuple[Decimal | None, str]]) -> Iterator[BillLine]:
    """A team's lines, rounded together. ``costs`` are the price of a second, and its currency, by version."""
    priced = [(each, *costs.get(each.key.price, (None, ""))) for each in seconds]
    exact = [None if cost is None else EXACT.multiply(cost, Decimal(each.held)) for each, cost, _ in priced]
    currency = next((currency for _, cost, currency in priced if cost is not None), "")
    amounts = iter(shared_out([each for each in exact if each is not None], currency))
    for (each, cost, currency), whole in zip(priced, exact, strict=True):
        amount = None if whole is None else next(amounts)
        yield BillLine(each.key, each.held, each.gpu, each.pods, cost, currency, whole, amount)


def line_json(line: BillLine) -> dict[str, Any]:
    """The line as it is stored and digested."""
    key = line.key
    return {
        "tenant": key.tenant,
        "user": key.user,
        "profile": key.profile,
        "kind": key.kind,
        "price": key.price,
        "simulated": key.simulated,
        "seconds": line.seconds,
        "gpu_seconds": str(line.gpu_seconds),
        "pods": line.pods,
        "per_second": None if line.per_second is None else f"{line.per_second:f}",
        "currency": line.currency,
        "exact": None if line.exact is None else f"{line.exact:f}",
        "amount": None if line.amount is None else f"{line.amount:f}",
    }


def line_of(row: Mapping[str, Any]) -> BillLine:
    """The line that was stored."""
    key = LineKey(row["tenant"], row["user"], row["profile"], row["kind"], row["price"], row["simulated"])
    return BillLine(
        key,
        row["seconds"],
        Fraction(row["gpu_seconds"]),
        row["pods"],
        _decimal(row["per_second"]),
        row["currency"],
        _decimal(row["exact"]),
        _decimal(row["amount"]),
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def digest(span: Span, lines: Iterable[BillLine]) -> str:
    """SHA-256 of a month's lines in their order: two bills with one digest are the same to the last digit."""
    rows = [line_json(line) for line in sorted(lines, key=lambda line: line.key)]
    text = json.dumps([span.name, span.start, span.end, rows], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Correction:
    """A difference of a closed month: ``retracted`` was billed, ``restated`` is what should have been."""

    retracted: BillLine | None
    restated: BillLine | None


def corrections(billed: Iterable[BillLine], right: Iterable[BillLine]) -> list[Correction]:
    """The lines in which what was billed, with all corrections so far, differs from what is right."""
    before, after = {line.key: line for line in billed}, {line.key: line for line in right}
    found = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is None or new is None or (old.seconds, old.gpu_seconds) != (new.seconds, new.gpu_seconds):
            found.append(Correction(old, new))
    return found


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """A month that is closed: when and by whom, with which events, and the digest of its lines."""

    span: Span
    zone: str
    closed_at: int
    closed_by: str
    through: int
    digest: str


@dataclass(frozen=True, slots=True)
class BillRecord:
    """A line as it was billed for ``month``, or a correction of one: ``record`` is original, retraction or
    restatement. It is booked in the month that was open at ``booked_at``."""

    month: str
    place: int
    record: str
    booked_in: str
    booked_at: int
    line: BillLine


def standing(records: Iterable[BillRecord]) -> list[BillLine]:
    """The lines that were billed, with all corrections, which come in their order."""
    found: dict[LineKey, BillLine] = {}
    for record in records:
        if record.record == "retraction":
            found.pop(record.line.key, None)
        else:
            found[record.line.key] = record.line
    return list(found.values())
