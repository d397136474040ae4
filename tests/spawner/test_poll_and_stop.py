"""Whether a server runs: what is not known is never said to have stopped. And how one is stopped."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.admission import AdmissionUnavailable
from aifactory_hub.clusters import TenantHealth, TenantUnavailable
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.tickets import Ticket, TicketRequest, TicketState
from aifactory_profiles import Resources

from ..support.tenants import SMALL
from .hub_in_memory import HubInMemory

CHOICE = {"tenant": "nlp", "profile": "mig-1g.10gb"}
WHERE = ("vc-nlp", "nlp", "notebooks", "nb-ada")


async def running(hub: HubInMemory) -> Any:
    """Ada's running server, as a hub sees it that was started after it."""
    ada = hub.person("ada", nlp=Role.MEMBER)
    await ada.spawn("", options=CHOICE)
    hub.restart()
    return hub.people["ada"].spawner


async def tickets(hub: HubInMemory) -> list[Ticket]:
    return await hub.admission.tickets("nlp")


async def silent(*_: Any) -> Any:
    raise AdmissionUnavailable("no answer")


async def collect(hub: HubInMemory, suspects: set[str]) -> set[str]:
    """One look at the tickets, after one that found these suspects; the suspects that are left."""
    hub.process.orphans.suspects = suspects
    await hub.process.orphans.collect_tickets(hub.host_cluster)
    return hub.process.orphans.suspects


async def test_a_running_server_runs(hub: HubInMemory) -> None:
    assert await (await running(hub)).poll() is None


async def test_a_server_that_was_never_started_does_not_run(hub: HubInMemory) -> None:
    assert await hub.person("ada", nlp=Role.MEMBER).spawner.poll() == 1


@pytest.mark.parametrize("doubt", ["not listed yet", "stale", "quota engine away", "vCluster away and pod ended"])
async def test_doubt_never_stops_a_server(hub: HubInMemory, doubt: str) -> None:
    spawner, kept = await running(hub), hub.admission.tickets
    if doubt == "not listed yet":
        hub.cluster.watch.is_synced = False
        hub.cluster.watch.hide(WHERE)
    elif doubt == "stale":
        hub.cluster.watch.stale = True
        hub.cluster.watch.hide(WHERE)
    elif doubt == "quota engine away":
        hub.admission.tickets = silent  # type: ignore[method-assign, assignment]
    else:
        hub.cluster.watch.change(WHERE, exit_code=0)
        hub.cluster.down["nlp"] = "it does not answer"
    assert await spawner.poll() is None
    hub.admission.tickets = kept  # type: ignore[method-assign]
    assert len(await tickets(hub)) == 1


async def test_a_vcluster_that_is_away_does_not_matter_to_a_running_server(hub: HubInMemory) -> None:
    spawner = await running(hub)
    hub.cluster.down["nlp"] = "its control plane is scaled to zero"
    assert await spawner.poll() is None


async def test_a_pod_that_is_gone_for_certain_ends_the_server_and_gives_the_ticket_back(hub: HubInMemory) -> None:
    spawner = await running(hub)
    hub.cluster.watch.hide(WHERE)
    hub.cluster.down["nlp"] = "paused"
    assert await spawner.poll() == 1
    assert await tickets(hub) == []


async def test_a_pod_that_goes_while_others_answer_is_decided_about_at_the_next_look(hub: HubInMemory) -> None:
    spawner, read = await running(hub), hub.admission.tickets

    async def meanwhile(tenant: str) -> list[Ticket]:
        hub.cluster.watch.hide(WHERE)
        return await read(tenant)

    hub.admission.tickets = meanwhile  # type: ignore[method-assign]
    assert await spawner.poll() is None
    hub.admission.tickets = read  # type: ignore[method-assign]
    assert len(await tickets(hub)) == 1 and spawner.record.last_end == ""
    assert await spawner.poll() == 1
    assert "no longer has its pod" in spawner.record.last_end and await tickets(hub) == []


async def test_a_pod_that_comes_back_while_its_vcluster_is_asked_keeps_its_ticket(hub: HubInMemory) -> None:
    spawner, check, pod = await running(hub), hub.cluster.check, hub.cluster.watch.found[WHERE]
    hub.cluster.watch.hide(WHERE)

    async def meanwhile(tenant: str) -> TenantHealth:
        hub.cluster.watch.show(pod)
        return await check(tenant)

    hub.cluster.check = meanwhile  # type: ignore[method-assign]
    assert await spawner.poll() is None
    assert len(await tickets(hub)) == 1 and await spawner.poll() is None


