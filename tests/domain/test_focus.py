"""A month in FOCUS: each row a pod's charge, to the last digit, and all of them together the bill."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.bills import BillRecord
from aifactory_hub.domain.focus import (
    Content,
    FocusRefused,
    Month,
    billing_period,
    content,
    cost_and_usage,
    invoice_detail,
)
from aifactory_hub.domain.focus_columns import DATASETS, Row
from aifactory_hub.domain.focus_rules import Rules, Sums
from aifactory_hub.domain.prices import Prices, PriceVersion
from aifactory_hub.domain.usage import Hold

from ..support.bills import HOLDS, LATE, OCTOBER, PRICES, RECORDS, hold, job, lines_of, october


def told(month: Month, holds: list[Hold] = HOLDS, records: list[BillRecord] = RECORDS) -> Content:
    return content(month, holds, PRICES, records)


def rows_of(made: Content, version: str = "1.4") -> list[Row]:
    return list(cost_and_usage(made, version))


def problems(made: Content, rows: list[Row]) -> list[str]:
    """What the rules say of these rows."""
    corrected = [(each.line, -1 if each.record == "retraction" else 1) for each in made.corrections]
    details = list(invoice_detail(made)) if made.month.chargeback else None
    rules = Rules(Sums.of([*((line, 1) for line in made.lines), *corrected], details))
    for row in rows:
        rules.take(row)
    return rules.problems()


@pytest.mark.parametrize("chargeback", [True, False])
@pytest.mark.parametrize("is_closed", [True, False])
def test_the_rows_are_the_bill(chargeback: bool, is_closed: bool) -> None:
    made = told(october(chargeback=chargeback, is_closed=is_closed))
    rows = rows_of(made)
    assert problems(made, rows) == []
    assert {row["BilledCost"] for row in rows} == {Decimal(0)} or chargeback
    if chargeback and is_closed:
        bill = sum(line.amount for line in lines_of(HOLDS, OCTOBER) if line.amount is not None)
        assert sum(Decimal(row["BilledCost"] or 0) for row in rows if row["ChargeClass"] is None) == bill


def test_a_row_is_what_one_pod_held_at_one_price() -> None:
    rows = [row for row in rows_of(told(october())) if row["ResourceId"] == "p2"]
    assert [(row["SkuPriceId"], row["PricingQuantity"], row["x_Ended"]) for row in rows] == [
        ("small/1", Decimal(1000), None),
        ("small/3", Decimal(1001), "ended"),
    ]
    first = rows[0]
    assert (first["ListUnitPrice"], first["ListCost"]) == (Decimal("0.000111111111"), Decimal("0.111111111000"))
    assert (first["ChargePeriodStart"], first["ChargePeriodEnd"]) == ("2026-10-12T11:30:00Z", "2026-10-12T11:46:40Z")
    assert (first["SubAccountId"], first["SubAccountName"], first["x_User"]) == ("nlp", "Language", "ada")
    assert first["x_GpuEquivalentSeconds"] == Decimal("142.857143")
    assert first["x_Devices"] == '{"h100-80gb/nvidia.com/mig-1g.10gb":1}'


def test_what_nobody_could_know_is_told_and_not_charged() -> None:
    row = next(row for row in rows_of(told(october())) if row["ResourceId"] == "p6")
    assert (row["PricingQuantity"], row["x_UncertainSeconds"]) == (Decimal(1), Decimal(29))
    assert (row["x_Kind"], row["x_Job"], row["x_Simulated"]) == ("job", "j-1", "true")


def test_a_pod_without_a_user_has_none() -> None:
    assert {row["x_User"] for row in rows_of(told(october())) if row["ResourceId"] == "p3"} == {None}


def test_what_has_no_price_is_no_charge_and_is_named() -> None:
    made = told(october())
    assert [(line.key.profile, line.seconds) for line in made.unpriced] == [("unpriced", 10)]
    assert "p7" not in {row["ResourceId"] for row in rows_of(made)}


def test_a_correction_takes_back_what_was_billed_and_states_what_is_right() -> None:
    rows = [row for row in rows_of(told(october())) if row["ChargeClass"] == "Correction"]
    assert [(row["PricingQuantity"], row["BilledCost"]) for row in rows] == [
        (Decimal(-100_000), Decimal("-11.11")),
        (Decimal(110_000), Decimal("12.22")),
    ]
    assert {row["ChargePeriodEnd"] for row in rows} == {"2026-09-30T22:00:00Z"}
    details = {row["InvoiceDetailId"]: row for row in invoice_detail(told(october()))}
    assert {details[row["InvoiceDetailId"]]["ReferenceInvoiceId"] for row in rows} == {"main/nlp/2026-09"}


def test_a_line_that_the_ledger_has_otherwise_by_now_is_told_as_it_was_billed() -> None:
    late = [*HOLDS, hold("late", 10_000, 20_000)]
    made = told(october(), late)
    rows = rows_of(made)
    assert problems(made, rows) == []
    whole = [row for row in rows if row["ResourceId"] is None and row["ChargeClass"] is None]
    assert [(row["SkuPriceId"], row["x_User"], row["PricingQuantity"]) for row in whole] == [
        ("small/1", "ada", Decimal(4900))
    ]
    assert "late" not in {row["ResourceId"] for row in rows}


def test_a_month_that_goes_on_is_told_as_far_as_it_was_heard() -> None:
    month = october(is_closed=False)
    row = next(row for row in rows_of(told(month)) if row["ResourceId"] == "p4")
    assert (row["PricingQuantity"], row["x_Ended"]) == (Decimal(100_000), None)
    assert billing_period(month)["BillingPeriodStatus"] == "Open"
    assert {row["InvoiceIssueStatus"] for row in invoice_detail(told(month))} == {"Open"}


def test_where_bills_only_show_nothing_is_invoiced() -> None:
    made = told(october(chargeback=False))
    assert list(invoice_detail(made)) == []
    assert {row["InvoiceId"] for row in rows_of(made)} == {None}


@pytest.mark.parametrize("version", ["1.4", "1.2"])
def test_every_row_has_every_column(version: str) -> None:
    made = told(october())
    for row in rows_of(made, version):
        assert set(DATASETS[version]["cost_and_usage"]) <= set(row)
    if version == "1.4":
        assert all(set(DATASETS[version]["invoice_detail"]) == set(row) for row in invoice_detail(made))
        assert set(DATASETS[version]["billing_period"]) == set(billing_period(made.month))


@pytest.mark.parametrize(
    ("versions", "says"),
    [
        ([PriceVersion("small", 0, Decimal(1), "", 1)], "set billing.currency in tenants.yaml, such as EUR"),
        (
            [PriceVersion("small", 0, Decimal(1), "EUR", 1), PriceVersion("large", 0, Decimal(1), "USD", 2)],
            "2026-10 is billed in EUR and USD",
        ),
    ],
)
def test_a_month_that_focus_cant_tell_is_refused(versions: list[PriceVersion], says: str) -> None:
    with pytest.raises(FocusRefused, match=says):
        content(october(is_closed=False), [hold("p1", 0, 10), job("p2", 0, 10)], Prices.of(versions), [])


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("ChargePeriodEnd", "2026-10-01T00:00:00Z", "is not after its start"),
        ("ChargePeriodEnd", "2026-11-30T00:00:00Z", "is not within the month"),
        ("ListCost", Decimal("17.7"), "ListCost is 17.7 and not ListUnitPrice x PricingQuantity"),
        ("ContractedCost", Decimal("17.7"), "ContractedCost is 17.7"),
        ("EffectiveCost", Decimal(0), "EffectiveCost is 0"),
        ("ServiceCategory", "GPU", "ServiceCategory is GPU and not AI and Machine Learning"),
        ("ChargeCategory", "Rent", "ChargeCategory is Rent and not Usage"),
        ("SubAccountId", "robots", "seconds of robots: the rows sum to"),
        ("BilledCost", Decimal("0.12"), "the rows sum to 0.55, the bill says 0.54"),
        ("PricingQuantity", Decimal(999), "seconds of nlp: the rows sum to"),
        ("ResourceId", "p1", "p1 is charged twice"),
        ("ChargeClass", "Correction", "is of no month before"),
    ],
)
def test_each_planted_error_is_named(column: str, value: Decimal | str, says: str) -> None:
    made = told(october())
    rows = rows_of(made)
    place = next(place for place, row in enumerate(rows) if row["ResourceId"] == "p2")
    planted: dict[str, object] = {column: value}
    if value == "p1":
        planted |= {"ChargePeriodStart": "2026-09-30T22:30:00Z", "ChargePeriodEnd": "2026-09-30T22:40:00Z"}
    wrong = {**rows[place], **planted}
    found = problems(made, [*rows[:place], wrong, *rows[place + 1 :]])  # type: ignore[list-item]
    assert any(says in problem for problem in found), found


@pytest.mark.parametrize("change", ["lose", "double"])
def test_a_row_too_few_or_too_many_is_named(change: str) -> None:
    made = told(october())
    rows = rows_of(made)
    assert problems(made, rows[1:] if change == "lose" else [*rows, rows[0]])


MOST = st.lists(
    st.tuples(st.integers(-5000, 2_700_000), st.integers(0, 400_000), st.sampled_from(["small", "large"])), max_size=30
)


@given(MOST, st.booleans())
def test_the_rows_of_any_month_are_its_bill(spans: list[tuple[int, int, str]], chargeback: bool) -> None:
    holds = [hold(f"p{n}", start, start + long, profile=profile) for n, (start, long, profile) in enumerate(spans)]
    records = [
        BillRecord("2026-10", n, "original", "2026-10", 0, line) for n, line in enumerate(lines_of(holds, OCTOBER))
    ]
    made = told(replace(october(chargeback=chargeback), tenants={}), holds, records)
    assert problems(made, rows_of(made)) == []
    assert LATE.pod not in {row["ResourceId"] for row in rows_of(made)}
