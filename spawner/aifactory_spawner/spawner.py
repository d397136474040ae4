"""TenantKubeSpawner: gather, decide, take the ticket, then let kubespawner make the pod in the team's vCluster.

A thin subclass. kubespawner keeps one cluster for the whole process, in a default client and in shared reflectors;
here every write goes to the tenant's own API, and what runs is read from the one watch of the host.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from kubespawner import KubeSpawner

from aifactory_hub import constants
from aifactory_hub.domain.environments import Choice
from aifactory_hub.domain.names import server_id, server_pod
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.servers import ServerStep
from aifactory_hub.domain.spawns import SpawnPlan
from aifactory_hub.domain.tickets import Ticket
from aifactory_hub.registry import RegistryProvider

from . import overrides
from .binding import Binding
from .cluster_state import cluster_state
from .defaults import LifeTraits, PodDefaults, TeamChoiceDefaults
from .environment_traits import EnvironmentTraits
from .host_cluster import HostCluster
from .host_pods import HostPods, PodReader, pod_as_dict
from .hub_process import HubProcess
from .jupyterhub5_compat import refusals_uncounted
from .metrics import measured
from .monitor import Limits, ServerMonitor
from .orphan_collector import OrphanRules, clear_earlier_starts
from .record import ServerRecord
from .refusals import failed, refused
from .server import NO_ANSWER, Server
from .site_settings import end_if_refused
from .start_log import StartLog, quota_text
from .startup_check import TrustedServer
from .team_choice import TeamChoice, check_name, home_generation, queue_deadline, refused_link, team_environment
from .tickets import ServerTickets
from .tokens import narrow_token, reuse_token


class TenantKubeSpawner(TeamChoiceDefaults, EnvironmentTraits, PodDefaults, LifeTraits, KubeSpawner):
    """One server. Where it lives is fixed when it starts and kept in the hub's database, see ``ServerRecord``.

    Its parts: ``team_choice`` (what may be started), ``record`` (what the hub remembers), ``tickets``, ``monitor``
    (whether it runs), ``start_log`` (what is told while it starts).
    """

    # kubespawner's dictionary would be shared with every other subclass; ours stays empty.
    reflectors: ClassVar[dict[Any, Any]] = {}
    hub_process: ClassVar[HubProcess | None] = None

    # The hub's and kubespawner's traits, which the type checker does not see.
    api_token: Any
    extra_labels: Any
    node_selector: Any
    tolerations: Any
    volumes: Any
    volume_mounts: Any
    working_dir: Any
    port: Any
    _server: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Not KubeSpawner's own: it loads a credential for the whole process, and a second one would replace the first.
        super(KubeSpawner, self).__init__(*args, **kwargs)
        self._core_v1: Any = None
        self._cluster: HostCluster | None = None
        self._undoing: asyncio.Future[None] | None = None
        self._start_future: Any = None
        self._deadline = 0.0
        self._pvc_exists = False
        self._site_port = self.port
        self.choice: Choice | None = None
        self._site_values: dict[str, Any] = {}
        if self.working_dir:
            self.working_dir = self._expand_user_properties(self.working_dir)
        placed = (dict(self.extra_labels), dict(self.node_selector), list(self.tolerations))
        mounted = (overrides.listed(self.volumes), overrides.listed(self.volume_mounts))
        self._site = overrides.SiteTraits(*placed, *mounted)
        # Tenant and profile of the start under way or last tried, once they were found to exist.
        self.started_as: tuple[str, str] | None = None
        # This start connects to a notebook that runs already: one that does not answer just now must not be stopped.
        self.connects_again = False
        self.secret_name = ""
        self._name_objects()
        self._make_parts()

    def _make_parts(self) -> None:
        process = self._process()
        self.record = ServerRecord(self._log_name, self._server_id, process.live, self._store_state)
        self.tickets = ServerTickets(self.user.name, self.name, lambda: process.database)
        self.monitor = ServerMonitor(self.record, self.tickets, self._busy)
        self.team_choice = TeamChoice(self, self._connected, lambda: self.record.end)
        self.start_log = StartLog()

    @property
    def _server_id(self) -> str:
        return server_id(self.user.name, self.name)

    def _name_objects(self) -> None:
        self.namespace = constants.NOTEBOOKS_NAMESPACE
        self.pod_name = server_pod(self.user.name, self.name)
        self.pvc_name = overrides.home_name(self.user.name, home_generation(self.authenticator, self.user.name))
        # Names resolve inside the vCluster only; the hub goes to the pod's address.
        self.dns_name = f"{self.pod_name}.{self.namespace}"

    # What is remembered of a server

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        # The claim is looked for at each start: one found in a tenant says nothing about another.
        state.pop("pvc_name", None)
        return {**state, **self.record.to_state()}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state({name: value for name, value in state.items() if name != "pvc_name"})
        self.record.load(state)
        self.port = self._port_of_the_pod()

    def clear_state(self) -> None:
        super().clear_state()
        self.record.clear()
        self.port = self._site_port
        self._pvc_exists = False
        self.start_log = StartLog()
        self._name_objects()

    def _store_state(self) -> None:
        self.orm_spawner.state = self.get_state()
        self.user.db.commit()

    def _port_of_the_pod(self) -> int:
        """A server that runs listens where it was told to when it started, whatever the site says today."""
        binding = self.record.binding
        if binding is None:
            return int(self._site_port)
        known = self.orm_spawner.server  # of a server that an earlier version started
        return binding.port or (known.port if known is not None else None) or int(self._site_port)

    # What all spawners share

    @classmethod
    def cluster_state(cls) -> dict[str, Any]:
        """For the administrators' page."""
        process = cls._process()
        return cluster_state(process.cluster, process.orphans, process.provider)

    @classmethod
    async def usage_facts(cls, after: int) -> dict[str, Any] | None:
        """For the job service."""
        return await cls._process().usage_facts(after)

    @classmethod
    def begin_for(cls, app: Any) -> None:
        """When the hub starts: watch the host, and look for what an earlier hub left, before anybody comes."""
        end_if_refused(app.config)
        mine = app.config[cls.__name__]
        if "get_registry" not in mine:
            return
        rules = OrphanRules(
            mine.get("remove_orphans", cls.remove_orphans.default_value),
            mine.get("orphan_delay", cls.orphan_delay.default_value),
        )
        provider = mine.get("registry_provider") or RegistryProvider(mine.get_registry())
        cls._process().begin(app.db, rules, provider)

    @classmethod
    def _process(cls) -> HubProcess:
        if TenantKubeSpawner.hub_process is None:
            TenantKubeSpawner.hub_process = HubProcess()
        return TenantKubeSpawner.hub_process

    async def _connected(self) -> HostCluster:
        self._cluster = await self._process().connected(self._provider)
        return self._cluster

    async def _bound_server(self) -> Server:
        """The server as it is bound now. Raises RuntimeError if it is not."""
        if self.record.binding is None:
            raise RuntimeError(f"{self._log_name} is bound to no tenant")
        cluster = await self._connected()
        cluster.serve(self.record.binding)
        return self._server_at(cluster, self.record.binding)

    def _server_at(self, cluster: HostCluster, binding: Binding) -> Server:
        return Server(cluster, binding, self.pod_name, overrides.marks(self._registry.hub, self._server_id))

    @property
    def api(self) -> Any:
        """The tenant's CoreV1Api. Bound by a start."""
        if self._core_v1 is None:
            raise RuntimeError(f"{self._log_name} is bound to no tenant's API")
        return self._core_v1

    @property
    def pod_reflector(self) -> PodReader:
        binding = self.record.binding
        if binding is None or self._cluster is None:
            raise RuntimeError(f"{self._log_name} is bound to no tenant")
        return PodReader(HostPods(self._cluster.watch, binding.vcluster, self.port))

    @property
    def event_reflector(self) -> None:
        return None

    async def _start_watching_pods(self, replace: bool = False) -> None:
        """The host watch runs already, for all."""

    async def _start_watching_events(self, replace: bool = False) -> None:
        """Events are asked for while a pod starts, see ``Server.follow``."""

    @property
    def trusts_host(self) -> bool:
        """Whether the host's word is enough that the server runs, see ``TrustedServer``."""
        return bool(self._check_pending) or self.connects_again

    @property
    def server(self) -> Any:
        """Where the server is, by the hub's database; None while there is none."""
        found = super().server
        # Only then: a start that is under way keeps the object that it was given, and changes it.
        if found is not None and self.trusts_host and not isinstance(found, TrustedServer):
            self._server = found = TrustedServer(orm_server=found.orm_server, spawner=self)
        return found

    @server.setter
    def server(self, server: Any) -> None:
        super(TenantKubeSpawner, type(self)).server.fset(self, server)

    def options_from_query(self, query_data: Any) -> Any:
        """Raises SpawnRefused."""
        raise refused_link()

    def get_env(self) -> dict[str, Any]:
        """As kubespawner's. The hub's own values are taken as they are, what a site sets may have references."""
        environment = {**super().get_env(), **team_environment(self._registry, self.record.binding)}
        environment |= overrides.environment_variables(self.choice)
        return overrides.without_references(environment, but=self.environment)

    async def load_user_options(self) -> None:
        """The choice was made into traits before kubespawner starts; it has no profiles of its own here."""

    # Start

    @measured
    @refusals_uncounted
    async def _start(self) -> Any:
        """Gather, decide, take the ticket, then make the pod. Raises SpawnRefused; nothing is left behind then."""
        self.start_log.begin()
        self.started_as = None
        self.connects_again = False
        self._deadline = time.monotonic() + self._registry.notebook.start_timeout
        try:
            check_name(self.user)
            plan = await self.team_choice.plan()
            self.started_as = (plan.tenant.name, plan.profile.name)
            return await self._start_plan(await self._connected(), plan)
        except NO_ANSWER as error:
            message = f"The cluster does not answer now: {error}"
            raise refused(Refusal(RefusalReason.QUOTA_UNKNOWN, message)) from error
        finally:
            self.start_log.end()

    async def _start_plan(self, cluster: HostCluster, plan: SpawnPlan) -> Any:
        database = self._process().database_id
        running = await clear_earlier_starts(cluster, plan.tenant, self._server_id, self.pod_name, database)
        if running is not None:
            return await self._take_over(cluster, plan, running)
        usage = await self.team_choice.admit(plan, ask=True)
        self.start_log.say("quota", quota_text(plan, usage))
        for words in self.team_choice.advice:
            self.start_log.say("rules", words)
        self.record.end = None
        ticket = self.tickets.new_name()
        self.set_environment(plan.choice)
        made_of = "" if plan.choice is None else plan.choice.name
        binding = await cluster.binding(plan.tenant, plan.profile.name, ticket, port=self.port, environment=made_of)
        self.record.persist(binding)
        try:
            return await self._start_bound(plan)
        except asyncio.CancelledError:
            # The hub waits but a second for a start that it calls off; ``stop`` waits for the rest.
            self._undo(await self._bound_server())
            raise
        except Exception:
            await asyncio.shield(self._undo(await self._bound_server()))
            raise

    async def _take_over(self, cluster: HostCluster, plan: SpawnPlan, ticket: Ticket) -> Any:
        """Connect to the notebook of this name that runs on the ticket of another database. Ends nothing, ever."""
        self.start_log.say("pod", "your notebook of this name has been running all along: connecting to it")
        binding = await cluster.binding(plan.tenant, ticket.profile, ticket.name, started=True)
        server = self._server_at(cluster, binding)
        token, pod = await server.token(), server.seen()
        if token is None or pod is None:
            raise failed("Your notebook runs, but it can't be connected to this hub. It is left alone: ask your admin.")
        reuse_token(self.user, self.name, self.api_token, token, plan.tenant.name)
        self.api_token = token
        self.connects_again = True
        self.record.persist(binding)
        self.log.warning("%s: took over ticket %s, filed with another database", self._log_name, ticket.name)
        return self._get_pod_url(pod_as_dict(pod, self.port))

    async def _start_bound(self, plan: SpawnPlan) -> Any:
        """File the ticket, wait until it is admitted, then create the pod and wait until it answers."""
        server = await self._bound_server()
        narrow_token(self.user.db, self.api_token, plan.tenant.name)
        request = self.tickets.request(plan, server.binding.ticket)
        ticket = await server.granted(request, queue_deadline(self._registry.notebook, plan), self.start_log)
        self._deadline = time.monotonic() + self._registry.notebook.start_timeout
        self._set_traits(plan, ticket)
        self._core_v1 = (await server.awake(self._deadline, self.start_log)).core_v1
        url = await super()._start()
        self.start_log.say("ready", f"the container runs at {url}, {self.program} is starting")
        await server.answers(self.port, self.http_timeout)
        self.record.bind(server.binding.as_started())
        return url

    def _set_traits(self, plan: SpawnPlan, ticket: Ticket) -> None:
        """What kubespawner makes the pod from."""
        taints = self._registry.isolation.tolerations
        for name, value in overrides.pod_traits(self._site, plan, ticket, taints=taints).items():
            setattr(self, name, value)
        labels = overrides.labels(plan, hub=self._registry.hub, user=self.user.name, server=self.name)
        self.extra_labels = {**self._site.labels, **labels}

    async def _make_create_pvc_request(self, pvc: Any, request_timeout: float) -> bool:
        await (await self._bound_server()).create_claim(self._as_json(pvc), self._deadline)
        return True

    async def _make_create_pod_request(self, pod: Any, request_timeout: float) -> bool:
        """Create the pod and wait until it runs: kubespawner's own waiting would look only every few seconds."""
        server = await self._bound_server()
        uid = await server.create_pod(self._as_json(pod), self._deadline)
        self.start_log.say("pod", f"created in the vCluster of team {server.binding.tenant}")
        await server.follow(uid, self._deadline, self.start_log)
        if not self.start_log.told("image"):
            self.start_log.say("image", f"{self.image} is on the node, the container has started")
        return True

    def _as_json(self, manifest: Any) -> dict[str, Any]:
        body: dict[str, Any] = self.api.api_client.sanitize_for_serialization(manifest)
        return body

    def _undo(self, server: Server) -> asyncio.Future[None]:
        """Remove pod and ticket of a start that failed or was called off, also if the caller is cancelled meanwhile."""

        async def undo() -> None:
            try:
                await server.remove()
                self.record.bind(None)
            except NO_ANSWER as error:
                self.log.error("%s: its ticket is collected later: %s", self._log_name, error)

        self._undoing = asyncio.ensure_future(undo())
        return self._undoing

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Each step of the start, from the first on, however late somebody asks."""
        async for event in self.start_log.follow():
            yield event

    # Stop and poll

    async def stop(self, now: bool = False) -> None:
        """Delete the pod, wait until the host has it no more, give the ticket back.

        Raises one of NO_ANSWER when that can't be known; the ticket is then collected later.
        """
        start = self._start_future
        if self._starting and asyncio.current_task() is not start:
            # Calling off a start cleans up after itself.
            start.cancel()
            await asyncio.wait([start])
        if self._undoing is not None:
            await self._undoing
        if self.record.binding is not None:
            await (await self._bound_server()).remove()

    async def poll(self) -> int | None:
        """None: runs, starts, or not known. A number: it has ended for certain, and its ticket is given back.

        An API that does not answer never makes a running server a stopped one.
        """
        if self._busy():
            return None
        if (code := self.monitor.exit_code()) is not None:
            return code
        limits = Limits(self.port, self.preemption_grace)
        try:
            decision = await self.monitor.check(await self._bound_server(), limits, self.start_log)
        except NO_ANSWER as error:
            self.log.warning("%s: not known whether it runs: %s", self._log_name, error)
            return None
        if decision.step in (ServerStep.KEEP, ServerStep.REFILE):
            # kubespawner writes a pod's new address into the hub's database. Whether it runs was decided above.
            await super().poll()
        return self.monitor.exit_code()

    @property
    def _starting(self) -> bool:
        return self._start_future is not None and not self._start_future.done()

    def _busy(self) -> bool:
        """Whether a start, or the end of one that failed, is under way."""
        return self._starting or (self._undoing is not None and not self._undoing.done())

    async def delete_forever(self) -> None:
        """A deleted user's volumes stay: they may hold a team's only copy, and its admin decides."""
        self.log.info("Keeping the volume %s of %s in every team", self.pvc_name, self.user.name)
