"""The identity provider, known by its issuer alone: discovery document and signing keys, fetched when first needed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .id_token import UnknownKey, verify_id_token

Json = dict[str, Any]
Fetch = Callable[[str], Awaitable[Any]]

# Seconds.
REMEMBER_FAILURE = 5.0  # a provider that hangs makes the next people wait no longer than this
LOOKS_WITHIN = 25.0  # tokens with made-up key ids must not become requests at the provider: so many looks in this time
LOOKS = 5
DOCUMENT_LASTS = 3600.0
KEYS_LAST = 600.0  # a key that the provider has withdrawn proves nothing much longer


class ProviderUnreachable(Exception):
    """The identity provider did not answer, or not with what OpenID Connect says. The text is for people."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the hub needs of a discovery document."""

    authorization: str
    token: str
    userinfo: str
    keys: str
    end_session: str | None = None


class Provider:
    """One issuer. ``fetch`` gets a URL and returns the parsed JSON or raises ProviderUnreachable."""

    def __init__(self, issuer: str, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._endpoints: Endpoints | None = None
        self._read_at = 0.0
        self._failed: tuple[float, ProviderUnreachable] | None = None
        self._keys: Sequence[Json] = ()
        self._keys_read_at: float | None = None
        self._looks: deque[float] = deque(maxlen=LOOKS)

    async def endpoints(self) -> Endpoints:
        """The provider's addresses. Raises ProviderUnreachable; a document once read serves on while it can't be."""
        async with self._lock:
            if self._endpoints is not None and self._clock() - self._read_at < DOCUMENT_LASTS:
                return self._endpoints
            if self._failed is not None and self._clock() - self._failed[0] < REMEMBER_FAILURE:
                return self._endpoints or _raise(self._failed[1])
            try:
                document = await self._fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                self._endpoints = read_discovery(document, self.issuer)
            except ProviderUnreachable as error:
                self._failed = (self._clock(), error)
                return self._endpoints or _raise(error)
            self._read_at = self._clock()
            return self._endpoints

    async def verify(self, token: str, *, client_id: str, nonce: str | None) -> Json:
        """The checked claims of an ID token. Raises IdTokenError or ProviderUnreachable."""
        return await self.check(
            lambda keys: verify_id_token(token, keys, issuer=self.issuer, client_id=client_id, nonce=nonce)
        )

    async def check(self, verify: Callable[[Sequence[Json]], Json]) -> Json:
        """What ``verify`` makes of the provider's keys. Raises what it raises, and ProviderUnreachable.

        A key that is not known is looked for once more at the provider, which may have rotated its keys.
        """
        keys = await self._known_keys()
        try:
            return verify(keys)
        except UnknownKey:
            if not await self._look_for_more_keys(keys):
                raise
        return verify(self._keys)

    async def _known_keys(self) -> Sequence[Json]:
        if self._keys_read_at is None:
            await self._read_keys()
        elif self._clock() - self._keys_read_at > KEYS_LAST:
            with contextlib.suppress(ProviderUnreachable):
                await self._read_keys()
        return self._keys

    async def _look_for_more_keys(self, known: Sequence[Json]) -> bool:
        """Whether there is reason to try again; True without a request when somebody else has just read new ones."""
        now = self._clock()
        if self._keys is not known:
            return True
        if len(self._looks) == LOOKS and now - self._looks[0] < LOOKS_WITHIN:
            return False
        self._looks.append(now)
        await self._read_keys()
        return True

    async def _read_keys(self) -> None:
        endpoints = await self.endpoints()
        async with self._lock:
            self._keys = read_keys(await self._fetch(endpoints.keys))
            self._keys_read_at = self._clock()


def read_discovery(document: Any, issuer: str) -> Endpoints:
    """The addresses in a discovery document. Raises ProviderUnreachable when it is not this issuer's or lacks one."""
    if not isinstance(document, Mapping):
        raise ProviderUnreachable(f"the identity provider at {issuer} answered without a discovery document")
    if document.get("issuer") != issuer:
        raise ProviderUnreachable(
            f"the identity provider at {issuer} calls itself {str(document.get('issuer'))[:200]!r}; "
            "identity.issuer in tenants.yaml has to be exactly that"
        )
    names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
    for name in names:
        if not isinstance(document.get(name), str):
            raise ProviderUnreachable(f"the discovery document of {issuer} has no {name}")
    end_session = document.get("end_session_endpoint")
    authorization, token, userinfo, keys = (document[name] for name in names)
    return Endpoints(authorization, token, userinfo, keys, end_session if isinstance(end_session, str) else None)


def read_keys(document: Any) -> Sequence[Json]:
    """The keys of a key set. Raises ProviderUnreachable when it is none."""
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list):
        raise ProviderUnreachable("the identity provider answered without a key set")
    return tuple(key for key in keys if isinstance(key, dict))


def _raise(error: ProviderUnreachable) -> NoReturn:
    raise ProviderUnreachable(str(error)) from error
