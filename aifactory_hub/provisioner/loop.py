"""The provisioner's loop: each team is looked at when something rings, when its stage asks for it, and now and then."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..clusters import ApiError, ApiUnreachable, HostObjects, KubeApi
from ..domain.gates import Rule
from ..domain.provisioning import LASTING, Stage, pause_after
from ..domain.team_records import TeamRecord
from ..domain.tenants import Tenant
from ..engines.installed import engine_needs
from ..registry import Registry, RegistryError, RegistryProvider
from ..registry.api_servers import networks_of, with_api_servers
from ..registry.changes import MANAGER
from ..registry.contents import revision_of
from ..registry.render_vcluster import vcluster_values
from .chart import Chart, ChartError
from .doorbells import Doorbells
from .objects import TeamObjects, team_objects
from .records import Records
from .team import TeamKeeper

log = logging.getLogger(__name__)

# Seconds: between two looks at a team that is on its way, at one that is as it should be, and after a doorbell.
ON_ITS_WAY, RESYNC, RING = 1.0, 600.0, 0.5
AT_ONCE = 4
_TICK = 0.25


@dataclass
class _Turn:
    """When a team is looked at next (by a steady clock), and what went wrong in a row."""

    due: float = 0.0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A team's objects, with all that they follow from."""

    registry: Registry
    rules: tuple[Rule, ...]
    networks: tuple[str, ...]
    objects: TeamObjects
    follows: str


