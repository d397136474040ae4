"""What follows from an idle server, as a table of states, and as sequences that hypothesis makes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.idle import Busy, Idle, Unknown, Verdict
from aifactory_hub.domain.idle_ladder import (
    Act,
    IdleAct,
    IdleAction,
    IdleRules,
    KeepRefused,
    Place,
    after_act,
    keep,
    next_act,
    place_of,
    saved_seconds,
)

NOW = 10_000.0
STOP = IdleRules(IdleAction.STOP)
IDLE, BUSY, UNKNOWN = Idle(NOW - 3000, ("why",)), Busy("why"), Unknown("why")
TOLD = Place(stop_at=NOW - 1)
DRY, NOTIFY, OFF = (replace(STOP, action=action) for action in (IdleAction.DRY_RUN, IdleAction.NOTIFY, IdleAction.OFF))


@pytest.mark.parametrize(
    ("place", "verdict", "rules", "expected"),
    [
        (Place(), IDLE, STOP, Act.NOTICED),
        (Place(), BUSY, STOP, None),
        (Place(), UNKNOWN, STOP, None),
        (Place(), IDLE, OFF, None),
        (Place(stop_at=NOW + 5), IDLE, STOP, None),
        (TOLD, IDLE, STOP, Act.STOPPED),
        (TOLD, IDLE, DRY, Act.WOULD_STOP),
        (TOLD, IDLE, NOTIFY, None),
        (TOLD, IDLE, OFF, Act.CLEARED),
        (TOLD, BUSY, STOP, Act.USED),
        (TOLD, UNKNOWN, STOP, Act.CLEARED),
        (Place(kept_until=NOW + 5, keeps=1), IDLE, STOP, None),
        (Place(kept_until=NOW - 5, keeps=1), IDLE, STOP, Act.NOTICED),
        (Place(keeps=1), UNKNOWN, STOP, None),
        (Place(over=True), IDLE, DRY, None),
        (Place(over=True), IDLE, STOP, Act.NOTICED),
        (Place(stopped=True), IDLE, STOP, None),
        (Place(over=True), BUSY, DRY, Act.USED),
    ],
)
def test_each_place_and_verdict_leads_on(
    place: Place, verdict: Verdict, rules: IdleRules, expected: Act | None
) -> None:
    act = next_act(place, verdict, rules, NOW)
    assert (None if act is None else act.act) is expected


def test_a_stop_waits_until_it_may_be_and_nothing_else_does() -> None:
    assert next_act(TOLD, IDLE, STOP, NOW, may_stop=False) is None
    noticed = next_act(Place(), IDLE, STOP, NOW, may_stop=False)
    assert noticed == IdleAct(Act.NOTICED, NOW, NOW + 600, IDLE.since)


def test_an_owner_keeps_it_only_after_a_notice_and_so_many_times() -> None:
    assert isinstance(keep(Place(), STOP, NOW), KeepRefused)
    assert keep(Place(stop_at=NOW + 60), STOP, NOW) == IdleAct(Act.KEPT, NOW, NOW + 7200)
    refused = keep(Place(stop_at=NOW + 60, keeps=3), STOP, NOW)
    assert isinstance(refused, KeepRefused) and "3 times in a row" in refused.message


@given(st.lists(st.sampled_from([IDLE, BUSY, UNKNOWN]), max_size=60), st.sampled_from([60.0, 300.0, 900.0]))
def test_nothing_is_stopped_without_a_whole_notice_through_which_it_was_idle(
    verdicts: list[Verdict], pause: float
) -> None:
    place, now, idle_for = Place(), 0.0, 0.0
    acts: list[IdleAct] = []
    for verdict in verdicts:
        now += pause
        idle_for = idle_for + pause if isinstance(verdict, Idle) else 0.0
        act = next_act(place, verdict, STOP, now)
        if act is None:
            continue
        acts.append(act)
        if act.act is Act.STOPPED:
            assert isinstance(verdict, Idle) and idle_for >= STOP.notice
        place = after_act(place, act)
    assert place == place_of(acts)


def test_a_dry_run_saves_from_its_end_until_it_is_used_or_ends() -> None:
    run = [IdleAct(Act.NOTICED, 0), IdleAct(Act.WOULD_STOP, 100)]
    assert saved_seconds(run, None, 400) == 300
    assert saved_seconds(run, 250, 400) == 150
    assert saved_seconds([*run, IdleAct(Act.USED, 160)], None, 400) == 60
    again = [*run, IdleAct(Act.USED, 160), IdleAct(Act.WOULD_STOP, 300)]
    assert saved_seconds(again, None, 400) == 160
    # What a real stop saved is not known.
    assert saved_seconds([IdleAct(Act.STOPPED, 100)], 101, 400) == 0
