"""Rules of a bill that no checker of FOCUS has: prices times quantities, whole periods, sums that are the bill's."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from .bills import BillLine
from .focus_columns import Row
from .prices import EXACT

_ENOUGH = 20
# What is the same in every row of ours.
_ALWAYS = {"ChargeCategory": "Usage", "ServiceCategory": "AI and Machine Learning", "PricingUnit": "Seconds"}
# Each cost, and the unit price that it is the product of.
_PRODUCTS = {
    "ListCost": "ListUnitPrice",
    "ContractedCost": "ContractedUnitPrice",
    "EffectiveCost": "ContractedUnitPrice",
}


@dataclass(frozen=True, slots=True)
class Sums:
    """What Cost and Usage has to come to: the bill of each team by its lines and corrections, and of how many seconds.

    ``details`` are the amounts of Invoice Detail by their id; None where nothing is invoiced.
    """

    seconds: Mapping[str, int]
    exact: Mapping[str, Decimal]
    details: Mapping[str, Decimal] | None

    @classmethod
    def of(cls, lines: Iterable[tuple[BillLine, int]], details: Iterable[Row] | None) -> Sums:
        """``lines`` each with 1, or with -1 for what is taken back."""
        seconds: dict[str, int] = {}
        exact: dict[str, Decimal] = {}
        for line, sign in lines:
            tenant = line.key.tenant
            seconds[tenant] = seconds.get(tenant, 0) + sign * line.seconds
            exact[tenant] = EXACT.add(exact.get(tenant, Decimal(0)), sign * (line.exact or Decimal(0)))
        if details is None:
            return cls(seconds, exact, None)
        return cls(seconds, exact, {str(row["InvoiceDetailId"]): _number(row, "BilledCost") for row in details})


class Rules:
    """Takes the rows of Cost and Usage one by one, and says what is wrong with them."""

    def __init__(self, sums: Sums) -> None:
        self._right = sums
        self._place = 0
        self._problems: list[str] = []
        self._seconds: dict[str, Decimal] = {}
        self._exact: dict[str, Decimal] = {}
        self._billed: dict[str, Decimal] = {}
        self._until: dict[str, list[tuple[str, str]]] = {}

    def take(self, row: Row) -> None:
        """The next row."""
        self._place += 1
        for problem in (*_of_periods(row), *_of_costs(row)):
            self._say(f"row {self._place}: {problem}")
        for column, right in _ALWAYS.items():
            if row[column] != right:
                self._say(f"row {self._place}: {column} is {row[column]} and not {right}")
        tenant = str(row["SubAccountId"])
        _add(self._seconds, tenant, _number(row, "PricingQuantity"))
        _add(self._exact, tenant, _number(row, "ListCost"))
        _add(self._billed, str(row.get("InvoiceDetailId")), _number(row, "BilledCost"))
        if row["ResourceId"] is not None:
            period = str(row["ChargePeriodStart"]), str(row["ChargePeriodEnd"])
            self._until.setdefault(str(row["ResourceId"]), []).append(period)

    def problems(self) -> list[str]:
        """What is wrong with all that was taken; the first twenty of it."""
        for resource, periods in self._until.items():
            ordered = sorted(periods)
            for (_, end), (start, _) in itertools.pairwise(ordered):
                if start < end:
                    self._say(f"{resource} is charged twice from {start} on")
        self._compare("seconds", self._seconds, {name: Decimal(n) for name, n in self._right.seconds.items()})
        self._compare("ListCost", self._exact, self._right.exact)
        if self._right.details is None:
            self._compare("BilledCost", self._billed, dict.fromkeys(self._billed, Decimal(0)))
        else:
            self._compare("BilledCost", self._billed, self._right.details)
        return self._problems

    def _compare(self, what: str, found: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> None:
        for name in sorted(found.keys() | right.keys()):
            mine, bills = found.get(name, Decimal(0)), right.get(name, Decimal(0))
            if mine != bills:
                self._say(f"{what} of {name}: the rows sum to {mine:f}, the bill says {bills:f}")

    def _say(self, problem: str) -> None:
        if len(self._problems) < _ENOUGH:
            self._problems.append(problem)


def _of_periods(row: Row) -> Iterator[str]:
    start, end = str(row["ChargePeriodStart"]), str(row["ChargePeriodEnd"])
    first, last = str(row["BillingPeriodStart"]), str(row["BillingPeriodEnd"])
    if not first < last:
        yield f"BillingPeriodEnd {last} is not after its start {first}"
    if not start < end:
        yield f"ChargePeriodEnd {end} is not after its start {start}"
    if row["ChargeClass"] == "Correction":
        if end > first:
            yield f"a correction of {start} to {end} is of no month before {first}"
    elif not first <= start <= end <= last:
        yield f"the charge of {start} to {end} is not within the month of {first} to {last}"


def _of_costs(row: Row) -> Iterator[str]:
    quantity = _number(row, "PricingQuantity")
    for cost, price in _PRODUCTS.items():
        product = EXACT.multiply(_number(row, price), quantity)
        if product != _number(row, cost):
            yield f"{cost} is {row[cost]} and not {price} x PricingQuantity = {product:f}"
    if row["ChargeClass"] != "Correction" and quantity <= 0:
        yield f"PricingQuantity is {quantity} in a row that corrects nothing"


def _number(row: Row, column: str) -> Decimal:
    """The cell's number; rows that were read from a file have text."""
    return Decimal(row[column] or 0)


def _add(sums: dict[str, Decimal], name: str, number: Decimal) -> None:
    sums[name] = EXACT.add(sums.get(name, Decimal(0)), number)