@dataclass(eq=False)
class Provisioner:
    """Keeps the teams of one registry. ``run`` it under a lease: two of them do no harm, and twice the work."""

    api: KubeApi
    provider: RegistryProvider
    chart: Chart
    rules: Callable[[Registry], Iterable[Rule]] = lambda _: ()
    clock: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    _turns: dict[str, _Turn] = field(default_factory=dict)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _made_by: dict[tuple[str, str], str] = field(default_factory=dict)
    _objects: dict[str, _Rendered] = field(default_factory=dict)
    _networks: tuple[str, ...] = ()
    _works: bool = False

    def __post_init__(self) -> None:
        self.host = HostObjects(self.api, MANAGER)
        self.records = Records(self.host, self.provider.registry.hub)
        self.keeper = TeamKeeper(self.host, self.provider.registry.hub, self.clock)
        self.provider.listen(self._followed)

    async def run(self) -> None:
        """Work until cancelled."""
        self.records.forget()
        self._turns.clear()
        self._works = True
        bells = Doorbells(self.api, self.provider.registry.hub, self.ring)
        bells.start()
        try:
            while True:
                self._begin()
                await asyncio.sleep(_TICK)
        finally:
            self._works = False
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            self._running.clear()
            await bells.stop()

    def _followed(self, old: Registry, new: Registry) -> None:
        """Look at all teams after a change of the registry: what they share may be another, too."""
        for turn in self._turns.values():
            turn.due = min(turn.due, self.steady())

    def states(self) -> dict[str, TeamRecord]:
        """What is known of each team of the registry; nothing where another replica works."""
        teams = self.provider.registry.tenants
        return {name: each for name, each in self.records.known().items() if name in teams} if self._works else {}

    def ring(self, namespace: str, name: str) -> None:
        """Look soon at the team that an object belongs to."""
        for tenant in self.provider.registry.tenants.values():
            if tenant.vcluster.namespace == (namespace or name) or self._made_by.get((namespace, name)) == tenant.name:
                turn = self._turns.setdefault(tenant.name, _Turn())
                turn.due = min(turn.due, self.steady() + RING)

    def _begin(self) -> None:
        """Start work on teams whose turn it is, a few at once and each by itself."""
        teams, now = self.provider.registry.tenants, self.steady()
        self._turns = {name: self._turns.get(name, _Turn()) for name in teams}
        waiting = sorted((turn.due, name) for name, turn in self._turns.items() if name not in self._running)
        for due, name in waiting:
            if due > now or len(self._running) >= AT_ONCE:
                break
            task = asyncio.create_task(self._work(teams[name]), name=f"team {name}")
            self._running[name] = task
            task.add_done_callback(lambda _, name=name: self._running.pop(name, None))  # type: ignore[misc]

    async def _work(self, tenant: Tenant) -> None:
        turn = self._turns[tenant.name]
        # What rings from now on asks for one more look.
        turn.due = self.steady() + RESYNC
        try:
            record = await self.look(tenant)
        except (ApiError, ApiUnreachable, ChartError, RegistryError) as error:
            turn.failures += 1
            pause = ON_ITS_WAY if turn.failures < 3 else pause_after(turn.failures, random.random())  # noqa: S311
            await self._note(tenant, str(error))
        except Exception:
            log.exception("team %s could not be looked at", tenant.name)
            turn.failures += 1
            pause = pause_after(turn.failures, random.random())  # noqa: S311
        else:
            turn.failures = 0
            pause = self._pause(tenant, record)
        turn.due = min(turn.due, self.steady() + pause)

    async def look(self, tenant: Tenant) -> TeamRecord:
        """One look at the team, and what is next for it. Raises what the host, Helm and the registry raise."""
        record = await self.records.of(tenant.name, self.clock())
        objects, follows = await self.objects(tenant)
        after = await self.keeper.look(tenant, objects, record, tenant.sleep_after)
        after = replace(after, follows=follows, version=_version(objects))
        await self.records.write(tenant.name, after)
        return after

    async def objects(self, tenant: Tenant) -> tuple[TeamObjects, str]:
        """All objects of the team as they should be, and which registry they follow from."""
        read, rules = self.provider.registry, tuple(self.rules(self.provider.registry))
        registry = await self._with_addresses(read)
        known = self._objects.get(tenant.name)
        if known is not None and known.registry is read and (known.rules, known.networks) == (rules, self._networks):
            return known.objects, known.follows
        # The digest of what is in use, which may be older than the file.
        follows = await asyncio.to_thread(
            _follows, registry.source, self.provider.status.digest, self.provider.granted_folder
        )
        values = vcluster_values(tenant, registry.addresses, engine_needs(registry.jobs.engines))
        chart = await self.chart.objects(tenant, values)
        objects = team_objects(registry, tenant, chart, rules, follows)
        for manifests in objects.by_stage.values():
            for each in manifests:
                metadata = each["metadata"]
                self._made_by[metadata.get("namespace", ""), metadata["name"]] = tenant.name
        self._objects[tenant.name] = _Rendered(read, rules, self._networks, objects, follows)
        return objects, follows

    async def _with_addresses(self, registry: Registry) -> Registry:
        """The registry with the addresses of the host's API servers, where the file leaves them to the host."""
        if registry.isolation.api_servers:
            return registry
        self._networks = tuple(networks_of(*await self.host.api_servers())) or self._networks
        return with_api_servers(registry, self._networks)

    async def _note(self, tenant: Tenant, trouble: str) -> None:
        """Write down what is wrong, if that can be written."""
        log.warning("team %s: %s", tenant.name, trouble)
        try:
            record = await self.records.of(tenant.name, self.clock())
            await self.records.write(tenant.name, replace(record, trouble=trouble[:400]))
        except (ApiError, ApiUnreachable) as error:
            log.warning("team %s: its record can't be written: %s", tenant.name, error)

    def _pause(self, tenant: Tenant, record: TeamRecord) -> float:
        """Seconds until the next look."""
        if record.stage not in LASTING:
            return ON_ITS_WAY
        pause = RESYNC * (0.75 + random.random() / 4)  # noqa: S311
        if tenant.retirement is not None and (left := tenant.retirement.at - self.clock()) > 0:
            pause = min(pause, left + 1)
        if record.stage is Stage.READY and tenant.sleep_after is not None:
            quiet = self.clock() - max(record.last_used, record.opened or 0)
            pause = min(pause, max(ON_ITS_WAY, tenant.sleep_after - quiet + 1))
        return pause


def _version(objects: TeamObjects) -> str:
    """The image that the team's control plane runs, which says vCluster's version."""
    for each in objects.of(Stage.CONTROL_PLANE):
        if each["kind"] == "StatefulSet":
            pod = each["spec"].get("template", {}).get("spec", {})
            return next((str(container["image"]) for container in pod.get("containers", ())), "")
    return ""


def _follows(source: str, digest: str, granted: Path | None) -> str:
    """The commit where the file in use is the one that lies there; else the digest of the one in use."""
    try:
        found = revision_of(source, granted)
    except RegistryError:
        found = ""
    return found if found.endswith(digest) and digest else f"sha256:{digest}"
