"""The shape of ``tenants.yaml``: every key, what it means, and how a value is read.

Each field carries a description and an example. Messages show the example, and ``docs/tenants-yaml.md`` has to
name every field (a test compares).
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from aifactory_profiles import parse_cpu, parse_memory

from ..domain.tenants import Role
from .problems import suggest

API_VERSION = "aifactory-hub.io/v1"
# tenant-<t>-viewer is a hub group name, and <t> is part of label values and of Kubernetes names.
LONGEST_TENANT = 30
_RESERVED_ENDINGS = ("-admin", "-member", "-viewer")
# Clouds give a machine's credentials to whoever asks at this address.
METADATA = (ip_address("169.254.169.254"), ip_address("fd00:ec2::254"))
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PROFILE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,61}[a-z0-9])?")
_DURATION = re.compile(r"([0-9]+)(s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def wrong(what: str, instead: str) -> PydanticCustomError:
    """A validation error in our own words; ``explain`` puts the two halves together."""
    return PydanticCustomError("explained", "{what}; {instead}", {"what": what, "instead": instead})


def read_tenant_name(value: object) -> str:
    """A DNS label that leaves room for what is added to it, and that can't be taken for another tenant's group."""
    name = read_label(value)
    if len(name) > LONGEST_TENANT:
        raise wrong(f"the name has {len(name)} characters", f"use {LONGEST_TENANT} at most")
    for ending in _RESERVED_ENDINGS:
        if name.endswith(ending):
            what = f"the name ends in {ending}, which marks the hub groups of a tenant's roles"
            raise wrong(what, f"use a name such as {name.removesuffix(ending) or 'nlp'}")
    return name


def read_label(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"{shown(value)} is not text", 'write a name in quotes, for example "team-7"')
    if not _DNS_LABEL.fullmatch(value):
        instead = "use lower-case letters, digits and inner dashes, at most 63"
        raise wrong(f"{shown(value)} is not a valid name", instead)
    return value


def read_service_name(value: object) -> str:
    """A name that a Kubernetes Service can have: those must start with a letter."""
    name = read_label(value)
    if not name[0].isalpha():
        raise wrong(f"{shown(value)} does not start with a letter", f"use a name such as v{name}")
    return name


def read_profile_name(value: object) -> str:
    if not isinstance(value, str) or not _PROFILE_NAME.fullmatch(value):
        instead = "use lower-case letters, digits, dots and dashes, for example cpu-small"
        raise wrong(f"{shown(value)} is not a valid profile name", instead)
    return value


def read_cpu(value: object) -> int:
    """Thousandths of a core."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            if (cpu := parse_cpu(str(value))) > 0:
                return cpu
        except ValueError:
            pass
    raise wrong(f"{shown(value)} is not an amount of CPU", "write for example 500m, 2 or 1.5")


def read_size(value: object) -> int:
    """Bytes."""
    if isinstance(value, int | str) and not isinstance(value, bool):
        try:
            if (size := parse_memory(str(value))) > 0:
                return size
        except ValueError:
            pass
    raise wrong(f"{shown(value)} is not an amount of memory", "write for example 512Mi or 16Gi")


def read_size_text(value: object) -> str:
    read_size(value)
    return str(value)


def read_seconds(value: object) -> int:
    match = _DURATION.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if match is None or int(match[1]) == 0:
        raise wrong(f"{shown(value)} is not a length of time", "write seconds, or for example 30m or 24h")
    return int(match[1]) * _SECONDS[match[2] or "s"]


def read_price(value: object) -> Decimal:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            price = Decimal(str(value))
            if price.is_finite() and price >= 0:
                return price
        except InvalidOperation:
            pass
    raise wrong(f"{shown(value)} is not a price", "write an amount such as 0.40, without a currency")


def read_weight(value: object) -> Decimal:
    """A share among others: above 0, and in thousandths at the finest, as Kubernetes keeps it."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            weight = Decimal(str(value))
            if weight.is_finite() and weight > 0 and weight == round(weight, 3):
                return weight
        except InvalidOperation:
            pass
    raise wrong(f"{shown(value)} is not a weight", "write a number above 0 such as 1, 2 or 0.5")


def read_network(value: object) -> str:
    """A network in CIDR form. The address where clouds give credentials away can't be in a link-local one."""
    try:
        network = ip_network(value if isinstance(value, str) else "")
    except ValueError as error:
        raise wrong(f"{shown(value)} is not a network", "write for example 192.0.2.0/24, or 192.0.2.7/32") from error
    for address in METADATA:
        # A public network may be wide enough to hold it; the rendered policies leave it out there.
        if network.is_private and address.version == network.version and address in network:
            raise wrong(f"{network} has the cloud's metadata address {address} in it", "name a network without it")
    return str(network)


