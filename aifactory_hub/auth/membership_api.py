"""The API of memberships, for the job service and for administrators: what the authenticator last resolved.

The hub's own groups can be written through its REST API by whoever has the right to. What is answered here is read
from the encrypted auth_state, which only a sign-in or a refresh writes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from jupyterhub import orm
from jupyterhub.apihandlers.base import APIHandler
from tornado import web

from ..constants import APPROVERS_GROUP, SCOPE_MEMBERSHIPS
from ..domain.membership_policy import SessionStatus
from ..domain.rule_trace import bounded
from ..domain.tenants import Role, admin_group
from .claims import ClaimError
from .id_token import IdTokenError
from .memberships import read_kept
from .provider import ProviderUnreachable

# At most so many people are asked about at once.
_MOST_NAMES = 500


class MembershipsOf(APIHandler):
    """For the job service: names of people in, their standing, tenants and roles out."""

    async def post(self) -> None:
        """``{"users": [...], "watch": true}``. With ``watch`` they are refreshed though they run no server.

        ``tenants`` is empty unless ``standing`` is known; ``last`` is what was resolved last, whatever the standing,
        or null. ``generation`` grows when the account is handed over to another person who does not get its jobs.
        ``approves`` are the groups of approvers that somebody whose standing is known is in. ``mail`` is where messages
        to them go, or null; ``mail_unverified``: the provider gives an address and does not say that it is verified.
        ``admin`` says whether somebody whose standing is known is an administrator of the hub.
        """
        if SCOPE_MEMBERSHIPS not in self.expanded_scopes:
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "This is for the job service.")
        asked = self.get_json_body()
        asked = asked if isinstance(asked, dict) else {}
        names = asked.get("users")
        if not isinstance(names, list) or len(names) > _MOST_NAMES or not all(isinstance(n, str) for n in names):
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, f"users has to be a list of at most {_MOST_NAMES} names")
        if asked.get("watch") is True and self.authenticator.poller is not None:
            self.authenticator.poller.watch(names)
        self.set_header("Cache-Control", "no-store")
        self.write({"memberships": {name: await self._of(name) for name in names}})

    async def _of(self, name: str) -> dict[str, Any]:
        user = self.find_user(name)
        kept = read_kept(await user.get_auth_state()) if user is not None else None
        account = self.authenticator.accounts.handed_over(name)
        generation = 0 if account is None else account.jobs
        if kept is None:
            nothing: dict[str, Any] = {"tenants": {}, "last": None, "resolved_at": None, "admin": False, "approves": []}
            return {"standing": SessionStatus.SIGNED_OUT.value, **nothing, "generation": generation, "mail": None}
        standing = kept.standing_at(time.time(), self.authenticator.registry.identity.stale_grace)
        # By the rules of now: a team that was removed and made again may be another one.
        roles = kept.roles_by(self.authenticator.mapping)
        return {
            "standing": standing.value,
            "tenants": _labels(roles) if standing is SessionStatus.KNOWN else {},
            "last": _labels(roles),
            "resolved_at": kept.resolved_at,
            "generation": generation,
            "approves": list(kept.approves_by(self.authenticator.mapping)) if standing is SessionStatus.KNOWN else [],
            "admin": standing is SessionStatus.KNOWN and bool(user.admin),
            "mail": kept.address(trust_unverified=self.authenticator.registry.notifications.trust_addresses),
            "mail_unverified": kept.unverified,
        }


def _labels(roles: Mapping[str, Role]) -> dict[str, str]:
    return {tenant: role.label for tenant, role in roles.items()}


class PeopleOf(APIHandler):
    """For the job service: whom messages to a team's administrators and to approvers may go to."""

    async def post(self) -> None:
        """``{"tenant": "nlp"}``: the role in the team and the groups of approvers of each, by name.

        The hub's groups only name who is looked at. What is answered is what the provider said last, also of people who
        are signed out, and nothing of accounts that it closed.
        """
        if SCOPE_MEMBERSHIPS not in self.expanded_scopes:
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "This is for the job service.")
        asked = self.get_json_body()
        tenant = asked.get("tenant") if isinstance(asked, dict) else None
        if not isinstance(tenant, str):
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, "tenant has to be the name of a team")
        names = sorted(self._named(admin_group(tenant)) | self._named(APPROVERS_GROUP))[:_MOST_NAMES]
        people = {name: found for name in names if (found := await self._of(name, tenant)) is not None}
        self.set_header("Cache-Control", "no-store")
        self.write({"people": people})

    def _named(self, group: str) -> set[str]:
        found = orm.Group.find(self.db, group)
        return set() if found is None else {user.name for user in found.users}

    async def _of(self, name: str, tenant: str) -> dict[str, Any] | None:
        user = self.find_user(name)
        kept = read_kept(await user.get_auth_state()) if user is not None else None
        if kept is None or kept.standing is SessionStatus.ENDED:
            return None
        mapping = self.authenticator.mapping
        role = kept.roles_by(mapping).get(tenant)
        return {"role": None if role is None else role.label, "approves": list(kept.approves_by(mapping))}


class Explain(APIHandler):
    """For administrators: the groups that the provider sent of somebody, for ``explain-groups --user``."""

    async def get(self, name: str) -> None:
        """404 for somebody who is not signed in, 409 with the reason when the user's groups can't be read."""
        if not self.has_scope("admin:users"):
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "This is for the hub's administrators.")
        user = self.find_user(name)
        state = await user.get_auth_state() if user is not None else None
        if not state or not state.get("access_token"):
            raise web.HTTPError(HTTPStatus.NOT_FOUND, f"Nobody is signed in as {bounded(name)}.")
        try:
            groups = await self.authenticator.groups_of(state)
        except (ClaimError, IdTokenError, ProviderUnreachable) as error:
            raise web.HTTPError(HTTPStatus.CONFLICT, str(error)) from error
        self.set_header("Cache-Control", "no-store")
        self.write({"name": name, "groups": list(groups)})
