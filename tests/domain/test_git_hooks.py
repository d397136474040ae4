"""Deliveries of four Git hosts: signatures, and what is read of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.git_hooks import Provider, read_delivery, signed

from ..support.deliveries import AFTER, BODIES, SECRET, headers_of

HOSTS = [Provider.GITHUB, Provider.GITLAB, Provider.GITEA, Provider.BITBUCKET]


@pytest.mark.parametrize("provider", HOSTS)
def test_a_right_signature_is_known_and_no_other(provider: Provider) -> None:
    body = json.dumps(BODIES[provider]).encode()
    headers = headers_of(provider, body, SECRET)
    assert signed(provider, headers, body, [SECRET])
    assert signed(provider, headers, body, ["whsec_" + base64.b64encode(b"new" * 11).decode(), SECRET])
    assert not signed(provider, headers, body, ["other"])
    assert not signed(provider, headers, body, [])
    assert not signed(provider, {}, body, [SECRET])
    if provider is not Provider.GITLAB:
        assert not signed(provider, headers, body + b" ", [SECRET])
        assert not signed(provider, headers, b"", [SECRET])


def test_gitlab_s_own_signature_covers_id_time_and_body() -> None:
    body = b"{}"
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    value = base64.b64encode(hmac.new(key, b"id.17.{}", hashlib.sha256).digest()).decode()
    good = {"webhook-id": "id", "webhook-timestamp": "17", "webhook-signature": f"v1,old v1,{value}"}
    assert signed(Provider.GITLAB, good, body, [SECRET])
    for changed in ({"webhook-id": "other"}, {"webhook-timestamp": "18"}, {"webhook-signature": f"v2,{value}"}):
        assert not signed(Provider.GITLAB, {**good, **changed}, body, [SECRET])
    # One that signs is not taken by its token alone.
    assert not signed(Provider.GITLAB, {"webhook-signature": "", "x-gitlab-token": SECRET}, body, [SECRET])


@pytest.mark.parametrize("provider", HOSTS)
@pytest.mark.parametrize("other", HOSTS)
def test_the_provider_is_not_guessed_from_headers(provider: Provider, other: Provider) -> None:
    body = json.dumps(BODIES[other]).encode()
    # Bitbucket and GitHub name the same header differently, Gitea sends GitHub's beside its own.
    same = provider is other or (provider, other) == (Provider.GITHUB, Provider.GITEA)
    assert signed(provider, headers_of(other, body, SECRET), body, [SECRET]) is same


def test_a_folder_of_this_machine_takes_no_calls() -> None:
    for provider in HOSTS:
        assert not signed(Provider.LOCAL, headers_of(provider, b"{}", SECRET), b"{}", [SECRET])


@pytest.mark.parametrize(
    ("provider", "event", "by"),
    [
        (Provider.GITHUB, "push", "ann"),
        (Provider.GITLAB, "Push Hook", "ann"),
        (Provider.GITEA, "push", "ann"),
        (Provider.BITBUCKET, "repo:push", "ann"),
    ],
)
def test_what_is_read_of_a_push(provider: Provider, event: str, by: str) -> None:
    said = read_delivery(provider, headers_of(provider, b"", SECRET), BODIES[provider])
    assert (said.event, said.ref, said.by, said.pushed) == (event, "refs/heads/main", by, (AFTER,))
    assert said.id == "6b8b7f7e"


def test_a_data_center_has_its_changes_beside_each_other() -> None:
    body = {"actor": {"name": "ann"}, "changes": [{"refId": "refs/heads/main", "toHash": AFTER}]}
    headers = {"x-event-key": "repo:refs_changed", "x-request-id": "r"}
    said = read_delivery(Provider.BITBUCKET, headers, body)
    assert (said.id, said.ref, said.pushed, said.by) == ("r", "refs/heads/main", (AFTER,), "ann")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ref", "after", "push", "changes", "new", "target", "hash", "name", "sender", "forced"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(list(Provider)), st.dictionaries(st.text(max_size=20), st.text(max_size=20)), json_values)
def test_whatever_comes_is_read_without_an_error(provider: Provider, headers: dict[str, str], body: Any) -> None:
    said = read_delivery(provider, headers, body)
    assert all(len(text) <= 255 for text in (said.id, said.event, said.ref, said.by))
    assert not signed(provider, headers, b"x", [SECRET])
