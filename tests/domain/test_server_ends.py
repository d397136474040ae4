"""Why a server ended, and which pods have no server: decided from facts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub import constants
from aifactory_hub.domain import server_ends
from aifactory_hub.domain.orphans import Orphan, ServerKey, find_orphans, to_remove
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.server_ends import EndReason, Notice, ServerEnd, duration

LABELS = {constants.LABEL_HUB: "here", constants.LABEL_OWNER_KIND: "server", constants.LABEL_OWNER: "ada"}
POD = PodFact("vc-nlp", "nlp", "notebooks", "nb-ada", "u1", "nb-ada-x", "Running", labels=LABELS)
TENANTS = {("vc-nlp", "nlp"): "nlp"}


@pytest.mark.parametrize(
    ("facts", "reason", "said"),
    [
        ({"reason": "OOMKilled"}, EndReason.OUT_OF_MEMORY, "more memory"),
        ({"reason": "Evicted", "message": "disk is full"}, EndReason.EVICTED, "disk is full"),
        ({"message": "boom"}, EndReason.EXITED, "exit code 3: boom"),
    ],
)
def test_an_end_is_told_in_words(facts: dict[str, str], reason: EndReason, said: str) -> None:
    ending = server_ends.exited(POD._replace(**facts), 3, at=1.0)  # type: ignore[arg-type]
    assert ending.reason is reason
    assert said in ending.why


def test_a_pod_that_is_gone_says_what_its_vcluster_says() -> None:
    assert "it is paused" in server_ends.pod_gone("nlp", "it is paused", 1.0).why
    assert "lost its storage" in server_ends.pod_gone("nlp", None, 1.0).why


def test_what_is_kept_is_read_again_and_what_is_not_understood_is_nothing() -> None:
    ending, notice = server_ends.preempted("nlp", "taken back", 5.0), Notice("x", 7.0)
    assert ServerEnd.from_state(ending.to_state()) == ending
    assert Notice.from_state(notice.to_state()) == notice
    assert ServerEnd.from_state({"reason": "of-a-newer-version", "why": "x"}) is None
    assert ServerEnd.from_state(None) is None
    assert Notice.from_state(None) is None


def test_people_are_told_of_each_server_by_its_name() -> None:
    states = {
        "": {server_ends.ENDED: server_ends.preempted("nlp", "taken back", 0.0).to_state()},
        "big": {server_ends.NOTICE: Notice("vision reclaims", 61.0).to_state()},
        "fine": {},
        "new": None,
    }
    (end,) = server_ends.end_messages(states)
    assert end.server == ""
    assert end.text.startswith("Your server ended at 1970-01-01 00:00 UTC. It was stopped to give its quota")
    (notice,) = server_ends.notice_messages(states)
    assert notice.server == "big"
    assert notice.text.startswith(
        "Your server big is stopped at 1970-01-01 00:01:01 UTC, to give its quota back: vision reclaims."
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h"), (3660, "1 h 1 min"), (90000, "1 d 1 h")],
)
def test_durations_are_for_people(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def orphans(*pods: PodFact, known: tuple[ServerKey, ...] = (), before: tuple[Orphan, ...] = ()) -> list[Orphan]:
    return find_orphans(pods, "here", TENANTS, known, before, now=100.0)


def test_a_pod_of_ours_without_a_server_is_an_orphan_since_it_was_first_seen() -> None:
    found = orphans(POD)
    assert found == [Orphan(ServerKey("nlp", "ada"), "nb-ada", "u1", "Running", 100.0)]
    earlier = replace(found[0], since=40.0)
    assert orphans(POD, before=(earlier,)) == [earlier]
    assert to_remove([earlier], delay=60, now=100, servers=9) == [earlier]
    assert to_remove([earlier], delay=61, now=100, servers=9) == []


@pytest.mark.parametrize(
    "pod",
    [
        POD._replace(labels={**LABELS, constants.LABEL_HUB: "elsewhere"}),
        POD._replace(labels={**LABELS, constants.LABEL_OWNER_KIND: "job"}),
        POD._replace(labels={}),
        POD._replace(host_namespace="vc-other"),
        POD._replace(namespace="jobs"),
        POD._replace(deleting=True),
    ],
    ids=["another hub's", "a job's", "nobody's", "of no tenant", "another namespace", "going"],
)
def test_what_is_not_certainly_ours_is_none(pod: PodFact) -> None:
    assert orphans(pod) == []


def test_the_same_person_in_another_tenant_does_not_count() -> None:
    assert orphans(POD, known=(ServerKey("nlp", "ada"),)) == []
    assert len(orphans(POD, known=(ServerKey("vision", "ada"),))) == 1


@given(st.sets(st.sampled_from(["ada", "bob", "cyd"])), st.lists(st.sampled_from(["ada", "bob", "cyd"])))
def test_a_known_server_is_never_an_orphan(known: set[str], owners: list[str]) -> None:
    pods = [POD._replace(uid=f"u{i}", labels={**LABELS, constants.LABEL_OWNER: o}) for i, o in enumerate(owners)]
    found = orphans(*pods, known=tuple(ServerKey("nlp", owner) for owner in known))
    assert {orphan.key.owner for orphan in found} == set(owners) - known
