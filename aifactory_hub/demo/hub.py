"""The hub and the job service of the demo, in one process and one event loop."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from jupyterhub.app import JupyterHub
from tornado.httpserver import HTTPServer
from traitlets.config import Config

from ..engines.installed import Engines
from ..engines.local import LocalEngine
from ..engines.serving.local import LocalServing
from ..hub_config import configure
from ..registry import RegistryProvider
from ..service.api.app import make_app, make_server
from ..service.auth.hub_auth import HubGate
from ..service.auth.hub_sign_in import HubSignIn
from ..service.auth.runner_tokens import token_hash
from ..service.background.schedules import HubMembership
from ..service.budget_policy import BudgetPolicy
from ..service.budgets import Budgets
from ..service.gates import SiteRules
from ..service.idle.hub_servers import HubServers
from ..service.job_gate import JobGate
from ..service.metering.ticket_witness import TicketWitness
from ..service.ticket_rules import JobRulesPolicy
from ..service.wiring import assemble, job_approvals
from ..store import FileStore, Jobs, LogSpool, migrate, open_db
from ..store.ledger import Ledger
from ..store.verdicts import Verdicts
from .cluster import DemoCluster
from .folder import Keys
from .gpus import DemoHost
from .history import fill
from .people import PEOPLE
from .provider import DemoProvider, make_provider_app
from .provisioner import simulate_provisioner
from .proxy import TIMEOUTS
from .repositories import adopt
from .site import ANNOUNCEMENT, CLIENT_ID, PREFIX, Ports
from .spawner import DemoSpawner
from .telemetry import DemoTelemetry, MadePast, places, speak_for_neighbour, working_by

# Seconds. A person watches, and looking costs nothing here.
_TICK = 0.25
_POLL_INTERVAL = 5


class DemoHub(JupyterHub):
    """JupyterHub as a part of a process: signals and the end of the event loop are the demo's business."""

    def init_signal(self) -> None:
        """None of its own."""

    async def end(self) -> None:
        """Stop servers and proxy, then let go of everything."""
        self._atexit_ran = True
        if self.http_server:
            self.http_server.stop()
        for callback in self._periodic_callbacks.values():
            callback.stop()
        await self.cleanup()


def hub_config(folder: Path, ports: Ports, keys: Keys, proxy: list[str], provider: RegistryProvider) -> Config:
    """What a site's jupyterhub_config.py would say, plus what the demo runs otherwise: spawner and proxy."""
    c: Any = Config()
    c.JupyterHub.bind_url = ports.address
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{ports.hub}"
    c.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
    c.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
    c.JupyterHub.template_vars = {"announcement": ANNOUNCEMENT}
    c.JupyterHub.spawner_class = DemoSpawner
    # Tickets are in this process's memory, so servers end with it.
    c.JupyterHub.cleanup_servers = True
    c.ConfigurableHTTPProxy.command = [*proxy, *TIMEOUTS]
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports.proxy_api}"
    c.ConfigurableHTTPProxy.auth_token = secrets.token_hex(32)
    c.ConfigurableHTTPProxy.pid_file = str(folder / "proxy.pid")
    c.AIFactoryAuthenticator.login_service = "the demo's accounts"
    c.AIFactoryAuthenticator.admin_users = {person.name for person in PEOPLE if person.platform_admin}
    c.DemoSpawner.get_registry = provider.current
    c.DemoSpawner.poll_interval = _POLL_INTERVAL
    # JupyterLab's first import takes its time where the disk is slow or the machine busy.
    c.DemoSpawner.http_timeout = 120
    # The hub's own settings, read by configure() from where a site puts them.
    os.environ.update(
        AIFACTORY_HUB_CLIENT_SECRET=keys.client_secret,
        AIFACTORY_HUB_SERVICE_TOKEN=keys.service_token,
        AIFACTORY_HUB_SERVICE_BIND=f"127.0.0.1:{ports.service}",
        JUPYTERHUB_CRYPT_KEY=keys.crypt_key,
    )
    configure(c, folder / "tenants.yaml")
    # One for the hub and the job service: they are one process here.
    c.AIFactoryAuthenticator.registry_provider = provider
    c.AIFactoryAuthenticator.get_registry = provider.current
    return c


@asynccontextmanager
async def running_provider(ports: Ports, keys: Keys) -> AsyncIterator[None]:
    """The identity provider, listening."""
    hosts = ("127.0.0.1", "localhost")
    back = frozenset(f"http://{host}:{ports.public}/hub/oauth_callback" for host in hosts)
    provider = DemoProvider(ports.issuer, CLIENT_ID, keys.client_secret, back, PEOPLE)
    server = HTTPServer(make_provider_app(provider))
    server.listen(ports.provider, "127.0.0.1")
    try:
        yield
    finally:
        server.stop()


