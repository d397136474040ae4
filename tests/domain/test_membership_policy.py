"""Leaving a team, or the company: what ends, what is kept, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.membership_policy import (
    Action,
    Affected,
    Policy,
    ServerFact,
    SessionStatus,
    affected_servers,
    leaving_since,
    notice,
    refused_session,
)
from aifactory_hub.domain.tenants import Role

NOW = 1000.0
STOP, KEEP = Policy(stop=True, grace=300), Policy(stop=False, grace=300)


@pytest.mark.parametrize(
    ("end", "signed_out", "standing"),
    [
        (None, False, SessionStatus.ENDED),
        (NOW + 600, False, SessionStatus.ENDED),
        (NOW + 30, False, SessionStatus.SIGNED_OUT),
        (NOW - 1, False, SessionStatus.SIGNED_OUT),
        (None, True, SessionStatus.SIGNED_OUT),
        (NOW + 600, True, SessionStatus.SIGNED_OUT),
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
def test_what_a_refused_session_means(end: float | None, signed_out: bool, standing: SessionStatus) -> None:
    assert refused_session(now=NOW, announced_end=end, signed_out=signed_out) is standing


MEMBER, VIEWER, ADMIN = Role.MEMBER, Role.VIEWER, Role.ADMIN


@pytest.mark.parametrize(
    ("used", "roles", "known", "wanted"),
    [
        ({"nlp"}, {"nlp": MEMBER}, {}, {}),
        ({"nlp"}, {}, {}, {"nlp": NOW}),
        ({"nlp"}, {"nlp": VIEWER}, {}, {"nlp": NOW}),
        ({"nlp"}, {}, {"nlp": 7.0}, {"nlp": 7.0}),
        ({"nlp"}, {"vision": ADMIN}, {"nlp": 7.0}, {"nlp": 7.0}),
        ({"nlp"}, {"nlp": MEMBER}, {"nlp": 7.0}, {}),
        (set(), {}, {"nlp": 7.0}, {}),
        ({"nlp", "vision"}, {"vision": MEMBER}, {}, {"nlp": NOW}),
        ({"nlp"}, None, {}, {}),
        ({"nlp"}, None, {"nlp": 7.0}, {"nlp": 7.0}),
    ],
    ids=[
        "a member", "left, as far as anybody knows just now", "a viewer now", "left before", "in another team now",
        "came back", "nothing runs there any more", "two teams, one left", "roles not known",
        "roles not known, left before",
    ],
)  # fmt: skip
def test_since_when_a_team_in_which_something_runs_is_left(
    used: set[str], roles: dict[str, Role] | None, known: dict[str, float], wanted: dict[str, float]
) -> None:
    assert leaving_since(used, roles, known, NOW) == wanted


TEAMS = st.sampled_from(["nlp", "vision", "robots"])
ROLES = st.dictionaries(TEAMS, st.sampled_from(list(Role)))


@given(st.sets(TEAMS), ROLES, st.dictionaries(TEAMS, st.floats(0, NOW)))
def test_a_team_is_left_by_what_runs_there_and_not_by_what_was_known(
    used: set[str], roles: dict[str, Role], known: dict[str, float]
) -> None:
    left = leaving_since(used, roles, known, NOW)
    assert set(left) == {tenant for tenant in used if roles.get(tenant, Role.VIEWER) < Role.MEMBER}
    assert leaving_since(used, roles, left, NOW + 60) == left, "asked again, the clock goes on"


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
