"""From a pod as the host shows it to what it held."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.months import utc
from aifactory_hub.domain.pod_usage import Heard, facts_of, facts_of_gone
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.usage import Source

LIVE = Heard(Source.WATCH, 1000, 1000)
LATER = Heard(Source.LIST, 1000, 700)


def pod(**changes: Any) -> PodFact:
    """One that was bound at 110 and runs since 120. Times are given in seconds."""
    base: dict[str, Any] = {"created_at": 100, "scheduled_at": 110, "started_at": 120, "node": "n1", "phase": "Running"}
    told: dict[str, Any] = {
        key: utc(value) if isinstance(value, int) and (key.endswith("_at") or key == "delete_by") else value
        for key, value in {**base, **changes}.items()
    }
    return PodFact("vc-nlp", "nlp", "notebooks", "nb", "u1", "nb-host", **told)


def told(pod: PodFact, heard: Heard = LIVE, *, gone: bool = False) -> list[tuple[str, int, int]]:
    facts = facts_of_gone(pod, heard) if gone else facts_of(pod, heard)
    return [(fact.kind.value, fact.at, fact.latest) for fact in facts]


def test_a_pod_without_a_node_holds_nothing_and_one_that_was_never_bound_held_nothing() -> None:
    waiting = pod(scheduled_at=None, started_at=None, node=None, phase="Pending")
    assert told(waiting) == told(waiting, gone=True) == []


def test_it_holds_from_the_choice_of_its_node_on() -> None:
    assert told(pod(started_at=None, phase="Pending")) == [("bound", 110, 110)]
    assert told(pod()) == [("bound", 110, 110), ("started", 120, 120)]


def test_a_pod_that_came_with_its_node_holds_from_its_creation_on() -> None:
    assert told(pod(scheduled_at=None))[0] == ("bound", 100, 100)


def test_it_ends_with_its_last_container_however_long_it_stays_afterwards() -> None:
    ended = pod(phase="Succeeded", ended_at=400, delete_by=900, deleting=True)
    assert told(ended)[-1] == told(ended, LATER, gone=True)[-1] == ("ended", 400, 400)


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        # Refused by its node, or ended before any container began.
        ({"phase": "Failed", "started_at": None, "ended_at": None}, ("ended", 110, 110)),
        # It ran, and no container says when it ended: what is known last, and until it was heard of.
        ({"phase": "Failed", "changed_at": 300}, ("ended", 300, 1000)),
        # Its node was given up, and nobody will know better.
        ({"phase": "Failed", "lost_at": 250}, ("lost", 250, 250)),
        # A clock that is behind.
        ({"phase": "Succeeded", "ended_at": 90}, ("ended", 110, 110)),
    ],
)
def test_an_end_that_no_container_tells(changes: dict[str, Any], end: tuple[str, int, int]) -> None:
    assert told(pod(**changes))[-1] == end


def test_a_lost_node_bills_no_longer_though_its_pod_is_still_there() -> None:
    assert told(pod(lost_at=250))[-1] == ("lost", 250, 250)


@pytest.mark.parametrize(
    ("heard", "changes", "end"),
    [
        (LIVE, {}, ("gone", 1000, 1000)),
        (LATER, {}, ("gone", 700, 1000)),
        # Its deletion was asked for later than the last that was heard: it was there then.
        (LATER, {"delete_by": 830, "grace": 30}, ("gone", 800, 1000)),
        # It began after the last that was heard.
        (LATER, {"scheduled_at": 720, "started_at": 725}, ("gone", 720, 1000)),
    ],
)
def test_a_pod_that_never_said_how_it_ended(heard: Heard, changes: dict[str, Any], end: tuple[str, int, int]) -> None:
    assert told(pod(**changes), heard, gone=True)[-1] == end


def test_what_is_no_time_is_no_fact() -> None:
    assert told(pod()._replace(scheduled_at="soon", created_at=None, node=None)) == []
    assert told(pod()._replace(started_at="soon")) == [("bound", 110, 110)]
