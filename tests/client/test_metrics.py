"""Metrics through the real client, service and runner."""

from __future__ import annotations

import asyncio
import json
import math
import sys
import threading
from typing import Any

import pytest
from click.testing import CliRunner

from aifactory_hub.client import Job, jobs, live_display, sweep, table_display
from aifactory_hub.client.commands import job as command_line
from aifactory_hub.client.errors import ServiceUnavailable
from aifactory_hub.client.job_list import JobTable
from aifactory_hub.client.session import Session

from ..support.job_service import RunningService
from .test_job_display import Handle
from .test_runs import TABLE

PROGRAM = """
import os
from aifactory_hub.client import report
rate = float(os.environ["RATE"])
for step in range(20):
    report(progress=step * 5, metrics={"loss": rate / (step + 1)}, step=step * 100)
report(metrics={"accuracy": rate, "odd": float("nan")})
"""
COMMAND = f"RATE={{rate}} {sys.executable} -c '{PROGRAM}'"


@pytest.fixture
async def table(service: RunningService, session: Session) -> JobTable:
    def run() -> JobTable:
        found = sweep(COMMAND, {"rate": [0.5, 1.0]}, name="fit", profile="mig-1g.10gb", files=None, session=session)
        found.wait()
        return found

    return await asyncio.to_thread(run)


async def test_a_sweep_is_compared_by_its_last_metrics(table: JobTable, session: Session) -> None:
    def look() -> None:
        first, second = table
        assert (first.metrics["loss"], second.metrics["loss"]) == (0.025, 0.05)
        assert math.isnan(first.metrics["odd"])
        assert table.best("accuracy").id == second.id
        assert table.best("loss", lowest=True).id == first.id
        again = jobs.table(sort="rate", descending=True, session=session)
        assert [row["rate"] for row in again.rows()] == [1.0, 0.5]
        history = second.metric_history("loss")
        assert (history.thinned, history.reported, len(history)) == (False, 20, 20)
        assert {**history[1], "time": None} == {"attempt": 1, "name": "loss", "step": 100, "time": None, "value": 0.5}
        assert history[0]["time"] <= history[19]["time"]
        assert [point["name"] for point in second.metric_history()][-2:] == ["odd"] or len(
            second.metric_history()
        ) == 22
        assert second.metric_history("none") == []

    await asyncio.to_thread(look)


async def test_the_command_line_prints_metrics(
    table: JobTable, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aifactory_hub.client.api.default_session", lambda: session)

    async def said(*words: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, command_line, ["metrics", table[0].id, *words])

    plain = await said()
    assert plain.exit_code == 0, plain.output
    lines = [line.split() for line in plain.output.splitlines()]
    assert ["loss", "1", "1900", "0.025", "0.025", "0.5"] in lines
    assert ["odd", "1", "0", "nan", "nan", "nan"] in lines
    found = json.loads((await said("--json", "--name", "odd")).output)
    assert [(point["name"], point["value"]) for point in found] == [("odd", "nan")]
    csv = (await said("--csv", "--name", "loss")).output.splitlines()
    assert (csv[0], len(csv)) == ("attempt,name,step,time,value", 21)
    assert (await said("--csv", "--json")).exit_code == 2
    none = await said("--name", "none")
    assert (none.exit_code, "has reported no metric 'none'" in none.output) == (0, True)


async def test_a_table_is_kept_up_to_date_until_all_have_ended(
    service: RunningService, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_display, "in_notebook", lambda: True)
    handle = Handle()

    def look() -> JobTable:
        mine = sweep(COMMAND, {"rate": [1.0]}, profile="mig-1g.10gb", files=None, session=session)
        thread = table_display.show_table(mine, display=lambda *_, **__: handle, first=0.05)
        assert isinstance(thread, threading.Thread)
        thread.join(60)
        assert not thread.is_alive()
        return mine

    mine = await asyncio.to_thread(look)
    assert "✔ SUCCEEDED" in handle.cards[-1]
    assert ">0.05<" in handle.cards[-1]
    assert not mine[0].final  # what the person holds changes when they ask


def test_a_table_that_is_not_up_to_date_any_more_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def get(self, path: str, params: Any = None) -> Any:
            raise ServiceUnavailable("gone")

        def now(self) -> float:
            return 0.0

    monkeypatch.setattr(live_display, "in_notebook", lambda: True)
    handle = Handle()
    live = JobTable([Job(Away(), {**TABLE[0].data, "final": False})])  # type: ignore[arg-type]
    thread = table_display.show_table(live, display=lambda *_, **__: handle)
    assert thread is not None
    thread.join(10)
    assert "not up to date any more: gone" in handle.cards[-1]


def test_many_jobs_are_asked_for_with_few_questions() -> None:
    class Counting:
        asked: list[int] = []

        def get(self, path: str, params: Any) -> Any:
            self.asked.append(len(params["id"]))
            return {"jobs": [{**TABLE[0].data, "id": params["id"][0]}]}

    session = Counting()
    many = JobTable(Job(session, {**TABLE[0].data, "id": f"j{n}", "final": False}) for n in range(450))  # type: ignore[arg-type]
    many.refresh()
    assert session.asked == [200, 200, 50]
    assert many[0].final
