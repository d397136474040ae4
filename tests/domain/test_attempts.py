"""How long attempts have had, and may have, their devices."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.attempts import Attempt, held_seconds, most_seconds

OVER = Attempt(1, starting_at=100.0, running_at=110.0, ended_at=160.0)
OF_AN_OLD_SERVICE = Attempt(2, running_at=200.0, ended_at=230.0)
NEVER_HAD_THEM = Attempt(3, queued_at=300.0, ended_at=900.0)
RUNS = Attempt(4, starting_at=1000.0)


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [
        ((), 0.0),
        ((OVER,), 60.0),
        ((OF_AN_OLD_SERVICE,), 30.0),
        ((NEVER_HAD_THEM,), 0.0),
        ((RUNS,), 40.0),
        ((OVER, OF_AN_OLD_SERVICE, NEVER_HAD_THEM, RUNS), 130.0),
        ((Attempt(1, starting_at=2000.0),), 0.0),  # the clock was set back
    ],
)
def test_attempts_hold_their_devices_from_their_start_to_their_end(
    attempts: tuple[Attempt, ...], seconds: float
) -> None:
    assert held_seconds(attempts, 1040.0) == seconds


@pytest.mark.parametrize(
    ("attempts", "retries_left", "seconds"),
    [
        ((), 0, 600.0),
        ((), 2, 1800.0),
        ((OVER,), 1, 60.0 + 600.0 + 600.0),
        ((OVER, RUNS), 0, 60.0 + 600.0),
        ((Attempt(1, starting_at=300.0),), 1, 740.0 + 600.0),  # it took long to start, and had its devices meanwhile
    ],
)
def test_at_most_is_what_was_and_the_longest_that_may_still_come(
    attempts: tuple[Attempt, ...], retries_left: int, seconds: float
) -> None:
    assert most_seconds(attempts, longest=600.0, retries_left=retries_left, now=1040.0) == seconds
