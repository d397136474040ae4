"""A month's bill in FOCUS, the FinOps Foundation's form of bills: rows of its datasets, of versions 1.4 and 1.2.

Each row of Cost and Usage is what one pod held at one price, so that quantity times unit price is its cost to the last
digit. What has no price is no charge, and is not in it: see ``Content.unpriced``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from .bills import BillLine, BillRecord, Charge, ClosedMonth, LineKey, bills, charges, summed
from .focus_columns import Cell, Row
from .months import Span, utc
from .prices import EXACT, Prices, PriceVersion, shared_out
from .usage import Hold

_NOTHING = Decimal(0)
_UNIT = "Seconds"
_KINDS = {"server": "Notebook server", "job": "Job", "pod": "Pod"}
# Decimals of a GPU-second, for what is no whole part of one, such as a seventh.
_GPU_SECOND = Decimal("0.000001")


class FocusRefused(ValueError):
    """A month that FOCUS can't tell; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who bills: the hub's name, the product's name, and the name of the cluster that it runs on."""

    hub: str
    name: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Month:
    """The month that is told: ``until`` is the second up to which it is known. ``closed`` None: it is open.

    ``months`` are the spans of the closed months by name, which corrections are of. ``tenants`` are the teams' display
    names.
    """

    account: Account
    span: Span
    until: int
    chargeback: bool = False
    closed: ClosedMonth | None = None
    months: Mapping[str, Span] = field(default_factory=dict)
    tenants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """What is told of a month: its lines, the charges behind each, and the corrections that are booked in it.

    ``unpriced`` are the lines without a price, which FOCUS does not tell.
    """

    month: Month
    prices: Mapping[int, PriceVersion]
    lines: Sequence[BillLine]
    charges: Mapping[LineKey, Sequence[Charge]]
    corrections: Sequence[BillRecord]
    unpriced: Sequence[BillLine]

    @property
    def currency(self) -> str:
        """The lines' currency; empty where there are none."""
        return self.lines[0].currency if self.lines else ""


def content(month: Month, holds: Iterable[Hold], prices: Prices, records: Iterable[BillRecord]) -> Content:
    """What there is to tell of the month. ``records`` are the closed months' rows; those of other months that are not
    booked in this one are left out.

    Raises FocusRefused where a currency is missing, or there are two.
    """
    charged = _charged(month, holds, prices)
    mine = [each for each in records if month.span.name in (each.month, each.booked_in)]
    if month.closed is None:
        every = summed(charge for each in charged.values() for charge in each)
        lines = [line for bill in bills(every, prices) for line in bill.lines]
    else:
        lines = [each.line for each in mine if each.month == month.span.name and each.record == "original"]
    booked = [each for each in mine if each.booked_in == month.span.name and each.record != "original"]
    told = [line for line in lines if line.amount is not None]
    corrected = [each for each in booked if each.line.amount is not None]
    _refuse_currencies(month, told, corrected)
    versions = {v.number: v for each in prices.versions.values() for v in each}
    return Content(month, versions, told, charged, corrected, [line for line in lines if line.amount is None])


def _charged(month: Month, holds: Iterable[Hold], prices: Prices) -> dict[LineKey, list[Charge]]:
    end = min(month.until, month.span.end)
    found: dict[LineKey, list[Charge]] = {}
    for hold in holds:
        for charge in charges(hold, prices, month.span.start, end):
            found.setdefault(charge.key, []).append(charge)
    return found


def _refuse_currencies(month: Month, lines: Iterable[BillLine], corrected: Iterable[BillRecord]) -> None:
    currencies = {line.currency for line in lines}
    if "" in currencies | {each.line.currency for each in corrected}:
        raise FocusRefused(
            f"{month.span.name} is billed without a currency, and FOCUS needs one: set billing.currency in "
            "tenants.yaml, such as EUR; it counts for each month that is not closed"
        )
    if len(currencies) > 1:
        raise FocusRefused(f"{month.span.name} is billed in {' and '.join(sorted(currencies))}")


def cost_and_usage(content: Content, version: str) -> Iterator[Row]:
    """The rows of Cost and Usage, of FOCUS ``version``."""
    for row in _rows(content):
        yield row if version == "1.4" else _as_1_2(row)


def _rows(content: Content) -> Iterator[Row]:
    for line in content.lines:
        charged = content.charges.get(line.key, ())
        if not _agree(line, charged):
            # What the ledger knows by now is another thing than what was billed; corrections say in what.
            yield _line_row(content, line, content.month.span, _detail_id(content.month, line.key))
            continue
        alike = _what(content, line)
        amounts = shared_out([charge.exact or _NOTHING for charge in charged], line.currency, line.amount)
        for charge, amount in zip(charged, amounts, strict=True):
            yield {**alike, **_charge_row(content.month, line, charge, amount)}
    for record in content.corrections:
        yield _correction_row(content, record)


