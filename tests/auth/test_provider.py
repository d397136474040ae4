"""Discovery and keys: fetched when needed, kept, and asked for again no more often than is good."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.auth.id_token import UnknownKey
from aifactory_hub.auth.provider import LOOKS, LOOKS_WITHIN, REMEMBER_FAILURE, Provider, ProviderUnreachable

from ..support.oidc_provider import OidcProvider


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """Fetches from a provider without a network, and remembers what was asked."""

    def __init__(self, peer: OidcProvider) -> None:
        self.peer = peer
        self.down = False

    async def __call__(self, url: str) -> Any:
        if self.down:
            raise ProviderUnreachable("nobody answers")
        return self.peer.answer(url.removeprefix(self.peer.issuer), {}, {})[1]


@pytest.fixture
def peer() -> OidcProvider:
    return OidcProvider()


def make(peer: OidcProvider) -> tuple[Provider, Wire, Clock]:
    wire, clock = Wire(peer), Clock()
    return Provider(peer.issuer, wire, clock=clock), wire, clock


async def test_the_document_is_read_once(peer: OidcProvider) -> None:
    provider, _, _ = make(peer)
    first = await provider.endpoints()
    assert first.authorization == f"{peer.issuer}/authorize"
    await provider.endpoints()
    assert peer.asked == ["/.well-known/openid-configuration"]


async def test_a_failure_is_remembered_shortly_and_then_asked_again(peer: OidcProvider) -> None:
    provider, wire, clock = make(peer)
    wire.down = True
    with pytest.raises(ProviderUnreachable, match="nobody"):
        await provider.endpoints()
    wire.down = False
    with pytest.raises(ProviderUnreachable):
        await provider.endpoints()
    clock.now += REMEMBER_FAILURE + 1
    assert await provider.endpoints()


async def test_a_document_once_read_serves_while_the_provider_is_down(peer: OidcProvider) -> None:
    provider, wire, clock = make(peer)
    first = await provider.endpoints()
    wire.down, clock.now = True, clock.now + 10_000
    assert await provider.endpoints() == first


async def test_a_provider_that_calls_itself_otherwise_is_refused(peer: OidcProvider) -> None:
    provider, _, _ = make(peer)
    peer.issuer_said = "https://evil.example"
    with pytest.raises(ProviderUnreachable, match=r"calls itself 'https://evil.example'; identity.issuer"):
        await provider.endpoints()


async def test_a_rotated_key_is_found(peer: OidcProvider) -> None:
    provider, _, _ = make(peer)
    assert (await provider.verify(peer.id_token(None), client_id="hub", nonce=None))["sub"] == "1"
    peer.rotate()
    assert (await provider.verify(peer.id_token(None), client_id="hub", nonce=None))["sub"] == "1"


async def test_made_up_key_ids_do_not_become_requests(peer: OidcProvider) -> None:
    provider, _, clock = make(peer)
    peer.kid = "made-up"
    for _ in range(3 * LOOKS):
        with pytest.raises(UnknownKey):
            await provider.verify(peer.id_token(None), client_id="hub", nonce=None)
    assert peer.asked.count("/keys") == 1 + LOOKS
    clock.now += LOOKS_WITHIN + 1
    with pytest.raises(UnknownKey):
        await provider.verify(peer.id_token(None), client_id="hub", nonce=None)
    assert peer.asked.count("/keys") == 2 + LOOKS
