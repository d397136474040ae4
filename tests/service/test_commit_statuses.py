"""A Git host is told how the commits stand that started runs: once, in order, and again where it was away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aifactory_hub.domain.git_hooks import Provider
from aifactory_hub.domain.git_refs import SeenRef
from aifactory_hub.domain.pipeline_runs import RunState
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.triggers import EventState, RefEvent, TriggerRules
from aifactory_hub.registry.model import GitConfig
from aifactory_hub.service.trigger_request_types import TriggerRequest
from aifactory_hub.service.triggers.keys import TriggerKeys
from aifactory_hub.service.triggers.status_teller import StatusTeller
from aifactory_hub.store.triggers import Trigger

from .trigger_site import Site, trigger_site

TOKEN = "a-token-for-statuses"
MAIN = "refs/heads/main"
Told = tuple[str, str, str]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with trigger_site(tmp_path) as site:
        yield site


@dataclass
class Host:
    """A Git host of Gitea's kind; ``answer`` is what it says to everything."""

    address: str = ""
    answer: int = 201
    words: str = ""
    told: list[Told] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    async def take(self, request: web.Request) -> web.Response:
        said = await request.json()
        self.told.append((request.path.rpartition("/")[2], said["state"], said["description"]))
        self.tokens.add(request.headers["Authorization"])
        return web.Response(status=self.answer, text=self.words)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host, app = Host(), web.Application()
    app.router.add_post("/api/v1/repos/team/fraud/statuses/{commit}", host.take)
    runner = web.AppRunner(app)
    await runner.setup()
    where = web.TCPSite(runner, "127.0.0.1", 0)
    await where.start()
    host.address = runner.addresses[0][0] + f":{runner.addresses[0][1]}"
    yield host
    await runner.cleanup()


@dataclass
class Telling:
    """A trigger that tells, with a teller that may use plain http; events are decided as the test says."""

    site: Site
    trigger: Trigger
    teller: StatusTeller
    seen: int = 0

    async def tell(self) -> None:
        await self.teller.tick()

    def event(self, commit: str, state: EventState, run: str | None = None, reason: str | None = None) -> RefEvent:
        """The main branch goes on to this commit, and that is decided."""
        stored, now = self.site.parts.stored, self.site.world.clock.now
        trigger = self.site.now(self.trigger)
        stored.seen(trigger, {MAIN: SeenRef(MAIN, commit, commit)}, now=now, next_look=now)
        (event,) = stored.waiting(trigger.id)
        decided: RefEvent = replace(event, state=state, run=run, reason=reason)
        stored.decide(trigger.id, decided)
        return decided


@pytest.fixture
def telling(site: Site, host: Host) -> Telling:
    trigger = Trigger(
        id="t0123456789ab",
        hook="h",
        tenant="nlp",
        owner="ada",
        key="k",
        request_digest="d",
        name="fraud",
        provider=Provider.GITEA,
        url=f"http://{host.address}/team/fraud.git",
        pipeline=".aifactory/pipeline.yaml",
        rules=TriggerRules(),
        created_at=0.0,
        watched_at=0.0,
        tells=True,
    )
    parts = site.parts
    parts.stored.add(trigger)
    known = replace(site.world.registry, git=GitConfig(hosts=(host.address,)))
    keys = TriggerKeys(parts.keys.files, lambda: known, ("http",))
    keys.keep(trigger.id, token=None, status_token=TOKEN)
    parts.stored.seen(replace(trigger, watched_at=None), {}, now=1.0, next_look=1.0)
    return Telling(site, trigger, replace(parts.teller, keys=keys))


async def run_of(site: Site) -> str:
    """A run that goes on."""
    site.make()
    await site.look()
    await site.push()
    return site.runs()[0].id


def shown(site: Site, telling: Telling) -> list[tuple[str | None, str | None]]:
    told = site.parts.statuses.of_trigger(telling.trigger.id)
    return [(each.told, each.problem) for each in told.values()]


async def test_a_run_is_told_as_it_goes_on_and_at_its_end_once_each(site: Site, host: Host, telling: Telling) -> None:
    run = await run_of(site)
    telling.event("a" * 40, EventState.STARTED, run)
    for _ in range(3):
        await telling.tell()
    site.world.service.pipelines.runs.finish(run, RunState.STOPPED, "accuracy is 0.8", now=9.0)
    for _ in range(3):
        await telling.tell()
    assert host.told == [("a" * 40, "pending", "it runs"), ("a" * 40, "failure", "accuracy is 0.8")]
    assert host.tokens == {f"token {TOKEN}"}
    assert shown(site, telling) == [("failure", None)]


