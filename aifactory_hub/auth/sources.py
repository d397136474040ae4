"""Where the groups are read from: userinfo, the ID token, the access token, or whatever a site's own function does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from .claims import GroupsClaim, arrived, group_names, groups_from_claims
from .id_token import IdTokenError, verify_access_token
from .provider import Provider

USERINFO, ID_TOKEN, ACCESS_TOKEN = "userinfo", "id_token", "access_token"

# What each is called on a page.
_NAMES = {USERINFO: "userinfo answer", ID_TOKEN: "ID token", ACCESS_TOKEN: "access token"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said. ``id_token`` holds the checked claims; {} when a refresh brought none."""

    userinfo: Mapping[str, Any]
    id_token: Mapping[str, Any]
    access_token: str


# A site's own way: what the provider said -> the names of groups.
GroupsFunction = Callable[[Answer], "list[str] | Awaitable[list[str]]"]


async def read_groups(
    answer: Answer, source: str, where: GroupsClaim, own: GroupsFunction | None, provider: Provider, client_id: str
) -> tuple[str, ...]:
    """The groups. Raises ClaimError, IdTokenError or ProviderUnreachable; what ``own`` raises is the site's affair."""
    if own is not None:
        found = own(answer)
        return group_names(await found if isawaitable(found) else found, where)
    return groups_from_claims(await claims_of(answer, source, provider, client_id), where)


async def claims_of(answer: Answer, source: str, provider: Provider, client_id: str) -> Mapping[str, Any]:
    """The claims of a source, checked. Raises IdTokenError when there are none that can be trusted."""
    if source == USERINFO:
        return answer.userinfo
    if source == ID_TOKEN:
        if not answer.id_token:
            raise IdTokenError("the identity provider sent no ID token to read the groups from")
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
