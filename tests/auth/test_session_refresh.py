"""An answer about a session that ended meanwhile undoes no sign-in."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse

from aifactory_hub.auth import revocation
from aifactory_hub.auth.memberships import KEY, StoredSession, read_kept
from aifactory_hub.auth.session_refresh import Renewal
from aifactory_hub.domain.membership_policy import SessionStatus
from aifactory_hub.domain.tenants import Role


def state(resolved_at: float, *, signed_out: bool = False, session: str = "first") -> dict[str, Any]:
    kept = StoredSession("sub-kim", "https://idp", {"nlp": Role.MEMBER}, resolved_at, signed_out=signed_out)
    return {
        "access_token": "at",
        "refresh_token": session,
        "token_response": {},
        "oauth_user": {"sub": "sub-kim"},
        KEY: kept.to_auth_state(),
    }


class Person:
    """A hub user with nothing but an auth state and groups."""

    name = "kim"

    def __init__(self, auth_state: dict[str, Any]) -> None:
        self.auth_state = auth_state
        self.groups = ["tenant-nlp"]

    async def get_auth_state(self) -> dict[str, Any]:
        return self.auth_state

    async def save_auth_state(self, auth_state: dict[str, Any]) -> None:
        self.auth_state = auth_state

    def sync_groups(self, groups: list[str]) -> None:
        self.groups = groups


class Provider:
    """An authenticator whose provider does something before it refuses, or gives, a new token."""

    user_auth_state_key = "oauth_user"
    issuer = "https://idp"

    def __init__(self, person: Person, meanwhile: dict[str, Any], *, refuses: bool) -> None:
        self.person, self.meanwhile, self.refuses = person, meanwhile, refuses
        self.registry = SimpleNamespace(identity=SimpleNamespace(stale_grace=60))

    def build_refresh_token_request_params(self, token: str) -> dict[str, str]:
        return {"refresh_token": token}

    async def get_token_info(self, handler: None, params: dict[str, str]) -> dict[str, Any]:
        self.person.auth_state = self.meanwhile
        if not self.refuses:
            return {"refresh_token": "of the old session", "replaced": self.meanwhile["refresh_token"] == "second"}
        body = io.BytesIO(b'{"error": "invalid_grant"}')
        raise HTTPClientError(400, response=HTTPResponse(HTTPRequest("https://idp/token"), 400, buffer=body))

    def build_auth_state_dict(self, token_info: dict[str, Any], user_info: dict[str, Any]) -> dict[str, Any]:
        return {"refresh_token": token_info["refresh_token"], "oauth_user": user_info}

    async def auth_model_of(self, token_info: dict[str, Any]) -> dict[str, Any]:
        assert not token_info.get("replaced"), "the old session was used further"
        return {"groups": ["tenant-nlp"], "auth_state": state(time.time(), session="renewed")}

    async def check_allowed(self, name: str, model: dict[str, Any]) -> bool:
        return True


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(revocation, "end_everything", lambda user: found.append(user.name))
    return found


@pytest.fixture
def changed() -> list[str]:
    """Whose teams were found to be others."""
    return []


@pytest.mark.parametrize("refuses", [True, False])
async def test_who_signs_in_while_her_old_session_is_asked_about_stays_signed_in(
    ended: list[str], changed: list[str], refuses: bool
) -> None:
    before = time.time() - 30
    person = Person(state(before))
    new = state(before + 29, session="second")
    provider: Any = Provider(person, new, refuses=refuses)
    assert await Renewal(provider, changed.append).renew(person) is True
    assert person.auth_state == new
    assert person.groups == ["tenant-nlp"]
    assert ended == changed == []


async def test_who_signs_out_meanwhile_has_signed_out_and_not_left_the_company(
    ended: list[str], changed: list[str]
) -> None:
    before = time.time() - 30
    person = Person(state(before))
    provider: Any = Provider(person, state(before, signed_out=True), refuses=True)
    assert await Renewal(provider, changed.append).renew(person) is False
    kept = read_kept(person.auth_state)
    assert kept is not None and kept.signed_out and kept.standing is SessionStatus.SIGNED_OUT
    assert ended == changed == []


async def test_a_sign_out_is_remembered_when_the_session_could_still_be_renewed(
    ended: list[str], changed: list[str]
) -> None:
    before = time.time() - 30
    person = Person(state(before))
    provider: Any = Provider(person, state(before, signed_out=True), refuses=False)
    assert await Renewal(provider, changed.append).renew(person)
    kept = read_kept(person.auth_state)
    assert kept is not None and kept.signed_out and kept.resolved_at > before


async def test_a_refused_session_with_nothing_in_between_ends_everything(ended: list[str], changed: list[str]) -> None:
    before = time.time() - 30
    person = Person(state(before))
    provider: Any = Provider(person, state(before), refuses=True)
    assert await Renewal(provider, changed.append).renew(person) is False
    assert ended == changed == ["kim"]
    assert person.groups == []
