"""What is gathered for a menu, from the in-process engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.admission import AdmissionUnavailable, InProcessAdmission
from aifactory_hub.admission.team_load import FRESH, LOOK_EVERY, TeamLoads
from aifactory_hub.domain.tickets import Ticket, TicketRequest
from aifactory_profiles import Resources

from ..support.job_service import Clock
from ..support.tenants import SMALL, make_tenant

TENANTS = {
    "nlp": make_tenant("nlp", quota={SMALL: 2}, borrowing={SMALL: 1}),
    "vision": make_tenant("vision", quota={SMALL: 2}),
}


class Engine(InProcessAdmission):
    asked = 0
    away: frozenset[str] = frozenset()

    async def tickets(self, tenant: str) -> list[Ticket]:
        self.asked += 1
        if tenant in self.away:
            raise AdmissionUnavailable("away")
        return await super().tickets(tenant)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def engine(clock: Clock) -> AsyncIterator[Engine]:
    yield Engine(TENANTS, clock)


@pytest.fixture
def team_loads(engine: Engine, clock: Clock) -> TeamLoads:
    return TeamLoads(engine, TENANTS, {SMALL: 7}, clock)


async def take(engine: Engine, name: str, tenant: str = "nlp", kind: str = "server") -> Ticket:
    resources = Resources(devices={SMALL.resource: 1})
    request = TicketRequest(tenant, name, kind, name, name, "mig-1g.10gb", resources, "notebook", max_seconds=3600)
    return await engine.request(replace(request, flavor=SMALL.flavor))


async def test_no_other_process_gives_a_ticket_the_same_uid(clock: Clock) -> None:
    """The ledger keeps both, where the demo is started again on its folder."""
    uids = {(await take(Engine(TENANTS, clock), "ada")).uid for _ in range(2)}
    assert len(uids) == 2


async def test_holders_have_their_times_and_the_queue_its_order(
    engine: Engine, team_loads: TeamLoads, clock: Clock
) -> None:
    for name in ("ada", "bob"):
        await take(engine, name)
        clock.pass_by(1)
    await take(engine, "eve", kind="job")
    for name in ("first", "second"):
        await take(engine, name)
        clock.pass_by(1)
    await take(engine, "v1", "vision")
    gathered = (await team_loads.of({"nlp": None}))["nlp"]
    assert gathered.usage is not None
    assert gathered.usage.holders[0].ends_by == 1_800_000_000.0 + 3600
    assert gathered.queue is not None
    assert [ticket.name for ticket in gathered.queue] == ["first", "second"]
    assert gathered.cluster_used == {SMALL: 4}
    assert gathered.borrowable == {SMALL: 0}


async def test_idle_devices_of_others_can_be_borrowed_up_to_the_limit(engine: Engine, team_loads: TeamLoads) -> None:
    for name in ("ada", "bob"):
        await take(engine, name)
    assert (await team_loads.of({"nlp": None}))["nlp"].borrowable == {SMALL: 1}


async def test_a_tenant_that_does_not_answer_is_unknown_and_so_is_the_cluster(
    engine: Engine, team_loads: TeamLoads
) -> None:
    engine.away = frozenset({"vision"})
    found = await team_loads.of({"nlp": None, "vision": None})
    assert found["vision"].usage is None
    assert found["nlp"].usage is not None
    assert (found["nlp"].cluster_used, found["nlp"].borrowable) == (None, None)


async def test_many_pages_ask_the_engine_once(engine: Engine, team_loads: TeamLoads, clock: Clock) -> None:
    for _ in range(20):
        await team_loads.of({"nlp": None})
    assert engine.asked == len(TENANTS)
    clock.pass_by(FRESH)
    await team_loads.of({"nlp": None})
    assert engine.asked == 2 * len(TENANTS)


async def test_how_long_runs_take_is_learned_by_looking(engine: Engine, team_loads: TeamLoads, clock: Clock) -> None:
    await take(engine, "ada")
    await team_loads.of({"nlp": None})
    clock.pass_by(LOOK_EVERY)
    await team_loads.of({"nlp": None})
    await engine.release("nlp", "ada")
    clock.pass_by(LOOK_EVERY)
    gathered = (await team_loads.of({"nlp": None}))["nlp"]
    assert list(gathered.lengths[("server", "mig-1g.10gb")]) == [2 * LOOK_EVERY]


async def test_after_a_long_pause_nothing_is_learned(engine: Engine, team_loads: TeamLoads, clock: Clock) -> None:
    await take(engine, "ada")
    await team_loads.of({"nlp": None})
    await engine.release("nlp", "ada")
    clock.pass_by(100 * LOOK_EVERY)
    assert not (await team_loads.of({"nlp": None}))["nlp"].lengths


async def test_what_was_learned_outlives_the_process(engine: Engine, clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "lengths.json"
    first = TeamLoads(engine, TENANTS, {SMALL: 7}, clock, history=file)
    first.history.learn("server", "mig-1g.10gb", 90.0)
    first.history.write()
    again = TeamLoads(engine, TENANTS, {SMALL: 7}, clock, history=file)
    assert list((await again.of({"nlp": None}))["nlp"].lengths[("server", "mig-1g.10gb")]) == [90.0]


@pytest.mark.parametrize("text", ["", "[", "{}", '[{"kind": 1}]', '[{"kind": "a", "profile": "b", "seconds": ["x"]}]'])
def test_a_history_that_can_not_be_read_is_none(
    engine: Engine, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "lengths.json"
    file.write_text(text)
    team_loads = TeamLoads(engine, TENANTS, {SMALL: 7}, history=file)
    assert not team_loads.history.lengths
    team_loads.history.learn("job", "cpu", 1.0)
    team_loads.history.write()
    assert TeamLoads(engine, TENANTS, {SMALL: 7}, history=file).history.lengths


def test_a_history_that_can_not_be_kept_is_said_and_no_more(engine: Engine, tmp_path: Path, caplog: Any) -> None:
    team_loads = TeamLoads(engine, TENANTS, {SMALL: 7}, history=tmp_path / "no" / "such" / "folder")
    team_loads.history.learn("job", "cpu", 1.0)
    team_loads.history.write()
    assert "can't be kept" in caplog.text
