"""Triggers when something is away, goes in circles, is killed, or comes from a backup."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from aifactory_hub.domain.git_hooks import Delivery
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.triggers import EventState
from aifactory_hub.service.trigger_request_types import TriggerRequest
from aifactory_hub.store.owners import Owners
from aifactory_hub.store.pipeline_tables import PipelineRunRow
from aifactory_hub.store.trigger_tables import HeadRow, TriggerEventRow
from aifactory_hub.store.triggers import Calls, KeptDelivery

from ..support.repositories import Repository
from .trigger_site import FILES, Site, trigger_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with trigger_site(tmp_path) as site:
        yield site


async def test_a_repository_that_is_away_is_waited_for_and_nothing_is_lost(site: Site) -> None:
    trigger = site.make()
    await site.look()
    away = site.repository.bare.with_name("away.git")
    site.repository.bare.rename(away)
    await site.look()
    told = site.now(trigger)
    assert told.unreachable_since is not None and told.problem is not None
    assert not told.paused and site.events(trigger) == []
    away.rename(site.repository.bare)
    await site.push()
    assert (site.now(trigger).unreachable_since, site.now(trigger).problem, len(site.runs())) == (None, None, 1)


async def test_a_repository_that_goes_between_the_look_and_the_fetch_is_waited_for(site: Site) -> None:
    trigger = site.make()
    await site.look()
    site.repository.commit({"a": "1"})
    site.repository.push()
    site.world.clock.pass_by(400)
    await site.parts.watcher.tick()
    await site.parts.watcher.settle()
    away = site.repository.bare.with_name("away.git")
    site.repository.bare.rename(away)
    for _ in range(3):
        await site.parts.run_maker.tick()
    assert site.events(trigger)[0].state is EventState.WAITING
    assert site.now(trigger).unreachable_since is not None
    away.rename(site.repository.bare)
    await site.look()
    assert (site.said(trigger)[0], len(site.runs())) == ("STARTED", 1)


async def test_a_service_that_was_away_for_a_day_catches_up_with_the_newest(site: Site) -> None:
    trigger = site.make()
    await site.look()
    for number in range(4):
        site.repository.commit({"a": str(number)})
        site.repository.push()
    site.world.clock.pass_by(86_400)
    site.world.restart()
    await site.look()
    assert [run.cause["commit"] for run in site.runs()] == [site.repository.head()]
    assert len(site.events(trigger)) == 1


async def test_going_in_circles_pauses_the_trigger(site: Site) -> None:
    trigger = site.make(per_hour=2)
    await site.look()
    for number in range(3):
        await site.push({"a": str(number)})
    assert len(site.runs()) == 2
    assert site.now(trigger).paused
    assert "2 are allowed: it may be going in circles" in str(site.now(trigger).problem)
    await site.look()
    assert site.said(trigger)[0] == "SKIPPED"
    site.parts.stored.set_paused(trigger.id, False, now=site.world.clock.now)
    site.world.clock.pass_by(4000)
    await site.look()
    assert len(site.runs()) == 2, "what was pushed while it rested starts nothing"
    await site.push({"a": "again"})
    assert len(site.runs()) == 3


async def test_who_has_left_the_team_starts_nothing_more(site: Site) -> None:
    trigger = site.make()
    await site.look()
    answers: list[bool | None] = [None, False]

    class Leaving:
        async def may_submit(self, user: str, tenant: str) -> bool | None:
            return answers.pop(0)

    site.repository.commit({"a": "1"})
    site.repository.push()
    leaving = replace(site.parts.run_maker, membership=Leaving())
    site.world.clock.pass_by(400)
    await site.parts.watcher.tick()
    await site.parts.watcher.settle()
    await leaving.tick()
    assert site.said(trigger) == ("WAITING", None), "the hub did not answer: nothing is concluded"
    await leaving.tick()
    await leaving.tick()
    assert site.said(trigger) == ("SKIPPED", "ada may not submit jobs into team nlp any more")
    assert site.now(trigger).paused and site.runs() == []


async def test_who_pushed_is_known_where_a_signed_delivery_names_the_commit(site: Site) -> None:
    trigger = site.make()
    await site.look()
    commit = site.repository.commit({"a": "1"})
    site.repository.push()
    now = site.world.clock.now
    other = KeptDelivery(trigger.id, now, Delivery(by="mallory", pushed=("c" * 40,), forced=True))
    this = KeptDelivery(trigger.id, now, Delivery(by="ann", pushed=(commit,), forced=False))
    site.parts.stored.take_calls(Calls([this, other]), now=now)
    await site.look()
    assert (site.runs()[0].cause["by"], site.runs()[0].cause["forced"]) == ("ann", False)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("where", ["seen", "decide", "start", "deliveries"])
async def test_a_service_that_is_killed_between_any_two_steps_starts_one_run(
    site: Site, where: str, before: bool
) -> None:
    trigger = site.make()
    await site.look()
    site.repository.commit({"a": "1"})
    site.repository.push()

    class Mortal:
        def __init__(self, part: Any) -> None:
            self._part = part

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._part, name)
            if name != where:
                return found

            def call(*args: Any, **kwargs: Any) -> Any:
                if not before:
                    found(*args, **kwargs)
                raise Killed

            return call

    parts = site.parts
    watcher: Any = replace(parts.watcher, triggers=Mortal(parts.stored))
    starter: Any = Mortal(parts.run_maker.starter)
    triggers: Any = Mortal(parts.stored)
    run_maker = replace(parts.run_maker, starter=starter, triggers=triggers)
    site.world.clock.pass_by(400)
    try:
        await watcher.tick()
        await watcher.settle()
        await run_maker.tick()
    except Killed:
        pass
    site.world.restart()
    await site.look()
    await site.look()
    assert [event.state for event in site.events(trigger)] == [EventState.STARTED]
    assert len(site.runs()) == 1
    await site.world.service.pipelines.runner.tick()
    assert len(site.world.service.jobs.newest(["nlp"], limit=9)) == 1


async def test_a_repository_that_hangs_holds_up_no_other_one(site: Site, tmp_path: Path) -> None:
    slow, other = Repository.at(site.repository.bare.parent, "slow"), site.repository
    slow.commit(FILES)
    slow.push()
    first, second = site.make(url=str(slow.bare), key="slow"), site.make()
    await site.look()
    for each in (slow, other):
        each.commit({"a": "1"})
        each.push()
    held = asyncio.Event()
    run_maker = site.parts.run_maker

    class Hanging:
        async def may_submit(self, user: str, tenant: str) -> bool | None:
            if not held.is_set() and first.id in hanging._going and len(asked) == 0:
                asked.append(user)
                await held.wait()
            return True

        async def role(self, user: str, tenant: str) -> Role | None:
            return Role.MEMBER

    asked: list[str] = []
    hanging = replace(run_maker, membership=Hanging(), _going={})
    site.world.clock.pass_by(400)
    await site.parts.watcher.tick()
    await site.parts.watcher.settle()
    await hanging.begin()
    async with asyncio.timeout(30):
        # Either may be asked about first.
        while "STARTED" not in (states := {site.said(first)[0], site.said(second)[0]}):
            await asyncio.sleep(0.02)
    assert states == {"WAITING", "STARTED"}
    held.set()
    await hanging.tick()
    assert len(site.runs()) == 2


async def test_a_call_that_comes_while_the_repository_is_asked_is_not_lost(site: Site) -> None:
    trigger = site.make()
    await site.look()
    stored, clock = site.parts.stored, site.world.clock
    clock.pass_by(400)
    (due,) = stored.due(now=clock.now)
    clock.pass_by(1)
    stored.ring([trigger.id], now=clock.now)
    stored.seen(due, {}, now=clock.now, next_look=clock.now + 300)
    assert [each.id for each in stored.due(now=clock.now)] == [trigger.id]
    (again,) = stored.due(now=clock.now)
    stored.seen(again, {}, now=clock.now, next_look=clock.now + 300)
    assert stored.due(now=clock.now) == []


async def test_a_database_from_a_backup_finds_the_jobs_that_it_had(site: Site) -> None:
    trigger = site.make()
    await site.look()
    before = site.repository.head()
    await site.push({"a": "1"})
    (run,) = site.runs()
    await site.world.service.pipelines.runner.tick()
    (job,) = site.world.service.jobs.newest(["nlp"], limit=9)
    with site.world.service.jobs.db.begin() as connection:
        connection.execute(delete(TriggerEventRow))
        connection.execute(delete(PipelineRunRow))
        connection.execute(update(HeadRow).values(number=1, commit_id=before))
    await site.look()
    await site.world.service.pipelines.runner.tick()
    assert [again.id for again in site.runs()] == [run.id]
    assert [again.id for again in site.world.service.jobs.newest(["nlp"], limit=9)] == [job.id]
    assert site.said(trigger)[0] == "STARTED"


async def test_a_handed_over_account_leaves_its_triggers_at_rest(site: Site) -> None:
    trigger = site.make()
    Owners(site.world.service.jobs.db, site.world.service.files).retire("ada", 1, now=site.world.clock.now)
    now = site.now(trigger)
    assert (now.owner, now.paused) == ("ada/former-1", True)


async def test_the_same_key_is_one_trigger_and_hosts_are_checked(site: Site) -> None:
    first, second = site.make(), site.make()
    assert first.id == second.id
    desk = site.parts.desk

    def refused(**asked: Any) -> Refusal:
        request = {"key": "other", "url": str(site.repository.bare), "provider": "local", **asked}
        found = desk.make("ada", "nlp", TriggerRequest.model_validate(request))
        assert isinstance(found, Refusal)
        return found

    assert refused(key="t", branches=["other"]).reason == "idempotency-conflict"
    assert "is not among this site's Git hosts" in refused(url="https://evil.example.org/a", provider="gitea").message
    assert refused(url="/etc").field == "url"
    assert refused(provider="gitea").field == "provider"
