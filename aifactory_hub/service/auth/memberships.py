"""Members of teams as the hub's authenticator last resolved them: asked of the hub, never read from its groups.

The hub's groups can be written through its REST API by whoever has the right to. What the identity provider said
can't.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

from ...domain.approvals import Approver
from ...domain.mail_addresses import is_mail_address
from ...domain.membership_policy import SessionStatus
from ...domain.tenants import Role
from ..errors import ServiceError, forbidden, unavailable

_TIMEOUT = 10.0
# The hub takes so many names at once, and remembers them for two minutes.
MOST_NAMES = 500
_ROLES = {role.label: role for role in Role}


@dataclass(frozen=True, slots=True)
class Membership:
    """What is known of one person. ``tenants`` is empty unless ``standing`` is KNOWN.

    ``last`` is what was known last, whatever the standing: empty for an account that the provider closed, None where
    nothing ever was. ``generation`` counts the account's handovers to another person. ``admin``: of the hub itself.
    ``approves`` are the groups of approvers that they are in. ``mail`` is their address, where the provider has
    verified one; ``mail_unverified``: the provider gives an address and does not say that it is verified.
    """

    standing: SessionStatus
    tenants: Mapping[str, Role] = field(default_factory=dict)
    last: Mapping[str, Role] | None = None
    generation: int = 0
    admin: bool = False
    approves: frozenset[str] = frozenset()
    mail: str | None = None
    mail_unverified: bool = False

    @property
    def unknown(self) -> bool:
        """Whether nobody can say now where the person belongs."""
        return self.standing is SessionStatus.UNKNOWN

    def may_start(self, tenant: str) -> bool | None:
        """Whether new work of this person may begin in the team; None while nobody knows."""
        if self.standing is SessionStatus.UNKNOWN:
            return None
        return self.tenants.get(tenant, Role.VIEWER) >= Role.MEMBER


class Members(Protocol):
    """Asks who belongs where."""

    async def of(self, names: Iterable[str], *, watch: bool = False) -> Mapping[str, Membership]:
        """Asked now. Raises ServiceError (503) when the hub does not answer: unknown is not left.

        With ``watch`` the hub looks after these people for two minutes though they run no server.
        """


class HubMembers:
    """The real hub's answers."""

    def __init__(self, api_url: str, api_token: str) -> None:
        self._url = f"{api_url.rstrip('/').removesuffix('/api')}/aifactory/api/"
        self._headers = {"Authorization": f"token {api_token}"}
        self._client: aiohttp.ClientSession | None = None
        # Called with account -> generation before an answer is used: see leaving.Handovers.
        self.carry_out_handovers: Callable[[Mapping[str, int]], Awaitable[None]] | None = None

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()

    async def of(self, names: Iterable[str], *, watch: bool = False) -> Mapping[str, Membership]:
        """See Members."""
        asked = list(dict.fromkeys(names))
        try:
            said = (await self._ask("memberships", {"users": asked, "watch": watch}))["memberships"]
            found = {name: read_membership(said[name]) for name in asked}
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            message = "The hub does not say now who is in which team, so nothing new is begun. Try again in a moment."
            raise unavailable("memberships-unavailable", message) from error
        if self.carry_out_handovers is not None:
            await self.carry_out_handovers({name: membership.generation for name, membership in found.items()})
        return found

    async def told_of(self, tenant: str) -> Mapping[str, Approver]:
        """The team's administrators and all approvers by name, as the identity provider said last, also of those who
        are signed out: for messages, never for what somebody may do. Raises ServiceError (503)."""
        try:
            people = (await self._ask("people", {"tenant": tenant}))["people"]
            return {name: _approver(one) for name, one in people.items()}
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError, AttributeError) as error:
            message = "The hub does not say now who is told of what waits in the team."
            raise unavailable("memberships-unavailable", message) from error

    async def _ask(self, what: str, question: Mapping[str, Any]) -> Any:
        if self._client is None:  # aiohttp makes one only where a loop runs
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
            self._client = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        async with self._client.post(f"{self._url}{what}", json=question, allow_redirects=False) as answer:
            answer.raise_for_status()
            return json.loads(await answer.read())


def _approver(said: Mapping[str, Any]) -> Approver:
    role = said["role"]
    return Approver(None if role is None else _ROLES[role], frozenset(str(each) for each in said["approves"]))


def read_membership(said: Mapping[str, Any]) -> Membership:
    """One answer of the hub. Raises KeyError, ValueError or TypeError for what is none."""
    tenants = {tenant: _ROLES[role] for tenant, role in said["tenants"].items()}
    standing = SessionStatus(said["standing"])
    last = said.get("last")
    known = tenants if standing is SessionStatus.KNOWN else None
    return Membership(
        standing,
        tenants if standing is SessionStatus.KNOWN else {},
        known if last is None else {tenant: _ROLES[role] for tenant, role in last.items()},
        int(said.get("generation") or 0),
        admin=standing is SessionStatus.KNOWN and said.get("admin") is True,
        approves=frozenset(said.get("approves") or ()) if standing is SessionStatus.KNOWN else frozenset(),
        mail=mail if is_mail_address(mail := said.get("mail")) else None,
        mail_unverified=said.get("mail_unverified") is True,
    )


def not_known(standing: SessionStatus) -> ServiceError:
    """Why somebody who has a good token may do nothing now."""
    if standing is SessionStatus.UNKNOWN:
        message = "The identity provider has not answered for long: nobody knows whether you are still in your team."
        return unavailable("membership-unknown", message)
    if standing is SessionStatus.ENDED:
        return forbidden("The identity provider has ended your account's session. Sign in again at the hub.")
    return forbidden("Your session is over. Sign in again at the hub; your servers run on.")
