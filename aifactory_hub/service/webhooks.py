"""Sends messages to webhooks: signed, never into the cluster's own network, and repeated until they arrive.

The form is that of the Standard Webhooks specification, so its libraries can check the signature; the channel of a team
may have the form of its chat instead.
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

import aiohttp
from aiohttp import AddrInfoType
from yarl import URL

from ..domain.addresses import BadAddress, check_public_host, is_public
from ..domain.channels import MessageFormat
from ..domain.chat_messages import posted
from ..domain.jobs import backoff
from ..store import Deliveries, Delivery
from ..store.deliveries import tenant_of
from .executors import reconciling

log = logging.getLogger(__name__)

_TIMEOUT = 10.0
_AT_ONCE = 8
# The first try at once, then after 5 s, 10 s, ... up to an hour: about ten hours in all.
_FIRST_WAIT = 5.0
_MOST_TRIES = 18
# One text for every failure to connect: see Messenger._problem.
UNREACHABLE = "the receiver could not be reached"


class Forbidden(Exception):
    """An address that messages may not go to; the text says why."""


def check_address(url: str, internal: Sequence[str]) -> URL:
    """The normalised form of ``url``, which is what the connector must be given. Raises Forbidden.

    Only the form of the address is judged here. Where its name leads is judged when the connection is made.
    """
    try:
        address = URL(url)
        host, port = address.raw_host, address.port
    except ValueError as error:
        raise Forbidden(f"it is not a web address: {error}") from error
    if address.scheme not in ("http", "https") or not host or port == 0:
        raise Forbidden("write a web address in full, for example https://hooks.example.org/jobs")
    if address.user or address.password:
        raise Forbidden("it carries a user name or password, which would be stored; use a path with a secret instead")
    if host in internal:
        return address
    if address.scheme != "https":
        raise Forbidden("it is not https")
    try:
        check_public_host(host)
    except BadAddress as error:
        raise Forbidden(str(error)) from error
    return address


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header webhook-signature."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def tenant_secret(key: bytes, tenant: str) -> str:
    """What a tenant's receivers check signatures with."""
    return "whsec_" + base64.b64encode(hmac.new(key, f"webhook:{tenant}".encode(), hashlib.sha256).digest()).decode()


class NotPublic(OSError):
    """A connection to an address that is not public."""


def guarded_socket(info: AddrInfoType) -> socket.socket:
    """A socket for one address. Raises NotPublic when the address may not be reached.

    The connector calls this for the very address that it connects to a moment later, whether the address was resolved
    or written in the URL.
    """
    family, kind, protocol, _, peer = info
    if not is_public(ipaddress.ip_address(str(peer[0]).partition("%")[0])):
        raise NotPublic(f"{peer[0]} is not a public address")
    return socket.socket(family, kind, protocol)


def _connector(*, guarded: bool) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(
        socket_factory=guarded_socket if guarded else None, use_dns_cache=False, force_close=True, limit=0
    )


@dataclass
class Messenger:
    """Sends what is due. ``internal`` hosts may be plain http and need not be public; ``key`` makes the secrets."""

    deliveries: Deliveries
    internal: Callable[[], Sequence[str]]
    key: bytes
    clock: Callable[[], float]
    timeout: float = _TIMEOUT

    async def tick(self) -> None:
        """File what is to be told, and send what is due, a few at a time."""
        await reconciling.run(self.deliveries.file)
        due = await reconciling.run(self.deliveries.due, now=self.clock(), limit=_AT_ONCE)
        if not due:
            return
        async with self._session(guarded=True) as public, self._session(guarded=False) as internal:
            await asyncio.gather(*(self._send(public, internal, delivery) for delivery in due))

    def _session(self, *, guarded: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_connector(guarded=guarded),
            timeout=aiohttp.ClientTimeout(total=self.timeout),
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def _send(self, public: aiohttp.ClientSession, internal: aiohttp.ClientSession, delivery: Delivery) -> None:
        try:
            problem = await self._problem(public, internal, delivery)
        except Exception:  # of one message: all others are sent
            log.exception("message %s could not be sent", delivery.id)
            problem = "the service failed at this; its log says why"
        if problem is None:
            await reconciling.run(self.deliveries.delivered, delivery.id, now=self.clock())
            return
        wait = backoff(_FIRST_WAIT, delivery.tries)
        again = None if delivery.tries + 1 >= _MOST_TRIES else self.clock() + wait
        await reconciling.run(self.deliveries.failed, delivery.id, problem, next_at=again)

    async def _problem(
        self, public: aiohttp.ClientSession, internal: aiohttp.ClientSession, delivery: Delivery
    ) -> str | None:
        """Why the message did not arrive; None when it did.

        Whoever named the address reads this text, so every failure to connect has the same text and takes the same
        time: names and ports of the cluster's network can't be found out with it. The details are in the log.
        """
        ends = asyncio.get_running_loop().time() + self.timeout
        try:
            hosts = self.internal()
            address = check_address(delivery.url, hosts)
            session = internal if address.raw_host in hosts else public
            status = await self._post(session, address, delivery)
        except Forbidden as error:
            return f"no message may go there: {error}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            log.info("message %s of job %s: %s: %s", delivery.id, delivery.job_id, type(error).__name__, error)
            await asyncio.sleep(ends - asyncio.get_running_loop().time())
            return UNREACHABLE
        return None if 200 <= status < 300 else f"the receiver answered {status}"

    async def _post(self, session: aiohttp.ClientSession, address: URL, delivery: Delivery) -> int:
        """Send the message; the status of the answer. Redirects are not followed, and no body is read."""
        body = json.dumps(posted(delivery.body, MessageFormat(delivery.channel))).encode()
        headers = self._headers(delivery, body)
        async with session.post(address, data=body, headers=headers, allow_redirects=False) as response:
            return response.status

    def _headers(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        now, tenant = int(self.clock()), tenant_of(delivery.body)
        return {
            "Content-Type": "application/json",
            "User-Agent": "aifactory-hub",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(tenant_secret(self.key, tenant), delivery.id, now, body),
        }
