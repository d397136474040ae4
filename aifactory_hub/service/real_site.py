"""The service on the real cluster: its watch, its engines and its connections."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from .. import constants
from ..admission import GatedAdmission, KueueAdmission, MenuPolicy, TicketPolicy
from ..admission.team_load import TeamLoads
from ..clusters import HostWatch, PodChange, TenantClients, TenantUnavailable, connect_host
from ..domain.pod_samples import PodPlace
from ..domain.usage import Hold
from ..engines.base import Site
from ..engines.installed import load_engines
from ..engines.serving.kubernetes import KubernetesServing
from ..mail.smtp import SmtpServer
from ..metering.claims import Claims
from ..metering.witness import Witness
from ..policy import RulesProvider
from ..registry import RegistryProvider
from ..settings import Secret, ServiceSettings, SettingsError
from ..store import (
    BlobsUnavailable,
    FileStore,
    Jobs,
    Lease,
    LogSpool,
    S3Blobs,
    migrate,
    open_db,
)
from ..store.ledger import Ledger
from ..store.verdicts import Verdicts
from ..telemetry.prometheus import Prometheus
from .api.context import Context
from .auth.hub_auth import HubGate
from .auth.hub_sign_in import HubSignIn
from .auth.runner_tokens import token_hash
from .background.periodic import PeriodicTasks
from .background.schedules import HubMembership
from .budget_policy import BudgetPolicy
from .budgets import Budgets
from .controller.reconcile import Reconciler
from .executors import clock as clock_pool
from .executors import metering
from .gates import SiteRules
from .host_view import WatchedHost
from .idle.hub_servers import HubServers
from .images import Images
from .job_gate import JobGate
from .metering.hub_facts import HubFacts
from .metering.job_claims import job_claims
from .ticket_rules import JobRulesPolicy
from .wiring import assemble, job_approvals

# Pods and tickets are watched, so a job that only runs is looked at now and then; more often while its team is not
# heard. In seconds.
_QUIET, _UNHEARD = 1800.0, 30.0
# How often the hub is asked what it saw of pods, in seconds.
_HUB_FACTS_EVERY = 15.0
# How long a new process waits for the one before it to end, in seconds.
_LEASE_TIMEOUT = 60.0


@asynccontextmanager
async def real_context(settings: ServiceSettings) -> AsyncIterator[Context]:
    """The service on the real cluster, with its watch and its reconciler running; the caller runs its periodic_tasks.

    Raises what load_registry, load_bundle and connect_host raise, and LeaseTaken; a cluster that does not answer does
    not keep it from starting.
    """
    provider = await clock_pool.run(RegistryProvider.open, settings.tenants, settings.files)
    registry = provider.registry
    rules = await clock_pool.run(site_rules, provider, settings.files)
    db = open_db(settings.database)
    lease = Lease(db)
    async with contextlib.AsyncExitStack() as ending:
        # Before anything is changed, the tables included.
        await clock_pool.run(lease.acquire, timeout=_LEASE_TIMEOUT)
        ending.callback(lease.release)
        await clock_pool.run(migrate, db)
        host = await connect_host(settings.kubeconfig)
        ending.push_async_callback(host.close)
        clients = TenantClients(host, registry.tenants, constants.JOBS_SECRET)
        ending.push_async_callback(clients.close)
        watch = HostWatch(host)
        ending.push_async_callback(watch.stop)
        queue = KueueAdmission(host, registry.tenants, registry.hub)
        jobs = Jobs(db)
        ending.callback(jobs.close)
        site = Site(registry.hub, provider.tenants, clients, watch)
        engines = load_engines(registry.jobs.engines, site)
        gates = await clock_pool.run(with_overrides, rules, Verdicts(db))
        gate = HubGate(settings.hub_api_url, settings.service_token.reveal())
        ending.push_async_callback(gate.close)
        job_gate = JobGate(gates, Verdicts(db), provider.current, engines, time.time)
        asked = JobRulesPolicy(job_gate, jobs, job_approvals(job_gate, jobs, gate.members))
        budgets = Budgets(provider.current, jobs.budgets, time.time, lambda: witness.heard_at())
        policies: list[TicketPolicy] = [MenuPolicy(lambda: provider.tenants), asked, BudgetPolicy(budgets, jobs, queue)]
        admission = GatedAdmission(queue, policies)
        ending.push_async_callback(admission.close)

        def reach() -> dict[str, object]:
            healthy = [clients.health(tenant).ok for tenant in provider.registry.tenants]
            return {"host": not watch.stale, "tenants": len(healthy), "tenants_reachable": sum(healthy)}

        witness = Witness(watch, Ledger(db), Claims(provider, admission, job_claims(jobs)).possession, metering.run)
        hub_facts = HubFacts(settings.hub_api_url, settings.service_token.reveal(), Ledger(db), job_claims(jobs))
        ending.push_async_callback(hub_facts.close)
        telemetry = Prometheus(lambda: provider.registry.telemetry)
        ending.push_async_callback(telemetry.close)
        stopping = HubServers(settings.hub_api_url, settings.service_token.reveal())
        ending.push_async_callback(stopping.close)
        provider.listen(lambda _old, new: clients.follow(new.tenants))
        cluster, learned = registry.cluster, settings.files / "run-lengths.json"
        context = assemble(
            provider=provider,
            gate=gate,
            team_loads=TeamLoads(admission, registry.tenants, cluster.carved, reclaim=cluster.reclaim, history=learned),
            lease=lease,
            membership=HubMembership(gate.members),
            jobs=jobs,
            files=FileStore(settings.files, await clock_pool.run(_blobs, settings)),
            spool=LogSpool(settings.files / "spool", limit=registry.jobs.max_log),
            admission=admission,
            engines=engines,
            gates=gates,
            reach=reach,
            unavailable=lambda tenant: _unavailable(clients, tenant),
            images=Images(provider.current, watch),
            site_token_hash=token_hash(settings.service_token.reveal()),
            metrics_token_hash=_hash_of(settings.metrics_token),
            provisioner_token_hash=_hash_of(settings.provisioner_token),
            sign_in=HubSignIn(settings.hub_api_url, settings.service_token.reveal(), settings.prefix),
            forget=clients.forget,
            quiet=_QUIET,
            unheard=_UNHEARD,
            pods_heard=lambda: not watch.stale,
            heard_at=witness.heard_at,
            telemetry=telemetry,
            places=lambda holds: host_places(watch, holds),
            stopping=stopping,
            budgets=budgets,
            serving=KubernetesServing(site) if registry.deployments.enabled else None,
            mail=None if settings.mail is None else SmtpServer(settings.mail),
            host=WatchedHost(watch, telemetry, provider),
            prefix=settings.prefix,
        )
        await witness.start()
        watch.subscribe(lambda change: _wake_for_jobs(context.reconciler, change))
        tasks = [
            clients.watch_health(),
            asyncio.create_task(provider.run(), name="look at tenants.yaml"),
            asyncio.create_task(context.reconciler.run(), name="reconciler"),
            asyncio.create_task(context.team_loads.run(), name="team_loads"),
            asyncio.create_task(witness.run(), name="witness of usage"),
            asyncio.create_task(
                PeriodicTasks({"the hub's facts of pods": (_HUB_FACTS_EVERY, hub_facts.tick)}).run(),
                name="the hub's facts of pods",
            ),
        ]
        ending.push_async_callback(_end, tasks)
        yield context


def site_rules(provider: RegistryProvider, keep_in: Path) -> RulesProvider:
    """The site's rules; blocks. A copy of the last good ones is kept in ``keep_in``.

    Raises PolicyError when they can't be used and there is no copy.
    """
    return RulesProvider.open(lambda: provider.registry.policies_folder, keep_in)


def with_overrides(rules: RulesProvider, verdicts: Verdicts, clock: Callable[[], float] = time.time) -> SiteRules:
    """The rules with the overrides that count; blocks."""
    return SiteRules(rules, clock, verdicts.overrides(until=clock()))


def host_places(watch: HostWatch, holds: Sequence[Hold]) -> dict[str, PodPlace]:
    """Where the pods of these holds are, as the host runs them now."""
    devices = {hold.pod: sum(hold.possession.devices.values()) for hold in holds}
    return {
        pod.uid: PodPlace(pod.host_namespace, pod.host_name, devices[pod.uid])
        for pod in watch.pods()
        if pod.uid in devices
    }


def _hash_of(token: Secret | None) -> str | None:
    return None if token is None else token_hash(token.reveal())


def _blobs(settings: ServiceSettings) -> S3Blobs | None:
    """Object storage, if it is set; None for the folder. Raises SettingsError when it can't be used."""
    if settings.objects is None:
        return None
    try:
        blobs = S3Blobs.at(settings.objects)
        blobs.check()
    except (ValueError, BlobsUnavailable) as error:
        raise SettingsError((f"AIFACTORY_HUB_SERVICE_OBJECTS is {settings.objects!r}: {error}.",)) from error
    return blobs


def _unavailable(clients: TenantClients, tenant: str) -> str | None:
    """Why; a tenant that was not looked at yet is not known to be away."""
    try:
        health = clients.health(tenant)
    except TenantUnavailable as error:
        return error.reason
    if health.ok or health.since is None:
        return None
    return health.reason or "its vCluster does not answer"


def _wake_for_jobs(reconciler: Reconciler, change: PodChange) -> None:
    pods = (change.before, change.after)
    for name in {pod.name for pod in pods if pod is not None and pod.namespace == constants.JOBS_NAMESPACE}:
        reconciler.wake(name, ending=change.after is None or change.after.over)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
