"""The host's clock, as its answers tell it."""

from __future__ import annotations

import pytest

from aifactory_hub.clusters.server_clock import ServerClock

NOON = "Sun, 29 Nov 2026 12:00:00 GMT"
AT_NOON = 1_795_953_600.0


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """This machine's steady clock: the test moves it."""
    now = [100.0]
    monkeypatch.setattr("aifactory_hub.clusters.server_clock.time.monotonic", lambda: now[0])
    return now


def test_before_an_answer_nobody_knows_what_time_it_is(steady: list[float]) -> None:
    clock = ServerClock()
    assert clock.now() is None
    for date in ("", "soon", "Sun, 99 Nov 2026 12:00:00 GMT"):
        clock.take(date)
    assert clock.now() is None


def test_it_goes_on_between_answers_and_a_later_answer_of_the_same_second_changes_nothing(steady: list[float]) -> None:
    clock = ServerClock()
    clock.take(NOON)
    steady[0] += 0.7
    clock.take(NOON)
    assert clock.now() == pytest.approx(AT_NOON + 0.7)


@pytest.mark.parametrize(("date", "now"), [("12:00:03", 3), ("11:00:00", -3600)])
def test_a_server_that_is_ahead_or_was_set_back_is_believed(steady: list[float], date: str, now: int) -> None:
    clock = ServerClock()
    clock.take(NOON)
    steady[0] += 0.5
    clock.take(NOON.replace("12:00:00", date))
    assert clock.now() == AT_NOON + now