def read_count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(f"{shown(value)} is not a whole number", "write how many devices, for example 3")
    if value < 0:
        raise wrong(f"{value} is below 0", "write 0 or more")
    return value


def read_several(value: object) -> int:
    count = read_count(value)
    if count < 1:
        raise wrong("0 of them are no profile", "write 1 or more")
    return count


def read_role(value: object) -> str:
    names = [role.label for role in Role]
    if value not in names:
        known = f"the roles are {', '.join(names)}"
        raise wrong(f"{shown(value)} is not a role", suggest(str(value).lower(), names, known))
    return str(value)


def read_url(value: object) -> str:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong(f"{shown(value)} is not a web address", "write it in full, for example https://idp.example.org")
    if parts.username or parts.password:
        raise wrong("the address carries a user name or password", "leave them out, this file is no place for secrets")
    return str(value)


def shown(value: object) -> str:
    """A value for a message: short, and on one line."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


Label = Annotated[str, BeforeValidator(read_label)]
ServiceName = Annotated[str, BeforeValidator(read_service_name)]
TenantName = Annotated[str, BeforeValidator(read_tenant_name)]
ProfileName = Annotated[str, BeforeValidator(read_profile_name)]
Cpu = Annotated[int, BeforeValidator(read_cpu)]
Size = Annotated[int, BeforeValidator(read_size)]
SizeText = Annotated[str, BeforeValidator(read_size_text)]
Seconds = Annotated[int, BeforeValidator(read_seconds)]
Network = Annotated[str, BeforeValidator(read_network)]
Price = Annotated[Decimal, BeforeValidator(read_price)]
Count = Annotated[int, BeforeValidator(read_count)]
RoleName = Annotated[str, BeforeValidator(read_role)]
Url = Annotated[str, BeforeValidator(read_url)]
Text = Annotated[str, Field(min_length=1)]
Weight = Annotated[Decimal, BeforeValidator(read_weight)]
Pods = Annotated[int, BeforeValidator(read_count)]
Several = Annotated[int, BeforeValidator(read_several)]
Counts = dict[str, Count]


class Section(BaseModel):
    """A mapping whose keys are all known, and whose values are of exactly the type that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def key(description: str, example: str, **options: Any) -> Any:
    """A field with its description and an example as one would write it in the file."""
    return Field(description=description, examples=[example], **options)


class OverheadSection(Section):
    cpu: Cpu = key("Requested CPU of a vCluster's own pods.", "2", default=2000)
    memory: Size = key("Requested memory of a vCluster's own pods.", "4Gi", default=4 * 2**30)
    pods: Pods = key("How many pods of its own a vCluster has.", "5", default=5)


class LimitsSection(Section):
    cpu: Cpu = key("Requested CPU of all of its pods together.", "64")
    memory: Size = key("Requested memory of all of its pods together.", "512Gi")
    pods: Pods = key("How many pods it may have at once.", "100")


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


class AddressesSection(Section):
    hub_api: Url = key("The hub's API as pods reach it.", "http://hub.jupyterhub.svc:8081/hub/api")
    service: Url = key("The hub service as pods reach it.", "http://proxy-public.jupyterhub.svc/services/aifactory/")


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
        "CPU, memory and pods of all its servers and jobs together; none when left out.",
        "{cpu: 64, memory: 512Gi, pods: 100}",
        default=None,
    )


class IsolationSection(Section):
    egress: list[Network] = key(
        "Networks that notebooks and jobs may reach; private ones only where they are named.", "[0.0.0.0/0]", default=[]
    )
    dns: list[Network] = key("Name servers that are not pods in `kube-system`.", "[169.254.20.10/32]", default=[])
    api_servers: list[Network] = key(
        "Where the host's API servers are; anywhere when left out.", "[10.0.0.10/32]", default=[]
    )
    images: list[Text] = key(
        "Images of tenants' pods beside notebooks' and jobs'; `*` at the end for any that begins so.",
        "[coredns/coredns:*]",
        default=["coredns/coredns:*"],
    )
    tolerations: list[Text] = key(
        "Taints of GPU nodes: notebooks and jobs that ask for a device tolerate them, and no others are allowed.",
        "[nvidia.com/gpu]",
        default=["nvidia.com/gpu"],
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
    isolation: IsolationSection = key(
        "What guards the tenants.", "{egress: [0.0.0.0/0]}", default_factory=IsolationSection
    )
    tenants: dict[TenantName, TenantSection] = key("The tenants, by name.", "{nlp: {...}}", min_length=1)
