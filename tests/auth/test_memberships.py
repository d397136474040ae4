"""What is kept of a sign-in comes back, and nothing is made of what is not understood."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.auth.memberships import from_auth_state, to_auth_state
from aifactory_hub.domain.tenants import Role


def test_memberships_come_back() -> None:
    held = {"nlp": Role.ADMIN, "vision": Role.VIEWER}
    kept = to_auth_state(held, subject="1", issuer="https://idp", resolved_at=5.0)
    assert kept["tenants"] == {"nlp": "admin", "vision": "viewer"}
    assert from_auth_state({"aifactory": kept}) == held


@pytest.mark.parametrize(
    "auth_state",
    [
        None,
        {},
        {"aifactory": None},
        {"aifactory": {"v": 2, "tenants": {"nlp": "admin"}}},
        {"aifactory": {"v": 1, "tenants": ["nlp"]}},
        {"aifactory": {"v": 1, "tenants": {"nlp": "emperor"}}},
    ],
    ids=["no auth state", "empty", "null", "another version", "a list", "an unknown role"],
)
def test_what_is_not_understood_gives_no_membership(auth_state: dict[str, Any] | None) -> None:
    assert from_auth_state(auth_state) == {}
