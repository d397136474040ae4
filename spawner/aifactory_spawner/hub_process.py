"""What there is once in a hub process: the connection to the cluster, and the loops that run over it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from jupyterhub import orm
from sqlalchemy.orm import joinedload

from aifactory_hub.clusters import CredentialError
from aifactory_hub.domain.names import server_id
from aifactory_hub.domain.orphans import ServerKey
from aifactory_hub.policy import PolicyError
from aifactory_hub.registry import RegistryProvider
from aifactory_hub.settings import read_hub_settings

from .binding import Binding
from .host_cluster import HostCluster, connect_cluster
from .hub_database import HubDatabase
from .metrics import HUB_METRICS
from .orphan_collector import OrphanCollector, OrphanRules
from .refusals import SpawnRefused, not_connected

log = logging.getLogger(__name__)

# Seconds between two looks for teams that were removed and of which no server runs any more.
FORGET_EVERY = 30.0


class HubProcess:
    """Shared by all spawners of the process.

    ``cluster`` is connected when the hub starts, or when the first spawner needs it, and None before. ``live`` maps the
    tickets that servers hold to those servers. ``database`` and ``provider`` are None until ``begin``.
    """

    def __init__(self, cluster: HostCluster | None = None, database: HubDatabase | None = None) -> None:
        self.cluster = cluster
        self.database = database
        self.live: dict[str, ServerKey] = {}
        self.provider: RegistryProvider | None = None
        self.orphans = OrphanCollector(self.servers, lambda: self.database)
        self._stored: Callable[[], dict[str, ServerKey]] | None = None
        self._connecting = asyncio.Lock()
        self._loops: asyncio.Task[None] | None = None
        self._beginning: asyncio.Task[None] | None = None

    @property
    def database_id(self) -> str | None:
        return None if self.database is None else self.database.id

    def servers(self) -> dict[str, ServerKey]:
        """All servers of the hub, by the tickets that they hold; also those that have no spawner object yet."""
        return {**(self._stored() if self._stored is not None else {}), **self.live}

    async def usage_facts(self, after: int) -> dict[str, Any] | None:
        """What the hub saw of pods, after this number; None while no cluster is connected."""
        if self.cluster is None or self.cluster.ledger is None:
            return None
        return await asyncio.to_thread(self.cluster.ledger.answer, after)

    def begin(self, db: Any, rules: OrphanRules, provider: RegistryProvider) -> None:
        """Open the hub's database, a SQLAlchemy session, and connect to the cluster in the background.

        Without a running event loop, the first spawner that needs the cluster connects to it.
        """
        self._stored = partial(stored_servers, db)
        self.provider = provider
        self.database = HubDatabase(db)
        self.orphans.rules = rules
        HUB_METRICS.follow(lambda: self.cluster, self.orphans, lambda: provider.status)
        with suppress(RuntimeError):
            self._beginning = asyncio.get_running_loop().create_task(self._begin(provider), name="connect cluster")

    async def _begin(self, provider: RegistryProvider) -> None:
        try:
            await self.connected(provider)
        except SpawnRefused as error:
            log.error("no server can start: %s", error.__cause__)
        except Exception:
            # The first spawner that needs the cluster raises the same, and shows it to a person.
            log.exception("the host cluster can't be watched yet")

    async def connected(self, provider: RegistryProvider) -> HostCluster:
        """The cluster, connected if it is not yet. Raises SpawnRefused when the hub has no credential for it,
        or no rules of the site that can be used."""
        async with self._connecting:
            if self.cluster is None:
                settings = read_hub_settings()
                try:
                    self.cluster = await connect_cluster(provider, settings.kubeconfig, settings.history)
                except (CredentialError, PolicyError) as error:
                    raise not_connected() from error
                self._loops = asyncio.create_task(self._run_loops(self.cluster), name="collect orphans")
            return self.cluster

    async def _run_loops(self, cluster: HostCluster) -> None:
        # JupyterHub has no hook for spawners at its end, but cancels all tasks.
        try:
            await asyncio.gather(
                self.orphans.run(cluster),
                cluster.team_loads.run(),
                self._forget_gone(cluster),
                cluster.meter(),
                cluster.watch_rules(),
            )
        finally:
            await cluster.close()

    async def _forget_gone(self, cluster: HostCluster) -> None:
        while True:
            await asyncio.sleep(FORGET_EVERY)
            cluster.forget_gone({key.tenant for key in self.servers().values()})


def stored_servers(db: Any) -> dict[str, ServerKey]:
    """The servers in the hub's database that run, start or stop, by the tickets that they hold."""
    found = {}
    running = db.query(orm.Spawner).filter(orm.Spawner.server != None)  # noqa: E711 - SQL
    for row in running.options(joinedload(orm.Spawner.user)):
        binding = Binding.from_state((row.state or {}).get("aifactory"))
        if binding is not None:
            found[binding.ticket] = ServerKey(binding.tenant, server_id(row.user.name, row.name))
    return found
