"""Who belongs where: tenants, roles, and the rules from identity-provider groups to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum

from .budgets import Budget
from .channels import Channel
from .quota import Quota


class Role(IntEnum):
    """Ordered: the highest role that any rule gives wins."""

    VIEWER = 1
    MEMBER = 2
    ADMIN = 3

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Members of exactly this identity-provider group have this role in the tenant."""

    group: str
    role: Role


@dataclass(frozen=True, slots=True)
class VCluster:
    """Where a tenant's vCluster lives on the host: its namespace and its release (and Service) name."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What pods on the host may request together."""

    cpu_millicores: int
    memory_bytes: int
    pods: int


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """The most that a tenant may have on the host, sizes in bytes. None: what follows from its profiles and quota.

    ``disk`` is ephemeral storage, ``secrets`` and ``configmaps`` are those that the host keeps for its pods.
    """

    cpu_millicores: int | None = None
    memory_bytes: int | None = None
    pods: int | None = None
    storage_bytes: int | None = None
    claims: int | None = None
    disk_bytes: int | None = None
    secrets: int | None = None
    configmaps: int | None = None
    services: int | None = None


@dataclass(frozen=True, slots=True)
class Retirement:
    """That a team ends: nothing starts from ``at`` on (epoch seconds), and all is kept ``keep`` seconds after that.

    ``notice`` is how many seconds before that its people are told, and that they can ask for more time; None: they are
    told at once, and it can't be put off by asking.
    """

    at: float
    keep: float = 30 * 86400.0
    contact: str | None = None
    notice: float | None = None


@dataclass(frozen=True, slots=True)
class TeamVolume:
    """A folder that all servers of a tenant have at ``path``: a claim in its vCluster. Read-only unless ``write``."""

    name: str
    claim: str
    path: str
    write: bool = False


@dataclass(frozen=True, slots=True)
class Tenant:
    """A team: its vCluster, who is in it, what it may take.

    ``weight`` is its share of what is idle when several tenants want it. ``limits`` is for all of its servers and jobs
    together, without what its vCluster takes for itself. ``sleep_after`` is in seconds, None: it never sleeps.
    ``volumes`` are what its servers have beside their homes. ``template`` is what it was asked for by, empty for none.
    ``channel`` is where the team is told of what happens in it.
    """

    name: str
    display_name: str
    vcluster: VCluster
    rules: tuple[GroupRule, ...]
    profiles: tuple[str, ...]
    quota: Quota = field(default_factory=Quota)
    weight: Decimal = Decimal(1)
    limits: TenantLimits = field(default_factory=TenantLimits)
    sleep_after: float | None = None
    retirement: Retirement | None = None
    budgets: tuple[Budget, ...] = ()
    volumes: tuple[TeamVolume, ...] = ()
    template: str = ""
    channel: Channel | None = None


def hub_groups(memberships: Mapping[str, Role]) -> list[str]:
    """The JupyterHub groups of these memberships.

    ``tenant-<t>`` for members and admins, ``tenant-<t>-admin`` and ``tenant-<t>-viewer`` besides. Only these
    reach the hub's database, never a raw identity-provider group.
    """
    groups: list[str] = []
    for tenant, role in sorted(memberships.items()):
        if role >= Role.MEMBER:
            groups.append(f"tenant-{tenant}")
        if role is Role.ADMIN:
            groups.append(admin_group(tenant))
        if role is Role.VIEWER:
            groups.append(f"tenant-{tenant}-viewer")
    return groups


def admin_group(tenant: str) -> str:
    """The JupyterHub group of the team's administrators."""
    return f"tenant-{tenant}-admin"


def administered(groups: Iterable[str], tenants: Iterable[str]) -> list[str]:
    """Those of ``tenants`` whose admin a member of these JupyterHub groups was at their last sign-in or refresh."""
    mine = set(groups)
    return [tenant for tenant in tenants if admin_group(tenant) in mine]


def seen(groups: Iterable[str], tenants: Iterable[str]) -> list[str]:
    """Those of ``tenants`` that a member of these JupyterHub groups belonged to, in whichever role."""
    mine = set(groups)
    return [tenant for tenant in tenants if {f"tenant-{tenant}", f"tenant-{tenant}-viewer"} & mine]
