"""Secrets of people and teams: set, listed, removed, and never read."""

from __future__ import annotations

from ... import constants
from ...domain.formatting import iso_millis
from ...domain.secrets import SecretFacts, name_problem, value_problem
from ...store.secrets import TEAM, TooMany
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field, forbidden
from ..secret_types import SecretAnswer, SecretList, SecretQuery, SecretRemoved, SecretUses, SecretValue, UsesQuery
from .base import Handler, run_sync
from .operations import operation


class SecretRoutes(Handler):
    """Finds whose secrets a request is about."""

    def owner_of(self, caller: Caller, tenant: str, *, team: bool) -> str:
        """The caller, or the team for its admins. Raises ServiceError (403)."""
        if not team:
            return caller.name
        if not caller.administers(tenant):
            raise forbidden(f"Only an admin of team {tenant} sets and removes the team's secrets.")
        return TEAM


class SecretRows(SecretRoutes):
    """What jobs may be given."""

    @operation("listSecrets", "The names of one's own secrets in the team and of the team's.", answer=SecretList)
    async def get(self, tenant: str) -> None:
        """Without values."""
        caller = await self.caller()
        self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        found = await run_sync(self.context.secrets.of, tenant, caller.name)
        self.answer({"secrets": [_answer(each) for each in found]})


class SecretOne(SecretRoutes):
    """One secret."""

    @operation(
        "putSecret",
        "Make a secret, or give it another value. No request reads it.",
        answer=SecretAnswer,
        body=SecretValue,
    )
    async def put(self, tenant: str, secret: str) -> None:
        """Jobs that start from now on get the new value."""
        caller = await self.caller(fresh=True)
        self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        asked = await self.body(SecretValue, caller.name)
        owner = self.owner_of(caller, tenant, team=asked.team)
        if (problem := name_problem(secret)) is not None:
            raise bad_field("secret", f"A secret can't be called {secret!r}: {problem}.")
        if (problem := value_problem(asked.value)) is not None:
            raise bad_field("value", f"The value of {secret} can't be kept: {problem}.")
        now = self.context.clock()
        try:
            made = await run_sync(self.context.secrets.put, tenant, owner, secret, asked.value, by=caller.name, now=now)
        except TooMany as error:
            raise ServiceError(409, "too-many-secrets", f"{secret} was not made: {error}. Remove one first.") from error
        self.answer(_answer(made))

    @operation(
        "removeSecret", "Forget a secret. Jobs that list it will not start.", query=SecretQuery, answer=SecretRemoved
    )
    async def delete(self, tenant: str, secret: str) -> None:
        """What it was used for stays known."""
        caller = await self.caller(fresh=True)
        self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        owner = self.owner_of(caller, tenant, team=self.query(SecretQuery).team)
        if not await run_sync(self.context.secrets.remove, tenant, owner, secret):
            raise ServiceError(404, "unknown-secret", f"There is no secret {secret!r} to remove.", field="secret")
        self.answer({"name": secret, "team": owner == TEAM})


class SecretUsesOne(SecretRoutes):
    """What a secret was used for."""

    @operation("listSecretUses", "The jobs that were given a secret.", answer=SecretUses, query=UsesQuery)
    async def get(self, tenant: str, secret: str) -> None:
        """One's own, or as an admin the team's. Also of a secret that is gone."""
        caller = await self.caller()
        self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        asked = self.query(UsesQuery)
        owner = self.owner_of(caller, tenant, team=asked.team)
        found = await run_sync(self.context.secrets.uses, tenant, owner, secret, asked.limit)
        uses = [
            {"job": u.job, "attempt": u.attempt, "user": u.user, "revision": u.revision, "at": iso_millis(u.at)}
            for u in found
        ]
        self.answer({"uses": uses})


def _answer(secret: SecretFacts) -> SecretAnswer:
    return {
        "name": secret.name,
        "team": secret.team,
        "changed": iso_millis(secret.changed_at),
        "changed_by": secret.changed_by,
        "revision": secret.revision,
        "used": None if secret.used_at is None else iso_millis(secret.used_at),
    }