async def test_a_run_that_is_started_again_is_told_in_the_place_of_the_one_before(
    site: Site, host: Host, telling: Telling
) -> None:
    run, runs = await run_of(site), site.world.service.pipelines.runs
    telling.event("a" * 40, EventState.STARTED, run)
    runs.finish(run, RunState.FAILED, "step train failed", now=9.0)
    await telling.tell()
    ended = runs.get(run)
    assert ended is not None
    again = site.world.service.pipelines.starter.again(ended, "again", None)
    assert not isinstance(again, Refusal)
    await telling.tell()
    runs.finish(again.run.id, RunState.SUCCEEDED, None, now=10.0)
    await telling.tell()
    assert [state for _, state, _ in host.told] == ["failure", "pending", "success"]


async def test_what_can_t_be_run_is_told_with_its_reason(site: Site, host: Host, telling: Telling) -> None:
    telling.event("b" * 40, EventState.REFUSED, reason="there is no .aifactory/pipeline.yaml")
    await telling.tell()
    assert host.told == [("b" * 40, "error", "there is no .aifactory/pipeline.yaml")]


async def test_what_starts_nothing_though_nothing_is_wrong_is_not_told(
    site: Site, host: Host, telling: Telling
) -> None:
    telling.event("c" * 40, EventState.SKIPPED, reason="none of the 2 changed files fits the trigger's paths")
    await telling.tell()
    assert host.told == [] and shown(site, telling) == []


async def test_a_host_that_is_away_is_told_later(site: Site, host: Host, telling: Telling) -> None:
    host.answer = 503
    telling.event("d" * 40, EventState.REFUSED, reason="wrong")
    await telling.tell()
    await telling.tell()
    assert len(host.told) == 1
    assert shown(site, telling)[0][1] == "the host answered 503: "
    host.answer = 201
    site.world.clock.pass_by(30)
    await telling.tell()
    assert len(host.told) == 2 and shown(site, telling) == [("error", None)]


async def test_a_host_that_refuses_is_not_asked_again_and_its_words_hide_the_token(
    site: Site, host: Host, telling: Telling
) -> None:
    host.answer, host.words = 403, f"token {TOKEN} may not write"
    telling.event("e" * 40, EventState.REFUSED, reason="wrong")
    await telling.tell()
    site.world.clock.pass_by(7200)
    await telling.tell()
    assert len(host.told) == 1
    assert shown(site, telling) == [(None, "the host answered 403: token *** may not write")]


async def test_a_newer_run_of_the_same_commit_has_the_last_word(site: Site, host: Host, telling: Telling) -> None:
    run = await run_of(site)
    telling.event("a" * 40, EventState.STARTED, run)
    await telling.tell()
    telling.event("b" * 40, EventState.SKIPPED)
    telling.event("a" * 40, EventState.REFUSED, reason="now it can't be run")
    await telling.tell()
    site.world.service.pipelines.runs.finish(run, RunState.SUCCEEDED, None, now=9.0)
    await telling.tell()
    assert [state for _, state, _ in host.told] == ["pending", "error"]


async def test_a_host_that_the_site_took_out_is_not_told(site: Site, host: Host, telling: Telling) -> None:
    telling.event("f" * 40, EventState.REFUSED, reason="wrong")
    closed = TriggerKeys(telling.teller.keys.files, lambda: site.world.registry, ("http",))
    await replace(telling.teller, keys=closed).tick()
    assert host.told == []
    ((told, problem),) = shown(site, telling)
    assert told is None and problem is not None and "not among this site's Git hosts" in problem


async def test_the_token_is_kept_apart_and_goes_with_the_trigger(site: Site) -> None:
    asked: dict[str, Any] = {"key": "k", "url": "https://git.example.org/team/fraud", "provider": "gitea"}
    desk = replace(
        site.parts.desk,
        keys=TriggerKeys(
            site.parts.keys.files, lambda: replace(site.world.registry, git=GitConfig(hosts=("git.example.org",)))
        ),
    )
    made = desk.make("ada", "nlp", TriggerRequest.model_validate({**asked, "token": "reads", "status_token": TOKEN}))
    assert not isinstance(made, Refusal)
    trigger = site.now(made[0])
    assert trigger.tells and desk.keys.status_token(trigger) == TOKEN
    assert desk.keys.files.credential(trigger.id) == "reads"
    assert TOKEN not in repr(trigger)
    desk.remove(trigger)
    assert desk.keys.status_token(trigger) is None


async def test_a_folder_takes_no_statuses(site: Site) -> None:
    request = {"key": "k", "url": str(site.repository.bare), "provider": "local", "status_token": TOKEN}
    made = site.parts.desk.make("ada", "nlp", TriggerRequest.model_validate(request))
    assert isinstance(made, Refusal) and made.field == "status_token"
