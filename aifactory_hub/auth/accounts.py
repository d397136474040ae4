"""The persons that accounts are bound to, in tables of our own in JupyterHub's database, backed up with its users.

JupyterHub itself keeps nothing of the provider's subject but the encrypted auth_state, which a lost key, a closed
session or a deleted user takes away. A row here outlives all three. Only the hub's process writes these tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    or_,
    select,
    update,
)

from ..domain.accounts import Account, Decision, Outcome, Subject, decide_account, folded
from .id_token import OtherSubject
from .memberships import KEY, read_kept

_LOG = logging.getLogger(__name__)

_METADATA = MetaData()
_ACCOUNTS = Table(
    "aifactory_accounts",
    _METADATA,
    Column("name", String(255), primary_key=True),
    # Hashes, because PostgreSQL cannot index texts of any length.
    Column("folded", String(64), nullable=False, index=True),
    Column("person", String(64), nullable=True, index=True),
    Column("issuer", Text, nullable=True),
    Column("subject", Text, nullable=True),
    Column("bound_at", Float(53), nullable=False),
    Column("handed_over_at", Float(53), nullable=True),
    Column("generation", Integer, nullable=False),
    Column("home", Integer, nullable=False),
    Column("jobs", Integer, nullable=False),
    Column("ending", Boolean, nullable=False),
)
_LEAVING = Table(
    "aifactory_leaving",
    _METADATA,
    Column("name", String(255), primary_key=True),
    Column("tenant", String(64), primary_key=True),
    Column("since", Float(53), nullable=False),
)


class OtherPerson(OtherSubject):
    """The account is another person's, or is being handed over. The text is for the person who was refused."""

    def __init__(self, decision: Decision, person: Subject) -> None:
        super().__init__(_page_text(decision))
        self.decision = decision
        self.person = person


