"""TenantKubeSpawner: gather, decide, take the ticket, then let kubespawner make the pod in the team's vCluster.

A thin subclass. kubespawner keeps one cluster for the whole process, in a default client and in shared reflectors;
here every write goes to the tenant's own API and what runs is read from the one watch of the host.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, ClassVar

from jupyterhub import orm
from jupyterhub.traitlets import Callable
from kubespawner import KubeSpawner
from traitlets import Bool, Float

from aifactory_hub import constants
from aifactory_hub.admission import AdmissionRefused
from aifactory_hub.domain.names import server_id, server_pod, shares_name
from aifactory_hub.domain.orphans import ServerKey
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.spawns import SpawnPlan
from aifactory_hub.domain.tickets import Ticket, TicketRequest, TicketState

from . import overrides
from .binding import Binding
from .cluster_state import cluster_state
from .defaults import PodDefaults
from .gather import namespace_uid
from .host_cluster import Shared, Wiring, known_servers
from .host_pods import HostPods, PodReader, pod_as_dict
from .hub_database import HubDatabase
from .jupyterhub5_compat import refusals_uncounted
from .metrics import measured
from .monitor import Lookout
from .orphan_collector import OrphanRules, clear_own
from .pod_diagnosis import quota_text
from .refusals import failed, refused
from .server import NO_ANSWER, Server
from .site_settings import end_if_refused
from .start_log import StartLog
from .startup_check import HubStart
from .team_choice import TeamChoice


class TenantKubeSpawner(TeamChoice, Lookout, HubStart, PodDefaults, KubeSpawner):
    """One server. Where it lives is fixed in ``_binding`` when it starts and kept in the hub's database."""

    # kubespawner's dictionary would be shared with every other subclass; ours stays empty.
    reflectors: ClassVar[dict[Any, Any]] = {}
    shared: ClassVar[Shared | None] = None

    # kubespawner's traits, which the type checker does not see.
    api_token: Any
    extra_labels: Any
    node_selector: Any
    tolerations: Any
    working_dir: Any
    port: Any

    get_registry = Callable(None, allow_none=True, config=True, help="Returns the tenant registry; set by configure().")

    remove_orphans = Bool(
        False,
        config=True,
        help="""
        Remove pods that carry this hub's identity and belong to no server of the hub and to no ticket.

        Otherwise they are only counted (aifactory_orphan_pods) and named in the log.
        """,
    )
    orphan_delay = Float(
        600.0, min=0, config=True, help="Seconds for which a pod must have had no server before it is removed."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Not KubeSpawner's own: it loads a credential for the whole process, and a second one would replace the first.
        super(KubeSpawner, self).__init__(*args, **kwargs)
        self._binding: Binding | None = None
        self._core_v1: Any = None
        self._wired: Wiring | None = None
        self._undoing: asyncio.Future[None] | None = None
        self._start_future: Any = None
        self._deadline = 0.0
        self._pvc_exists = False
        self._site_port = self.port
        if self.working_dir:
            self.working_dir = self._expand_user_properties(self.working_dir)
        self._site_labels = dict(self.extra_labels)
        self._site_node_selector = dict(self.node_selector)
        self._site_tolerations = list(self.tolerations)
        self.steps = StartLog()
        # Tenant and profile of the start under way or last tried, once they were found to exist.
        self.started_as: tuple[str, str] | None = None
        self.secret_name = ""
        self._name_objects()

    def _name_objects(self) -> None:
        self.namespace = constants.NOTEBOOKS_NAMESPACE
        self.pod_name = server_pod(self.user.name, self.name)
        self.pvc_name = overrides.home_name(self.user.name, self.home_generation())
        # Names resolve inside the vCluster only; the hub goes to the pod's address.
        self.dns_name = f"{self.pod_name}.{self.namespace}"

    # What is remembered of a server

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        # The claim is looked for at each start: one found in a tenant says nothing about another.
        state.pop("pvc_name", None)
        if self._binding is not None:
            state["aifactory"] = self._binding.to_state()
        return {**state, **self._lookout_state()}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state({name: value for name, value in state.items() if name != "pvc_name"})
        self._bind(Binding.from_state(state.get("aifactory")))
        self.port = self._port_of_the_pod()
        self._load_lookout(state)

    def clear_state(self) -> None:
        super().clear_state()
        self._bind(None)
        self.port = self._site_port
        self.notice = None
        self._pvc_exists = False
        self.steps = StartLog()
        self._name_objects()

    def _port_of_the_pod(self) -> int:
        """A server that runs listens where it was told to when it started, whatever the site says today."""
        if self._binding is None:
            return int(self._site_port)
        known = self.orm_spawner.server  # of a server that an earlier version started
        return self._binding.port or (known.port if known is not None else None) or int(self._site_port)

    def _bind(self, binding: Binding | None) -> None:
        live = self._shared().live
        if self._binding is not None:
            live.pop(self._binding.ticket, None)
        if binding is not None:
            live[binding.ticket] = ServerKey(binding.tenant, self._server_id)
        self._binding = binding

    def _persist(self, binding: Binding) -> None:
        """Before anything is created, so that a hub that dies now finds it again. The hub itself saves only later."""
        self._bind(binding)
        self.orm_spawner.state = self.get_state()
        self.user.db.commit()

    # What all spawners share

    @classmethod
    def cluster_state(cls) -> dict[str, Any]:
        """For the administrators' page."""
        return cluster_state(cls.shared)

    @classmethod
    def begin_for(cls, app: Any) -> None:
        """When the hub starts: watch the host, and look for what an earlier hub left, before anybody comes."""
        end_if_refused(app.config)
        mine = app.config[cls.__name__]
        if "get_registry" not in mine:
            return
        shared = cls._shared()
        shared.known = partial(known_servers, app.db)
        shared.database = HubDatabase(app.db)
        shared.rules = OrphanRules(
            mine.get("remove_orphans", cls.remove_orphans.default_value),
            mine.get("orphan_delay", cls.orphan_delay.default_value),
        )
        shared.begin(mine.get_registry)

    @classmethod
    def _shared(cls) -> Shared:
        if TenantKubeSpawner.shared is None:
            TenantKubeSpawner.shared = Shared()
        return TenantKubeSpawner.shared

    async def _wiring(self) -> Wiring:
        self._wired = await self._shared().get(self.get_registry)
        return self._wired

    async def _bound(self) -> Server:
        if self._binding is None:
            raise RuntimeError(f"{self._log_name} is bound to no tenant")
        marks = overrides.marks(self._registry.hub, self._server_id)
        wiring = await self._wiring()
        wiring.serve(self._binding)
        return Server(wiring, self._binding, self.pod_name, marks)

    @property
    def api(self) -> Any:
        """The tenant's CoreV1Api. Bound by a start."""
        if self._core_v1 is None:
            raise RuntimeError(f"{self._log_name} is bound to no tenant's API")
        return self._core_v1

    @property
    def pod_reflector(self) -> PodReader:
        if self._binding is None or self._wired is None:
            raise RuntimeError(f"{self._log_name} is bound to no tenant")
        return PodReader(HostPods(self._wired.watch, self._binding.vcluster, self.port))

    @property
    def event_reflector(self) -> None:
        return None

    async def _start_watching_pods(self, replace: bool = False) -> None:
        """The host watch runs already, for all."""

    async def _start_watching_events(self, replace: bool = False) -> None:
        """Events are asked for while a pod starts, see ``Server.follow``."""

    def get_env(self) -> dict[str, Any]:
        """As kubespawner's, with each ``$`` doubled in the hub's own values, which may hold a person's name.

        Kubernetes reads ``$(NAME)`` and ``$$`` in values. What a site sets in ``environment`` may mean that.
        """
        environment: dict[str, Any] = super().get_env()
        return {
            name: value.replace("$", "$$") if isinstance(value, str) and name not in self.environment else value
            for name, value in environment.items()
        }

    async def load_user_options(self) -> None:
        """The choice was made into traits before kubespawner starts; it has no profiles of its own here."""

    # Start

    @measured
    @refusals_uncounted
    async def _start(self) -> Any:
        """Gather, decide, take the ticket, then make the pod. Raises SpawnRefused; nothing is left behind then."""
        self.steps.begin()
        self.started_as = None
        self.connects_again = False
        self._deadline = time.monotonic() + self._registry.notebook.start_timeout
        try:
            self._check_name()
            wiring = await self._wiring()
            plan = await self._read_choice(wiring)
            self.started_as = (plan.tenant.name, plan.profile.name)
            running = await clear_own(wiring, plan.tenant, self._server_id, self.pod_name, self._database_id)
            if running is not None:
                return await self._take_over(wiring, plan, running)
            await self._check_quota(wiring, plan)
            self.ended = None
            self._persist(await self._new_binding(wiring, plan))
            try:
                return await self._start_bound(plan)
            except asyncio.CancelledError:
                # The hub waits but a second for a start that it calls off; ``stop`` waits for the rest.
                self._undo(await self._bound())
                raise
            except Exception:
                await asyncio.shield(self._undo(await self._bound()))
                raise
        except NO_ANSWER as error:
            message = f"The cluster does not answer now: {error}"
            raise refused(Refusal(RefusalReason.QUOTA_UNKNOWN, message)) from error
        finally:
            self.steps.end()

    @property
    def _database_id(self) -> str | None:
        database = self._shared().database
        return None if database is None else database.id

    def _check_name(self) -> None:
        """Raise SpawnRefused when somebody else's objects have the names that this person's would have."""
        names = (name for (name,) in self.user.db.query(orm.User.name))
        if (other := shares_name(self.user.name, names)) is not None:
            self.log.error("%s and %s have the same name in Kubernetes; nothing is started", self.user.name, other)
            raise failed(
                "Your user name and another person's lead to the same names in Kubernetes, so nothing of yours can be "
                "started. An administrator of the hub has to give you another user name."
            )

    async def _check_quota(self, wiring: Wiring, plan: SpawnPlan) -> None:
        usage = await self._admit(wiring, plan, ask=True)
        self.steps.say("quota", quota_text(plan, usage))

    async def _take_over(self, wiring: Wiring, plan: SpawnPlan, ticket: Ticket) -> Any:
        """Connect to the notebook of this name that runs on the ticket of another database. Ends nothing, ever."""
        self.steps.say("pod", "your notebook of this name has been running all along: connecting to it")
        vcluster = plan.tenant.vcluster
        namespace = await namespace_uid(wiring, vcluster.namespace)
        binding = Binding(
            plan.tenant.name, ticket.profile, ticket.name, vcluster.namespace, vcluster.name, namespace, started=True
        )
        server = Server(wiring, binding, self.pod_name, overrides.marks(self._registry.hub, self._server_id))
        token, pod = await server.token(), server.seen()
        if token is None or pod is None:
            raise failed("Your notebook runs, but it can't be connected to this hub. It is left alone: ask your admin.")
        self._reuse_token(token, plan.tenant.name)
        self.connects_again = True
        self._persist(binding)
        self.log.warning("%s: took over ticket %s, filed with another database", self._log_name, ticket.name)
        return self._get_pod_url(pod_as_dict(pod, self.port))

    def _reuse_token(self, token: str, tenant: str) -> None:
        """The running notebook can't be given another token, so the hub gets to know its."""
        self._narrow_token(tenant)
        scopes = orm.APIToken.find(self.user.db, self.api_token).scopes
        if orm.APIToken.find(self.user.db, token) is None:
            self.user.new_api_token(token, generated=False, note=f"of the running server {self.name}", scopes=scopes)
        self.api_token = token

    async def _new_binding(self, wiring: Wiring, plan: SpawnPlan) -> Binding:
        vcluster = plan.tenant.vcluster
        return Binding(
            tenant=plan.tenant.name,
            profile=plan.profile.name,
            ticket=overrides.ticket_name(self.user.name, self.name, secrets.token_hex(3)),
            vcluster_namespace=vcluster.namespace,
            vcluster_name=vcluster.name,
            namespace_uid=await namespace_uid(wiring, vcluster.namespace),
            port=self.port,
        )

    async def _start_bound(self, plan: SpawnPlan) -> Any:
        server = await self._bound()
        self._narrow_token(plan.tenant.name)
        request = self._ticket_request(plan, server.binding.ticket)
        ticket = await server.granted(request, self._queue_deadline(plan), self.steps)
        self._deadline = time.monotonic() + self._registry.notebook.start_timeout
        for name, value in overrides.resource_traits(plan).items():
            setattr(self, name, value)
        self.node_selector = overrides.node_selector(self._site_node_selector, plan, ticket)
        taints = self._registry.isolation.tolerations
        self.tolerations = overrides.tolerations(self._site_tolerations, plan, taints)
        labels = overrides.labels(plan, hub=self._registry.hub, user=self.user.name, server=self.name)
        self.extra_labels = {**self._site_labels, **labels}
        api = await server.wiring.clients.api(plan.tenant.name)
        self._core_v1 = api.core_v1
        url = await super()._start()
        self.steps.say("ready", f"the container runs at {url}, JupyterLab is starting")
        await server.answers(self.port, self.http_timeout)
        self._bind(server.binding.as_started())
        return url

    def _ticket_request(self, plan: SpawnPlan, name: str) -> TicketRequest:
        database = self._shared().database
        if database is None:
            return overrides.ticket_request(plan, name, self.user.name, self.name)
        return overrides.ticket_request(
            plan, name, self.user.name, self.name, database=database.id, sequence=database.next_sequence()
        )

    @property
    def _server_id(self) -> str:
        return server_id(self.user.name, self.name)

    async def _make_create_pvc_request(self, pvc: Any, request_timeout: float) -> bool:
        await (await self._bound()).create_claim(self._as_json(pvc), self._deadline)
        return True

    async def _make_create_pod_request(self, pod: Any, request_timeout: float) -> bool:
        """Create the pod and wait until it runs: kubespawner's own waiting would look only every few seconds."""
        server = await self._bound()
        uid = await server.create_pod(self._as_json(pod), self._deadline)
        self.steps.say("pod", f"created in the vCluster of team {server.binding.tenant}")
        await server.follow(uid, self._deadline, self.steps)
        if not self.steps.told("image"):
            self.steps.say("image", f"{self.image} is on the node, the container has started")
        return True

    def _as_json(self, manifest: Any) -> dict[str, Any]:
        body: dict[str, Any] = self.api.api_client.sanitize_for_serialization(manifest)
        return body

    def _undo(self, server: Server) -> asyncio.Future[None]:
        """Remove pod and ticket of a start that failed or was called off, also if the caller is cancelled meanwhile."""

        async def undo() -> None:
            try:
                await server.remove()
                self._bind(None)
            except NO_ANSWER as error:
                self.log.error("%s: its ticket is collected later: %s", self._log_name, error)

        self._undoing = asyncio.ensure_future(undo())
        return self._undoing

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Each step of the start, from the first on, however late somebody asks."""
        async for event in self.steps.follow():
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
        if self._binding is not None:
            await (await self._bound()).remove()

    @property
    def _starting(self) -> bool:
        return self._start_future is not None and not self._start_future.done()

    def _under_way(self) -> bool:
        """Whether a start, or the end of one that failed, is at work."""
        return self._starting or (self._undoing is not None and not self._undoing.done())

    async def _count_again(self, server: Server) -> None:
        """Take a new ticket for a server whose own was deleted: what runs must be counted."""
        if self._under_way() or server.seen() is None:
            return  # it was stopped meanwhile, which is why its ticket is gone
        registry, binding = server.wiring.registry, server.binding
        tenant = registry.tenants.get(binding.tenant)
        if tenant is None or binding.profile not in registry.catalogue.names:
            self.log.error("%s runs without a ticket, and %s is in no menu any more", self._log_name, binding.profile)
            return
        plan = SpawnPlan(tenant, registry.catalogue.profile(binding.profile))
        request = self._ticket_request(plan, binding.ticket)
        try:
            ticket = await server.wiring.admission.request(request)
            if ticket.state is TicketState.ADMITTED:
                await server.wiring.admission.hold(binding.tenant, binding.ticket)
        except AdmissionRefused as error:
            self.log.error("%s runs without a ticket: %s", self._log_name, error)
            return
        self.log.warning("%s: its ticket was deleted while it ran; a new one is %s", self._log_name, ticket.state)

    async def delete_forever(self) -> None:
        """A deleted user's volumes stay: they may hold a team's only copy, and its admin decides."""
        self.log.info("Keeping the volume %s of %s in every team", self.pvc_name, self.user.name)