@asynccontextmanager
async def running_hub(config: Config, cluster: DemoCluster) -> AsyncIterator[None]:
    """The hub with its proxy, serving."""
    DemoSpawner.cluster = cluster
    hub = DemoHub.instance(config=config)
    try:
        await hub.initialize([])
        await hub.start()
        yield
    finally:
        await hub.end()


@asynccontextmanager
async def running_service(folder: Path, ports: Ports, keys: Keys, cluster: DemoCluster) -> AsyncIterator[None]:
    """The job service on the same quota as the hub, with jobs as processes."""
    db = open_db(f"sqlite:///{folder}/service.sqlite")
    await asyncio.to_thread(migrate, db)
    async with AsyncExitStack() as ending:
        gate = HubGate(ports.hub_api, keys.service_token)
        ending.push_async_callback(gate.close)
        engine = LocalEngine(folder / "runs")
        serving = LocalServing(folder / "releases")
        jobs = Jobs(db)

        def reach() -> dict[str, object]:
            teams = len(cluster.registry.tenants)
            return {"host": True, "tenants": teams, "tenants_reachable": teams}

        ending.callback(jobs.close)
        ledger = Ledger(db)
        await asyncio.to_thread(fill, ledger, cluster.registry, int(time.time()))
        engines = Engines([engine])
        gates = SiteRules(cluster.rules, time.time, Verdicts(db).overrides(until=time.time()))
        job_gate = JobGate(gates, Verdicts(db), cluster.provider.current, engines, time.time)
        witness = TicketWitness(cluster.admission, cluster.provider, ledger)
        budgets = Budgets(cluster.provider.current, jobs.budgets, time.time, witness.heard_at)
        asked = JobRulesPolicy(job_gate, jobs, job_approvals(job_gate, jobs, gate.members))
        cluster.job_policy.policies = (asked, BudgetPolicy(budgets, jobs, cluster.admission))
        telemetry, stopping = DemoTelemetry(), HubServers(ports.hub_api, keys.service_token)
        ending.push_async_callback(stopping.close)
        context = assemble(
            provider=cluster.provider,
            gate=gate,
            membership=HubMembership(gate.members),
            jobs=jobs,
            files=FileStore(folder / "files"),
            spool=LogSpool(folder / "files" / "spool", limit=cluster.registry.jobs.max_log),
            admission=cluster.admission,
            engines=engines,
            gates=gates,
            reach=reach,
            team_loads=cluster.team_loads,
            site_token_hash=token_hash(keys.service_token),
            sign_in=HubSignIn(ports.hub_api, keys.service_token, PREFIX),
            tick=_TICK,
            heard_at=witness.heard_at,
            budgets=budgets,
            serving=serving,
            telemetry=telemetry,
            places=places,
            stopping=stopping,
            host=DemoHost(cluster.provider, cluster.team_loads),
        )
        telemetry.working = working_by(context.idle.activity)
        past = MadePast(context.usage, context.idle.acts, context.peaks)
        await asyncio.to_thread(past.fill, int(time.time()))
        speaking = asyncio.create_task(speak_for_neighbour(context.idle.activity, time.time), name="idle neighbour")
        ending.push_async_callback(_cancel, speaking)
        await witness.start()
        ending.push_async_callback(_cancel, asyncio.create_task(witness.run(), name="witness of usage"))
        server = make_server(make_app(context, PREFIX))
        server.listen(ports.service, "127.0.0.1")
        ending.push_async_callback(server.close_all_connections)
        ending.callback(server.stop)
        # The loop ends before the runs: it would call those failed that the demo's own end has killed.
        reconciling = asyncio.create_task(context.reconciler.run(), name="reconciler")
        ending.push_async_callback(engine.close)
        ending.push_async_callback(serving.close)
        ending.push_async_callback(_cancel, reconciling)
        ending.push_async_callback(_cancel, asyncio.create_task(context.periodic_tasks.run(), name="periodic_tasks"))
        making = asyncio.create_task(simulate_provisioner(context.team_desk, cluster.provider), name="teams")
        ending.push_async_callback(_cancel, making)
        adopting = asyncio.create_task(adopt(context, folder), name="triggers of the demo's repositories")
        ending.push_async_callback(_cancel, adopting)
        looking = asyncio.create_task(context.team_loads.run(), name="team_loads")
        ending.push_async_callback(_cancel, looking)
        yield


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