async def test_a_server_that_somebody_stops_meanwhile_has_no_end_to_be_told(hub: HubInMemory) -> None:
    spawner, release = await running(hub), hub.admission.release

    async def stopped(tenant: str, name: str) -> None:
        await release(tenant, name)
        spawner.clear_state()

    hub.admission.release = stopped  # type: ignore[method-assign]
    hub.cluster.watch.hide(WHERE)
    assert await spawner.poll() == 1
    assert spawner.record.last_end == "" and await tickets(hub) == []


async def test_a_ticket_that_can_not_be_given_back_keeps_the_end_for_later(hub: HubInMemory) -> None:
    spawner = await running(hub)
    hub.cluster.watch.hide(WHERE)
    release, hub.admission.release = hub.admission.release, silent  # type: ignore[method-assign, assignment]
    assert await spawner.poll() is None
    hub.admission.release = release  # type: ignore[method-assign]
    assert await spawner.poll() == 1


@pytest.mark.parametrize(
    ("facts", "code"),
    [({"exit_code": 0}, 0), ({"exit_code": 137}, 137), ({"phase": "Failed"}, 1)],
    ids=["ended well", "killed", "evicted by the node"],
)
async def test_a_server_that_ended_gives_its_code_and_is_cleared_away(
    hub: HubInMemory, facts: dict[str, Any], code: int
) -> None:
    spawner = await running(hub)
    hub.cluster.watch.change(WHERE, **facts)
    assert await spawner.poll() == code
    assert hub.cluster.pods_in("nlp") == []
    assert await tickets(hub) == []


def preempt(hub: HubInMemory) -> None:
    read, read_one = hub.admission.tickets, hub.admission.get

    def lost(ticket: Ticket) -> Ticket:
        return replace(ticket, state=TicketState.EVICTED, message="vision reclaimed its own")

    async def evicted(tenant: str) -> list[Ticket]:
        return [lost(ticket) for ticket in await read(tenant)]

    async def evicted_one(tenant: str, name: str) -> Ticket:
        return lost(await read_one(tenant, name))

    hub.admission.tickets = evicted  # type: ignore[method-assign]
    hub.admission.get = evicted_one  # type: ignore[method-assign]


async def test_a_preempted_server_is_told_first_and_stopped_after_its_grace(hub: HubInMemory) -> None:
    spawner = await running(hub)
    preempt(hub)
    assert await spawner.poll() is None
    assert spawner.record.notice.why == "vision reclaimed its own"
    assert hub.people["ada"].orm_spawners[""].state["aifactory_notice"]["until"] == spawner.record.notice.until
    hub.restart()
    spawner = hub.people["ada"].spawner
    assert spawner.record.notice is not None
    spawner.record.notice = replace(spawner.record.notice, until=0)
    assert await spawner.poll() == 1
    assert "vision reclaimed its own" in spawner.record.last_end
    assert hub.cluster.pods_in("nlp") == []
    assert await tickets(hub) == []
    assert hub.cluster.claims_in("nlp") == ["home-ada"]


async def test_the_next_menu_says_why_the_server_ended(hub: HubInMemory) -> None:
    spawner = await running(hub)
    assert "server ended" not in await spawner.team_choice.show_menu()
    spawner.preemption_grace = 0
    preempt(hub)
    assert await spawner.poll() == 1
    html = await spawner.team_choice.show_menu()
    assert "Your server ended at" in html
    assert "vision reclaimed its own" in html


async def test_without_a_grace_a_preempted_server_is_stopped_at_once(hub: HubInMemory) -> None:
    spawner = await running(hub)
    spawner.preemption_grace = 0
    preempt(hub)
    assert await spawner.poll() == 1


async def test_a_preemption_that_is_taken_back_is_forgotten(hub: HubInMemory) -> None:
    spawner = await running(hub)
    read, read_one = hub.admission.tickets, hub.admission.get
    preempt(hub)
    assert await spawner.poll() is None
    hub.admission.tickets, hub.admission.get = read, read_one  # type: ignore[method-assign]
    hub.restart()
    spawner = hub.people["ada"].spawner
    assert await spawner.poll() is None
    assert spawner.record.notice is None


async def test_a_server_whose_ticket_was_deleted_is_counted_again(hub: HubInMemory) -> None:
    spawner = await running(hub)
    (before,) = await tickets(hub)
    await hub.admission.release("nlp", before.name)
    assert await spawner.poll() is None
    (after,) = await tickets(hub)
    assert (after.name, after.user, after.devices, after.active) == (before.name, before.user, before.devices, True)
    assert after.uid != before.uid


async def test_a_server_whose_ticket_was_deleted_gives_way_when_its_devices_are_another_s(hub: HubInMemory) -> None:
    spawner = await running(hub)
    spawner.preemption_grace = 0
    (before,) = await tickets(hub)
    await hub.admission.release("nlp", before.name)
    taken = replace(_again(before, "other"), resources=Resources(devices={SMALL.resource: 2}), flavor=SMALL.flavor)
    await hub.admission.request(taken)
    assert await spawner.poll() is None
    assert await spawner.poll() == 1, "its new ticket has to wait, so it may not run on"
    assert hub.cluster.pods_in("nlp") == []
    assert [t.name for t in await tickets(hub)] == ["other"]


