"""What ``tenants.yaml`` says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from aifactory_profiles import Catalogue, Device

from ..domain.borrowing import Reclaim
from ..domain.engines import DEFAULT_ENGINE
from ..domain.mapping import Rule, TenantMapping
from ..domain.tenants import HostLimits, Tenant

_OVERHEAD = HostLimits(cpu_millicores=2000, memory_bytes=4 * 2**30, pods=5)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """The host cluster that the tenants live on.

    ``carved`` is what the administrator has cut the GPUs into: device -> count over all nodes. Kueue
    does not look at real capacity, so this is what nominal quotas are held against. ``simulated`` says that the
    devices are not real; every page and answer then says so too. ``reclaim`` is what owners end to get devices back,
    ``overhead`` what a tenant's vCluster takes for itself. ``fair_sharing``: Kueue was told to share fairly.
    """

    name: str
    gpu_models: tuple[str, ...]
    carved: Mapping[Device, int]
    cohort: str = "aifactory"
    reclaim: Reclaim = Reclaim.ANY
    fair_sharing: bool = False
    overhead: HostLimits = _OVERHEAD
    simulated: bool = False


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

    ``keep_...`` count from a job's end. ``webhook_hosts`` are internal hosts that messages may go to, also without
    TLS; all others are public and https. ``engines`` run jobs, the first of them those that name none; one that can't
    start gives its devices back after ``start_timeout``. ``room_...`` is what may be held of the service's disk, in
    bytes; uploads leave ``keep_free`` per cent of it free.
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
    webhook_hosts: tuple[str, ...] = ()


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

    def mapping(self) -> TenantMapping:
        """All rules from groups to tenants, compiled: keep it."""
        return TenantMapping.of(self.tenants, self.identity.rules)
