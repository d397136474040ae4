"""What Home says of a month and of jobs: the decisions alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aifactory_hub.domain.home_jobs import MOST_JOBS, HomeJob, OwnMonth, hours_words, month_words, own_jobs, own_month
from aifactory_hub.domain.jobs import JobState

NOW = 1_800_000_000.0
HELD = {"seconds": 147_600, "amount": "12.30", "currency": "EUR", "uncertain_seconds": 0, "as_of": NOW}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "41 h, 12.30 EUR"),
        ({"currency": None}, "41 h, 12.30"),
        ({"amount": None}, "41 h, no price set"),
        ({"amount": "0.00", "seconds": 90}, "2 min, 0.00 EUR"),
        ({"seconds": 0, "amount": None}, "0 min"),
    ],
)
def test_the_month_in_words(change: dict[str, Any], words: str) -> None:
    month = month_words(own_month({**HELD, **change}), NOW)
    assert (month.words, month.stale, month.uncertain, month.known) == (words, "", "", True)


def test_what_is_old_or_uncertain_says_so_and_what_nobody_says_is_not_known() -> None:
    old = month_words(OwnMonth(7200, Decimal(1), "EUR", 1800, NOW - 3600), NOW)
    assert old.stale == "counted until 1 h ago"
    assert old.uncertain == "and up to 30 min that nobody saw, which cost nothing"
    assert (month_words(None, NOW).words, month_words(None, NOW).known) == ("not known now", False)


@pytest.mark.parametrize("said", [{}, {**HELD, "seconds": "many"}, {**HELD, "as_of": None}])
def test_what_is_no_answer_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        own_month(said)


def test_hours_of_any_length() -> None:
    assert [hours_words(s) for s in (0, 100, 3600, 9.5 * 3600, 400 * 3600)] == [
        "0 min",
        "2 min",
        "1.0 h",
        "9.5 h",
        "400 h",
    ]


def test_jobs_have_the_time_at_which_they_came_into_their_state() -> None:
    times = {"submitted": "2026-11-01T10:00:00Z", "running": None, "finished": "2026-11-01T10:00:09Z"}
    job = {"id": "j1", "name": "train", "state": "FAILED", "reason": None, "times": times}
    (read, *rest) = own_jobs({"jobs": [job] * 9})
    assert read == HomeJob("j1", "train", JobState.FAILED, "", 1793527209.0)
    assert len(rest) == MOST_JOBS - 1