async def test_a_tenant_made_anew_under_the_same_name_does_not_have_the_server(hub: HubInMemory) -> None:
    spawner = await running(hub)
    hub.cluster.namespace_uids["vc-nlp"] = "uid-of-another"
    assert await spawner.poll() == 1


async def test_a_pod_of_another_hub_under_the_name_is_not_the_server(hub: HubInMemory) -> None:
    spawner = await running(hub)
    hub.cluster.watch.change(WHERE, labels={"aifactory-hub.io/hub": "other"})
    assert await spawner.poll() == 1


async def test_a_changed_address_is_noticed(hub: HubInMemory) -> None:
    spawner = await running(hub)
    hub.cluster.watch.change(WHERE, ip="10.1.0.9")
    assert await spawner.poll() is None
    assert spawner.server.ip == "10.1.0.9"


async def test_a_start_that_a_hub_did_not_survive_is_cleared_away(hub: HubInMemory) -> None:
    spawner = await running(hub)
    binding = spawner.record.binding
    spawner.orm_spawner.state = {"aifactory": {**binding.to_state(), "started": False}}
    hub.cluster.watch.hide(WHERE)
    hub.db.commit()
    hub.restart()
    assert await hub.people["ada"].spawner.poll() == 1
    assert hub.cluster.pods_in("nlp") == []
    assert await tickets(hub) == []


async def test_only_one_of_two_who_ask_at_once_waits_for_the_end_of_an_unfinished_start(hub: HubInMemory) -> None:
    spawner = await running(hub)
    spawner.orm_spawner.state = {"aifactory": {**spawner.record.binding.to_state(), "started": False}}
    hub.cluster.watch.change(WHERE, phase="Pending", ready=False)
    hub.db.commit()
    hub.restart()
    spawner = hub.people["ada"].spawner
    asked = [asyncio.ensure_future(spawner.poll()) for _ in range(2)]
    answered, waiting = await asyncio.wait(asked, timeout=2, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in answered] == [None] and len(waiting) == 1
    hub.cluster.watch.change(WHERE, phase="Running", ready=True)
    assert await waiting.pop() is None
    assert spawner.record.binding.started and hub.people["ada"].orm_spawners[""].state["aifactory"]["started"]


async def test_stop_gives_the_ticket_back_only_when_the_pod_is_gone(hub: HubInMemory) -> None:
    spawner = await running(hub)
    hub.cluster.stuck = True
    stopping = asyncio.ensure_future(spawner.stop())
    await asyncio.sleep(0.1)
    assert len(await tickets(hub)) == 1
    hub.cluster.watch.hide(WHERE)
    await stopping
    assert await tickets(hub) == []
    assert hub.cluster.claims_in("nlp") == ["home-ada"]


async def test_a_stop_that_can_not_be_known_says_so_and_its_ticket_is_collected_later(hub: HubInMemory) -> None:
    spawner = await running(hub)
    hub.cluster.down["nlp"] = "it does not answer"
    with pytest.raises(TenantUnavailable):
        await spawner.stop()
    name = spawner.record.binding.ticket
    spawner.clear_state()
    assert await collect(hub, set()) == {name}
    assert len(await tickets(hub)) == 1
    hub.cluster.down.clear()
    assert await collect(hub, {name}) == set()
    assert await tickets(hub) == []
    assert hub.cluster.pods_in("nlp") == []


async def test_a_ticket_that_a_server_holds_is_never_collected(hub: HubInMemory) -> None:
    spawner = await running(hub)
    name = spawner.record.binding.ticket
    assert await collect(hub, {name}) == set()
    assert [ticket.name for ticket in await tickets(hub)] == [name]


async def test_an_old_ticket_of_a_server_that_runs_again_goes_without_its_pod(hub: HubInMemory) -> None:
    spawner = await running(hub)
    stray = await tickets(hub)
    request = spawner.record.binding
    await hub.admission.request(_again(stray[0], "nb-ada-older"))
    assert await collect(hub, {"nb-ada-older"}) == set()
    assert [ticket.name for ticket in await tickets(hub)] == [request.ticket]
    assert hub.cluster.pods_in("nlp") == ["nb-ada"]


def _again(ticket: Ticket, name: str) -> Any:
    return TicketRequest(
        ticket.tenant,
        name,
        ticket.kind,
        ticket.owner,
        ticket.user,
        ticket.profile,
        Resources(),
        "notebook",
        database=ticket.database,
        sequence=ticket.sequence,
    )
