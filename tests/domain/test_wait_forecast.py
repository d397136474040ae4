"""The expected wait: known cases, what can't be known, and what holds for every case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.wait_forecast import UNKNOWN, Running, Wait, Waiting, expected_wait

HOUR = 3600.0
HISTORY = [HOUR] * 20


def test_what_is_free_is_not_waited_for() -> None:
    assert expected_wait(1, 1, [], []) == Wait(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("running", "ahead"),
    [
        ([Running(1, age=60.0)], []),
        ([Running(1, age=60.0, lengths=[10.0, 20.0])], []),
        ([Running(1, age=60.0, lengths=HISTORY)], [Waiting(1)]),
        ([], []),
    ],
    ids=["no history, no limit", "too little history", "somebody unknown is ahead", "nobody holds anything"],
)
def test_what_is_not_known_is_unknown(running: list[Running], ahead: list[Waiting]) -> None:
    assert expected_wait(1, 0, running, ahead) == UNKNOWN


def test_with_limits_alone_only_the_longest_wait_is_known() -> None:
    running = [Running(1, age=0.0, left=HOUR), Running(1, age=0.0, left=600.0)]
    assert expected_wait(1, 0, running, []) == Wait(None, None, 600.0)
    assert expected_wait(2, 0, running, []) == Wait(None, None, HOUR)


def test_who_is_ahead_runs_first() -> None:
    running = [Running(1, left=600.0)]
    assert expected_wait(1, 0, running, [Waiting(1, most=HOUR)]).most == 600.0 + HOUR


def test_history_gives_a_range_around_what_is_left_of_a_usual_run() -> None:
    wait = expected_wait(1, 0, [Running(1, age=HOUR / 2, lengths=HISTORY)], [])
    assert wait.low == HOUR / 2
    assert wait.high is not None
    assert HOUR / 2 <= wait.high <= HOUR
    assert wait.most is None


def test_a_run_that_has_outlived_all_others_is_expected_to_go_on() -> None:
    wait = expected_wait(1, 0, [Running(1, age=10 * HOUR, lengths=HISTORY)], [])
    assert wait.high is not None
    assert wait.high > HOUR


def test_a_limit_caps_what_history_expects() -> None:
    wait = expected_wait(1, 0, [Running(1, age=0.0, left=600.0, lengths=HISTORY)], [])
    assert wait == Wait(600.0, 600.0, 600.0)


def test_what_gives_way_is_free_within_a_minute() -> None:
    wait = expected_wait(1, 0, [Running(1, left=24 * HOUR, gives_way=True)], [])
    assert wait.most == 60.0
    assert wait.low is not None
    assert 5.0 <= wait.low <= 60.0


RUNNING = st.builds(
    Running,
    count=st.integers(1, 3),
    age=st.none() | st.floats(0, 1e5),
    left=st.none() | st.floats(0, 1e5),
    lengths=st.lists(st.floats(0, 1e5), max_size=8),
    gives_way=st.booleans(),
)
WAITING = st.builds(
    Waiting,
    count=st.integers(1, 3),
    most=st.none() | st.floats(0, 1e5),
    lengths=st.lists(st.floats(0, 1e5), max_size=8),
)


@given(st.integers(1, 4), st.integers(0, 3), st.lists(RUNNING, max_size=5), st.lists(WAITING, max_size=4))
def test_a_range_is_in_order_the_same_each_time_and_never_above_the_limit(
    asked: int, free: int, running: list[Running], ahead: list[Waiting]
) -> None:
    wait = expected_wait(asked, free, running, ahead)
    assert wait == expected_wait(asked, free, running, ahead)
    assert (wait.low is None) == (wait.high is None)
    if wait.low is not None and wait.high is not None:
        assert 0 <= wait.low <= wait.high
        assert wait.most is None or wait.high <= wait.most


@given(st.lists(RUNNING, min_size=1, max_size=5), st.lists(WAITING, max_size=3), WAITING)
def test_one_more_ahead_never_makes_the_longest_wait_shorter(
    running: list[Running], ahead: list[Waiting], more: Waiting
) -> None:
    fewer, longer = expected_wait(1, 0, running, ahead), expected_wait(1, 0, running, [*ahead, more])
    if longer.most is not None and fewer.most is not None:
        assert longer.most >= fewer.most
