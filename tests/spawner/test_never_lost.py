"""Properties: two hundred restarts of the hub against whatever the cluster may show, and names of every shape."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aifactory_hub.admission import AdmissionUnavailable
from aifactory_hub.domain.names import server_id, server_pod
from aifactory_hub.domain.tenants import Role
from aifactory_spawner import TenantKubeSpawner, overrides

from .hub_in_memory import HubInMemory, make_hub

CHOICE = {"tenant": "nlp", "profile": "mig-1g.10gb"}
WHERE = ("vc-nlp", "nlp", "notebooks", "nb-ada")
RESTARTS = 200
# Looks like "ada".
CYRILLIC = "\u0430d\u0430"


@dataclass(frozen=True)
class World:
    """What a hub finds when it comes back. ``shown``: whether its copy of the host has the pod."""

    synced: bool
    stale: bool
    shown: bool
    tenant_down: bool
    queue_down: bool
    replaced: bool

    @property
    def certain(self) -> bool:
        """Whether the server is known to be no more: only then may it be said to have stopped."""
        return self.synced and not self.stale and (self.replaced or not self.shown)


WORLDS = st.builds(World, *(st.booleans() for _ in range(6)))


def test_no_restart_ever_takes_doubt_for_an_end() -> None:
    """Each restart meets a world of its own; a server that was not certainly gone is never said to have stopped."""

    loop = asyncio.new_event_loop()
    verdicts: list[tuple[World, int | None]] = []
    try:
        hub = loop.run_until_complete(_started())
        kept = (dict(hub.people["ada"].orm_spawners[""].state), hub.cluster.watch.found[WHERE])

        @settings(max_examples=RESTARTS, suppress_health_check=list(HealthCheck), database=None)
        @given(WORLDS)
        def one_restart(world: World) -> None:
            verdict = loop.run_until_complete(poll_in(hub, world, *kept))
            verdicts.append((world, verdict))
            if verdict is not None:
                assert world.certain, world
            if world.certain and not world.queue_down:
                assert verdict is not None, world

        one_restart()
        assert len({world for world, _ in verdicts}) > 30
        assert {verdict for _, verdict in verdicts} == {None, 1}
        loop.run_until_complete(hub.close())
        hub.db.close()
    finally:
        TenantKubeSpawner.hub_process = None
        loop.close()


async def _started() -> HubInMemory:
    hub = make_hub()
    await hub.person("ada", nlp=Role.MEMBER).spawn("", options=CHOICE)
    return hub


async def poll_in(hub: HubInMemory, world: World, state: dict[str, Any], pod: Any) -> int | None:
    """A new hub process, with the database as it was, finds this world."""
    hub.people["ada"].orm_spawners[""].state = dict(state)
    hub.db.commit()
    hub.restart()
    watch = hub.cluster.watch
    watch.is_synced, watch.stale = world.synced, world.stale
    watch.found.pop(WHERE, None)
    if world.shown:
        watch.found[WHERE] = pod
    hub.cluster.down = {"nlp": "it does not answer"} if world.tenant_down else {}
    hub.cluster.namespace_uids["vc-nlp"] = "uid-of-another" if world.replaced else "uid-of-nlp"
    release, tickets = hub.admission.release, hub.admission.tickets

    async def silent(*_: Any) -> Any:
        raise AdmissionUnavailable("no answer")

    async def kept(*_: Any) -> None:
        """The ticket is there for the next world too."""

    hub.admission.release = silent if world.queue_down else kept  # type: ignore[method-assign, assignment]
    if world.queue_down:
        hub.admission.tickets = silent  # type: ignore[method-assign, assignment]
    try:
        found: int | None = await hub.people["ada"].spawner.poll()
        return found
    finally:
        hub.admission.release, hub.admission.tickets = release, tickets  # type: ignore[method-assign]


NAMES = st.one_of(
    st.text(min_size=1, max_size=80),
    st.sampled_from(["ada", "Ada", "ADA", "ada-", "-ada", "ada--b", "ada-x-b", "a" * 300, "a@b.org", CYRILLIC, "0"]),
)


@given(NAMES, st.one_of(st.just(""), NAMES), NAMES, st.one_of(st.just(""), NAMES))
def test_names_of_every_shape_never_meet(user: str, server: str, other: str, others: str) -> None:
    mine, theirs = server_id(user, server), server_id(other, others)
    assert (mine == theirs) == ((user, server) == (other, others))
    pod, home = server_pod(user, server), overrides.home_name(user)
    for name in (pod, home, overrides.ticket_name(user, server, "abc123")):
        assert len(name) <= 63
        assert name.replace("-", "").isalnum() and name.isascii() and name == name.lower()
        assert name[0].isalpha() and name[-1].isalnum()


@pytest.mark.parametrize("name", ["Ada Lovelace", "ada@example.org", CYRILLIC, "x" * 200, "ada--b", "ada-x-b", "0"])
async def test_a_person_of_any_name_starts_and_stops(hub: HubInMemory, name: str) -> None:
    person = hub.person(name, nlp=Role.MEMBER)
    await person.spawn("", options=CHOICE)
    assert await person.spawner.poll() is None
    await person.stop("")
    assert hub.cluster.pods_in("nlp") == []
    assert await hub.admission.tickets("nlp") == []
