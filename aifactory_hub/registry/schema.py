"""The shape of ``tenants.yaml``: every key, what it means, and of which kind its value is.

Each field carries a description and an example. Messages show the example, and ``docs/tenants-yaml.md`` has to
name every field (a test compares).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from .budget_schema import BudgetSection
from .environment_schema import EnvironmentSection
from .idle_schema import IdleSection, TelemetrySection
from .isolation_schema import IsolationSection
from .limits_schema import LimitsSection
from .notification_schema import ChannelSection, NotificationsSection
from .scalars import (
    Contact,
    Counts,
    Cpu,
    Currency,
    Day,
    DriverVersion,
    EnvironmentName,
    Label,
    MountPath,
    Percent,
    Pods,
    Price,
    ProfileName,
    RoleName,
    Seconds,
    ServiceName,
    Several,
    ShortText,
    Size,
    SizeText,
    TenantName,
    Text,
    TimeZone,
    Url,
    Weight,
)
from .section import Section, key
from .self_service_schema import SelfServiceSection

API_VERSION = "aifactory-hub.io/v1"


class OverheadSection(Section):
    cpu: Cpu = key("Requested CPU of a vCluster's own pods.", "2", default=2000)
    memory: Size = key("Requested memory of a vCluster's own pods.", "4Gi", default=4 * 2**30)
    pods: Pods = key("How many pods of its own a vCluster has.", "5", default=5)


class ClusterSection(Section):
    name: Label = key("Name of the host cluster.", "host")
    gpu_models: list[str] = key("GPU models of the cluster; each has a card.", "[h100-80gb]", default=[])
    cards: list[Text] = key(
        "Files with the site's own cards, seen from this file; they go before the hub's.",
        "[cards/lab.yaml]",
        default=[],
    )
    carved: Counts = key("What the GPUs are cut into: slice and count over all nodes.", "{mig-1g.10gb: 7}", default={})
    cohort: Label = key("Kueue cohort in which tenants lend to each other.", "aifactory", default="aifactory")
    reclaim: Literal["any", "lower-priority", "never"] = key(
        "What a tenant ends to get its own devices back from borrowers.", "lower-priority", default="any"
    )
    fair_sharing: bool = key("Kueue runs with fair sharing, which weights need.", "true", default=False)
    overhead: OverheadSection = key(
        "What a vCluster itself takes, beside its tenant's pods.", "{cpu: 2, memory: 4Gi}", default=OverheadSection()
    )
    driver: DriverVersion | None = key(
        "Version of NVIDIA's driver on the nodes, the oldest where they differ.", '"550.90"', default=None
    )
    simulated: bool = key("The devices are not real; every page says so.", "true", default=False)


class RuleSection(Section):
    group: Text | None = key("Group of the identity provider, exactly as it arrives.", "/audit", default=None)
    id: Text | None = key("The same for a group that arrives as an opaque id.", "3f2b5c1e-9d4a", default=None)
    pattern: Text | None = key(
        "RE2 pattern that a group's whole name fits.", "/teams/(?P<tenant>[a-z0-9-]+)", default=None
    )
    tenant: str | None = key("The tenant, unless the pattern captures it.", "nlp", default=None)
    role: RoleName | None = key("The role, or the one where the pattern captures none.", "member", default=None)
    roles: dict[str, RoleName] = key(
        "What the role words mean that the pattern captures.", "{admins: admin}", default={}
    )


class IdentitySection(Section):
    issuer: Url = key("Issuer URL of the OpenID Connect provider.", "https://idp.example.org")
    client_id: Text = key("Client id of this hub at the provider.", "aifactory-hub")
    username_claim: Text = key("Claim with the user's name.", "preferred_username", default="preferred_username")
    groups_claim: list[Text] = key(
        "Path to the claim with the user's groups.", "[groups]", default=["groups"], min_length=1
    )
    scopes: list[Text] = key(
        "Scopes that are asked for.", "[openid, profile, groups]", default=["openid", "profile", "email", "groups"]
    )
    groups_source: Literal["userinfo", "id_token", "access_token"] = key(
        "Where the groups are: userinfo, id_token or access_token.", "id_token", default="userinfo"
    )
    groups_separator: Text | None = key(
        "Splits groups that arrive as one text; left out, a text is refused.", '","', default=None
    )
    groups_field: Text | None = key("Field with the name, where groups arrive as objects.", "name", default=None)
    tenant_mapping: list[RuleSection] = key(
        "Rules that stand with no single tenant.",
        "[{pattern: '/teams/(?P<tenant>[a-z0-9-]+)', role: member}]",
        default=[],
    )
    on_leaving: Literal["keep", "stop"] = key(
        "What becomes of a server in a team that its owner has left.", "stop", default="keep"
    )
    leaving_grace: Seconds = key("How long such a server runs on before it is stopped.", "10m", default=300)
    stale_grace: Seconds = key(
        "How long people keep their teams while the provider does not answer.", "15m", default=900
    )
    rebind_until: Day | None = key(
        "Last day (UTC) on which an account of another issuer is bound to this one's subject at sign-in, by its name.",
        "2026-12-31",
        default=None,
    )


class AddressesSection(Section):
    hub_api: Url = key("The hub's API as pods reach it.", "http://hub.jupyterhub.svc:8081/hub/api")
    service: Url = key("The hub service as pods reach it.", "http://proxy-public.jupyterhub.svc/services/aifactory/")
    public: Url | None = key(
        "The hub as browsers reach it; left out, it is guessed from each request.",
        "https://hub.example.org/",
        default=None,
    )


class NotebookSection(Section):
    image: Text = key("Container image of notebooks.", "images.example.org/notebook:1.0")
    storage: SizeText = key("Size of a user's home volume in a tenant.", "10Gi", default="10Gi")
    storage_class: Label | None = key(
        "Storage class of home volumes; the cluster's default when left out.", "fast", default=None
    )
    start_timeout: Seconds = key("How long a server may take to start, once it has quota.", "300", default=300)
    queue_timeout: Seconds = key("How long a start that may wait for quota waits for it.", "1h", default=3600)


class JobsSection(Section):
    image: Text = key(
        "Container image of jobs that do not run in their notebook's own.", "images.example.org/notebook:1.0"
    )
    max_upload: Size = key("Most bytes that the files of one job may have, unpacked.", "256Mi", default=256 * 2**20)
    max_artifacts: Size = key("Largest sum of result files of one job.", "256Mi", default=256 * 2**20)
    max_log: Size = key("How much of a job's log is kept, its end.", "4Mi", default=4 * 2**20)
    room_per_person: Size = key(
        "Most bytes that the files and logs of one person may have in one team.", "10Gi", default=10 * 2**30
    )
    room_per_team: Size = key("Most bytes that the files and logs of a team may have.", "40Gi", default=40 * 2**30)
    keep_free: Percent = key("Per cent of the job service's disk that uploads leave free.", "10", default=10)
    deadline: Seconds = key("How long a job may run.", "24h", default=24 * 3600)
    start_timeout: Seconds = key(
        "How long a job that has its devices may fail to start before it gives them back.", "10m", default=600
    )
    engines: list[Text] = key(
        "Engines that run jobs; the first runs those that name none.",
        "[kubernetes-job, argo-workflow]",
        default=["kubernetes-job"],
        min_length=1,
    )
    keep_inputs: Seconds = key("How long a job's input files are kept after its end.", "7d", default=7 * 86400)
    keep_logs: Seconds = key("How long a job's log is kept after its end.", "30d", default=30 * 86400)
    keep_artifacts: Seconds = key("How long a job's result files are kept after its end.", "30d", default=30 * 86400)
    keep_runs: Seconds = key(
        "How long a run of a pipeline is kept after its end, and what its trigger heard.", "365d", default=365 * 86400
    )
    webhook_hosts: list[Text] = key(
        "Internal hosts that jobs may notify, also by plain http; others must be public and https.",
        "[hooks.example.org]",
        default=[],
    )


class ProfileSection(Section):
    gpu: Literal["none", "whole", "shared"] | None = key(
        "Makes a profile that is no slice: without a GPU, of whole GPUs, or of a turn on one.",
        "none, whole or shared",
        default=None,
    )
    model: str | None = key("GPU model of a whole or shared GPU, where there are several.", "h100-80gb", default=None)
    count: Several | None = key("How many whole GPUs it has, all of one machine; 1 when left out.", "2", default=None)
    replicas: Several | None = key("How many pods take turns on a shared GPU.", "4", default=None)
    cpu: Cpu | None = key("Requested CPU.", "500m", default=None)
    memory: Size | None = key("Requested memory.", "2Gi", default=None)
    cpu_limit: Cpu | None = key("CPU limit; the request when left out.", "2", default=None)
    memory_limit: Size | None = key("Memory limit; the request when left out.", "4Gi", default=None)
    price_per_hour: Price | None = key("Price of an hour; left out means that no price is set.", "0.40", default=None)
    display_name: Text | None = key("Name on the menu.", "Small GPU", default=None)
    description: Text | None = key("Explanation on the menu.", "for notebooks that try things out", default=None)


class VClusterSection(Section):
    namespace: Label = key("Host namespace that the tenant's vCluster lives in.", "vc-nlp")
    name: ServiceName = key("Name of the vCluster: its Helm release and Service.", "nlp")


class GroupSection(Section):
    group: Text | None = key("Group of the identity provider, exactly as it arrives.", "teams/nlp", default=None)
    id: Text | None = key("The same for a group that arrives as an opaque id.", "3f2b5c1e-9d4a", default=None)
    role: RoleName = key("What its members are in the tenant: viewer, member or admin.", "member")


class RetireSection(Section):
    on: Day = key("The last day on which something may start.", "2026-12-24")
    contact: ShortText | None = key("Whom its people ask.", "platform@example.org", default=None)
    keep: Seconds = key("How long its vCluster and homes are kept after that, at least.", "30d", default=30 * 86400)


class VolumeSection(Section):
    claim: Label = key("Volume claim in the namespace `notebooks` of the team's vCluster.", "claims-2026")
    path: MountPath = key("Folder at which its servers have it.", "/data/claims")
    write: bool = key("Whether they may write; else it is read-only.", "true", default=False)


class TenantSection(Section):
    display_name: Text | None = key("Name for people; the tenant's name when left out.", "Language", default=None)
    vcluster: VClusterSection = key("The tenant's vCluster.", "{namespace: vc-nlp, name: nlp}")
    groups: list[GroupSection] = key("Who is in the tenant.", "[{group: teams/nlp, role: member}]", default=[])
    profiles: list[str] = key("Menu of the tenant, in this order.", "[cpu-small, mig-1g.10gb]", min_length=1)
    quota: Counts = key("The tenant's own devices: slice and count.", "{mig-1g.10gb: 3}", default={})
    borrowing: Counts = key("How many idle devices of others it may borrow.", "{mig-1g.10gb: 1}", default={})
    lending: Counts = key(
        "How many of its idle devices others may borrow; all when left out.", "{mig-1g.10gb: 2}", default={}
    )
    notebooks: Literal["own", "borrow"] = key(
        "Whether notebooks borrow, too: what is borrowed can be taken back.", "borrow", default="own"
    )
    per_user: Counts = key(
        "How many one person may have or wait for; no limit when left out.", "{mig-1g.10gb: 2}", default={}
    )
    weight: Weight = key("Its share of idle devices when several tenants want them.", "2", default=Decimal(1))
    limits: LimitsSection | None = key(
        "The most of CPU, memory, pods and other things that it may have; what is left out follows from its quota.",
        "{cpu: 64, memory: 512Gi, pods: 100}",
        default=None,
    )
    sleep_after: Seconds | None = key(
        "How long nothing of it has to run before the provisioner puts its vCluster to sleep; never when left out.",
        "2h",
        default=None,
    )
    retire: RetireSection | None = key("That it ends, and when.", "{on: 2026-12-24}", default=None)
    template: Label | None = key(
        "Template of `self_service` that says whatever is left out here, and the vCluster's name.",
        "small",
        default=None,
    )
    expires: Day | None = key(
        "The last day on which something may start, unless somebody asks for more time; see `self_service`.",
        "2027-03-31",
        default=None,
    )
    budgets: dict[Label, BudgetSection] = key(
        "How much the team, or each person in it, may use in a time.",
        "{month: {gpu_hours: 500, steps: {warn: [80], hold: 100}}}",
        default={},
    )
    volumes: dict[Label, VolumeSection] = key(
        "Folders that its servers have beside the home: the team's, and datasets.",
        "{team: {claim: team, path: /home/jovyan/team, write: true}}",
        default={},
    )
    channel: ChannelSection | None = key(
        "Where the team is told of its jobs, approvals and budgets.",
        "{url: 'https://hooks.example.org/t', format: slack}",
        default=None,
    )


class BillingSection(Section):
    currency: Currency | None = key("Currency of all prices, as a code of ISO 4217.", "EUR", default=None)
    time_zone: TimeZone = key("Where months and days begin.", "Europe/Berlin", default="UTC")
    close_after: Seconds = key(
        "How long after its end a month stays open for facts that come late; then it is closed.",
        "72h",
        default=72 * 3600,
    )
    mode: Literal["showback", "chargeback"] = key(
        "Whether bills only show what was used, or are to be paid.", "chargeback", default="showback"
    )


class ApprovalsSection(Section):
    approvers: dict[Label, list[Text]] = key(
        "Groups of approvers, each with the identity provider's groups that are in it.",
        "{security: [corp/security]}",
        default={},
    )
    expire_after: Seconds = key("How long an approval waits for votes.", "72h", default=72 * 3600)
    emergency: Label | None = key(
        "The group of approvers that may approve alone in an emergency, with a reason.", "on-call", default=None
    )
    notify: list[Url] = key(
        "Webhooks that are told of approvals that wait, and of how they end.",
        "[https://hooks.example.org/a]",
        default=[],
    )


class PoliciesSection(Section):
    folder: Text | None = key(
        "Folder with the site's rules, seen from this file; left out, there are none.", "policies", default=None
    )


class DeploymentsSection(Section):
    enabled: bool = key("Models may be deployed; each vCluster needs the rights for that.", "true", default=False)
    start_timeout: Seconds = key(
        "How long a release may take from its devices to its first answer.", "10m", default=600
    )
    watch: Seconds = key(
        "How long a new release is watched, and the one before kept so that a return takes one step.", "5m", default=300
    )


class GitSection(Section):
    hosts: list[Text] = key(
        "Git hosts whose repositories may start pipelines, with the port where it is not 443; by https alone.",
        "[git.example.org]",
        default=[],
    )
    ca_file: Text | None = key(
        "File on the job service's machine with the authorities that vouch for them, where no public one does.",
        "/etc/aifactory/git-ca.pem",
        default=None,
    )
    folders: list[Text] = key(
        "Folders of the job service's machine whose bare repositories may start pipelines: for a demo.",
        "[/srv/demo/repositories]",
        default=[],
    )
    poll: Seconds = key("How often a repository is asked without a delivery.", "5m", default=300)


class SiteSection(Section):
    name: ShortText = key("Name of the product on all pages.", "GPU Hub", default="AIFactory Hub")
    help: Url | None = key(
        "Page that the link Help leads to; no link when left out.", "https://wiki.example.org/gpu", default=None
    )
    contact: Contact | None = key(
        "Whom pages name for questions: a mail address or a web address.", "gpu-help@example.org", default=None
    )


class TenantsFile(Section):
    apiVersion: Literal["aifactory-hub.io/v1"] = key("Version of this file's format.", API_VERSION)
    hub: Label = key("This hub's name; marks what it made.", "main")
    cluster: ClusterSection = key("The host cluster.", "{name: host, gpu_models: [h100-80gb]}")
    identity: IdentitySection = key(
        "The identity provider.", "{issuer: https://idp.example.org, client_id: aifactory-hub}"
    )
    addresses: AddressesSection = key("Where pods reach the hub.", "{hub_api: ..., service: ...}")
    notebook: NotebookSection = key("What notebooks are made of.", "{image: images.example.org/notebook:1.0}")
    jobs: JobsSection = key("What jobs are made of, and their limits.", "{image: images.example.org/notebook:1.0}")
    profiles: dict[ProfileName, ProfileSection] = key(
        "Sizes and prices of profiles.", "{cpu-small: {gpu: none, cpu: 500m, memory: 2Gi}}", default={}
    )
    billing: BillingSection = key(
        "How usage is billed.", "{currency: EUR, time_zone: Europe/Berlin}", default_factory=BillingSection
    )
    approvals: ApprovalsSection = key(
        "Who approves what a rule holds.", "{approvers: {security: [corp/security]}}", default_factory=ApprovalsSection
    )
    notifications: NotificationsSection = key(
        "What people are told by mail.", "{people: all}", default_factory=NotificationsSection
    )
    policies: PoliciesSection = key(
        "Rules that are asked before something changes.", "{folder: policies}", default_factory=PoliciesSection
    )
    deployments: DeploymentsSection = key("Models that answer.", "{enabled: true}", default_factory=DeploymentsSection)
    site: SiteSection = key("What the hub's pages say of the site.", "{name: GPU Hub}", default_factory=SiteSection)
    git: GitSection = key(
        "Repositories that start pipelines.", "{hosts: [git.example.org]}", default_factory=GitSection
    )
    telemetry: TelemetrySection = key(
        "Where samples of GPUs are read.",
        "{prometheus: 'http://prometheus.monitoring.svc:9090'}",
        default_factory=TelemetrySection,
    )
    idle: IdleSection = key(
        "What becomes of idle servers.", "{action: stop, after: 45m, notice: 10m}", default_factory=IdleSection
    )
    environments: dict[EnvironmentName, EnvironmentSection] = key(
        "What servers can be, each at several versions; `notebook.image` alone when left out.",
        "{lab-torch: {versions: {...}}}",
        default={},
    )
    self_service: SelfServiceSection = key(
        "Teams that people ask for.",
        "{templates: {small: {profiles: [cpu-small], groups: ['teams/*'], approval: []}}}",
        default_factory=SelfServiceSection,
    )
    isolation: IsolationSection = key(
        "What guards the tenants.", "{egress: [0.0.0.0/0]}", default_factory=IsolationSection
    )
    tenants: dict[TenantName, TenantSection] = key("The tenants, by name.", "{nlp: {...}}", min_length=1)
    retired: list[TenantName] = key("Teams that are gone on purpose, where several go at once.", "[audio]", default=[])
