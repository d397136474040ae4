"""Who may vote, and what votes come to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.approvals import (
    Approval,
    ApprovalState,
    Approver,
    Reason,
    Standing,
    Vote,
    changed_parts,
    digest_of_parts,
    needs_in_words,
    tally,
    why_not_vote,
)
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.verdicts import Need

ADMIN = Approver(Role.ADMIN)
SECURITY = Approver(Role.MEMBER, frozenset({"security"}))
BOTH = Approver(Role.ADMIN, frozenset({"security"}))
MEMBER = Approver(Role.MEMBER)
ON_CALL = Approver(None, frozenset({"on-call"}))
ASKED = Approval(
    id="a1",
    tenant="nlp",
    kind="job",
    subject="j1",
    verb="submit",
    title="train",
    digest="d",
    parts={},
    needs=(Need("admin"), Need("security")),
    reasons=(Reason("long-jobs", "It runs for more than a day."),),
    asked_by="ada",
    excluded=("carl",),
    asked_at=0.0,
    expires_at=100.0,
)


def votes(*said: tuple[str, bool]) -> list[Vote]:
    return [Vote(n, voter, yes, "", float(n)) for n, (voter, yes) in enumerate(said, 1)]


def stand(approvers: dict[str, Approver | None], *said: tuple[str, bool], approval: Approval = ASKED) -> Standing:
    return tally(approval, votes(*said), approvers, emergency_group="on-call")


def test_needs_are_joined_by_and() -> None:
    assert stand({"ann": ADMIN}, ("ann", True)).missing == (Need("security"),)
    assert stand({"sid": SECURITY}, ("sid", True)).missing == (Need("admin"),)
    both = stand({"ann": ADMIN, "sid": SECURITY}, ("ann", True), ("sid", True))
    assert both.granted and both.counted == ("ann", "sid")


def test_one_person_meets_one_need() -> None:
    assert not stand({"bea": BOTH}, ("bea", True)).granted
    # Whoever comes first, the one who can meet both takes what the other can't.
    for order in (("bea", "ann"), ("ann", "bea"), ("bea", "sid"), ("sid", "bea")):
        known = {"bea": BOTH, "ann": ADMIN, "sid": SECURITY}
        assert stand({who: known[who] for who in order}, *((who, True) for who in order)).granted, order


def test_two_of_one_group_are_two_people() -> None:
    approval = replace(ASKED, needs=(Need("security", 2),))
    assert stand({"sid": SECURITY}, ("sid", True), approval=approval).missing == (Need("security"),)
    assert stand({"sid": SECURITY, "bea": BOTH}, ("sid", True), ("bea", True), approval=approval).granted


def test_the_vote_of_somebody_who_left_falls() -> None:
    left = stand({"ann": MEMBER, "sid": SECURITY}, ("ann", True), ("sid", True))
    assert not left.granted and left.fallen == ("ann",) and left.missing == (Need("admin"),)


def test_a_no_of_somebody_who_left_falls_too() -> None:
    assert stand({"ann": MEMBER}, ("ann", False)).refused is None


def test_one_no_ends_it_whoever_said_yes() -> None:
    refused = stand({"ann": ADMIN, "sid": SECURITY, "bea": BOTH}, ("ann", True), ("sid", True), ("bea", False))
    assert not refused.granted and refused.refused is not None and refused.refused.voter == "bea"


def test_the_last_word_of_a_person_counts() -> None:
    assert stand({"ann": ADMIN}, ("ann", False), ("ann", True)).refused is None
    assert stand({"ann": ADMIN}, ("ann", True), ("ann", False)).refused is not None


def test_whom_nobody_knows_now_is_not_counted_and_not_fallen() -> None:
    unknown = stand({"ann": None, "sid": SECURITY}, ("ann", True), ("sid", True))
    assert not unknown.granted and unknown.unknown == ("ann",) and unknown.fallen == ()


@pytest.mark.parametrize(
    ("voter", "words"), [("ada", "yourself"), ("carl", "a part in this"), ("max", "none of those")]
)
def test_who_may_not_vote_is_told_why(voter: str, words: str) -> None:
    approver = MEMBER if voter == "max" else BOTH
    assert words in (why_not_vote(ASKED, voter, approver, emergency_group=None) or "")
    assert not stand({voter: approver}, (voter, True)).counted


def test_nobody_votes_on_what_is_over() -> None:
    over = replace(ASKED, state=ApprovalState.USED)
    assert "used" in (why_not_vote(over, "ann", ADMIN, emergency_group=None) or "")


def test_in_an_emergency_one_of_that_group_is_enough_and_says_so() -> None:
    alone = [Vote(1, "olga", True, "the site is down", 1.0, emergency=True)]
    granted = tally(ASKED, alone, {"olga": ON_CALL}, emergency_group="on-call")
    assert granted.granted and granted.emergency == alone[0]
    assert not tally(ASKED, alone, {"olga": ADMIN}, emergency_group="on-call").granted
    assert not tally(ASKED, alone, {"olga": ON_CALL}, emergency_group=None).granted
    # Without the word "emergency" it is a vote like another, for a need that they don't meet.
    assert not stand({"olga": ON_CALL}, ("olga", True)).granted


PEOPLE = {"ann": ADMIN, "sid": SECURITY, "bea": BOTH, "max": MEMBER, "ada": BOTH, "carl": BOTH, "olga": ON_CALL}


@given(st.lists(st.tuples(st.sampled_from(sorted(PEOPLE)), st.booleans()), max_size=8))
def test_only_those_who_may_vote_matter(said: list[tuple[str, bool]]) -> None:
    """Nobody who is excluded, has left or never could changes the outcome."""
    outcome = stand(dict(PEOPLE), *said)
    able = [(who, yes) for who, yes in said if who in ("ann", "sid", "bea")]
    again = stand(dict(PEOPLE), *able)
    assert (outcome.granted, bool(outcome.refused)) == (again.granted, bool(again.refused))
    assert not outcome.granted or len(set(outcome.counted)) >= 2


@given(st.lists(st.sampled_from(["ann", "sid", "bea"]), max_size=4), st.sampled_from(["ann", "sid", "bea"]))
def test_one_more_yes_never_takes_a_grant_away(yes: list[str], more: str) -> None:
    before = stand(dict(PEOPLE), *((who, True) for who in yes))
    after = stand(dict(PEOPLE), *((who, True) for who in [*yes, more]))
    assert after.granted or not before.granted


def test_a_digest_covers_all_parts_in_any_order() -> None:
    assert digest_of_parts({"a": "1", "b": "2"}) == digest_of_parts({"b": "2", "a": "1"})
    assert digest_of_parts({"a": "1"}) != digest_of_parts({"a": "2"})
    assert changed_parts({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == ("b", "c")


def test_needs_read_as_a_sentence() -> None:
    assert (
        needs_in_words((Need("admin"), Need("security", 2))) == "one of the team's administrators and two of security"
    )
