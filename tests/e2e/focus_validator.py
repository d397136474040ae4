"""FOCUS 1.2 as the FinOps Foundation's own validator sees it (``make e2e-focus``), with planted errors.

    python -m tests.e2e.focus_validator .venv-focus

The validator needs Python 3.12 and an environment of its own, which the tests of this repository do not have. It ends
with 0 whatever it finds, so that its words are read. FOCUS 1.4 it does not know: focus-data-toolkit checks that in
tests/store/test_focus_files.py.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from aifactory_hub.domain.focus_rules import Rules, Sums
from aifactory_hub.store.focus_files import write_focus

from ..support.bills import HOLDS, OCTOBER, PRICES, RECORDS, lines_of, october

VERSION = "1.2.0.1"
# What we do, in the validator's words; what is not declared is not checked.
CRITERIA = (
    *("ACCOUNT_NAMING_SUPPORTED", "PUBLIC_PRICE_LIST_SUPPORTED", "USAGE_MEASUREMENT_SUPPORTED"),
    *("UNIT_PRICING_SUPPORTED", "SUB_ACCOUNT_SUPPORTED", "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED"),
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
)
# Its rules ask CommitmentDiscountStatus, a column that a provider without such discounts leaves out.
_NO_DISCOUNTS = {f"ConsumedQuantity-C-{number}-C" for number in ("000", "003", "004", "005", "006")}
# One of these two fails whatever is written: a row has an invoice or it has none, and each rule looks at every row.
FALSE_FAILURES = {True: _NO_DISCOUNTS | {"InvoiceId-C-004-C"}, False: _NO_DISCOUNTS | {"InvoiceId-C-005-C"}}
# Fewer rules than these pass only where the validator has changed.
AT_LEAST = 230

Table = list[dict[str, str]]


def failures(environment: Path, table: Table) -> tuple[set[str], int]:
    """The rules that fail, and how many pass."""
    site = next((environment / "lib").glob("python3*/site-packages"))
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
        file.flush()
        options = ["--block-download", "--validate-version", VERSION, "--applicability-criteria", ",".join(CRITERIA)]
        argv = [str(environment.resolve() / "bin" / "focus-validator"), "--data-file", file.name, *options]
        # It opens its list of currencies by a relative path.
        done = subprocess.run(argv, cwd=site, capture_output=True, text=True, check=False)
    total = re.search(r"^Total: \d+ \| Pass: (\d+) \| Fail: (\d+)", done.stdout, re.MULTILINE)
    failed = set(re.findall(r"^❌ ([\w-]+): FAIL", done.stdout, re.MULTILINE))
    if total is None or len(failed) != int(total[2]):
        raise RuntimeError(
            f"the validator said something else than expected:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return failed, int(total[1])


def own_problems(table: Table) -> list[str]:
    """What our own rules say of the rows as they were written."""
    corrected = [(each.line, -1 if each.record == "retraction" else 1) for each in RECORDS if each.month == "2026-09"]
    lines = [line for line in lines_of(HOLDS, OCTOBER) if line.amount is not None]
    rules = Rules(Sums.of([*((line, 1) for line in lines), *corrected], None))
    for row in table:
        rules.take({column: cell or None for column, cell in row.items()})
    return rules.problems()


def double(table: Table) -> None:
    table.append(dict(table[0]))


def plant(column: str, value: str) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        table[0][column] = value

    return change


PLANTED = {
    "a currency that is none": plant("BillingCurrency", "EURO"),
    "a cost that is not price times quantity": plant("ListCost", "9.99"),
    "a category that FOCUS does not have": plant("ServiceCategory", "GPU"),
    "an end before its start": plant("ChargePeriodEnd", "2026-09-30T21:00:00Z"),
    "a row without an amount": plant("BilledCost", ""),
    "a kind of charge that FOCUS does not have": plant("ChargeCategory", "Rent"),
    "a row twice": double,
}


def written(folder: Path, chargeback: bool) -> Table:
    write_focus(folder, october(chargeback=chargeback), HOLDS, PRICES, RECORDS, version="1.2")
    with (folder / "cost_and_usage.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main(environment: Path) -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for chargeback in (True, False):
            failed, passed = failures(environment, written(Path(folder) / str(chargeback), chargeback))
            bad = sorted(failed ^ FALSE_FAILURES[chargeback])
            wrong += bool(bad) or passed < AT_LEAST
            print(f"{'chargeback' if chargeback else 'showback'}: {passed} rules pass, {len(failed)} are known to fail")
            if bad:
                print(f"  other than known: {', '.join(bad)}")
        for name, change in PLANTED.items():
            table = written(Path(folder) / name.replace(" ", "-"), chargeback=False)
            change(table)
            failed, _ = failures(environment, table)
            theirs, ours = sorted(failed - FALSE_FAILURES[False]), own_problems(table)
            wrong += not theirs and not ours
            who = [*(["the validator"] if theirs else []), *(["our own rules"] if ours else [])]
            print(f"planted {name}: found by {' and '.join(who) or 'NOBODY'}")
    print("focus: all as it should be" if not wrong else f"focus: {wrong} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
