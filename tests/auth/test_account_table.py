"""The table of accounts: what it takes over from an earlier release, and what two sign-ins at once find."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from aifactory_hub.auth.accounts import Accounts, OtherPerson
from aifactory_hub.auth.memberships import KEY, StoredSession
from aifactory_hub.domain.accounts import Outcome, Subject
from aifactory_hub.domain.tenants import Role

ONE, TWO = Subject("https://idp", "sub-1"), Subject("https://idp", "sub-2")


class User:
    """A hub user with what an earlier release kept of the last sign-in."""

    def __init__(self, name: str, person: Subject | None, **more: Any) -> None:
        self.name = name
        kept = None if person is None else StoredSession(person.subject, person.issuer, {"nlp": Role.MEMBER}, 5.0)
        self._state = None if kept is None else {KEY: {**kept.to_auth_state(), **more}}

    async def get_auth_state(self) -> Any:
        await asyncio.sleep(0)
        return self._state


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(Session(create_engine(f"sqlite:///{tmp_path}/hub.sqlite")))


def taken_over(accounts: Accounts, *users: User) -> None:
    async def run() -> None:
        known = {user.name: user for user in users}
        accounts.begin(lambda: known, known.get)
        await accounts.ready()

    asyncio.run(run())


def test_accounts_of_an_earlier_release_are_bound_by_their_last_sign_in(accounts: Accounts) -> None:
    taken_over(accounts, User("kim", ONE, left={"robots": 3.0}), User("made-by-hand", None))
    assert accounts.decide("kim", ONE).outcome is Outcome.SAME
    for name in ("kim", "\uff4bim"):
        with pytest.raises(OtherPerson):
            accounts.decide(name, TWO)
    assert accounts.decide("made-by-hand", TWO).outcome is Outcome.BIND
    assert accounts.leaving("kim") == {"robots": 3.0}, "the clock goes on"


def test_a_binding_outlives_the_auth_state_and_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.sqlite"
    Accounts(Session(create_engine(url))).bind("kim", ONE)
    later = Accounts(Session(create_engine(url)))
    taken_over(later, User("kim", TWO))  # whatever the state says, the table counts
    assert later.decide("kim", ONE).outcome is Outcome.SAME
    with pytest.raises(OtherPerson):
        later.bind("kim", TWO)


def test_of_two_sign_ins_at_once_under_one_new_name_the_first_has_it(accounts: Accounts) -> None:
    assert accounts.decide("kim", ONE).allowed
    assert accounts.decide("kim", TWO).allowed
    accounts.bind("kim", TWO)
    with pytest.raises(OtherPerson):
        accounts.bind("kim", ONE)


def test_a_handover_that_was_not_finished_lets_nobody_in(accounts: Accounts) -> None:
    accounts.bind("kim", ONE)
    account = accounts.begin_handover("kim", TWO, keep_home=True, keep_jobs=False)
    assert (account.home, account.jobs, account.generation) == (0, 1, 1)
    assert accounts.unfinished() == ["kim"]
    for person in (ONE, TWO):
        with pytest.raises(OtherPerson):
            accounts.decide("kim", person)
    accounts.end_handover("kim")
    assert accounts.unfinished() == []
    with pytest.raises(OtherPerson, match="handed over a moment ago"):
        accounts.decide("kim", TWO)


def test_texts_of_any_length_and_script_can_be_subjects(accounts: Accounts) -> None:
    person = Subject("https://idp/" + "i" * 2000, "\U0001f600" * 900)
    accounts.bind("\ufdfa" * 255, person)
    assert accounts.decide("\ufdfa" * 255, person).outcome is Outcome.SAME
