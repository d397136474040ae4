"""The parts of the service that handlers use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...admission.base import Admission
from ...admission.team_load import TeamLoads
from ...engines.installed import Engines
from ...registry import Registry, RegistryProvider
from ...store import FileStore, Jobs, LogSpool, Snapshots
from ...store.billing import Billing
from ...store.hold_peaks import HoldPeaks
from ...store.job_files import JobFiles
from ...store.ledger import Ledger
from ...store.notifications import Notifications
from ...store.secrets import Secrets
from ...store.usage_reports import UsageReports
from ...store.verdicts import Verdicts
from ..approvals import ApprovalDesk, NoApprovals
from ..auth.hub_auth import Gate
from ..auth.hub_sign_in import HubSignIn
from ..background.periodic import PeriodicTasks
from ..background.schedules import Scheduler
from ..budget_days import BudgetDays
from ..budgets import Budgets
from ..change_feed import ChangeFeed
from ..controller.reconcile import Reconciler
from ..deployments.parts import DeploymentParts
from ..executors import PersonalPool, parsing_pool, receiving_pool
from ..gates import SiteRules
from ..host_view import HostView
from ..idle.watch import IdleWatch
from ..job_gate import JobGate
from ..models.desk import ModelDesk
from ..notifications.mailer import Mailer
from ..pace import BODIES, BODIES_AT_ONCE, STREAMS, Pace
from ..pipelines.parts import Pipelines
from ..room import Room
from ..submissions import Submissions
from ..team_queries import TeamQueries
from ..team_requests import TeamDesk
from ..triggers.parts import TriggerParts
from ..turns import Turns
from ..webhooks import Messenger
from .limits import Limits
from .shared_events import SharedEvents


@dataclass(frozen=True)
class Context:
    """The parts.

    ``reach`` says what can be reached now, for the health page; it names no tenant. ``unavailable`` says why a
    tenant can't start anything now, or None. ``changes`` tells of changed jobs, ``log_news`` also of new output.
    ``receiving`` writes what members send to disk and ``parsing`` reads it, ``room`` counts what they hold of the
    disk, ``limits`` what each person has open, ``turns`` is whose requests are worked on, ``body_pace`` how fast one
    person's bodies come in. ``shared_events`` is what all streams tell of a change, ``stream_pace`` how often those of
    one person speak.
    ``ledger`` has what pods held, ``usage`` reads it, ``billing`` has prices and closed months; the ledger knows
    everything up to the second ``heard_at``.
    ``models`` registers models and moves their aliases, ``job_files`` removes what jobs left.
    ``pipelines`` starts runs of pipelines and takes them forward; ``triggers`` watches repositories, which start some.
    ``budgets`` says how budgets stand, and what they hold; ``budget_days`` when they will be used up.
    ``deployments`` takes what people ask of models that answer, and carries it out.
    ``gates`` are the site's rules, ``job_gate`` asks them about jobs, and ``verdicts`` has what they said;
    ``approvals`` has people vote on what a rule holds.
    ``notifications`` has what waits to be told and what people chose, ``mailer`` sends mail to them.
    ``idle`` watches servers that hold a GPU, ``peaks`` has the most that pods used. ``host`` is what can be seen of the
    host's pods and GPUs.
    ``site_token_hash`` is that of the token which hub and service share; None where there is none, as is
    ``metrics_token_hash``, that of Prometheus' token, and ``provisioner_token_hash``. ``team_desk`` takes requests for
    teams, ``team_queries`` their questions to Prometheus. ``sign_in`` is
    how a browser gets a session; None where nobody can.
    """

    provider: RegistryProvider
    gate: Gate
    jobs: Jobs
    files: FileStore
    snapshots: Snapshots
    room: Room
    spool: LogSpool
    admission: Admission
    engines: Engines
    submissions: Submissions
    reconciler: Reconciler
    scheduler: Scheduler
    messenger: Messenger
    periodic_tasks: PeriodicTasks
    changes: ChangeFeed
    log_news: ChangeFeed
    reach: Callable[[], dict[str, object]]
    team_loads: TeamLoads
    unavailable: Callable[[str], str | None]
    clock: Callable[[], float]
    ledger: Ledger
    usage: UsageReports
    billing: Billing
    gates: SiteRules
    job_gate: JobGate
    verdicts: Verdicts
    heard_at: Callable[[], int]
    models: ModelDesk
    secrets: Secrets
    notifications: Notifications
    mailer: Mailer
    job_files: JobFiles
    pipelines: Pipelines
    triggers: TriggerParts
    idle: IdleWatch
    budgets: Budgets
    budget_days: BudgetDays
    deployments: DeploymentParts
    peaks: HoldPeaks
    team_desk: TeamDesk
    team_queries: TeamQueries
    host: HostView
    approvals: ApprovalDesk = field(default_factory=NoApprovals)
    site_token_hash: str | None = None
    sign_in: HubSignIn | None = None
    metrics_token_hash: str | None = None
    provisioner_token_hash: str | None = None
    receiving: PersonalPool = field(default_factory=receiving_pool)
    parsing: PersonalPool = field(default_factory=parsing_pool)
    limits: Limits = field(default_factory=Limits)
    turns: Turns = field(default_factory=Turns)
    shared_events: SharedEvents = field(default_factory=SharedEvents)
    stream_pace: Pace = field(default_factory=lambda: Pace(STREAMS))
    body_pace: Pace = field(default_factory=lambda: Pace(BODIES, BODIES_AT_ONCE))

    @property
    def registry(self) -> Registry:
        """As it is now: a handler that waits for something between two looks may find another one."""
        return self.provider.registry
