"""Where the groups are read from: userinfo, the ID token, the access token, or whatever a site's own function does."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from .claims import ClaimError, GroupsClaim, arrived, group_names, groups_from_claims
from .id_token import IdTokenError, verify_access_token
from .provider import Provider, ProviderUnreachable

log = logging.getLogger(__name__)

USERINFO, ID_TOKEN, ACCESS_TOKEN = "userinfo", "id_token", "access_token"

# What each is called on a page.
_NAMES = {USERINFO: "userinfo answer", ID_TOKEN: "ID token", ACCESS_TOKEN: "access token"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said. ``proved`` holds the checked claims of the ID token that came with it, if one did."""

    userinfo: Mapping[str, Any]
    proved: Mapping[str, Any] | None
    access_token: str

    @property
    def id_token(self) -> Mapping[str, Any]:
        """The checked claims of the ID token.

        Raises IdTokenError when none came this time: an old one says who was in a group, not who is.
        """
        if self.proved is None:
            raise IdTokenError(
                "the identity provider sent no new ID token when the session was renewed, so nobody knows who has "
                "left; read the groups from userinfo (identity.groups_source)"
            )
        return self.proved


# A site's own way: what the provider said -> the names of groups.
GroupsFunction = Callable[[Answer], "list[str] | Awaitable[list[str]]"]


async def read_groups(
    answer: Answer, source: str, where: GroupsClaim, own: GroupsFunction | None, provider: Provider, client_id: str
) -> tuple[str, ...]:
    """The groups. Raises ClaimError, IdTokenError or ProviderUnreachable.

    When ``own`` raises anything else, nothing is known: that is ProviderUnreachable, and the log has the traceback.
    """
    if own is not None:
        return group_names(await _by_own(own, answer), where)
    return groups_from_claims(await claims_of(answer, source, provider, client_id), where)


async def _by_own(own: GroupsFunction, answer: Answer) -> Any:
    try:
        found = own(answer)
        return await found if isawaitable(found) else found
    except (ClaimError, IdTokenError, ProviderUnreachable):
        raise
    except Exception as error:
        log.exception("the site's own groups_function failed")
        raise ProviderUnreachable("this hub's own groups_function failed; the hub's log says why") from error


async def claims_of(answer: Answer, source: str, provider: Provider, client_id: str) -> Mapping[str, Any]:
    """The claims of a source, checked. Raises IdTokenError when there are none that can be trusted."""
    if source == USERINFO:
        return answer.userinfo
    if source == ID_TOKEN:
        return answer.id_token
    claims = await provider.check(
        lambda keys: verify_access_token(answer.access_token, keys, issuer=provider.issuer, client_id=client_id)
    )
    if claims["sub"] != answer.userinfo["sub"]:
        raise IdTokenError("the access token is about somebody else (sub)")
    return claims


def what_arrived(claims: Mapping[str, Any], source: str, where: GroupsClaim) -> str:
    """For the page of somebody without a team: what came, and what was looked for."""
    return arrived(claims, where, _NAMES[source])
