"""The whole service in this process: real HTTP, real database, real files; the cluster in memory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
from tornado.testing import bind_unused_port

from aifactory_hub.admission import Admission, TicketPolicy
from aifactory_hub.admission.in_process import InProcessAdmission
from aifactory_hub.domain.tenants import Role, Tenant
from aifactory_hub.engines.installed import Engines
from aifactory_hub.engines.memory import MemoryEngine
from aifactory_hub.engines.serving.base import ServingEngine
from aifactory_hub.mail.smtp import MailServer
from aifactory_hub.policy import RulesProvider
from aifactory_hub.registry import RegistryProvider
from aifactory_hub.registry.model import (
    Addresses,
    ClusterConfig,
    IdentityConfig,
    JobsConfig,
    NotebookConfig,
    Registry,
)
from aifactory_hub.service.api.app import make_app, make_server
from aifactory_hub.service.api.connections import BoundedServer
from aifactory_hub.service.api.context import Context
from aifactory_hub.service.auth.hub_auth import HubGate
from aifactory_hub.service.auth.hub_sign_in import HubSignIn
from aifactory_hub.service.background.schedules import Membership
from aifactory_hub.service.budget_policy import BudgetPolicy
from aifactory_hub.service.budgets import Budgets
from aifactory_hub.service.controller.reconcile import Reconciler
from aifactory_hub.service.gates import SiteRules
from aifactory_hub.service.host_view import HostView
from aifactory_hub.service.job_gate import JobGate
from aifactory_hub.service.page_files import PageFile, PageFiles
from aifactory_hub.service.ticket_rules import JobRulesPolicy
from aifactory_hub.service.wiring import assemble, job_approvals
from aifactory_hub.store import FileStore, Jobs, LogSpool, migrate, open_db
from aifactory_hub.store.verdicts import Verdicts

from .fake_hub import FakeHub
from .gate import gated
from .tenants import SMALL, make_catalogue, make_tenant

PREFIX = "/services/aifactory/"
# In place of the built one, so that no test needs a build.
SCRIPT, STYLE = f"page.{'0' * 16}.js", f"page.{'0' * 16}.css"
PAGE = PageFiles(SCRIPT, STYLE, {SCRIPT: PageFile("text/javascript; charset=utf-8", b"// script")})


def make_registry(
    *,
    tenants: Mapping[str, Tenant] | None = None,
    service: str = "http://service.invalid/services/aifactory/",
    jobs: JobsConfig | None = None,
) -> Registry:
    """Two tenants, nlp and vision, with two small slices each."""
    return Registry(
        source="tenants.yaml",
        hub="test",
        cluster=ClusterConfig("host", ("h100-80gb",), {SMALL: 7}, simulated=True),
        identity=IdentityConfig("http://idp.invalid", "aifactory-hub"),
        addresses=Addresses("http://hub.invalid/hub/api", service),
        notebook=NotebookConfig("notebook:test"),
        jobs=jobs or JobsConfig("job:test"),
        catalogue=make_catalogue(),
        tenants=tenants or {name: make_tenant(name, quota={SMALL: 2}) for name in ("nlp", "vision")},
    )


@cache
def _empty_database() -> bytes:
    """A database with its tables: migrating anew for each of hundreds of restarts would only take time."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.sqlite"
        db = open_db(f"sqlite:///{file}")
        migrate(db)
        db.dispose()
        return file.read_bytes()


@dataclass
class Folder:
    """Where a service keeps what outlives it: opening it again is a restart. ``database`` is a URL or a file here."""

    path: Path
    database: str | None = None

    def jobs(self) -> Jobs:
        """The database, with its tables."""
        self.path.mkdir(parents=True, exist_ok=True)
        if self.database is not None:
            db = open_db(self.database)
            migrate(db)
            return Jobs(db)
        file = self.path / "service.sqlite"
        if not file.exists():
            file.write_bytes(_empty_database())
        return Jobs(open_db(f"sqlite:///{file}"))

    def files(self) -> FileStore:
        """The files."""
        return FileStore(self.path / "files")


