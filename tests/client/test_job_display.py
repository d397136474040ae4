"""Jobs in a notebook's cell."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.client import job_display, live_display
from aifactory_hub.client.errors import ServiceUnavailable
from aifactory_hub.client.job import Job
from aifactory_hub.client.job_list import JobTable
from aifactory_hub.client.session import Event
from aifactory_hub.client.table_display import table_html

BASE = {
    "id": "j1",
    "name": "<b>train</b>",
    "tenant": "nlp",
    "owner": "ada",
    "profile": "mig-1g.10gb",
    "command": "true",
    "state": "RUNNING",
    "final": False,
    "reason": None,
    "exit_code": None,
    "simulated": True,
    "times": {"running": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T01:05:09+00:00"},
    "cost": {"per_hour": "0.40", "so_far": "0.43", "at_most": "9.60", "hours": 24},
}


class Stream:
    """A session whose stream says these things."""

    def __init__(self, *events: Event | Exception) -> None:
        self._events = events

    def events(self, path: str) -> Any:
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            yield event

    def now(self) -> float:
        return 1767225600.0

    def get(self, path: str) -> dict[str, Any]:
        return {**BASE, "state": "SUCCEEDED", "final": True}


class Handle:
    def __init__(self) -> None:
        self.cards: list[str] = []

    def update(self, thing: Any) -> None:
        self.cards.append(thing._repr_html_())


def job(session: Any = None, **changes: Any) -> Job:
    return Job(session, {**BASE, **changes})


def test_a_card_says_all_and_runs_nothing_that_people_wrote() -> None:
    said = job(
        progress={"percent": 42.4, "eta_seconds": 75, "metrics": {"<i>": 0.123456789}}, reason="a & b"
    )._repr_html_()
    for part in ("▶ RUNNING", "&lt;b&gt;train&lt;/b&gt;", "0.43 so far, 9.60 at most", "ran 1h 05m", "simulated GPUs",
                 'value="42"', "about 1m 15s left", "&lt;i&gt; 0.123457", "a &amp; b"):  # fmt: skip
        assert part in said, part
    assert "<b>" not in said and "<i>" not in said
    cost = {"per_hour": "0.40", "so_far": "0.43", "at_most": "9.60", "hours": 24, "currency": "EUR"}
    assert "0.43 EUR so far, 9.60 EUR at most" in job(cost=cost)._repr_html_()
    assert "cost 0.43 EUR" in job(cost=cost, state="SUCCEEDED", final=True)._repr_html_()


def test_a_card_is_kept_up_to_date_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_display, "in_notebook", lambda: True)
    handle, first = Handle(), []
    stream = Stream(
        Event("job", {**BASE, "progress": {"percent": 10, "metrics": None, "eta_seconds": None}}),
        Event("", {}),
        Event("job", {**BASE, "state": "SUCCEEDED", "final": True}),
        Event("end", {}),
    )
    mine = job(stream)

    def display(thing: Any, display_id: bool = False) -> Handle:
        first.append(thing._repr_html_())
        return handle

    thread = job_display.show(mine, display=display, every=0.0)
    assert thread is not None
    thread.join(10)
    assert "RUNNING" in first[0]
    assert "10%" in handle.cards[0]
    assert "✔ SUCCEEDED" in handle.cards[-1]
    assert mine.state == "RUNNING"  # what the person holds changes when she asks


def test_a_card_that_is_not_up_to_date_any_more_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_display, "in_notebook", lambda: True)
    handle = Handle()
    thread = job_display.show(job(Stream(ServiceUnavailable("gone"))), display=lambda *_, **__: handle)
    assert thread is not None
    thread.join(10)
    assert "not up to date any more: gone" in handle.cards[-1]


def test_a_terminal_gets_one_card_and_no_thread() -> None:
    shown_once: list[Any] = []
    assert job_display.show(job(), display=shown_once.append) is None
    assert repr(shown_once[0]).startswith("<Job j1 RUNNING")


def test_a_job_that_waits_says_for_how_long() -> None:
    said = job(state="QUEUED", position=2, expected_wait={"words": "10 to 20 min"}, times={}, cost=None)
    assert "2 ahead in the queue, 10 to 20 min" in said._repr_html_()
    assert "2 ahead in the queue, 10 to 20 min" in table_html(JobTable([said]))
