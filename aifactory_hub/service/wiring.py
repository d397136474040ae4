"""Assembles the service: every part and what it needs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from .. import constants
from ..admission import GatedAdmission, KueueAdmission, MenuPolicy
from ..admission.team_load import TeamLoads
from ..clusters import HostWatch, PodChange, TenantClients, TenantUnavailable, connect_host
from ..domain.membership_policy import Policy
from ..domain.room import RoomLimits
from ..engines.base import Site
from ..engines.installed import Engines, load_engines
from ..metering.claims import Claims
from ..metering.witness import Witness
from ..registry import JobsConfig, Registry, RegistryProvider
from ..registry.gone_tenants import GoneTenants
from ..settings import ServiceSettings, SettingsError
from ..store import (
    BlobsUnavailable,
    DatabaseReplaced,
    Deliveries,
    FileStore,
    Jobs,
    Journal,
    Lease,
    LeaseLost,
    LogSpool,
    S3Blobs,
    Schedules,
    Snapshots,
    database_id,
    migrate,
    open_db,
)
from ..store.billing import Billing
from ..store.ledger import Ledger
from ..store.ledger_journal import LedgerJournal
from ..store.owners import Owners
from ..store.usage_reports import UsageReports
from .api.context import Context
from .auth.hub_auth import Gate, HubGate
from .auth.hub_sign_in import HubSignIn
from .auth.runner_tokens import token_hash
from .background.departed_owners import Handovers, LeftOwners
from .background.periodic import PeriodicTasks
from .background.retention import Retention
from .background.schedules import HubMembership, Membership, Scheduler
from .change_feed import ChangeFeed
from .controller.reconcile import Reconciler
from .controller.steps import StepParts
from .executors import Pool, metering
from .executors import clock as clock_pool
from .images import Images
from .metering.hub_facts import HubFacts
from .metering.job_claims import job_claims
from .metering.months import Months
from .room import Room
from .submissions import Submissions
from .webhooks import Messenger

_RETENTION_EVERY = 60.0
# Reservations are counted at once; this only notices what was removed.
_COUNT_EVERY = 300.0
# Pods and tickets are watched, so a job that only runs is looked at now and then; more often while its team is not
# heard. In seconds.
_QUIET, _UNHEARD = 1800.0, 30.0
_LEASE_EVERY = 5.0
# Owners of live jobs are asked about this often; the hub remembers them for two minutes. In seconds.
_OWNERS_EVERY = 30.0
# How often teams that were removed and of which no job is left are forgotten. In seconds.
_FORGET_EVERY = 60.0
# How often the hub is asked what it saw of pods, in seconds.
_HUB_FACTS_EVERY = 15.0
# How often prices are compared with tenants.yaml, and months looked at, in seconds.
_MONTHS_EVERY = 30.0
# How long a new process waits for the one before it to end, in seconds.
_LEASE_TIMEOUT = 60.0


def assemble(
    *,
    provider: RegistryProvider,
    gate: Gate,
    jobs: Jobs,
    files: FileStore,
    spool: LogSpool,
    admission: GatedAdmission,
    engines: Engines,
    reach: Callable[[], dict[str, object]],
    unavailable: Callable[[str], str | None] = lambda tenant: None,
    membership: Membership,
    team_loads: TeamLoads | None = None,
    lease: Lease | None = None,
    images: Images | None = None,
    site_token_hash: str | None = None,
    metrics_token_hash: str | None = None,
    sign_in: HubSignIn | None = None,
    forget: Callable[[str], None] = lambda tenant: None,
    clock: Callable[[], float] = time.time,
    tick: float = 1.0,
    quiet: float | None = None,
    unheard: float | None = None,
    pods_heard: Callable[[], bool] = lambda: True,
    heard_at: Callable[[], int] | None = None,
) -> Context:
    """The context of these parts; nothing is started. ``tick``, ``quiet`` and ``unheard`` in seconds: see Reconciler.

    ``pods_heard``: whether changes of pods would be heard now; ``heard_at``: up to which second the ledger knows
    everything, where something fills it. ``forget`` is called with a removed tenant when
    it has no live job any more.
    """
    registry = provider.registry
    changes, log_news = ChangeFeed(), ChangeFeed()

    def tell(job_id: str) -> None:
        reconciler.heard(job_id)
        changes.tell(job_id)
        log_news.tell(job_id)

    snapshots = Snapshots(jobs.db, files)
    room = Room(jobs.db, files, spool, _room_limits(registry.jobs))
    step_parts = StepParts(
        get_registry=provider.current,
        jobs=jobs,
        schedules=Schedules(jobs.db),
        files=files,
        snapshots=snapshots,
        spool=spool,
        room=room,
        admission=admission,
        engines=engines,
        token_key=files.secret("job-tokens"),
        clock=clock,
        database=database_id(jobs.db),
    )

    def hears(tenant: str) -> bool:
        return pods_heard() and unavailable(tenant) is None

    reconciler = Reconciler(step_parts, tick=tick, quiet=quiet, unheard=unheard, hears=hears)
    jobs.listen(tell)
    submissions = Submissions(provider.current, jobs, engines, images or Images(provider.current), clock=clock)
    scheduler = Scheduler(Schedules(jobs.db), jobs, snapshots, submissions, membership, clock)
    hosts, key = (lambda: provider.registry.jobs.webhook_hosts), files.secret("webhooks")
    messenger = Messenger(Deliveries(jobs.db), hosts, key, clock)
    watched = {} if lease is None else {"lease": (_LEASE_EVERY, _in_thread(lease.check))}
    retention = Retention(lambda: provider.registry.jobs, jobs, files, messenger.deliveries, clock)
    journal = Journal(jobs.db, files)
    journal.recover()
    snapshots.adopt(now=clock())
    snapshots.measure()
    room.recount_now()
    ledger, usage, billing = Ledger(jobs.db), UsageReports(jobs.db), Billing(jobs.db)
    ledger_journal = LedgerJournal(ledger, files)
    ledger_journal.recover()
    heard = heard_at or (lambda: int(clock()))
    months = Months(provider.current, billing, heard, usage.first_second, clock)
    gone = GoneTenants((admission.forget, forget))
    provider.listen(gone.follow)
    periodic_tasks: dict[str, tuple[float, Callable[[], Awaitable[None]]]] = {
        "journal": (tick, _in_thread(journal.flush)),
        "schedules": (tick, scheduler.tick),
        "messages": (tick, messenger.tick),
        "retention": (_RETENTION_EVERY, retention.tick),
        "room": (_COUNT_EVERY, room.recount),
        "ledger's journal": (tick, _in_thread(ledger_journal.flush, metering)),
        "prices and months": (_MONTHS_EVERY, months.tick),
        "removed teams": (_FORGET_EVERY, partial(_forget_gone, gone, jobs)),
        **watched,
    }
    if isinstance(gate, HubGate):
        owners = Owners(jobs.db, files)
        gate.members.carry_out_handovers = Handovers(owners, jobs, clock).carry_out
        left_owners = LeftOwners(owners, jobs, gate.members, lambda: _policy(provider.registry), clock)
        periodic_tasks["owners"] = (_OWNERS_EVERY, left_owners.look)
    team_loads = team_loads or TeamLoads(
        admission, registry.tenants, registry.cluster.carved, reclaim=registry.cluster.reclaim
    )
    provider.listen(_following(admission, team_loads, room, spool))
    return Context(
        provider=provider,
        gate=gate,
        jobs=jobs,
        files=files,
        admission=admission,
        engines=engines,
        submissions=submissions,
        reconciler=reconciler,
        scheduler=scheduler,
        messenger=messenger,
        periodic_tasks=PeriodicTasks(periodic_tasks, fatal=(DatabaseReplaced, LeaseLost)),
        changes=changes,
        log_news=log_news,
        snapshots=snapshots,
        room=room,
        spool=spool,
        reach=reach,
        team_loads=team_loads,
        unavailable=unavailable,
        clock=clock,
        ledger=ledger,
        usage=usage,
        billing=billing,
        heard_at=heard,
        site_token_hash=site_token_hash,
        metrics_token_hash=metrics_token_hash,
        sign_in=sign_in,
    )


def _following(
    admission: GatedAdmission, team_loads: TeamLoads, room: Room, spool: LogSpool
) -> Callable[[Registry, Registry], None]:
    """A listener for the parts that keep something of the registry. All others look it up whenever they need it."""

    def follow(_old: Registry, new: Registry) -> None:
        admission.follow(new.tenants)
        team_loads.follow(new.tenants, new.cluster.carved, new.cluster.reclaim)
        room.set_limits(_room_limits(new.jobs))
        spool.set_limit(new.jobs.max_log)

    return follow


def _room_limits(jobs: JobsConfig) -> RoomLimits:
    return RoomLimits(jobs.room_per_person, jobs.room_per_team, jobs.keep_free)


def _policy(registry: Registry) -> Policy:
    return Policy(stop=registry.identity.on_leaving == "stop", grace=registry.identity.leaving_grace)


async def _forget_gone(gone: GoneTenants, jobs: Jobs) -> None:
    """Let go of the teams that left the registry and have no live job."""
    if gone.names:
        gone.forget_unused({row.tenant for row in await clock_pool.run(jobs.live_runs)})


def _in_thread(call: Callable[[], object], pool: Pool = clock_pool) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await pool.run(call)

    return run


@asynccontextmanager
async def real_context(settings: ServiceSettings) -> AsyncIterator[Context]:
    """The service on the real cluster, with its watch and its reconciler running; the caller runs its periodic_tasks.

    Raises what load_registry and connect_host raise, and LeaseTaken; a cluster that does not answer does not keep it
    from starting.
    """
    metrics_token = settings.metrics_token
    provider = await clock_pool.run(RegistryProvider.open, settings.tenants, settings.files)
    registry = provider.registry
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
        admission = GatedAdmission(queue, [MenuPolicy(lambda: provider.tenants)])
        ending.push_async_callback(admission.close)
        gate = HubGate(settings.hub_api_url, settings.service_token.reveal())
        ending.push_async_callback(gate.close)
        jobs = Jobs(db)
        ending.callback(jobs.close)

        def reach() -> dict[str, object]:
            healthy = [clients.health(tenant).ok for tenant in provider.registry.tenants]
            return {"host": not watch.stale, "tenants": len(healthy), "tenants_reachable": sum(healthy)}

        witness = Witness(watch, Ledger(db), Claims(provider, admission, job_claims(jobs)).possession, metering.run)
        hub_facts = HubFacts(settings.hub_api_url, settings.service_token.reveal(), Ledger(db), job_claims(jobs))
        ending.push_async_callback(hub_facts.close)
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
            engines=load_engines(registry.jobs.engines, Site(registry.hub, provider.tenants, clients, watch)),
            reach=reach,
            unavailable=lambda tenant: _unavailable(clients, tenant),
            images=Images(provider.current, watch),
            site_token_hash=token_hash(settings.service_token.reveal()),
            metrics_token_hash=None if metrics_token is None else token_hash(metrics_token.reveal()),
            sign_in=HubSignIn(settings.hub_api_url, settings.service_token.reveal(), settings.prefix),
            forget=clients.forget,
            quiet=_QUIET,
            unheard=_UNHEARD,
            pods_heard=lambda: not watch.stale,
            heard_at=witness.heard_at,
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