@dataclass
class Clock:
    """Time that a test moves."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class NobodyAsks:
    """A gate for tests that never come through HTTP."""

    async def caller(self, authorization: str | None, *, fresh: bool) -> object:
        raise AssertionError("nobody was to ask")


class Everybody:
    """A hub where everybody may submit."""

    async def may_submit(self, user: str, tenant: str) -> bool | None:
        return True

    async def role(self, user: str, tenant: str) -> Role | None:
        return Role.MEMBER


def make_context(
    folder: Folder,
    registry: Registry | RegistryProvider,
    admission: Admission,
    engine: MemoryEngine,
    *,
    gate: object | None = None,
    membership: Membership | None = None,
    clock: Callable[[], float] = time.time,
    tick: float = 0.05,
    quiet: float | None = None,
    unheard: float | None = None,
    files: FileStore | None = None,
    policies: Sequence[TicketPolicy] = (),
    sign_in: HubSignIn | None = None,
    gates: SiteRules | None = None,
    heard_at: Callable[[], int] | None = None,
    serving: ServingEngine | None = None,
    mail: MailServer | None = None,
    host: HostView | None = None,
) -> Context:
    """The service's parts on this folder, nothing started. The caller closes ``jobs``."""
    provider = registry if isinstance(registry, RegistryProvider) else RegistryProvider(registry)
    registry = provider.registry
    jobs, engines = folder.jobs(), Engines([engine])
    rules = gates or SiteRules(RulesProvider(lambda: None), clock)
    job_gate = JobGate(rules, Verdicts(jobs.db), provider.current, engines, clock)
    members = gate.members if isinstance(gate, HubGate) else None
    asked = JobRulesPolicy(job_gate, jobs, job_approvals(job_gate, jobs, members))
    budgets = Budgets(provider.current, jobs.budgets, clock, heard_at)
    return assemble(
        provider=provider,
        gate=gate or NobodyAsks(),  # type: ignore[arg-type]
        membership=membership or Everybody(),
        jobs=jobs,
        files=files or folder.files(),
        spool=LogSpool(folder.path / "spool", limit=registry.jobs.max_log),
        admission=gated(admission, lambda: provider.tenants, *policies, asked, BudgetPolicy(budgets, jobs, admission)),
        engines=engines,
        gates=rules,
        reach=lambda: {"host": True, "tenants": len(registry.tenants), "tenants_reachable": 1},
        clock=clock,
        tick=tick,
        quiet=quiet,
        unheard=unheard,
        sign_in=sign_in,
        heard_at=heard_at,
        budgets=budgets,
        serving=serving,
        mail=mail,
        host=host,
    )


@dataclass
class RunningService:
    """A service that listens. ``kill`` ends it as kill -9 would: nothing is tidied, then the port is closed."""

    url: str
    hub: FakeHub
    context: Context
    admission: InProcessAdmission
    engine: MemoryEngine
    server: BoundedServer

    @property
    def reconciler(self) -> Reconciler:
        return self.context.reconciler

    def http(self, token: str | None = None, *, timeout: float = 60.0) -> httpx.AsyncClient:
        """A plain client of the API."""
        headers = {} if token is None else {"Authorization": f"token {token}"}
        return httpx.AsyncClient(base_url=f"{self.url}api/v1", headers=headers, timeout=timeout, trust_env=False)


@asynccontextmanager
async def running_service(
    path: Path,
    *,
    hub: FakeHub,
    registry: Callable[[str], Registry | RegistryProvider] = lambda url: make_registry(service=url),
    admission: InProcessAdmission | None = None,
    engine: MemoryEngine | None = None,
    port: int | None = None,
    reconciling: bool = True,
    tick: float = 0.05,
    quiet: float | None = None,
    unheard: float | None = None,
    files: Callable[[Path], FileStore] | None = None,
    database: str | None = None,
    clock: Callable[[], float] = time.time,
    gates: SiteRules | None = None,
    serving: ServingEngine | None = None,
    mail: MailServer | None = None,
    host: HostView | None = None,
) -> AsyncIterator[RunningService]:
    """The service on a port; ``port`` to come back on the same one after a restart, ``files`` for other storage,
    ``database`` for another one than a file in ``path``."""
    socket, port = bind_unused_port() if port is None else (None, port)
    url = f"http://127.0.0.1:{port}{PREFIX}"
    known = registry(url)
    admission = admission or InProcessAdmission(known.tenants)
    engine = engine if engine is not None else MemoryEngine()
    gate = HubGate(hub.url, "service-token")
    context = make_context(
        Folder(path, database),
        known,
        admission,
        engine,
        gate=gate,
        clock=clock,
        tick=tick,
        quiet=quiet,
        unheard=unheard,
        files=None if files is None else files(path / "files"),
        sign_in=HubSignIn(hub.url, "service-token", PREFIX),
        gates=gates,
        serving=serving,
        mail=mail,
        host=host,
    )
    server = make_server(make_app(context, PREFIX, PAGE))
    if socket is None:
        server.listen(port, "127.0.0.1")
    else:
        server.add_socket(socket)
    loop = asyncio.create_task(context.reconciler.run()) if reconciling else None
    try:
        yield RunningService(url, hub, context, admission, engine, server)
    finally:
        if loop is not None:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
        server.stop()
        await server.close_all_connections()
        await gate.close()
        context.jobs.close()
