"""How a team comes to be on the host: the stages in their order, and what the next step is. Pure.

Walls first, door last: nothing of a team runs before what guards it is there, and no ticket is admitted before its
vCluster answers. Each look decides anew from what is there, so a step may be done twice, and a process that ends in the
middle of one loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """Where a team is. The first six are passed in this order; READY and what follows are states that last."""

    WALLS = "walls"
    QUEUE = "queue"
    CONTROL_PLANE = "control-plane"
    API = "api"
    CREDENTIALS = "credentials"
    DOOR = "door"
    READY = "ready"
    WAKING = "waking"
    ASLEEP = "asleep"
    PAUSED = "paused"
    DRAINING = "draining"
    RETIRED = "retired"


# What lasts until something changes.
LASTING = (Stage.READY, Stage.ASLEEP, Stage.PAUSED, Stage.RETIRED)
# In whose objects a difference is healed, in this order.
APPLIED = (Stage.WALLS, Stage.QUEUE, Stage.CONTROL_PLANE, Stage.DOOR)


@dataclass(frozen=True, slots=True)
class Step:
    """What a person is told while a stage lasts, and after how many seconds it takes too long."""

    sentence: str
    deadline: float
    todo: str


STEPS: Mapping[Stage, Step] = {
    Stage.WALLS: Step(
        "the namespace and what guards it are being made",
        60,
        "look at the provisioner's rights: `kubectl auth can-i --list --as"
        " system:serviceaccount:aifactory-system:aifactory-provisioner`",
    ),
    Stage.QUEUE: Step("the team's queues are being made, shut for now", 60, "look whether Kueue runs"),
    Stage.CONTROL_PLANE: Step(
        "the team's vCluster is being made", 60, "look at the events of the team's namespace: kubectl get events"
    ),
    Stage.API: Step(
        "the vCluster starts, which takes about 15 seconds",
        180,
        "look at its pod and its volume: kubectl describe pod, and kubectl get pvc, in the team's namespace",
    ),
    Stage.CREDENTIALS: Step(
        "the vCluster makes the hub's credentials", 90, "look at the vCluster's log for `additionalSecrets`"
    ),
    Stage.DOOR: Step("the team's queues are being opened", 60, "look whether Kueue runs"),
    Stage.WAKING: Step(
        "the team's control plane wakes, which takes about 10 seconds",
        120,
        "look at its pod: kubectl describe pod, in the team's namespace",
    ),
    Stage.DRAINING: Step("what the team still runs is being ended", 600, "look at what does not end: kubectl get pods"),
}


class Wish(StrEnum):
    """What is wanted of a team's control plane."""

    AWAKE = "awake"
    ASLEEP = "asleep"
    PAUSED = "paused"  # by somebody else, who alone ends it


@dataclass(frozen=True, slots=True)
class TeamFacts:
    """What was found of a team on the host.

    ``foreign`` says whose the namespace is if it isn't this hub's. ``differing`` has how many objects of each stage are
    not as wanted; a stage that could not be looked at is missing, and unknown. ``counted``: the quotas of the namespace
    have been counted, before which it refuses what they count. ``replicas`` is None without a control plane.
    ``lacking`` are the credentials that are not there. ``shut``: the queues are held by us; ``held_by`` by whom else.
    ``ends``: the team has ended, and is drained of its ``work``, which counts tickets and pods.
    """

    foreign: str = ""
    differing: Mapping[Stage, int] = field(default_factory=dict)
    counted: bool = False
    replicas: int | None = None
    ready: int = 0
    lacking: tuple[str, ...] = ()
    shut: bool = True
    held_by: str = ""
    wish: Wish = Wish.AWAKE
    ends: bool = False
    work: int = 0


@dataclass(frozen=True, slots=True)
class Next:
    """The stage that the team is in, what is applied now (None: nothing, it is waited), and what a person is told."""

    stage: Stage
    sentence: str
    apply: Stage | None = None
    trouble: str = ""
    todo: str = ""


def next_step(facts: TeamFacts) -> Next:
    """What is next for a team that is to be there."""
    if facts.foreign:
        return Next(
            Stage.WALLS,
            "nothing is done in a namespace that is not this hub's",
            trouble=f"the namespace is there and belongs to {facts.foreign}",
            todo="name another namespace in the team's `vcluster`, or give this one to the hub: `aifactory-hub tenants"
            " apply` marks it",
        )
    if (differing := _first_differing(facts)) is not None:
        return _doing(differing, differing)
    if facts.ends:
        return _ending(facts)
    return _waiting(facts) or _lasting(facts)


def _ending(facts: TeamFacts) -> Next:
    """Its queues drain it. What sleeps then is kept; nothing of it is deleted."""
    if facts.work:
        return _doing(Stage.DRAINING)
    return Next(
        Stage.RETIRED,
        "the team has ended; its volumes are kept, and taking `retire` out of its section brings it back",
    )


def _first_differing(facts: TeamFacts) -> Stage | None:
    """The door is no reason to apply anything before the credentials are there."""
    for stage in APPLIED:
        if facts.differing.get(stage, 1) and (stage is not Stage.DOOR or _usable(facts)):
            return stage
        if stage is Stage.WALLS and not facts.counted:
            return None
    return None


def _waiting(facts: TeamFacts) -> Next | None:
    if not facts.counted:
        return _doing(Stage.WALLS)
    if facts.wish is not Wish.AWAKE:
        return None
    if not facts.ready:
        return _doing(Stage.API if facts.shut else Stage.WAKING)
    if facts.lacking:
        return _doing(Stage.CREDENTIALS)
    return _doing(Stage.DOOR, Stage.DOOR) if facts.shut else None


def _lasting(facts: TeamFacts) -> Next:
    if facts.wish is Wish.ASLEEP:
        return Next(Stage.ASLEEP, "the team's control plane sleeps, because nothing of the team runs; a start wakes it")
    if facts.wish is Wish.PAUSED:
        return Next(
            Stage.PAUSED,
            "somebody has scaled the team's control plane to 0, and only they end that",
            todo="scale it to 1 when it may run again: kubectl scale statefulset",
        )
    if facts.held_by:
        held = f"the team's queues are held by {facts.held_by}, and only they end that"
        return Next(Stage.READY, held, todo="set `stopPolicy: None` on them when the team may start something again")
    return Next(Stage.READY, "the team can start notebooks and jobs")


def _usable(facts: TeamFacts) -> bool:
    """What was opened once is healed at any time."""
    return not facts.shut or facts.ends or facts.wish is not Wish.AWAKE or (facts.ready > 0 and not facts.lacking)


def _doing(stage: Stage, apply: Stage | None = None) -> Next:
    return Next(stage, STEPS[stage].sentence, apply)


def lateness(stage: Stage, since: float, now: float) -> str:
    """What is said of a stage that lasts longer than it should; empty before that. ``since`` and ``now`` in seconds."""
    step = STEPS.get(stage)
    if step is None or now - since <= step.deadline:
        return ""
    return f"it takes longer than {step.deadline:.0f} s: {step.sentence}"


def pause_after(failures: int, jitter: float) -> float:
    """Seconds before a team is looked at again after ``failures`` in a row; ``jitter`` is between 0 and 1."""
    return min(300.0, 2.0 ** min(failures, 9)) * (0.5 + jitter / 2)