def _agree(line: BillLine, charged: Sequence[Charge]) -> bool:
    """Whether the line was billed for just these."""
    gpu = sum((charge.gpu_seconds for charge in charged), start=Fraction(0))
    return (sum(charge.seconds for charge in charged), gpu) == (line.seconds, line.gpu_seconds)


def _charge_row(month: Month, line: BillLine, charge: Charge, amount: Decimal) -> Row:
    """What of a row is the charge's own."""
    hold, whose = charge.hold, charge.hold.possession
    last = hold.end == charge.end
    return {
        **_costs(month, line, charge.seconds, charge.exact or _NOTHING, amount),
        **_period("ChargePeriod", charge.start, charge.end),
        "ChargeDescription": f"{line.key.profile} held by {whose.name or hold.pod}",
        "ResourceId": hold.pod,
        "ResourceName": whose.name or None,
        "ResourceType": _KINDS.get(line.key.kind, line.key.kind),
        "x_Job": whose.owner or None if line.key.kind == "job" else None,
        "x_Devices": _json(dict(sorted(whose.devices.items()))),
        "x_GpuEquivalentSeconds": None if whose.gpus is None else _decimal(charge.gpu_seconds),
        "x_Ended": str(hold.ended_by) if last and hold.ended_by is not None else None,
        "x_UncertainSeconds": Decimal(_uncertain(month, hold) if last else 0),
    }


def _uncertain(month: Month, hold: Hold) -> int:
    """Seconds of the month that it may have held beyond its end."""
    if hold.end is None or hold.latest_end is None:
        return 0
    return max(0, min(hold.latest_end, month.span.end) - hold.end)


def _line_row(content: Content, line: BillLine, span: Span, detail: str, sign: int = 1) -> Row:
    """A line as a whole: which pods it was billed for is not known any more."""
    exact, amount = line.exact or _NOTHING, line.amount or _NOTHING
    return {
        **_what(content, line),
        **_costs(content.month, line, sign * line.seconds, sign * exact, sign * amount),
        **_period("ChargePeriod", span.start, span.end),
        "ChargeDescription": f"{line.key.profile} held by {_pods(line.pods)}",
        "InvoiceDetailId": detail if content.month.chargeback else None,
        "x_GpuEquivalentSeconds": sign * _decimal(line.gpu_seconds),
    }


def _correction_row(content: Content, record: BillRecord) -> Row:
    retracted = record.record == "retraction"
    span = content.month.months[record.month]
    row = _line_row(content, record.line, span, _correction_id(content.month, record), -1 if retracted else 1)
    word = "not held as billed" if retracted else "held"
    description = f"Correction of {record.month}: {record.line.key.profile} {word} by {_pods(record.line.pods)}"
    return {**row, "ChargeClass": "Correction", "ChargeDescription": description}


def _costs(month: Month, line: BillLine, seconds: int, exact: Decimal, amount: Decimal) -> dict[str, Cell]:
    quantity = Decimal(seconds)
    return {
        "BilledCost": amount if month.chargeback else _NOTHING,
        "BillingCurrency": line.currency,
        "ConsumedQuantity": quantity,
        "ConsumedUnit": _UNIT,
        "ContractedCost": exact,
        "ContractedUnitPrice": line.per_second,
        "EffectiveCost": exact,
        "ListCost": exact,
        "ListUnitPrice": line.per_second,
        "PricingCategory": "Standard",
        "PricingQuantity": quantity,
        "PricingUnit": _UNIT,
    }


def _what(content: Content, line: BillLine) -> dict[str, Cell]:
    """What is alike in all rows of a line."""
    month, key = content.month, line.key
    return {
        **_billed(month),
        "BillingAccountName": month.account.name,
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeFrequency": "Usage-Based",
        "HostProviderName": month.account.cluster,
        "InvoiceDetailId": _detail_id(month, key) if month.chargeback else None,
        "InvoiceId": _invoice_id(month, key.tenant) if month.chargeback else None,
        "ResourceId": None,
        "ResourceName": None,
        "ResourceType": None,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": month.account.name,
        "ServiceProviderName": month.account.name,
        "ServiceSubcategory": "Machine Learning",
        "SkuId": key.profile,
        "SkuMeter": "Held",
        "SkuPriceId": f"{key.profile}/{key.price}",
        "SkuPriceDetails": _price_details(content.prices.get(key.price)),
        "SubAccountId": key.tenant,
        "SubAccountName": month.tenants.get(key.tenant, key.tenant),
        "x_User": key.user or None,
        "x_Kind": key.kind,
        "x_Job": None,
        "x_Devices": None,
        "x_Ended": None,
        "x_UncertainSeconds": None,
        "x_Simulated": "true" if key.simulated else "false",
    }


