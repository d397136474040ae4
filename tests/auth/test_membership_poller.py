"""Whose turn it is: everybody's answer is young, a provider that hangs for one holds up nobody else."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from aifactory_hub.auth import membership_poller as module
from aifactory_hub.auth.accounts import Accounts
from aifactory_hub.auth.membership_poller import AT_ONCE, MembershipPoller
from aifactory_hub.auth.memberships import KEY, StoredSession
from aifactory_hub.domain.mapping import ExactRule, TenantMapping
from aifactory_hub.domain.membership_policy import Policy, SessionStatus
from aifactory_hub.domain.tenants import Role

INTERVAL = 0.4


class _Spawner:
    active, pending, _spawn_future = True, None, None

    def __init__(self) -> None:
        self.orm_spawner = self
        self.state = {"aifactory": {"tenant": "nlp"}}


class _User:
    active = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.tenants = {"nlp": Role.MEMBER}
        self.spawners = {"": _Spawner()}
        self.stopped: list[float] = []

    async def get_auth_state(self) -> dict[str, Any]:
        kept = StoredSession(self.name, "https://idp", self.tenants, time.time())
        return {KEY: kept.to_auth_state()}

    async def stop(self, server: str) -> None:
        self.stopped.append(time.monotonic())
        self.spawners[server].active = False


class _Authenticator:
    """Also its own renewal, and the application with its proxy."""

    leaving = Policy(stop=True, grace=0)
    mapping = TenantMapping([], ["nlp", "vision"])
    registry_provider: Any = None

    def __init__(self, ask: Callable[[str], Awaitable[bool]], *names: str) -> None:
        self.sweep_interval = INTERVAL
        self.renewal = self.proxy = self
        self.users = {name: _User(name) for name in names}
        self.asked: Counter[str] = Counter()
        self.known: dict[str, float] = {}
        self._ask = ask
        self.accounts = Accounts(Session(create_engine("sqlite://")))

    def answered_at(self, name: str) -> float:
        return self.known.get(name, -math.inf)

    async def refresh_user(self, user: _User) -> bool:
        self.asked[user.name] += 1
        if await self._ask(user.name):
            self.known[user.name] = time.monotonic()
        return True

    async def delete_user(self, user: _User, server: str) -> None:
        pass


async def at_once(name: str) -> bool:
    return True


async def polled(fake: _Authenticator, until: Callable[[], object]) -> MembershipPoller:
    """A poller that ran until something was so."""
    poller = MembershipPoller.begin(fake, fake)  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(30):
            while not until():
                await asyncio.sleep(0.02)
    finally:
        tasks = [poller._task, *poller._looks.values()]
        for task in tasks:
            task.cancel()  # type: ignore[union-attr]
        await asyncio.gather(*tasks, return_exceptions=True)  # type: ignore[arg-type]
    return poller


def test_one_for_whom_the_provider_hangs_holds_up_nobody_else() -> None:
    async def ask(name: str) -> bool:
        if name == "hanging":
            await asyncio.Event().wait()
        return True

    fake = _Authenticator(ask, "hanging", *(f"p{n}" for n in range(200)))
    asyncio.run(polled(fake, lambda: all(fake.asked[f"p{n}"] >= 3 for n in range(200))))
    assert fake.asked["hanging"] == 1


def test_a_slow_provider_is_asked_about_many_at_once_and_not_about_more() -> None:
    going: list[int] = [0, 0]

    async def ask(name: str) -> bool:
        going[0] += 1
        going[1] = max(going)
        await asyncio.sleep(0.05)
        going[0] -= 1
        return True

    fake = _Authenticator(ask, *(f"p{n}" for n in range(3 * AT_ONCE)))
    asyncio.run(polled(fake, lambda: len(fake.asked) == 3 * AT_ONCE))
    assert going[1] == AT_ONCE


def test_who_was_asked_about_by_a_request_is_not_asked_about_again() -> None:
    fake = _Authenticator(at_once, "busy", "idle")

    def busy() -> bool:
        fake.known["busy"] = time.monotonic()
        return fake.asked["idle"] >= 3

    fake.known["busy"] = time.monotonic()
    asyncio.run(polled(fake, busy))
    assert fake.asked["busy"] == 0


def test_who_got_no_answer_is_asked_about_again_before_the_interval_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_AFTER", 0.01)
    asked: list[float] = []

    async def ask(name: str) -> bool:
        asked.append(time.monotonic())
        return len(asked) > 3

    fake = _Authenticator(ask, "ada")
    fake.sweep_interval = 3600
    asyncio.run(polled(fake, lambda: len(asked) > 3))


def test_a_server_is_stopped_at_once_when_a_request_learns_that_its_owner_left() -> None:
    fake = _Authenticator(at_once, "ada")
    fake.sweep_interval = 3600
    ada = fake.users["ada"]
    noticed: list[bool] = []

    async def leave() -> None:
        poller = MembershipPoller.begin(fake, fake)  # type: ignore[arg-type]
        async with asyncio.timeout(30):
            while "ada" in poller._looks or not fake.asked["ada"]:
                await asyncio.sleep(0.02)
            ada.tenants = {}
            poller.soon("ada")
            while not ada.stopped:
                await asyncio.sleep(0.02)
        noticed.append(True)
        poller._task.cancel()  # type: ignore[union-attr]

    asyncio.run(leave())
    assert noticed
    assert fake.asked["ada"] == 1


def test_who_is_in_a_team_that_is_not_known_yet_has_not_left_it() -> None:
    fake = _Authenticator(at_once, "ada")
    ada = fake.users["ada"]
    ada.tenants = {}
    teams = SimpleNamespace(tenants={"vision": None})
    fake.registry_provider = SimpleNamespace(complete=False, registry=teams)
    asyncio.run(polled(fake, lambda: fake.asked["ada"] >= 3))
    assert ada.stopped == []
    fake.registry_provider.complete = True
    fake.known.clear()
    asyncio.run(polled(fake, lambda: ada.stopped))


def test_a_sweep_that_can_not_keep_up_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def ask(name: str) -> bool:
        await asyncio.sleep(0.3)
        return True

    fake = _Authenticator(ask, *(f"p{n}" for n in range(3 * AT_ONCE)))
    with caplog.at_level(logging.WARNING, module.__name__):
        asyncio.run(polled(fake, lambda: "answers too slowly to ask about each of them" in caplog.text))
    assert caplog.text.count("answers too slowly") == 1


@pytest.mark.parametrize(
    ("teams", "standing", "rules", "ends"),
    [
        ({}, SessionStatus.KNOWN, ["nlp"], True),
        ({"nlp": Role.VIEWER}, SessionStatus.KNOWN, ["nlp"], True),
        ({"vision": Role.MEMBER}, SessionStatus.KNOWN, ["nlp"], True),
        ({}, SessionStatus.ENDED, ["nlp"], True),
        ({"nlp": Role.MEMBER}, SessionStatus.KNOWN, [], True),
        ({"nlp": Role.MEMBER}, SessionStatus.SIGNED_OUT, [], True),
        ({"nlp": Role.MEMBER}, SessionStatus.KNOWN, None, True),
        ({"nlp": Role.MEMBER}, SessionStatus.KNOWN, ["nlp"], False),
        ({"nlp": Role.MEMBER}, SessionStatus.SIGNED_OUT, ["nlp"], False),
        (None, SessionStatus.KNOWN, ["nlp"], False),
    ],
    ids=[
        "left, or signed in again", "lowered to viewer", "moved to another team", "account closed", "rule gone",
        "rule gone, session over", "team renamed", "a member", "session over", "nothing known of the person",
    ],
)  # fmt: skip
@pytest.mark.parametrize("what", ["running", "starting", "named", "stays"])
def test_what_runs_in_a_team_ends_by_who_is_in_it_now(
    teams: dict[str, Role] | None, standing: SessionStatus, rules: list[str] | None, ends: bool, what: str
) -> None:
    fake = _Authenticator(at_once, "ada")
    fake.leaving = Policy(stop=what != "stays", grace=0)
    known = ["nlp", "vision"] if rules is not None else ["language", "vision"]
    fake.mapping = TenantMapping([ExactRule("teams/nlp", tenant, Role.MEMBER) for tenant in rules or ()], known)
    ada = fake.users["ada"]
    called_off: list[bool] = []
    if teams is None:
        ada.get_auth_state = lambda: _nothing()  # type: ignore[method-assign]
    else:
        kept = StoredSession("1", "https://idp", teams, time.time(), standing=standing, groups=_groups_of(teams))
        ada.get_auth_state = lambda: _state(kept)  # type: ignore[method-assign]
    if what == "starting":
        spawner = ada.spawners[""]
        spawner.pending = "spawn"  # type: ignore[assignment]
        spawner._spawn_future = SimpleNamespace(cancel=lambda: called_off.append(True))  # type: ignore[assignment]
    if what == "named":
        ada.spawners["second"] = _Spawner()

    async def look() -> None:
        poller = MembershipPoller(fake, fake)  # type: ignore[arg-type]
        await poller._look_at(ada)

    asyncio.run(look())
    expected = {"running": [1, 0], "starting": [0, 1], "named": [2, 0], "stays": [0, 0]}[what] if ends else [0, 0]
    assert [len(ada.stopped), len(called_off)] == expected
    assert set(fake.accounts.leaving("ada")) == ({"nlp"} if ends else set())


def _groups_of(teams: dict[str, Role]) -> tuple[str, ...]:
    return ("teams/nlp",) if "nlp" in teams else ()


async def _state(kept: StoredSession) -> dict[str, Any]:
    return {KEY: kept.to_auth_state()}


async def _nothing() -> Any:
    return None


def test_neither_a_restart_nor_a_sign_in_begins_the_grace_again(tmp_path: Path) -> None:
    """The hub's database is the memory: the poller of a new process finds since when a team is left."""
    url = f"sqlite:///{tmp_path}/hub.sqlite"

    def look(now: float) -> list[float]:
        fake = _Authenticator(at_once, "ada")
        fake.leaving = Policy(stop=True, grace=60)
        fake.accounts = Accounts(Session(create_engine(url)))
        ada = fake.users["ada"]
        kept = StoredSession("1", "https://idp", {"vision": Role.MEMBER}, now)  # as a sign-in of just now writes it
        ada.get_auth_state = lambda: _state(kept)  # type: ignore[method-assign]

        async def once() -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(time, "time", lambda: now)
                await MembershipPoller(fake, fake)._look_at(ada)  # type: ignore[arg-type]

        asyncio.run(once())
        return ada.stopped

    assert look(1000.0) == []
    assert look(1059.0) == []
    assert len(look(1061.0)) == 1
