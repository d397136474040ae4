"""Brings messages to webhooks: signed, never into the cluster's own network, again until they arrive.

The form is that of the Standard Webhooks specification, so its libraries can check the signature.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ..domain.jobs import backoff
from ..store import Deliveries, Delivery
from .executors import reconciling

log = logging.getLogger(__name__)

_TIMEOUT = 10.0
_AT_ONCE = 8
# The first try at once, then after 5 s, 10 s, ... up to an hour: about ten hours in all.
_FIRST_WAIT = 5.0
_MOST_TRIES = 18


class Forbidden(Exception):
    """An address that messages may not go to; the text says why."""


def check_address(url: str, internal: Sequence[str]) -> None:
    """Raises Forbidden when no message may go to ``url``. Only its form is looked at, not where its name leads."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Forbidden(f"it is not a web address: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise Forbidden("write a web address in full, for example https://hooks.example.org/jobs")
    if parts.username or parts.password:
        raise Forbidden("it carries a user name or password, which would be stored; use a path with a secret instead")
    if host in internal:
        return
    if parts.scheme != "https":
        raise Forbidden("it is not https")
    if _literal(host) is not None:
        raise Forbidden("it names a number, not a host")


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header webhook-signature."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def tenant_secret(key: bytes, tenant: str) -> str:
    """What a tenant's receivers check signatures with."""
    return "whsec_" + base64.b64encode(hmac.new(key, f"webhook:{tenant}".encode(), hashlib.sha256).digest()).decode()


class _Guarded(AbstractResolver):
    """Resolves names, and refuses those that lead anywhere but to the public internet.

    The connection is made to the very address that was checked, so that a name can't lead elsewhere a moment later.
    """

    def __init__(self, internal: Sequence[str]) -> None:
        self._internal = frozenset(internal)
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if host in self._internal:
            return found
        for result in found:
            if not ipaddress.ip_address(result["host"]).is_global:
                raise OSError(f"{host} leads to an address that is not public")
        return found

    async def close(self) -> None:
        await self._resolver.close()


@dataclass
class Messenger:
    """Sends what is due. ``internal`` hosts may be plain http and need not be public; ``key`` makes the secrets."""

    deliveries: Deliveries
    internal: Sequence[str]
    key: bytes
    clock: Callable[[], float]
    timeout: float = _TIMEOUT

    async def tick(self) -> None:
        """Send what is due, a few at a time."""
        due = await reconciling.run(self.deliveries.due, now=self.clock(), limit=_AT_ONCE)
        if not due:
            return
        connector = aiohttp.TCPConnector(resolver=_Guarded(self.internal), use_dns_cache=False)
        async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
            await asyncio.gather(*(self._send(session, delivery) for delivery in due))

    async def _send(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        problem = await self._try(session, delivery)
        if problem is None:
            await reconciling.run(self.deliveries.delivered, delivery.id, now=self.clock())
            return
        wait = backoff(_FIRST_WAIT, delivery.tries)
        again = None if delivery.tries + 1 >= _MOST_TRIES else self.clock() + wait
        log.info("message %s of job %s: %s", delivery.id, delivery.job_id, problem)
        await reconciling.run(self.deliveries.failed, delivery.id, problem, next_at=again)

    async def _try(self, session: aiohttp.ClientSession, delivery: Delivery) -> str | None:
        """Why it did not arrive; None when it did. Nothing of the answer but its status is kept."""
        body = json.dumps(delivery.body).encode()
        try:
            check_address(delivery.url, self.internal)
            async with session.post(
                delivery.url,
                data=body,
                headers=self._headers(delivery, body),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.timeout),
            ) as response:
                return None if 200 <= response.status < 300 else f"the receiver answered {response.status}"
        except Forbidden as error:
            return f"no message may go there: {error}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return f"it could not be sent: {str(error) or type(error).__name__}"

    def _headers(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        now, tenant = int(self.clock()), _tenant(delivery.body)
        return {
            "Content-Type": "application/json",
            "User-Agent": "aifactory-hub",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(tenant_secret(self.key, tenant), delivery.id, now, body),
        }


def _tenant(body: Any) -> str:
    return str(body["job"]["tenant"])


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host names by number, in any of the ways that a resolver understands."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
