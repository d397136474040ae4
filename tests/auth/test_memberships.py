"""What is kept of a sign-in comes back, and nothing is made of what is not understood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.auth.memberships import KEY, StoredSession, from_auth_state, read_kept
from aifactory_hub.domain.membership_policy import SessionStatus
from aifactory_hub.domain.tenants import Role

KEPT = StoredSession(
    subject="1",
    issuer="https://idp",
    tenants={"nlp": Role.ADMIN, "vision": Role.VIEWER},
    resolved_at=5.0,
    groups=("teams/nlp",),
    session="s1",
    session_ends=99.0,
    signed_out=True,
    email="kim@example.org",
    email_verified=True,
)


def test_what_is_kept_comes_back() -> None:
    state = {KEY: KEPT.to_auth_state()}
    assert state[KEY]["tenants"] == {"nlp": "admin", "vision": "viewer"}
    assert read_kept(state) == KEPT
    assert from_auth_state(state) == KEPT.tenants


def test_what_an_earlier_release_kept_is_read() -> None:
    old = {"v": 1, "sub": "1", "iss": "https://idp", "tenants": {"nlp": "member"}, "resolved_at": 5.0}
    assert from_auth_state({KEY: old}) == {"nlp": Role.MEMBER}


def test_only_an_address_that_the_provider_has_verified_is_used_unless_the_site_trusts_it() -> None:
    assert KEPT.address(trust_unverified=False) == "kim@example.org"
    assert KEPT.closed(SessionStatus.SIGNED_OUT).address(trust_unverified=False) == "kim@example.org"
    assert KEPT.closed(SessionStatus.ENDED).address(trust_unverified=True) is None
    unsaid = replace(KEPT, email_verified=False)
    assert unsaid.address(trust_unverified=False) is None
    assert unsaid.address(trust_unverified=True) == "kim@example.org"
    assert replace(KEPT, email=None).address(trust_unverified=True) is None


@pytest.mark.parametrize("standing", [SessionStatus.SIGNED_OUT, SessionStatus.ENDED])
def test_a_session_that_is_over_gives_no_membership(standing: SessionStatus) -> None:
    assert from_auth_state({KEY: KEPT.closed(standing).to_auth_state()}) == {}


def test_the_providers_word_counts_for_a_while() -> None:
    assert KEPT.standing_at(5.0 + 899, 900) is SessionStatus.KNOWN
    assert KEPT.standing_at(5.0 + 900, 900) is SessionStatus.UNKNOWN
    assert KEPT.closed(SessionStatus.ENDED).standing_at(5.0 + 9999, 900) is SessionStatus.ENDED


@pytest.mark.parametrize(
    "auth_state",
    [
        None,
        {},
        {"aifactory": None},
        {"aifactory": {**KEPT.to_auth_state(), "v": 2}},
        {"aifactory": {**KEPT.to_auth_state(), "tenants": ["nlp"]}},
        {"aifactory": {**KEPT.to_auth_state(), "tenants": {"nlp": "emperor"}}},
        {"aifactory": {**KEPT.to_auth_state(), "standing": "royal"}},
        {"aifactory": {"v": 1, "tenants": {"nlp": "admin"}}},
    ],
    ids=["no auth state", "empty", "null", "another version", "a list", "an unknown role", "unknown standing", "cut"],
)
def test_what_is_not_understood_gives_no_membership(auth_state: dict[str, Any] | None) -> None:
    assert from_auth_state(auth_state) == {}
