"""What is next for a team, as a table."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.domain.provisioning import (
    APPLIED,
    STEPS,
    Stage,
    TeamFacts,
    Wish,
    lateness,
    next_step,
    pause_after,
)
from aifactory_hub.domain.team_sleep import SleepFacts, wish_of

SAME = dict.fromkeys(APPLIED, 0)
GOOD = TeamFacts(differing=SAME, counted=True, replicas=1, ready=1, shut=False)
SLEEPS = replace(GOOD, replicas=0, ready=0, wish=Wish.ASLEEP, lacking=("hub-jobs",))


def with_one(stage: Stage, facts: TeamFacts = GOOD, **fields: Any) -> TeamFacts:
    return replace(facts, differing={**SAME, stage: 1}, **fields)


TABLE = {
    "nothing is known": (TeamFacts(), Stage.WALLS, Stage.WALLS),
    "walls differ": (with_one(Stage.WALLS), Stage.WALLS, Stage.WALLS),
    "not counted": (replace(GOOD, counted=False, shut=True), Stage.WALLS, None),
    "not counted, and queues differ": (with_one(Stage.QUEUE, counted=False), Stage.WALLS, None),
    "queues differ": (with_one(Stage.QUEUE), Stage.QUEUE, Stage.QUEUE),
    "control plane differs": (with_one(Stage.CONTROL_PLANE), Stage.CONTROL_PLANE, Stage.CONTROL_PLANE),
    "starts": (replace(GOOD, ready=0, shut=True), Stage.API, None),
    "starts, and the door differs": (with_one(Stage.DOOR, ready=0, shut=True), Stage.API, None),
    "starts again": (replace(GOOD, ready=0), Stage.WAKING, None),
    "no credentials": (replace(GOOD, lacking=("hub-jobs",), shut=True), Stage.CREDENTIALS, None),
    "no credentials, and the door differs": (with_one(Stage.DOOR, lacking=("x",), shut=True), Stage.CREDENTIALS, None),
    "no credentials any more, and the door differs": (with_one(Stage.DOOR, lacking=("x",)), Stage.DOOR, Stage.DOOR),
    "ends and works": (replace(GOOD, ends=True, work=2), Stage.DRAINING, None),
    "has ended": (replace(SLEEPS, ends=True), Stage.RETIRED, None),
    "ends, and its queues differ": (with_one(Stage.QUEUE, ends=True), Stage.QUEUE, Stage.QUEUE),
    "door differs": (with_one(Stage.DOOR, shut=True), Stage.DOOR, Stage.DOOR),
    "shut": (replace(GOOD, shut=True), Stage.DOOR, Stage.DOOR),
    "all is well": (GOOD, Stage.READY, None),
    "held by others": (replace(GOOD, held_by="somebody"), Stage.READY, None),
    "sleeps": (SLEEPS, Stage.ASLEEP, None),
    "sleeps, and a wall differs": (with_one(Stage.WALLS, SLEEPS), Stage.WALLS, Stage.WALLS),
    "paused": (replace(SLEEPS, wish=Wish.PAUSED), Stage.PAUSED, None),
    "somebody else's": (TeamFacts(foreign="hub x"), Stage.WALLS, None),
}


@pytest.mark.parametrize(("facts", "stage", "apply"), TABLE.values(), ids=TABLE)
def test_the_next_step(facts: TeamFacts, stage: Stage, apply: Stage | None) -> None:
    step = next_step(facts)
    assert (step.stage, step.apply) == (stage, apply)
    assert step.sentence


def test_the_door_is_opened_only_when_all_else_is_there() -> None:
    """Over everything that can be: what opens the door has walls, queues, a control plane and credentials."""
    opened = 0
    for numbers in itertools.product((None, 0, 1), repeat=len(APPLIED)):
        differing = {stage: n for stage, n in zip(APPLIED, numbers, strict=True) if n is not None}
        for counted, ready, lacking, wish in itertools.product((True, False), (0, 1), ((), ("x",)), Wish):
            step = next_step(TeamFacts("", differing, counted, 1, ready, lacking, True, "", wish))
            if step.apply is Stage.DOOR:
                opened += 1
                before = all(differing.get(stage) == 0 for stage in APPLIED[:3])
                assert before and counted and ((ready and not lacking) or wish is not Wish.AWAKE)
    assert opened


def test_nothing_behind_a_wall_is_applied_while_the_wall_differs() -> None:
    for stage in APPLIED[1:]:
        both = replace(GOOD, differing={**SAME, Stage.WALLS: 1, stage: 1})
        assert next_step(both).apply is Stage.WALLS


def test_what_lasts_too_long_is_said() -> None:
    for stage, step in STEPS.items():
        assert lateness(stage, 0, step.deadline) == ""
        assert f"longer than {step.deadline:.0f} s" in lateness(stage, 0, step.deadline + 1)
    assert lateness(Stage.READY, 0, 1e9) == ""


def test_pauses_grow_and_end() -> None:
    pauses = [pause_after(failures, 1.0) for failures in range(20)]
    assert pauses == sorted(pauses) and pauses[0] == 1.0 and pauses[-1] == 300.0
    assert pause_after(3, 0.0) == 4.0


QUIET = SleepFacts(after=600, replicas=1, asleep_since=None, tickets=0, pods=0, last_used=0, now=600)


@pytest.mark.parametrize(
    ("facts", "wish"),
    [
        (QUIET, Wish.ASLEEP),
        (replace(QUIET, now=599), Wish.AWAKE),
        (replace(QUIET, after=None), Wish.AWAKE),
        (replace(QUIET, tickets=1), Wish.AWAKE),
        (replace(QUIET, pods=1), Wish.AWAKE),
        (replace(QUIET, tickets=None), Wish.AWAKE),
        (replace(QUIET, replicas=None), Wish.AWAKE),
        (replace(QUIET, replicas=0, asleep_since=600), Wish.ASLEEP),
        (replace(QUIET, replicas=0, asleep_since=600, now=601, last_used=600), Wish.ASLEEP),
        (replace(QUIET, replicas=0, asleep_since=600, pods=None), Wish.ASLEEP),
        (replace(QUIET, replicas=0, asleep_since=600, tickets=1), Wish.AWAKE),
        (replace(QUIET, replicas=0, asleep_since=600, after=None), Wish.AWAKE),
        (replace(QUIET, replicas=0, tickets=1), Wish.PAUSED),
        (replace(QUIET, replicas=0), Wish.PAUSED),
        (replace(QUIET, after=None, ends=True), Wish.ASLEEP),
        (replace(QUIET, after=None, ends=True, tickets=1), Wish.AWAKE),
        (replace(QUIET, after=None, ends=True, replicas=None), Wish.AWAKE),
    ],
)
def test_when_a_team_sleeps(facts: SleepFacts, wish: Wish) -> None:
    assert wish_of(facts) is wish