class Accounts:
    """The accounts of one hub. ``session`` is the hub's SQLAlchemy session; every change is committed at once."""

    def __init__(self, session: Any, rebind_until: Callable[[], float | None] = lambda: None, log: Any = _LOG) -> None:
        self._session = session
        self._rebind_until = rebind_until
        self._log = log
        self._names: Callable[[], Iterable[str]] = tuple
        self._find: Callable[[str], Any] = lambda name: None
        self._imported: asyncio.Task[None] | None = None
        _METADATA.create_all(session.connection())
        session.commit()
        # Few, and asked for with every membership and every server: nobody else writes the table.
        self._handed_over = {account.name: account for account in self.all() if account.generation}

    def begin(self, names: Callable[[], Iterable[str]], find: Callable[[str], Any]) -> None:
        """Read whose the accounts are that were made before there was a table. Sign-ins wait for it.

        ``names`` returns the names of all users in the hub's database, ``find`` a user by name, or None.
        """
        self._names, self._find = names, find
        with contextlib.suppress(RuntimeError):  # without an event loop nobody signs in
            self._imported = asyncio.get_running_loop().create_task(self._import_all(), name="import of accounts")

    async def ready(self, name: str | None = None) -> None:
        """Wait until what is known of accounts, of ``name`` among them, is in the table.

        Raises what the import raised: without the table nobody may be let in.
        """
        if self._imported is not None:
            await asyncio.shield(self._imported)
        # A user may have got the name since, by JupyterHub's own way to rename users.
        if name is not None and self.get(name) is None:
            await self._import(name)

    async def _import_all(self) -> None:
        known = set(self._session.scalars(select(_ACCOUNTS.c.name)))
        for name in list(self._names()):
            if name not in known:
                await self._import(name)

    async def _import(self, name: str) -> None:
        """Bind a user to the subject of their last sign-in, if one is kept."""
        user = self._find(name)
        state = None if user is None else await user.get_auth_state()
        kept = read_kept(state)
        if kept is None or self.get(user.name) is not None:
            return
        self._store(Account(user.name, Subject(kept.issuer, kept.subject), kept.resolved_at), new=True)
        left = {str(tenant): float(at) for tenant, at in ((state or {})[KEY].get("left") or {}).items()}
        self.set_leaving(user.name, left)
        self._log.info(
            "account %s belongs to subject %r of %s by its last sign-in", user.name, kept.subject, kept.issuer
        )

    # The person of an account

    def get(self, name: str) -> Account | None:
        """The account; None for a name that was never bound."""
        row = self._session.execute(select(_ACCOUNTS).where(_ACCOUNTS.c.name == name)).first()
        return None if row is None else _account(row)

    def handed_over(self, name: str) -> Account | None:
        """The account, if it was ever handed over to another person."""
        return self._handed_over.get(name)

    def all(self) -> list[Account]:
        """Every account, by name."""
        return [_account(row) for row in self._session.execute(select(_ACCOUNTS).order_by(_ACCOUNTS.c.name))]

    def decide(self, name: str, person: Subject) -> Decision:
        """The account that this person, whom the provider calls ``name``, may use. Raises OtherPerson."""
        near = select(_ACCOUNTS).where(
            or_(_ACCOUNTS.c.name == name, _ACCOUNTS.c.folded == _fold_key(name), _ACCOUNTS.c.person == person.digest)
        )
        accounts = [_account(row) for row in self._session.execute(near)]
        decision = decide_account(name, person, accounts, now=time.time(), rebind_until=self._rebind_until())
        if not decision.allowed:
            raise OtherPerson(decision, person)
        return decision

    def bind(self, name: str, person: Subject) -> Decision:
        """As ``decide``; an account that has no person yet becomes this one's. Raises OtherPerson."""
        decision = self.decide(name, person)
        if decision.outcome is not Outcome.SAME:
            before = self.get(decision.name)
            now = time.time()
            fresh = Account(decision.name, person, now)
            self._store(fresh if before is None else replace(before, subject=person, bound_at=now), new=before is None)
            self._log_binding(decision, before, person)
        return decision

    def _log_binding(self, decision: Decision, before: Account | None, person: Subject) -> None:
        former = None if before is None else before.subject
        if former is None:
            self._log.info("account %s is bound to subject %r of %s", decision.name, person.subject, person.issuer)
            return
        self._log.warning(
            "account %s is bound anew, from subject %r of %s to subject %r of %s (identity.rebind_until)",
            decision.name, former.subject, former.issuer, person.subject, person.issuer,
        )  # fmt: skip

    def set_subject(self, name: str, person: Subject) -> None:
        """Say that the same person has this subject now."""
        before = self.get(name)
        now = time.time()
        self._store(Account(name, person, now) if before is None else replace(before, subject=person, bound_at=now),
                    new=before is None)  # fmt: skip

    def begin_handover(self, name: str, to: Subject | None, *, keep_home: bool, keep_jobs: bool) -> Account:
        """Give the account to another person, who can't sign in before ``end_handover``.

        ``to`` None: to whoever signs in next under the name.
        """
        before = self.get(name)
        now = time.time()
        account = before or Account(name, None, now)
        generation = account.generation + 1
        after = replace(
            account,
            subject=to,
            bound_at=now,
            handed_over_at=now,
            generation=generation,
            home=account.home if keep_home else generation,
            jobs=account.jobs if keep_jobs else generation,
            ending=True,
        )
        self._store(after, new=before is None)
        return after

    def end_handover(self, name: str) -> None:
        """Nothing of the former person is left in the hub."""
        self._execute(update(_ACCOUNTS).where(_ACCOUNTS.c.name == name), ending=False, handed_over_at=time.time())

    def unfinished(self) -> list[str]:
        """The accounts whose handover was begun and not ended."""
        return list(self._session.scalars(select(_ACCOUNTS.c.name).where(_ACCOUNTS.c.ending)))

    def _store(self, account: Account, *, new: bool) -> None:
        person = account.subject
        values = {
            "folded": _fold_key(account.name),
            "person": None if person is None else person.digest,
            "issuer": None if person is None else person.issuer,
            "subject": None if person is None else person.subject,
            "bound_at": account.bound_at,
            "handed_over_at": account.handed_over_at,
            "generation": account.generation,
            "home": account.home,
            "jobs": account.jobs,
            "ending": account.ending,
        }
        if new:
            self._execute(insert(_ACCOUNTS), name=account.name, **values)
        else:
            self._execute(update(_ACCOUNTS).where(_ACCOUNTS.c.name == account.name), **values)
        if account.generation:
            self._handed_over[account.name] = account

    # Since when teams are left

    def leaving(self, name: str) -> dict[str, float]:
        """Team -> since when (epoch seconds) this person runs something there without being a member."""
        rows = self._session.execute(select(_LEAVING.c.tenant, _LEAVING.c.since).where(_LEAVING.c.name == name))
        return {row.tenant: row.since for row in rows}

    def set_leaving(self, name: str, left: Mapping[str, float]) -> None:
        """Replace what ``leaving`` returns."""
        before = self.leaving(name)
        if before == dict(left):
            return
        gone, new = before.keys() - left.keys(), left.keys() - before.keys()
        if gone:
            self._session.execute(delete(_LEAVING).where(_LEAVING.c.name == name, _LEAVING.c.tenant.in_(gone)))
        for tenant in new:
            self._session.execute(insert(_LEAVING).values(name=name, tenant=tenant, since=left[tenant]))
        self._session.commit()

    def _execute(self, statement: Any, **values: Any) -> None:
        self._session.execute(statement.values(**values))
        self._session.commit()


def _account(row: Any) -> Account:
    subject = None if row.person is None else Subject(row.issuer, row.subject)
    return Account(
        row.name, subject, row.bound_at, row.handed_over_at, row.generation, row.home, row.jobs, bool(row.ending)
    )


def _fold_key(name: str) -> str:
    return sha256(folded(name).encode("utf-8", "surrogatepass")).hexdigest()


def _page_text(decision: Decision) -> str:
    if decision.outcome is Outcome.HANDED_OVER:
        return f"The account {decision.name!r} was handed over a moment ago. Wait a minute, then sign in again."
    return (
        f"The identity provider gives you the name {decision.name!r}, but the account of that name here belongs to "
        "another person. You are not signed in, and nothing of that account was opened or changed. Ask the "
        "administrator of this hub: they can hand the account over to you, or let the provider give you another name."
    )
