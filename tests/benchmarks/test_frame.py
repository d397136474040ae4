"""The frame of the benchmarks: numbers that are told must be the numbers that were measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.frame import Report, percentile, summary, table


def test_percentiles_are_interpolated_and_do_not_depend_on_the_order() -> None:
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([1, 2], 50) == 1.5
    assert percentile([5], 95) == 5
    assert percentile(range(101), 95) == 95
    assert summary([1.0, 2.0, 3.0]) == {"n": 3, "p50": 2.0, "p95": 2.9, "max": 3.0}


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], 101), ([1.0], -1)])
def test_a_percentile_of_nothing_is_no_number(values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, percent)


def test_a_table_has_every_column_of_any_row_and_lines_up() -> None:
    lines = table([{"who": "ours", "p50": 1.5}, {"who": "stock", "note": "x"}]).splitlines()
    assert lines[0].split(" | ") == ["who  ", "p50", "note"]
    assert lines[2].startswith("ours  | 1.5 |")
    assert {line.index("|") for line in lines} == {6}


def test_a_report_keeps_rows_and_raw_numbers_and_says_what_was_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report("x", "How fast?", [{"who": "ours"}], {"seconds": [0.1]}, simulated=["the GPUs"])
    kept = json.loads(report.finish(tmp_path).read_text())
    assert kept["raw"] == {"seconds": [0.1]}
    assert kept["simulated"] == ["the GPUs"]
    assert {"commit", "machine", "versions", "when"} <= set(kept)
    assert "SIMULATED: the GPUs" in capsys.readouterr().out
