"""Assembles the service: every part and what it needs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial

from ..admission import GatedAdmission
from ..admission.team_load import TeamLoads
from ..domain.membership_policy import Policy
from ..domain.room import RoomLimits
from ..engines.installed import Engines
from ..engines.serving.base import ServingEngine
from ..mail.smtp import MailServer
from ..policy import RulesProvider
from ..registry import JobsConfig, Registry, RegistryProvider
from ..registry.gone_tenants import GoneTenants
from ..signing.keys import FolderCustody
from ..store import (
    DatabaseReplaced,
    Deliveries,
    FileStore,
    Jobs,
    Journal,
    Lease,
    LeaseLost,
    LogSpool,
    Schedules,
    Snapshots,
    database_id,
)
from ..store.approvals import Approvals
from ..store.billing import Billing
from ..store.budget_journal import BudgetJournal
from ..store.dataset_journal import DatasetJournal
from ..store.datasets import Datasets
from ..store.hold_peaks import HoldPeaks
from ..store.idle_acts import IdleActs
from ..store.job_files import JobFiles
from ..store.ledger import Ledger
from ..store.ledger_journal import LedgerJournal
from ..store.model_journal import ModelJournal
from ..store.model_registry import ModelRegistry
from ..store.notifications import Notifications
from ..store.owners import Owners
from ..store.secrets import Secrets
from ..store.team_requests import TeamRequests
from ..store.usage_reports import UsageReports
from ..store.verdicts import Verdicts
from ..telemetry.base import Telemetry
from ..telemetry.relay import PrometheusRelay
from .api.context import Context
from .approvals import Desk
from .auth.hub_auth import Gate, HubGate
from .auth.hub_sign_in import HubSignIn
from .auth.memberships import HubMembers, Members
from .background.budgets import BudgetKeeper
from .background.departed_owners import Handovers, LeftOwners
from .background.periodic import PeriodicTasks
from .background.retention import Retention
from .background.schedules import Membership, Scheduler
from .budget_days import BudgetDays
from .budgets import Budgets
from .change_feed import ChangeFeed
from .controller.reconcile import Reconciler
from .controller.steps import StepParts
from .deployments.parts import assemble_deployments
from .executors import Pool, metering
from .executors import clock as clock_pool
from .gates import SiteRules
from .host_view import HostView, NoHostView
from .idle.hub_servers import Stopping
from .idle.peaks import PEAKS_EVERY, PeakWatch
from .idle.watch import IdleWatch, Places
from .images import Images
from .job_approvals import JobApprovals
from .job_gate import JobGate
from .metering.months import Months
from .models.damage_messages import tell_of_damage
from .models.desk import assemble_models
from .models.job_data import GivenData
from .notifications.gatherer import Gatherer
from .notifications.mailer import Mailer
from .pipelines.acts import Acts
from .room import Room
from .submissions import Submissions
from .team_queries import TeamQueries
from .team_requests import TeamDesk
from .triggers.parts import assemble_both
from .webhooks import Messenger

_RETENTION_EVERY = 60.0
_RUN_RETENTION_EVERY = 600.0
# Reservations are counted at once; this only notices what was removed.
_COUNT_EVERY = 300.0
_LEASE_EVERY = 5.0
# Owners of live jobs are asked about this often; the hub remembers them for two minutes. In seconds.
_OWNERS_EVERY = 30.0
# How often teams that were removed and of which no job is left are forgotten. In seconds.
_FORGET_EVERY = 60.0
# How often prices are compared with tenants.yaml, and months looked at, in seconds.
_MONTHS_EVERY = 30.0
# How often servers that hold a GPU are looked at, in seconds.
_IDLE_EVERY = 60.0
# How often what waits for votes is looked at, in seconds.
_APPROVALS_EVERY = 30.0
# How often what budgets hold, lower and tell of is looked at, in seconds.
_BUDGETS_EVERY = 5.0
# How often requests for teams are looked at that wait for votes, in seconds.
_TEAMS_EVERY = 3.0
# How often releases and their tickets are looked through for orphans, in seconds.
_RELEASES_EVERY = 60.0
# How often notifications are gathered, and mails looked at that are due, in seconds.
_NOTIFICATIONS_EVERY, _MAIL_EVERY = 5.0, 2.0
# How often the folder of the site's rules is looked at, in seconds.
_RULES_EVERY = 3.0


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
    gates: SiteRules | None = None,
    members: Members | None = None,
    site_token_hash: str | None = None,
    metrics_token_hash: str | None = None,
    provisioner_token_hash: str | None = None,
    sign_in: HubSignIn | None = None,
    forget: Callable[[str], None] = lambda tenant: None,
    clock: Callable[[], float] = time.time,
    tick: float = 1.0,
    quiet: float | None = None,
    unheard: float | None = None,
    pods_heard: Callable[[], bool] = lambda: True,
    heard_at: Callable[[], int] | None = None,
    git_protocols: tuple[str, ...] = ("https",),
    telemetry: Telemetry | None = None,
    places: Places = lambda holds: {},
    stopping: Stopping | None = None,
    budgets: Budgets | None = None,
    serving: ServingEngine | None = None,
    mail: MailServer | None = None,
    host: HostView | None = None,
    prefix: str = "/services/aifactory/",
) -> Context:
    """The context of these parts; nothing is started. ``tick``, ``quiet`` and ``unheard`` in seconds: see Reconciler.

    ``pods_heard``: whether changes of pods would be heard now; ``heard_at``: up to which second the ledger knows
    everything, where something fills it. ``forget`` is called with a removed tenant when
    it has no live job any more. ``git_protocols`` other than https are for tests. ``telemetry`` has samples of the pods
    whose ``places`` are known, ``stopping`` ends idle servers; None: there are none. ``serving`` runs deployments; None
    where nothing is deployed. ``mail`` takes mails to people, None: there are none. ``host`` shows the host's pods and
    GPUs; None: nothing does. ``prefix`` is the path of pages.
    """
    registry = provider.registry
    changes, log_news = ChangeFeed(), ChangeFeed()

    def tell(job_id: str) -> None:
        reconciler.heard(job_id)
        changes.tell(job_id)
        log_news.tell(job_id)

    gates, verdicts = gates or SiteRules(RulesProvider(lambda: None), clock), Verdicts(jobs.db)
    job_gate = JobGate(gates, verdicts, provider.current, engines, clock)
    images = images or Images(provider.current)
    budgets = budgets or Budgets(provider.current, jobs.budgets, clock, heard_at)
    secrets = Secrets(jobs.db, files.secret("person-secrets"))
    submissions = Submissions(
        provider.current,
        jobs,
        engines,
        images,
        clock=clock,
        gate=job_gate,
        asked=budgets.asked,
        missing_secrets=secrets.missing,
    )
    members = members or (gate.members if isinstance(gate, HubGate) else None)
    approvals = job_approvals(job_gate, jobs, members)
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
        approvals=approvals,
        budgets=budgets,
        secrets=secrets,
        token_key=files.secret("job-tokens"),
        clock=clock,
        database=database_id(jobs.db),
    )

    def hears(tenant: str) -> bool:
        return pods_heard() and unavailable(tenant) is None

    reconciler = Reconciler(step_parts, tick=tick, quiet=quiet, unheard=unheard, hears=hears)
    jobs.listen(tell)
    scheduler = Scheduler(Schedules(jobs.db), jobs, snapshots, submissions, membership, clock)
    hosts, key = (lambda: provider.registry.jobs.webhook_hosts), files.secret("webhooks")
    messenger = Messenger(Deliveries(jobs.db), hosts, key, clock)
    notifications, roles = Notifications(jobs.db), members if isinstance(members, HubMembers) else None
    mailer = Mailer(messenger.deliveries, mail, members, clock)
    gatherer = Gatherer(notifications, approvals.desk.store, roles, provider.current, mail is not None, prefix, clock)
    watched = {} if lease is None else {"lease": (_LEASE_EVERY, _in_thread(lease.check))}
    registry_of_models = ModelRegistry(jobs.db)
    job_files = JobFiles(jobs, files, registry_of_models)
    retention = Retention(lambda: provider.registry.jobs, jobs, job_files, messenger.deliveries, clock)
    journal = Journal(jobs.db, files)
    journal.recover()
    snapshots.adopt(now=clock())
    snapshots.measure()
    room.recount_now()
    ledger, usage, billing = Ledger(jobs.db), UsageReports(jobs.db), Billing(jobs.db)
    ledger_journal = LedgerJournal(ledger, files)
    ledger_journal.recover()
    model_journal, budget_journal = ModelJournal(jobs.db, files), BudgetJournal(jobs.db, files)
    model_journal.recover()
    budget_journal.recover()
    dataset_journal = DatasetJournal(jobs.db, files)
    dataset_journal.recover()
    models = assemble_models(
        get_registry=provider.current,
        registry=registry_of_models,
        jobs=jobs,
        files=files,
        gates=gates,
        clock=clock,
        tell=lambda model, version, why: tell_of_damage(jobs, messenger.deliveries, model, version, why, clock()),
        custody=FolderCustody(files.own_folder("model-keys")),
    )
    deployments = assemble_deployments(
        provider.current,
        jobs=jobs,
        files=files,
        models=models,
        gates=gates,
        approvals=approvals.desk,
        admission=admission,
        membership=membership,
        deliveries=messenger.deliveries,
        engine=serving,
        clock=clock,
    )
    pipelines, triggers = assemble_both(
        provider.current,
        jobs=jobs,
        files=files,
        snapshots=snapshots,
        submissions=submissions,
        room=room,
        membership=membership,
        acts=Acts(models, approvals.desk, jobs, membership, deployments.desk),
        hurry=reconciler.hurry,
        clock=clock,
        protocols=git_protocols,
    )
    idle = IdleWatch(lambda: provider.registry.idle, ledger, places, telemetry, IdleActs(jobs.db), stopping, clock)
    peaks = HoldPeaks(jobs.db)

    def scrape() -> int:
        return provider.registry.telemetry.scrape

    heard = heard_at or (lambda: int(clock()))
    months = Months(provider.current, billing, heard, usage.first_second, clock)
    gone = GoneTenants((admission.forget, forget))
    provider.listen(gone.follow)
    periodic_tasks: dict[str, tuple[float, Callable[[], Awaitable[None]]]] = {
        "journal": (tick, _in_thread(journal.flush)),
        "schedules": (tick, scheduler.tick),
        "pipelines": (tick, pipelines.runner.tick),
        "triggers": (tick, triggers.tick),
        "deployments": (tick, deployments.tick),
        "orphans of deployments": (_RELEASES_EVERY, deployments.sweep),
        "approvals": (_APPROVALS_EVERY, approvals.desk.tend),
        "messages": (tick, messenger.tick),
        "notifications": (max(tick, _NOTIFICATIONS_EVERY), gatherer.tick),
        "mail": (max(tick, _MAIL_EVERY), mailer.tick),
        "retention": (_RETENTION_EVERY, retention.tick),
        "retention of runs": (_RUN_RETENTION_EVERY, pipelines.retention.tick),
        "room": (_COUNT_EVERY, room.recount),
        "ledger's journal": (tick, _in_thread(ledger_journal.flush, metering)),
        "journal of models": (tick, _in_thread(model_journal.flush)),
        "journal of budgets": (tick, _in_thread(budget_journal.flush)),
        "journal of datasets": (tick, _in_thread(dataset_journal.flush)),
        "prices and months": (_MONTHS_EVERY, months.tick),
        "idle servers": (_IDLE_EVERY, idle.tick),
        "budgets": (_BUDGETS_EVERY, BudgetKeeper(budgets, jobs, admission, reconciler.hurry).tick),
        "peaks of use": (PEAKS_EVERY, PeakWatch(ledger, places, telemetry, peaks, scrape, clock).tick),
        "rules": (_RULES_EVERY, _in_thread(gates.rules.look)),
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
    team_desk = TeamDesk(provider, TeamRequests(jobs.db), approvals.desk, team_loads, unavailable, clock)
    periodic_tasks["requests for teams"] = (_TEAMS_EVERY, team_desk.tick)
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
        models=models,
        job_files=job_files,
        pipelines=pipelines,
        triggers=triggers,
        idle=idle,
        deployments=deployments,
        peaks=peaks,
        gates=gates,
        approvals=approvals.desk,
        job_gate=job_gate,
        verdicts=verdicts,
        budgets=budgets,
        budget_days=BudgetDays(usage, billing),
        secrets=secrets,
        notifications=notifications,
        mailer=mailer,
        site_token_hash=site_token_hash,
        metrics_token_hash=metrics_token_hash,
        provisioner_token_hash=provisioner_token_hash,
        team_desk=team_desk,
        team_queries=TeamQueries(PrometheusRelay(lambda: provider.registry.telemetry)),
        host=host or NoHostView(),
        sign_in=sign_in,
    )


def job_approvals(gate: JobGate, jobs: Jobs, members: Members | None) -> JobApprovals:
    """The approvals of jobs; ``members`` says who belongs where, None where nobody can say it."""
    desk = Desk(Approvals(jobs.db), members, lambda: gate.get_registry().approvals, gate.clock)
    return JobApprovals(desk, jobs, gate, GivenData(Datasets(jobs.db), ModelRegistry(jobs.db), gate.clock))


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
