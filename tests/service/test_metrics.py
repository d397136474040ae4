"""Metrics of jobs over HTTP: what runners report, and what people see of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from aifactory_hub.domain.metrics import MOST_POINTS

from ..support.job_service import RunningService
from .test_internal import started


def series(values: list[Any], *, start: int = 0, age: float = 0.0) -> dict[str, Any]:
    numbers = list(range(start, start + len(values)))
    return {"numbers": numbers, "steps": [n * 10 for n in numbers], "ages": [age] * len(values), "values": values}


async def report(service: RunningService, run: Any, said: Mapping[str, Any]) -> None:
    async with service.http(run.token) as http:
        answer = await http.post(run.path("progress"), json=said)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def run(service: RunningService) -> Any:
    run = await started(service, files=None)
    run.token = run.http.headers["Authorization"].split()[1]  # type: ignore[attr-defined]
    return run


async def read(service: RunningService, run: Any, query: str = "", person: str = "ada") -> dict[str, Any]:
    async with service.http(person) as http:
        answer = await http.get(f"/jobs/{run.job_id}/metrics{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_curve_is_read_with_its_last_values_in_the_job(service: RunningService, run: Any) -> None:
    now = service.context.clock()
    told = {"loss": series([0.5, "NaN", "-Infinity", 0.25], age=2.5), "lr": series([1e-3])}
    await report(service, run, {"progress": 40, "metrics": {"loss": 0.25, "lr": "NaN"}, "series": told})
    found = await read(service, run, person="bob")
    assert (found["cursor"], found["simulated"]) == (1, True)
    loss, lr = found["series"]
    assert {**loss, "times": None} == {
        "name": "loss",
        "attempt": 1,
        "reported": 4,
        "thinned": False,
        "whole": True,
        "steps": [0, 10, 20, 30],
        "times": None,
        "values": [0.5, "NaN", "-Infinity", 0.25],
    }
    assert loss["times"][0] == pytest.approx(now - 2.5, abs=1.0)
    assert (lr["name"], lr["values"]) == ("lr", [1e-3])
    async with service.http("ada") as http:
        (job,) = (await http.get("/jobs")).json()["jobs"]
    assert job["progress"]["metrics"] == {"loss": 0.25, "lr": "NaN"}


async def test_only_what_is_new_or_asked_for_is_told(service: RunningService, run: Any) -> None:
    await report(service, run, {"series": {"loss": series([3.0, 2.0]), "lr": series([0.1])}})
    cursor = (await read(service, run))["cursor"]
    assert (await read(service, run, f"?since={cursor}"))["series"] == []
    await report(service, run, {"series": {"loss": series([1.0], start=2)}})
    (new,) = (await read(service, run, f"?since={cursor}"))["series"]
    assert (new["whole"], new["reported"], new["values"]) == (False, 3, [1.0])
    assert [s["name"] for s in (await read(service, run, "?name=lr"))["series"]] == ["lr"]
    assert (await read(service, run, "?attempt=2"))["series"] == []


async def test_a_long_curve_says_that_it_is_thinned(service: RunningService, run: Any) -> None:
    for start in range(0, 3000, 500):
        await report(service, run, {"series": {"loss": series([float(start)] * 500, start=start)}})
    (found,) = (await read(service, run))["series"]
    assert (found["reported"], found["thinned"]) == (3000, True)
    assert MOST_POINTS // 2 <= len(found["values"]) <= MOST_POINTS + 5
    (few,) = (await read(service, run, "?points=10"))["series"]
    assert len(few["values"]) <= 10


async def test_a_job_of_another_team_shows_no_metrics(service: RunningService, run: Any) -> None:
    async with service.http("eve") as http:
        assert (await http.get(f"/jobs/{run.job_id}/metrics")).status_code == 404


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"series": {"loss": {**series([1.0]), "steps": [1, 2]}}}, "series.loss"),
        ({"series": {"loss": {**series([1.0, 2.0]), "numbers": [1, 1]}}}, "series.loss"),
        ({"series": {"loss": {**series([1.0]), "numbers": [-1]}}}, "series.loss.numbers.0"),
        ({"series": {"loss": {**series([1.0]), "steps": [2**60]}}}, "series.loss.steps.0"),
        ({"series": {"loss": series(["huge"])}}, "series.loss.values.0"),
        ({"series": {"l\nx": series([1.0])}}, "series.l"),
        ({"series": {"n" * 101: series([1.0])}}, "series.n"),
        ({"series": {f"m{n}": series([1.0]) for n in range(101)}}, "series"),
        ({"metrics": {"loss": "huge"}}, "metrics.loss"),
    ],
)
async def test_a_report_that_is_no_report_is_refused(
    service: RunningService, run: Any, said: dict[str, Any], field: str
) -> None:
    async with run.http as http:
        answer = await http.post(run.path("progress"), json=said)
    assert (answer.status_code, answer.json()["field"].startswith(field)) == (400, True), answer.text


@pytest.mark.parametrize("query", ["?since=-1", "?since=x", "?points=5", "?points=5000", "?attempt=0", "?from=1"])
async def test_a_question_that_is_none_is_refused(service: RunningService, run: Any, query: str) -> None:
    async with service.http("ada") as http:
        answer = await http.get(f"/jobs/{run.job_id}/metrics{query}")
    assert answer.status_code == 400
    assert answer.json()["field"] in query


async def test_a_table_of_runs_is_one_question(service: RunningService) -> None:
    values = {"lr": 0.1, "layers": 3, "name": "a", "norm": True, "seed": None}
    async with service.http("ada") as http:
        ids = []
        for number in range(4):
            body = {"command": "true", "profile": "mig-1g.10gb", "key": f"k{number}", "sweep": f"s{number % 2}"}
            answer = await http.post("/jobs", json={**body, "sweep_parameters": {**values, "seed": number}})
            ids.append(answer.json()["id"])
        of_sweep = (await http.get("/jobs?sweep=s1")).json()["jobs"]
        some = (await http.get("/jobs", params={"id": [ids[0], ids[3], "j-none"]})).json()["jobs"]
        again = (await http.post(f"/jobs/{ids[0]}/retry", json={"key": "r"})).status_code
    async with service.http("eve") as http:
        assert (await http.get("/jobs", params={"id": ids})).json()["jobs"] == []
    assert [(job["id"], job["sweep_parameters"]) for job in of_sweep] == [
        (ids[3], {**values, "seed": 3}),
        (ids[1], {**values, "seed": 1}),
    ]
    assert [job["id"] for job in some] == [ids[3], ids[0]]
    assert again == 409


@pytest.mark.parametrize(
    "given",
    [{"a": [1]}, {"a": {"b": 1}}, {"a\x1b": 1}, {"a": "b\x1b"}, {"a": 2**70}, {"a": "x" * 5000}, {"n" * 101: 1}],
)
async def test_parameters_of_a_sweep_are_plain_and_short(service: RunningService, given: dict[str, Any]) -> None:
    async with service.http("ada") as http:
        body = {"command": "true", "profile": "mig-1g.10gb", "key": "k", "sweep_parameters": given}
        answer = await http.post("/jobs", json=body)
    assert (answer.status_code, answer.json()["field"][:16]) == (400, "sweep_parameters")
