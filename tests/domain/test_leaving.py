"""Leaving a team, or the company: what ends, what is kept, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.leaving import (
    Action,
    Affected,
    Policy,
    ServerFact,
    Standing,
    affected_servers,
    left_teams,
    notice,
    refused_session,
)
from aifactory_hub.domain.tenants import Role

NOW = 1000.0
STOP, KEEP = Policy(stop=True, grace=300), Policy(stop=False, grace=300)


@pytest.mark.parametrize(
    ("end", "signed_out", "standing"),
    [
        (None, False, Standing.ENDED),
        (NOW + 600, False, Standing.ENDED),
        (NOW + 30, False, Standing.SIGNED_OUT),
        (NOW - 1, False, Standing.SIGNED_OUT),
        (None, True, Standing.SIGNED_OUT),
        (NOW + 600, True, Standing.SIGNED_OUT),
    ],
    ids=[
        "no end",
        "long before its end",
        "shortly before",
        "after",
        "she signed out",
        "she signed out, before its end",
    ],
)
def test_what_a_refused_session_means(end: float | None, signed_out: bool, standing: Standing) -> None:
    assert refused_session(now=NOW, announced_end=end, signed_out=signed_out) is standing


@pytest.mark.parametrize(
    ("before", "left", "after", "wanted"),
    [
        ({"nlp": Role.MEMBER}, {}, {"nlp": Role.MEMBER}, {}),
        ({"nlp": Role.MEMBER}, {}, {}, {"nlp": NOW}),
        ({"nlp": Role.ADMIN}, {}, {"nlp": Role.MEMBER}, {}),
        ({"nlp": Role.MEMBER}, {}, {"nlp": Role.VIEWER}, {"nlp": NOW}),
        ({"nlp": Role.VIEWER}, {}, {}, {}),
        ({}, {"nlp": 7.0}, {}, {"nlp": 7.0}),
        ({}, {"nlp": 7.0}, {"nlp": Role.MEMBER}, {}),
        ({"nlp": Role.VIEWER}, {"nlp": 7.0}, {"nlp": Role.VIEWER}, {"nlp": 7.0}),
    ],
    ids=[
        "nothing changed", "left", "no admin any more", "a viewer now", "a viewer left", "left before", "came back",
        "still a viewer",
    ],
)  # fmt: skip
def test_since_when_teams_are_left(
    before: dict[str, Role], left: dict[str, float], after: dict[str, Role], wanted: dict[str, float]
) -> None:
    assert left_teams(before, left, after, NOW) == wanted


ROLES = st.dictionaries(st.sampled_from(["nlp", "vision", "robots"]), st.sampled_from(list(Role)))


@given(ROLES, ROLES)
def test_who_may_start_in_a_team_has_not_left_it(before: dict[str, Role], after: dict[str, Role]) -> None:
    left = left_teams(before, {}, after, NOW)
    assert not [tenant for tenant in left if after.get(tenant, Role.VIEWER) >= Role.MEMBER]


@pytest.mark.parametrize(
    ("server", "left", "policy", "action"),
    [
        (ServerFact("", "nlp", False), {}, STOP, None),
        (ServerFact("", None, True), {"nlp": NOW}, STOP, None),
        (ServerFact("", "vision", False), {"nlp": NOW}, STOP, None),
        (ServerFact("", "nlp", False), {"nlp": NOW - 299}, STOP, Action.KEEP),
        (ServerFact("", "nlp", False), {"nlp": NOW - 300}, STOP, Action.STOP),
        (ServerFact("", "nlp", False), {"nlp": 0.0}, KEEP, Action.KEEP),
        (ServerFact("", "nlp", True), {"nlp": NOW}, KEEP, Action.CALL_OFF),
    ],
    ids=["a member", "not bound yet", "another team", "in its grace", "after it", "kept by policy", "only starting"],
)
def test_what_becomes_of_a_server(
    server: ServerFact, left: dict[str, float], policy: Policy, action: Action | None
) -> None:
    found = affected_servers([server], left, policy, NOW)
    assert [one.action for one in found] == ([] if action is None else [action])


def test_the_owner_is_told_what_happens_when() -> None:
    assert notice(Affected("", "nlp", Action.KEEP, NOW + 290), "nlp", NOW) == (
        "You are not in team nlp any more. Your server there can't submit jobs, and it is stopped in 5 min: "
        "save what you need."
    )
    assert notice(Affected("big", "nlp", Action.KEEP), "nlp", NOW) == (
        "You are not in team nlp any more. Your server 'big' there can't submit jobs; it runs until you stop it."
    )
