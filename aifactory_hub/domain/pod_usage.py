"""From pods as the host shows them to what they held: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .pods import PodFact
from .usage import FactKind, Source, UsageFact

# Of a pod that ended without any container having begun: nothing was taken.
_NEVER_RAN = "none of its containers began"
_NO_TIME = "none of its containers said when it ended"


@dataclass(frozen=True, slots=True)
class Heard:
    """How a change was heard of, and by when: ``at`` is now by the host's clock, ``before`` when the host was last
    heard before that. Where the watch goes on without a gap both are the same second."""

    source: Source
    at: int
    before: int


def seconds_of(timestamp: str | None) -> int | None:
    """Whole seconds since 1970 of Kubernetes' text; None for anything else."""
    if timestamp is None:
        return None
    try:
        return int(datetime.fromisoformat(timestamp).timestamp())
    except (ValueError, OverflowError):
        return None


def facts_of(pod: PodFact, heard: Heard) -> list[UsageFact]:
    """What the pod says of its own hold, without whose it is. Nothing before a node was chosen."""
    bound = bound_at(pod)
    if bound is None:
        return []
    facts = [_exact(pod, FactKind.BOUND, bound, heard)]
    if (started := seconds_of(pod.started_at)) is not None:
        facts.append(_exact(pod, FactKind.STARTED, started, heard))
    if pod.over:
        facts.append(_end_of(pod, bound, heard))
    elif (lost := seconds_of(pod.lost_at)) is not None:
        facts.append(_exact(pod, FactKind.LOST, max(bound, lost), heard))
    return facts


def facts_of_gone(pod: PodFact, heard: Heard) -> list[UsageFact]:
    """What follows from the pod's deletion. ``pod`` is the state in which it went, or in which it was seen last.

    Where it did not say how it ended, it ended between the last that was heard of it and now.
    """
    facts = facts_of(pod, heard)
    if not facts or pod.over or pod.lost_at is not None:
        return facts
    return [*facts, _gone(pod, facts[0].at, heard)]


def bound_at(pod: PodFact) -> int | None:
    """When a node was chosen. A pod that came with a node of its own has it from its creation on."""
    if (scheduled := seconds_of(pod.scheduled_at)) is not None:
        return max(scheduled, seconds_of(pod.created_at) or 0)
    return seconds_of(pod.created_at) if pod.node else None


def _end_of(pod: PodFact, bound: int, heard: Heard) -> UsageFact:
    if (ended := seconds_of(pod.ended_at)) is not None:
        return _exact(pod, FactKind.ENDED, max(bound, ended), heard)
    if (lost := seconds_of(pod.lost_at)) is not None:
        return _exact(pod, FactKind.LOST, max(bound, lost), heard)
    if pod.started_at is None:
        # Refused by its node, or ended by the host before it began.
        return _exact(pod, FactKind.ENDED, bound, heard, note=_NEVER_RAN)
    known = max(bound, seconds_of(pod.started_at) or 0, seconds_of(pod.changed_at) or 0)
    return UsageFact.between(pod.uid, FactKind.ENDED, heard.source, known, heard.at, note=_NO_TIME)


def _gone(pod: PodFact, bound: int, heard: Heard) -> UsageFact:
    earliest = max(bound, min(heard.before, heard.at), _delete_asked_at(pod) or 0)
    return UsageFact.between(pod.uid, FactKind.GONE, heard.source, earliest, heard.at)


def _delete_asked_at(pod: PodFact) -> int | None:
    by = seconds_of(pod.delete_by)
    return None if by is None else by - pod.grace


def _exact(pod: PodFact, kind: FactKind, at: int, heard: Heard, *, note: str = "") -> UsageFact:
    return UsageFact.exact(pod.uid, kind, heard.source, at, heard.at, note=note)
