"""A month in FOCUS as files of a folder: CSV or Parquet, whole or not at all, with a manifest of their digests."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..domain.bills import BillRecord
from ..domain.focus import Content, Month, billing_period, content, cost_and_usage, invoice_detail
from ..domain.focus_columns import (
    BILLING_PERIOD,
    DATASETS,
    DECIMALS,
    INVOICE_DETAIL,
    VERSIONS,
    Cell,
    Row,
)
from ..domain.focus_rules import Rules, Sums
from ..domain.months import utc
from ..domain.prices import Prices
from ..domain.usage import Hold

MANIFEST = "manifest.json"
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Rows that a Parquet file takes at once.
_GROUP = 20_000
# Digits, and decimals, of all amounts, prices and quantities in Parquet.
_DIGITS, _DECIMALS = 38, 12


class FocusNotWritten(Exception):
    """The files would have been wrong, or can't be where they are wanted; nothing was written. The text says why."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the folder, the rows of each file, and how many lines have no price and are not in them."""

    folder: Path
    rows: dict[str, int]
    unpriced: int


def write_focus(
    folder: Path,
    month: Month,
    holds: Iterable[Hold],
    prices: Prices,
    records: Sequence[BillRecord],
    *,
    version: str = "1.4",
    form: str = "csv",
) -> Written:
    """Write the month's files into ``folder``, which must not be there yet or be empty.

    ``holds`` are those that touch the month, ``records`` the bill rows that are of it or booked in it. Raises
    FocusRefused for a month that FOCUS can't tell, and FocusNotWritten.
    """
    if version not in VERSIONS:
        raise FocusNotWritten(f"there is no FOCUS {version} here: write one of {', '.join(VERSIONS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FocusNotWritten(f"{folder} is there already: name a folder that is not, or remove it")
    told = content(month, holds, prices, records)
    with _beside(folder) as made:
        rows = {
            name: _write(made / f"{name}.{form}", columns, _rows(told, name, version), form)
            for name, columns in _datasets(told, version).items()
        }
        (made / MANIFEST).write_text(_manifest(made, told, version, rows), encoding="utf-8")
    return Written(folder, rows, len(told.unpriced))


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder that takes this one's place at a good end, and is gone at a bad one. Only its owner may look into it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield made
        made.replace(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _datasets(told: Content, version: str) -> dict[str, tuple[str, ...]]:
    """The columns of each file. Where nothing is invoiced, there is no Invoice Detail."""
    every = DATASETS[version]
    return {name: every[name] for name in every if name != INVOICE_DETAIL or told.month.chargeback}


def _rows(told: Content, name: str, version: str) -> Iterable[Row]:
    if name == BILLING_PERIOD:
        return [billing_period(told.month)]
    return invoice_detail(told) if name == INVOICE_DETAIL else _checked(told, version)


def _checked(told: Content, version: str) -> Iterator[Row]:
    """The rows of Cost and Usage. Raises FocusNotWritten after the last where they are not the bill."""
    corrected = [(each.line, -1 if each.record == "retraction" else 1) for each in told.corrections]
    details = invoice_detail(told) if told.month.chargeback else None
    rules = Rules(Sums.of([*((line, 1) for line in told.lines), *corrected], details))
    for row in cost_and_usage(told, version):
        rules.take(row)
        yield row
    if problems := rules.problems():
        raise FocusNotWritten(f"the rows are not the bill of {told.month.span.name}: {'; '.join(problems)}")


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row], form: str) -> int:
    return {"csv": _write_csv, "parquet": _write_parquet}[form](path, columns, rows)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for count, row in enumerate(rows, 1):  # noqa: B007 - how many there were
            writer.writerow([_text(row[column]) for column in columns])
    return count


def _text(cell: Cell) -> str:
    """The cell in CSV. Null is empty; a text that a spreadsheet would run begins with an apostrophe.

    A whole number has a decimal, too: readers that guess at types take a column of whole numbers for no decimals.
    """
    if cell is None:
        return ""
    if not isinstance(cell, str):
        text = f"{cell:f}"
        return text if "." in text else f"{text}.0"
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> int:
    arrow, parquet = _arrow()
    kinds = {True: arrow.decimal128(_DIGITS, _DECIMALS), False: arrow.string()}
    schema = arrow.schema([(column, kinds[column in DECIMALS]) for column in columns])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for some in _some(rows):
            count += len(some)
            arrays = [arrow.array([row[c] for row in some], schema.field(c).type) for c in columns]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
    return count


def _arrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise FocusNotWritten("Parquet needs pyarrow: pip install 'aifactory-hub[parquet]'") from error


def _some(rows: Iterable[Row]) -> Iterator[list[Row]]:
    some: list[Row] = []
    for row in rows:
        some.append(row)
        if len(some) == _GROUP:
            yield some
            some = []
    yield some


def _manifest(folder: Path, told: Content, version: str, rows: dict[str, int]) -> str:
    month = told.month
    files = [
        {"name": path.name, "rows": rows[path.stem], "bytes": path.stat().st_size, "sha256": _digest(path)}
        for path in sorted(folder.iterdir())
    ]
    values = {
        "focus": version,
        "hub": month.account.hub,
        "month": month.span.name,
        "status": "open" if month.closed is None else "closed",
        "until": utc(min(month.until, month.span.end)),
        "currency": told.currency or None,
        "mode": "chargeback" if month.chargeback else "showback",
        "bill_digest": None if month.closed is None else month.closed.digest,
        "without_price": [
            {"tenant": line.key.tenant, "profile": line.key.profile, "kind": line.key.kind, "seconds": line.seconds}
            for line in told.unpriced
        ],
        "files": files,
    }
    return json.dumps(values, indent=1) + "\n"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
