"""FOCUS as files: what independent checkers say of them, and that they are there whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from focus_data_toolkit import lint_focus_1_4_structure, validate_dataset_bundle

from aifactory_hub.domain.focus import FocusRefused, cost_and_usage
from aifactory_hub.domain.focus_columns import Row
from aifactory_hub.domain.prices import Prices, PriceVersion
from aifactory_hub.store import focus_files
from aifactory_hub.store.focus_files import FocusNotWritten, write_focus

from ..support.bills import HOLDS, PRICES, RECORDS, hold, october

# The conditions of FOCUS that we meet and the toolkit looks at.
SUPPORTED = ("SupportsUnitPricing", "SupportsMultiplePricingCategories")
NAMES = {
    "Cost and Usage": "cost_and_usage",
    "Billing Period": "billing_period",
    "Invoice Detail": "invoice_detail",
}
Table = list[dict[str, str]]


def written(folder: Path, **options: Any) -> dict[str, Table]:
    """The files' rows by the datasets' names."""
    month = october(chargeback=options.pop("chargeback", True), is_closed=options.pop("is_closed", True))
    write_focus(folder, month, HOLDS, PRICES, RECORDS, **options)
    found = {}
    for name, file in NAMES.items():
        if (folder / f"{file}.csv").exists():
            with (folder / f"{file}.csv").open(encoding="utf-8", newline="") as opened:
                found[name] = list(csv.DictReader(opened))
    return found


def findings(bundle: dict[str, Table]) -> list[str]:
    """What focus-data-toolkit says of each dataset, and of all together."""
    found = [
        f"{violation.column}: {violation.rule}"
        for name, rows in bundle.items()
        for violation in lint_focus_1_4_structure(name, rows, supported_conditions=SUPPORTED).violations
    ]
    tolerance = Decimal(0)
    report = validate_dataset_bundle(
        bundle, invoice_detail_authoritative="Invoice Detail" in bundle, rounding_tolerance=tolerance
    )
    assert "billing_period_coverage" in report.checks_run
    return [*found, *(each.code for each in report.diagnostics)]


@pytest.mark.parametrize("chargeback", [True, False])
@pytest.mark.parametrize("is_closed", [True, False])
def test_the_toolkit_finds_nothing_in_a_bundle(tmp_path: Path, chargeback: bool, is_closed: bool) -> None:
    bundle = written(tmp_path / "out", chargeback=chargeback, is_closed=is_closed)
    assert set(bundle) == {"Cost and Usage", "Billing Period"} | ({"Invoice Detail"} if chargeback else set())
    assert findings(bundle) == []


@pytest.mark.parametrize(
    ("dataset", "column", "value", "found"),
    [
        ("Cost and Usage", "ListCost", "9.99", "ListCost: cost_not_unit_price_times_quantity"),
        ("Cost and Usage", "BillingCurrency", "EURO", "BillingCurrency: bad_currency"),
        ("Cost and Usage", "BillingCurrency", "USD", "FDT-CROSS-020"),
        ("Cost and Usage", "ServiceCategory", "GPU", "ServiceCategory: not_in_allowed_values"),
        ("Cost and Usage", "ServiceCategory", "Compute", "ServiceSubcategory: wrong_parent_category"),
        ("Cost and Usage", "BilledCost", "", "BilledCost: null_not_allowed"),
        ("Cost and Usage", "ChargePeriodStart", "2026-10-01 00:00:00", "ChargePeriodStart: bad_datetime"),
        ("Cost and Usage", "SkuPriceId", "", "SkuPriceId: required_for_usage_or_purchase"),
        ("Cost and Usage", "InvoiceDetailId", "main/nlp/2026-10/none", "FDT-CROSS-014"),
        ("Cost and Usage", "BilledCost", "1.00", "FDT-CROSS-030"),
        ("Cost and Usage", "SkuPriceDetails", '{"PerHour":"0.40"}', "SkuPriceDetails: custom_key_not_prefixed"),
        ("Billing Period", "BillingPeriodStatus", "Shut", "BillingPeriodStatus: not_in_allowed_values"),
        ("Billing Period", "BillingPeriodEnd", "2026-11-01T00:00:00Z", "FDT-CROSS-040"),
        ("Invoice Detail", "BilledCost", "0.05", "FDT-CROSS-030"),
        ("Invoice Detail", "InvoiceId", "main/nlp/2026-09", "FDT-CROSS-015"),
    ],
)
def test_the_toolkit_finds_each_planted_error(
    tmp_path: Path, dataset: str, column: str, value: str, found: str
) -> None:
    bundle = written(tmp_path / "out")
    bundle[dataset][0][column] = value
    assert found in findings(bundle)


def test_the_toolkit_does_not_see_an_end_before_its_start(tmp_path: Path) -> None:
    """Why domain/focus_rules.py has a rule for it."""
    bundle = written(tmp_path / "out")
    bundle["Cost and Usage"][0]["ChargePeriodEnd"] = "2026-09-30T21:00:00Z"
    assert findings(bundle) == []


def test_the_manifest_has_the_digest_of_every_file(tmp_path: Path) -> None:
    written(tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [file["name"] for file in manifest["files"]] == [f"{name}.csv" for name in sorted(NAMES.values())]
    for file in manifest["files"]:
        content = (tmp_path / "out" / file["name"]).read_bytes()
        assert (file["sha256"], file["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
        assert file["rows"] == content.count(b"\n") - 1
    assert (manifest["status"], manifest["currency"], manifest["mode"]) == ("closed", "EUR", "chargeback")
    assert manifest["without_price"] == [{"tenant": "nlp", "profile": "unpriced", "kind": "server", "seconds": 10}]


def test_the_same_month_is_the_same_to_the_last_byte(tmp_path: Path) -> None:
    for name in ("one", "other"):
        written(tmp_path / name)
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (tmp_path / "other" / "manifest.json").read_bytes()


def test_wrong_rows_are_never_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(*_arguments: Any) -> list[Row]:
        return [*cost_and_usage(*_arguments)] * 2

    monkeypatch.setattr(focus_files, "cost_and_usage", twice)
    with pytest.raises(FocusNotWritten, match="the rows are not the bill of 2026-10: p3 is charged twice"):
        written(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_there_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(FocusNotWritten, match="is there already: name a folder that is not"):
        written(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_month_without_a_currency_leaves_nothing(tmp_path: Path) -> None:
    bare = Prices.of([PriceVersion("small", 0, Decimal("0.40"), "", 1)])
    with pytest.raises(FocusRefused, match=r"billing\.currency"):
        write_focus(tmp_path / "out", october(is_closed=False), [hold("p1", 0, 10)], bare, [])
    assert list(tmp_path.iterdir()) == []


def test_no_name_becomes_a_formula(tmp_path: Path) -> None:
    month = october(is_closed=False)
    holds = [hold("p1", 0, 10, user='=HYPERLINK("x")')]
    write_focus(tmp_path / "out", month, holds, PRICES, [])
    with (tmp_path / "out" / "cost_and_usage.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["x_User"], row["PricingQuantity"]) == ('\'=HYPERLINK("x")', "10.0")


def test_parquet_has_the_same_numbers_as_decimals(tmp_path: Path) -> None:
    rows = written(tmp_path / "csv")["Cost and Usage"]
    written(tmp_path / "parquet", form="parquet")
    table = parquet.read_table(tmp_path / "parquet" / "cost_and_usage.parquet")
    assert str(table.schema.field("ListCost").type) == "decimal128(38, 12)"
    for column in ("ListCost", "PricingQuantity", "BilledCost", "ListUnitPrice"):
        assert table.column(column).to_pylist() == [Decimal(row[column]) for row in rows]
    assert table.column("x_User").to_pylist() == [row["x_User"] or None for row in rows]


@pytest.mark.parametrize("chargeback", [True, False])
def test_the_older_version_has_its_own_columns(tmp_path: Path, chargeback: bool) -> None:
    """What it is worth is said by the official validator: make e2e-focus."""
    bundle = written(tmp_path / "out", version="1.2", chargeback=chargeback)
    assert list(bundle) == ["Cost and Usage"]
    row = bundle["Cost and Usage"][0]
    assert (row["ProviderName"], row["PricingCurrency"]) == ("GPU Hub", "EUR")
    assert "ServiceProviderName" not in row