def _price_details(version: PriceVersion | None) -> str | None:
    if version is None or version.per_hour is None:
        return None
    return _json({"x_PerHour": f"{version.per_hour:f}", "x_EffectiveFrom": utc(version.effective_from)})


def _as_1_2(row: Row) -> Row:
    """The row by the names of 1.2, in which prices may be in another currency than bills."""
    return {
        **row,
        "ProviderName": row["ServiceProviderName"],
        "PublisherName": row["ServiceProviderName"],
        "PricingCurrency": row["BillingCurrency"],
        "PricingCurrencyContractedUnitPrice": row["ContractedUnitPrice"],
        "PricingCurrencyEffectiveCost": row["EffectiveCost"],
        "PricingCurrencyListUnitPrice": row["ListUnitPrice"],
    }


def billing_period(month: Month) -> Row:
    """The only row of Billing Period."""
    return {
        **_period("BillingPeriod", month.span.start, month.span.end),
        "BillingPeriodCreated": utc(month.span.start),
        "BillingPeriodLastUpdated": utc(_updated(month)),
        "BillingPeriodStatus": "Open" if month.closed is None else "Closed",
        "InvoiceIssuerName": month.account.name,
    }


def _updated(month: Month) -> int:
    return max(month.span.start, month.until if month.closed is None else month.closed.closed_at)


def invoice_detail(content: Content) -> Iterator[Row]:
    """The rows of Invoice Detail: one for each line of a bill, and for each correction. None where bills only show."""
    month = content.month
    if not month.chargeback:
        return
    for line in content.lines:
        invoice = _invoice_id(month, line.key.tenant)
        yield _detail(month, line, _detail_id(month, line.key), invoice, line.amount or _NOTHING, _updated(month))
    for record in content.corrections:
        amount = (record.line.amount or _NOTHING) * (-1 if record.record == "retraction" else 1)
        corrected = _invoice_id(month, record.line.key.tenant, record.month)
        yield _detail(month, record.line, _correction_id(month, record), corrected, amount, record.booked_at)


def _detail(month: Month, line: BillLine, detail: str, reference: str, amount: Decimal, at: int) -> Row:
    key = line.key
    grain = {"SubAccountId": key.tenant, "SkuId": key.profile, "SkuPriceId": f"{key.profile}/{key.price}"}
    ours = {"x_User": key.user, "x_Kind": key.kind, "x_Simulated": key.simulated}
    return {
        **_billed(month),
        "BilledCost": amount,
        "BillingCurrency": line.currency,
        "ChargeCategory": "Usage",
        "InvoiceDetailCreated": utc(at),
        "InvoiceDetailDescription": f"{key.profile} of {key.user or 'unknown'}, {key.kind}",
        "InvoiceDetailGrain": _json({**grain, **ours}),
        "InvoiceDetailId": detail,
        "InvoiceDetailLastUpdated": utc(at),
        "InvoiceId": _invoice_id(month, key.tenant),
        "InvoiceIssueDate": None if month.closed is None else utc(month.closed.closed_at),
        "InvoiceIssueStatus": "Open" if month.closed is None else "Issued",
        "PaymentDueDate": None,
        "PaymentTerms": "Internal chargeback",
        "ReferenceInvoiceId": reference,
    }


def _billed(month: Month) -> dict[str, Cell]:
    return {
        **_period("BillingPeriod", month.span.start, month.span.end),
        "BillingAccountId": month.account.hub,
        "InvoiceIssuerName": month.account.name,
    }


def _period(name: str, start: int, end: int) -> dict[str, Cell]:
    return {f"{name}Start": utc(start), f"{name}End": utc(end)}


def _invoice_id(month: Month, tenant: str, name: str | None = None) -> str:
    return f"{month.account.hub}/{tenant}/{name or month.span.name}"


def _detail_id(month: Month, key: LineKey) -> str:
    """The same for the same line of the same month, whichever other lines there are."""
    text = _json([key.user, key.profile, key.kind, key.price, key.simulated])
    return f"{_invoice_id(month, key.tenant)}/{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _correction_id(month: Month, record: BillRecord) -> str:
    return f"{_invoice_id(month, record.line.key.tenant)}/correction-of-{record.month}-{record.place}"


def _pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _decimal(exact: Fraction) -> Decimal:
    quotient = EXACT.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    return quotient.quantize(_GPU_SECOND, context=EXACT)
