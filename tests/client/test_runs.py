"""Jobs beside each other: pure."""

from __future__ import annotations

import math
from typing import Any

import pytest

from aifactory_hub.client.errors import ClientError
from aifactory_hub.client.job import Job
from aifactory_hub.client.job_list import JobTable
from aifactory_hub.client.runs import as_csv, parameters_of, rows

from .test_job_display import BASE


def job(name: str, metrics: dict[str, Any] | None = None, **changes: Any) -> Job:
    progress = None if metrics is None else {"percent": None, "eta_seconds": None, "metrics": metrics, "at": None}
    told = {**BASE, "id": name, "name": name, "final": True, "progress": progress, **changes}
    return Job(None, told)  # type: ignore[arg-type]


def lr(value: float) -> dict[str, Any]:
    return {"sweep_parameters": {"lr": value}}


TABLE = [
    job("a", {"loss": 0.5, "accuracy": 0.7}, **lr(0.1)),
    job("b", {"loss": "NaN"}, **lr(0.01)),
    job("c", None, **lr(10)),
    job("d", {"loss": 0.2, "accuracy": 0.9}, **lr(2)),
    job("e", {"loss": "Infinity"}, **lr(0.2)),
]


def test_rows_have_the_same_columns_and_none_for_what_is_not_there() -> None:
    found = rows([*TABLE, job("f", {"lr": 3.0})])
    assert len({tuple(row) for row in found}) == 1
    assert list(found[0])[-4:] == ["lr", "loss", "accuracy", "lr (metric)"]
    assert [row["accuracy"] for row in found] == [0.7, None, None, 0.9, None, None]
    assert math.isnan(found[1]["loss"])
    assert rows([]) == []


@pytest.mark.parametrize(
    ("by", "descending", "expected"),
    [
        ("loss", False, "daebc"),
        ("loss", True, "eadbc"),
        ("accuracy", True, "dabce"),
        ("lr", False, "baedc"),
        ("name", True, "edcba"),
    ],
)
def test_they_are_sorted_by_a_metric_a_parameter_or_a_column(by: str, descending: bool, expected: str) -> None:
    table = JobTable(TABLE).table(by, descending=descending)
    assert "".join(each.id for each in table) == expected


def test_what_no_job_has_is_named_with_what_there_is() -> None:
    with pytest.raises(ClientError, match=r"None of the 5 jobs has 'los'. There are: loss, accuracy, lr, id"):
        JobTable(TABLE).table("los")
    with pytest.raises(ClientError, match=r"has a number as 'f1'. Metrics that they have: loss, accuracy"):
        JobTable(TABLE).best("f1")


def test_the_best_is_found_and_those_without_a_number_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert JobTable(TABLE).best("accuracy").id == "d"
    assert JobTable(TABLE).best("loss", lowest=True).id == "d"
    assert "3 of 5 jobs have no number as accuracy: b RUNNING, c RUNNING, e RUNNING" in capsys.readouterr().err


def test_a_sorted_table_says_how_many_have_nothing_to_be_sorted_by() -> None:
    said = JobTable(TABLE).table("accuracy")._repr_html_()
    assert "3 of 5 jobs have no accuracy: they come last." in said
    assert ">0.9<" in said
    assert '<th scope="col" style="text-align:left">lr</th>' in said


def test_many_columns_are_cut_and_named() -> None:
    wide = JobTable([job("a", {f"m{n}": 1.0 for n in range(20)})])
    assert "Not shown: m8, m9" in wide._repr_html_()
    assert ">m19</th>" in wide.table(metrics=["m19"])._repr_html_()


def test_csv_runs_nothing_in_a_spreadsheet(tmp_path: Any) -> None:
    text = as_csv([{"=a": "=1+1", "b": -1.5, "c": None, "d": 'x,"y"\n'}])
    assert text == '\'=a,b,c,d\n\'=1+1,-1.5,,"x,""y""\n"\n'
    assert JobTable(TABLE).to_csv(tmp_path / "t.csv") == (tmp_path / "t.csv").read_text()
    assert as_csv([]) == ""


def test_parameters_of_a_notebook_are_read_from_its_command() -> None:
    command = "python3 -P -m aifactory_hub.runner.notebook a.ipynb --parameters '{\"lr\": 0.1}'"
    assert parameters_of(job("a", command=command, sweep_parameters={"seed": 1})) == {"lr": 0.1, "seed": 1}
    assert parameters_of(job("a", command=f"{command[:-3]}", parameters={"t": "1"})) == {"t": "1"}
