"""Secrets in the database: names to see, values to give to jobs, and nothing that reads a value back to a person."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from ..domain.secrets import MOST, SecretFacts, SecretUse
from .database import writing
from .secret_tables import SecretRow, SecretUseRow

_SECRETS, _USES = SecretRow.__table__, SecretUseRow.__table__
# Bytes. A nonce is drawn for each value: with so many bits, none comes twice.
_NONCE = 12
TEAM = ""


class SecretMissing(Exception):
    """A job lists a secret that is not there, or that can't be decrypted; the text names it."""


class TooMany(Exception):
    """The person or the team has as many secrets as may be."""


class Secrets:
    """Secrets of all teams. ``key`` has 32 bytes, and is kept apart from the database. Methods block."""

    def __init__(self, db: Engine, key: bytes) -> None:
        self._db = db
        self._cipher = AESGCM(key)

    def put(self, tenant: str, owner: str, name: str, value: str, *, by: str, now: float) -> SecretFacts:
        """Make a secret or give it another value. ``owner`` TEAM: the team's. Raises TooMany."""
        with writing(self._db) as connection:
            known = connection.execute(_one(tenant, owner, name)).one_or_none()
            if known is None and connection.scalar(_count(tenant, owner)) >= MOST:
                raise TooMany(f"there are {MOST} already")
            revision = 1 if known is None else known.revision + 1
            values = {"sealed": self._seal(tenant, owner, name, revision, value), "revision": revision}
            values |= {"changed_at": now, "changed_by": by}
            if known is None:
                connection.execute(insert(SecretRow).values(tenant=tenant, owner=owner, name=name, **values))
            else:
                connection.execute(update(SecretRow).where(*_is(tenant, owner, name)).values(**values))
        return SecretFacts(name, owner == TEAM, now, by, revision)

    def remove(self, tenant: str, owner: str, name: str) -> bool:
        """Whether there was one. What it was used for stays known."""
        with writing(self._db) as connection:
            return bool(connection.execute(delete(SecretRow).where(*_is(tenant, owner, name))).rowcount)

    def of(self, tenant: str, owner: str) -> list[SecretFacts]:
        """Those that this person may give to jobs: their own and the team's, by name."""
        used = (
            select(func.max(SecretUseRow.at))
            .where(*(getattr(_USES.c, each) == getattr(_SECRETS.c, each) for each in ("tenant", "owner", "name")))
            .scalar_subquery()
        )
        columns = (SecretRow.name, SecretRow.owner, SecretRow.changed_at, SecretRow.changed_by, SecretRow.revision)
        query = select(*columns, used.label("used_at")).where(
            SecretRow.tenant == tenant, SecretRow.owner.in_((TEAM, owner))
        )
        with self._db.connect() as connection:
            rows = connection.execute(query.order_by(SecretRow.name, SecretRow.owner)).all()
        return [
            SecretFacts(row.name, row.owner == TEAM, row.changed_at, row.changed_by, row.revision, row.used_at)
            for row in rows
        ]

    def missing(self, tenant: str, owner: str, names: Sequence[str]) -> list[str]:
        """Those of the names under which this person has no secret here, and the team has none."""
        known = {each.name for each in self.of(tenant, owner)} if names else set()
        return [name for name in names if name not in known]

    def give(
        self, names: Sequence[str], *, tenant: str, owner: str, job: str, attempt: int, now: float
    ) -> Mapping[str, str]:
        """The values for an attempt of a job, their use recorded with it. A person's own goes before the team's.

        Raises SecretMissing. The same attempt asked for again is the same use.
        """
        if not names:
            return {}
        given: dict[str, str] = {}
        with writing(self._db) as connection:
            for name in names:
                row = _found(connection, tenant, owner, name)
                if row is None:
                    raise SecretMissing(f"there is no secret {name} of {owner} or of team {tenant} any more")
                given[name] = self._open(row)
                _note(connection, row, owner, job, attempt, now)
        return given

    def uses(self, tenant: str, owner: str, name: str, limit: int) -> list[SecretUse]:
        """What a secret was used for, the newest first."""
        query = select(_USES).where(
            SecretUseRow.tenant == tenant, SecretUseRow.owner == owner, SecretUseRow.name == name
        )
        with self._db.connect() as connection:
            rows = connection.execute(query.order_by(SecretUseRow.at.desc(), SecretUseRow.job).limit(limit)).all()
        return [SecretUse(row.name, row.team, row.revision, row.user, row.job, row.attempt, row.at) for row in rows]

    def _seal(self, tenant: str, owner: str, name: str, revision: int, value: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value.encode(), _whose(tenant, owner, name, revision))

    def _open(self, row: Any) -> str:
        whose = _whose(row.tenant, row.owner, row.name, row.revision)
        try:
            return self._cipher.decrypt(row.sealed[:_NONCE], row.sealed[_NONCE:], whose).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretMissing(f"the secret {row.name} can't be decrypted: give it its value again") from error


def end_secrets(connection: Connection, name: str, former: str) -> None:
    """An account was handed over: its secrets are deleted, and what they were used for stays with the former owner."""
    connection.execute(delete(SecretRow).where(SecretRow.owner == name))
    connection.execute(update(SecretUseRow).where(SecretUseRow.owner == name).values(owner=former))
    connection.execute(update(SecretUseRow).where(SecretUseRow.user == name).values(user=former))


def _whose(tenant: str, owner: str, name: str, revision: int) -> bytes:
    """What a value is bound to, so that no row's can stand in another's place. None of the parts has a NUL."""
    return "\x00".join((tenant, owner, name, str(revision))).encode("utf-8", "surrogatepass")


def _is(tenant: str, owner: str, name: str) -> tuple[Any, ...]:
    return SecretRow.tenant == tenant, SecretRow.owner == owner, SecretRow.name == name


def _one(tenant: str, owner: str, name: str) -> Any:
    return select(_SECRETS).where(*_is(tenant, owner, name))


def _count(tenant: str, owner: str) -> Any:
    return select(func.count()).select_from(SecretRow).where(SecretRow.tenant == tenant, SecretRow.owner == owner)


def _found(connection: Connection, tenant: str, owner: str, name: str) -> Any:
    """The person's own, or the team's; None where there is neither."""
    own = connection.execute(_one(tenant, owner, name)).one_or_none()
    return own if own is not None else connection.execute(_one(tenant, TEAM, name)).one_or_none()


def _note(connection: Connection, row: Any, user: str, job: str, attempt: int, now: float) -> None:
    same = (SecretUseRow.job == job, SecretUseRow.attempt == attempt, SecretUseRow.name == row.name)
    if connection.execute(select(SecretUseRow.job).where(*same)).one_or_none() is not None:
        return
    values = {"job": job, "attempt": attempt, "name": row.name, "tenant": row.tenant, "owner": row.owner}
    values |= {"team": row.owner == TEAM, "revision": row.revision, "user": user, "at": now}
    connection.execute(insert(SecretUseRow).values(**values))
