"""Whether a team's control plane runs: it sleeps when nothing of the team runs, and wakes for whatever does. Pure.

Only a team without notebooks and jobs may sleep: a vCluster that wakes deletes what it knows and the host has no more.
"""

from __future__ import annotations

from dataclasses import dataclass

from .provisioning import Wish


@dataclass(frozen=True, slots=True)
class SleepFacts:
    """What counts for it; times in epoch seconds.

    ``after`` is how many seconds of quiet it takes, None: it never sleeps. ``replicas`` is what the control plane is
    scaled to, None where there is none. ``asleep_since`` is our own mark, None without one. ``tickets`` and ``pods``
    are what the team has on the host, None while that is not known. ``last_used`` is when it last had any.
    ``ends``: the team has ended, so that it sleeps as soon as it is drained.
    """

    after: float | None
    replicas: int | None
    asleep_since: float | None
    tickets: int | None
    pods: int | None
    last_used: float
    now: float
    ends: bool = False


def wish_of(facts: SleepFacts) -> Wish:
    """What is wanted of the control plane. What is not known changes nothing, except that it wakes nobody's pause."""
    if facts.replicas == 0 and facts.asleep_since is None:
        return Wish.PAUSED
    asleep = facts.replicas == 0
    if facts.tickets is None or facts.pods is None:
        return Wish.ASLEEP if asleep else Wish.AWAKE
    if facts.ends and facts.replicas is not None and not facts.tickets and not facts.pods:
        return Wish.ASLEEP
    if facts.after is None or facts.replicas is None or facts.tickets or facts.pods:
        return Wish.AWAKE
    return Wish.ASLEEP if asleep or facts.now - facts.last_used >= facts.after else Wish.AWAKE
