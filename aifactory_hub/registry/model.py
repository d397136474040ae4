"""What ``tenants.yaml`` says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from aifactory_profiles import Catalogue, Device

from ..domain.borrowing import Reclaim
from ..domain.channels import Level
from ..domain.engines import DEFAULT_ENGINE
from ..domain.environments import Environment, Offering
from ..domain.idle_ladder import IdleRules
from ..domain.mapping import Rule, TenantMapping
from ..domain.self_service import SelfService
from ..domain.tenants import HostLimits, Tenant

_OVERHEAD = HostLimits(cpu_millicores=2000, memory_bytes=4 * 2**30, pods=5)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """The host cluster that the tenants live on.

    ``carved`` is what the administrator has cut the GPUs into: device -> count over all nodes. Kueue
    does not look at real capacity, so this is what nominal quotas are held against. ``simulated`` says that the
    devices are not real; every page and answer then says so too. ``reclaim`` is what owners end to get devices back,
    ``overhead`` what a tenant's vCluster takes for itself. ``fair_sharing``: Kueue was told to share fairly.
    ``driver`` is NVIDIA's on the nodes, as numbers; None: nobody has said.
    """

    name: str
    gpu_models: tuple[str, ...]
    carved: Mapping[Device, int]
    cohort: str = "aifactory"
    reclaim: Reclaim = Reclaim.ANY
    fair_sharing: bool = False
    overhead: HostLimits = _OVERHEAD
    simulated: bool = False
    driver: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class IdentityConfig:
    """The company's identity provider. The client secret comes from the environment, never from the file."""

    issuer: str
    client_id: str
    username_claim: str = "preferred_username"
    groups_claim: tuple[str, ...] = ("groups",)
    scopes: tuple[str, ...] = ("openid", "profile", "email", "groups")
    groups_source: str = "userinfo"  # or id_token, access_token
    groups_separator: str | None = None
    groups_field: str | None = None
    rules: tuple[Rule, ...] = ()
    on_leaving: str = "keep"  # or stop
    leaving_grace: int = 300
    stale_grace: int = 900
    rebind_until: float | None = None  # epoch seconds


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things are reached: from inside a tenant's pods, and (``public``) by browsers."""

    hub_api: str  # e.g. http://hub.jupyterhub.svc:8081/hub/api
    service: str  # e.g. http://proxy-public.jupyterhub.svc/services/aifactory/
    public: str | None = None  # e.g. https://hub.example.org/


@dataclass(frozen=True, slots=True)
class NotebookConfig:
    """What a server's pod is made of."""

    image: str
    storage: str = "10Gi"
    storage_class: str | None = None
    start_timeout: int = 300
    queue_timeout: int = 3600


@dataclass(frozen=True, slots=True)
class JobsConfig:
    """Limits of jobs; sizes in bytes, times in seconds.

    ``keep_...`` count from a job's end, ``keep_runs`` from that of a run of a pipeline. ``webhook_hosts`` are internal
    hosts that messages may go to, also without TLS; all others are public and https. ``engines`` run jobs, the first of
    them those that name none; one that can't start gives its devices back after ``start_timeout``. ``room_...`` is what
    may be held of the service's disk, in bytes; uploads leave ``keep_free`` per cent of it free.
    """

    image: str
    max_upload: int = 256 * 2**20
    max_artifacts: int = 256 * 2**20
    max_log: int = 4 * 2**20
    room_per_person: int = 10 * 2**30
    room_per_team: int = 40 * 2**30
    keep_free: int = 10
    deadline: int = 24 * 3600
    start_timeout: int = 600
    engines: tuple[str, ...] = (DEFAULT_ENGINE,)
    keep_inputs: int = 7 * 86400
    keep_logs: int = 30 * 86400
    keep_artifacts: int = 30 * 86400
    keep_runs: int = 365 * 86400
    webhook_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploymentsConfig:
    """Whether models may be deployed, and how long a release may take to answer; times in seconds.

    ``watch`` is how long a new release is watched, and the one before kept so that a return takes one step.
    """

    enabled: bool = False
    start_timeout: int = 600
    watch: int = 300


@dataclass(frozen=True, slots=True)
class Isolation:
    """What tenants' pods may reach and be made of, beside what every tenant needs. Networks are in CIDR form.

    ``dns_pods`` are name servers as ``namespace/label=value``. ``annotations`` and ``labels`` may end in ``*``.
    """

    egress: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_pods: tuple[str, ...] = ("kube-system/k8s-app=kube-dns",)
    api_servers: tuple[str, ...] = ()
    images: tuple[str, ...] = ("coredns/coredns:*",)
    tolerations: tuple[str, ...] = ("nvidia.com/gpu",)
    runtime_classes: tuple[str, ...] = ()
    priority_classes: tuple[str, ...] = ()
    schedulers: tuple[str, ...] = ("default-scheduler",)
    storage_classes: tuple[str, ...] = ()
    csi_drivers: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """What the hub's pages say of the site: the product's name, a page of help, and whom to ask."""

    name: str = "AIFactory Hub"
    help: str | None = None
    contact: str | None = None

    @property
    def contact_link(self) -> str | None:
        """The address that the contact leads to."""
        return self.contact if self.contact is None or "://" in self.contact else f"mailto:{self.contact}"


@dataclass(frozen=True, slots=True)
class BillingConfig:
    """How usage is billed. Months begin in ``time_zone`` and are closed ``close_after`` seconds after their end.

    ``currency`` is empty where the site names none. ``chargeback``: bills are to be paid, and not only shown.
    """

    currency: str = ""
    time_zone: str = "UTC"
    close_after: int = 72 * 3600
    chargeback: bool = False

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, slots=True)
class ApprovalsConfig:
    """Who approves what a rule holds: ``approvers`` has the identity provider's groups of each group of approvers.

    An approval waits ``expire_after`` seconds. ``emergency`` is the group that may approve alone.
    """

    approvers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expire_after: int = 72 * 3600
    emergency: str | None = None
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotificationsConfig:
    """What people are told by mail. ``people`` is how much those get who chose nothing; a message is sent ``gather``
    seconds after the first of what it tells. ``trust_addresses``: also addresses of which the identity provider does
    not say whether they are verified."""

    people: Level = Level.FAILURES
    gather: int = 60
    trust_addresses: bool = False


@dataclass(frozen=True, slots=True)
class PoliciesConfig:
    """Where the site's rules are; ``folder`` None: it has none."""

    folder: str | None = None


@dataclass(frozen=True, slots=True)
class GitConfig:
    """Which repositories may start pipelines: those of ``hosts`` by https, and bare ones below ``folders`` of this
    machine. Each is asked every ``poll`` seconds. ``ca_file`` has the authorities that vouch for the hosts."""

    hosts: tuple[str, ...] = ()
    ca_file: str | None = None
    folders: tuple[str, ...] = ()
    poll: int = 300


@dataclass(frozen=True, slots=True)
class TelemetryConfig:
    """Where samples of GPUs are read; ``prometheus`` None: nowhere. One each ``scrape`` seconds.

    Only series of the jobs ``gpu_job`` and ``node_job`` count. ``names`` has the site's own by signal.
    """

    prometheus: str | None = None
    scrape: int = 30
    gpu_job: str = "dcgm-exporter"
    node_job: str = "kubelet"
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IdleConfig:
    """What becomes of idle servers, and the webhooks that are told of it."""

    rules: IdleRules = field(default_factory=IdleRules)
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registry:
    """The tenant registry: the one source of truth. Everything else is rendered from it."""

    source: str
    hub: str  # this hub's name: marks what it made
    cluster: ClusterConfig
    identity: IdentityConfig
    addresses: Addresses
    notebook: NotebookConfig
    jobs: JobsConfig
    catalogue: Catalogue
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    isolation: Isolation = field(default_factory=Isolation)
    site: Site = field(default_factory=Site)
    billing: BillingConfig = field(default_factory=BillingConfig)
    git: GitConfig = field(default_factory=GitConfig)
    approvals: ApprovalsConfig = field(default_factory=ApprovalsConfig)
    notifications: NotificationsConfig = field(default_factory=NotificationsConfig)
    policies: PoliciesConfig = field(default_factory=PoliciesConfig)
    retired: tuple[str, ...] = ()  # teams that are gone on purpose
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    idle: IdleConfig = field(default_factory=IdleConfig)
    environments: Mapping[str, Environment] = field(default_factory=dict)
    deployments: DeploymentsConfig = field(default_factory=DeploymentsConfig)
    self_service: SelfService = field(default_factory=SelfService)
    granted: tuple[str, ...] = ()  # teams that people asked for

    @property
    def policies_folder(self) -> Path | None:
        """The folder with the site's rules, beside the file; None where it has none."""
        return None if self.policies.folder is None else Path(self.source).parent / self.policies.folder

    def offering(self, now: float) -> Offering:
        """The environments at ``now``, in seconds since 1970."""
        return Offering(self.environments, self.cluster.driver, now)

    @property
    def server_images(self) -> tuple[str, ...]:
        """Every image that servers are made from."""
        versions = (version for each in self.environments.values() for version in each.versions.values())
        return (self.notebook.image, *(version.image for version in versions))

    def mapping(self) -> TenantMapping:
        """All rules from groups to tenants, compiled: keep it."""
        return TenantMapping.of(self.tenants, self.identity.rules, self.approvals.approvers)
