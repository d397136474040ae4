"""Menus to look at: some free, all taken, a thousand sizes."""

from __future__ import annotations

from decimal import Decimal

from aifactory_hub.domain.environments import Environment, GpuUse, Kind, Needs, Offering, State, Version
from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.quota import Holder, Quota, Usage
from aifactory_hub.domain.spawns import SpawnRequest
from aifactory_hub.domain.tenants import Role, Tenant, VCluster
from aifactory_hub.domain.tickets import Ticket, TicketState
from aifactory_profiles import Device, SiteProfile, load_catalogue
from aifactory_spawner.options_form import Menu, build_menu

# 14:30 UTC.
NOW = 1_800_023_400.0
_GPU = "nvidia.com/mig-"
SMALL, MEDIUM, LARGE, WHOLE = (
    Device("h100-80gb", f"{_GPU}{name}") for name in ("1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb")
)
_SIZES = [
    SiteProfile("cpu-small", cpu_only=True, cpu_millicores=500, memory_bytes=2**31, display_name="for notes and plots"),
    SiteProfile("mig-1g.10gb", cpu_millicores=1000, memory_bytes=2**33, price_per_hour=Decimal("0.40"), currency="EUR"),
    SiteProfile("mig-2g.20gb", cpu_millicores=4000, memory_bytes=2**34, price_per_hour=Decimal("0.80"), currency="EUR"),
    SiteProfile("mig-3g.40gb", cpu_millicores=6000, memory_bytes=2**35, price_per_hour=Decimal("1.60"), currency="EUR"),
    SiteProfile(
        "mig-7g.80gb", cpu_millicores=14000, memory_bytes=2**37, price_per_hour=Decimal("3.20"), currency="EUR"
    ),
]
_NAMES = tuple(size.name for size in _SIZES)
_CARVED = {SMALL: 14, MEDIUM: 3, LARGE: 4, WHOLE: 1}
_LENGTHS = [1800.0, 2400.0, 3600.0, 5400.0, 7200.0, 9000.0, 10800.0, 14400.0]


def _tenant(
    name: str, title: str, quota: dict[Device, int], profiles: tuple[str, ...] = _NAMES, *, borrow: bool = False
) -> Tenant:
    """In which one person may have one ``LARGE``."""
    has = Quota(quota, {SMALL: 2}, per_user={LARGE: 1}, notebooks_borrow=borrow)
    return Tenant(name, title, VCluster(f"vc-{name}", name), (), profiles, has)


def _holder(user: str, resource: Device, kind: str = "server", hours: float | None = None, count: int = 1) -> Holder:
    ends_by = None if hours is None else NOW + hours * 3600
    return Holder(
        kind, user, user, {resource: count}, resource.resource.removeprefix("nvidia.com/"), NOW - 1200, ends_by
    )


def _waiting(user: str, resource: Device) -> Ticket:
    profile = resource.resource.removeprefix("nvidia.com/")
    return Ticket("nlp", user, user, TicketState.QUEUED, "server", user, user, profile, devices={resource: 1})


def _team_load(*holders: Holder, waiting: tuple[Ticket, ...] = (), **more: object) -> TeamLoad:
    used: dict[Device, int] = {}
    for holder in holders:
        for resource, count in holder.devices.items():
            used[resource] = used.get(resource, 0) + count
    kinds = [("server", name) for name in _NAMES]
    gathered = {
        "queue": waiting,
        "borrowable": {SMALL: 2},
        "cluster_used": {name: used.get(name, 0) + 1 for name in _CARVED},
        "lengths": dict.fromkeys(kinds, _LENGTHS),
    }
    return TeamLoad(NOW, Usage(used, holders), carved=_CARVED, **(gathered | more))  # type: ignore[arg-type]


_TENANTS = {
    "nlp": _tenant("nlp", "Language", {SMALL: 6, MEDIUM: 1, LARGE: 2}),
    "vision": _tenant("vision", "Vision", {SMALL: 3, LARGE: 1}, borrow=True),
}
_CATALOGUE = load_catalogue(["h100-80gb"], _SIZES)
_TAKEN = _team_load(
    _holder("ada", SMALL, hours=3.5, count=4),
    _holder("noor", SMALL, hours=1.2, count=4),
    _holder("omar", MEDIUM, hours=0.7),
    _holder("lena", LARGE, kind="job", hours=20),
    _holder("ines", LARGE),
    waiting=(_waiting("jun", SMALL), _waiting("tess", SMALL)),
    borrowable={SMALL: 0},
)
_SOME = _team_load(
    _holder("ada", SMALL, count=2),
    _holder("jun", SMALL, "job", 6),
    _holder("omar", MEDIUM, hours=0.7),
    _holder("ines", LARGE),
    _holder("bo", LARGE),
)


def _menu(nlp: TeamLoad, *, teams: int = 2, chosen: str = "mig-1g.10gb", user: str | None = None) -> Menu:
    members = dict.fromkeys(list(_TENANTS)[:teams], Role.MEMBER)
    team_loads = {"nlp": nlp, "vision": _team_load(_holder("yara", SMALL))}
    asked = SpawnRequest("nlp", chosen)
    return build_menu(_TENANTS, members, team_loads, _CATALOGUE, simulated=True, preferred=asked, user=user)


def some_free() -> Menu:
    """Two teams; in the first one some sizes are free, one is waited for, one can't be had, one she has already."""
    return _menu(_SOME, user="ines")


def all_taken() -> Menu:
    """One team in which everything with a GPU is taken."""
    return _menu(_TAKEN, teams=1)


def all_taken_in_two_teams() -> Menu:
    """The teams of ``some_free``, a little later."""
    return _menu(_TAKEN)


def unknown() -> Menu:
    """The first team's quota engine does not answer."""
    return _menu(TeamLoad(NOW, None, carved=_CARVED))


_ENVIRONMENTS = [
    Environment("lab", "JupyterLab", Kind.LAB, {"1": Version("1", "lab")}, "with what most people need"),
    Environment(
        "lab-torch",
        "PyTorch",
        Kind.LAB,
        {
            "2026.11": Version("2026.11", "torch", packages={"torch": "2.5.1"}),
            "2026.05": Version(
                "2026.05", "torch", State.DEPRECATED, NOW + 40 * 86400, "2026.11", "torch 2.3 gets no more fixes"
            ),
            "2025.11": Version("2025.11", "torch", State.BLOCKED, None, "2026.11", "a hole in torch 2.1"),
        },
        needs=Needs(2**34, GpuUse.REQUIRED, None, 18 * 2**30),
    ),
    Environment("vscode", "VS Code", Kind.CODE, {"4": Version("4", "code")}, "code-server", Needs(gpu=GpuUse.NONE)),
    Environment("vision-only", "Vision tools", Kind.LAB, {"1": Version("1", "v")}, teams=("vision",)),
]


def environments(preferred: str | None = None) -> Menu:
    """Two teams; one environment needs a large slice, one has no use for a GPU, and one is the second team's alone."""
    members = dict.fromkeys(_TENANTS, Role.MEMBER)
    team_loads = {"nlp": _SOME, "vision": _team_load(_holder("yara", SMALL))}
    offering = Offering({each.name: each for each in _ENVIRONMENTS}, None, NOW)
    asked = SpawnRequest("nlp", "cpu-small", environment=preferred)
    return build_menu(_TENANTS, members, team_loads, _CATALOGUE, simulated=True, preferred=asked, offering=offering)


def thousand() -> Menu:
    """A thousand sizes of CPU and memory beside the GPU's slices."""
    many = [
        SiteProfile(f"cpu-{cores}x{memory}", cpu_only=True, cpu_millicores=cores * 1000, memory_bytes=memory * 2**30)
        for cores in range(1, 26)
        for memory in range(2, 82, 2)
    ]
    sizes = [*_SIZES, *many][:1000]
    names = tuple(size.name for size in sizes)
    tenants = {"nlp": _tenant("nlp", "Language", {SMALL: 6, MEDIUM: 1, LARGE: 2}, names)}
    catalogue = load_catalogue(["h100-80gb"], sizes)
    asked = SpawnRequest("nlp", "mig-1g.10gb")
    return build_menu(tenants, {"nlp": Role.MEMBER}, {"nlp": _SOME}, catalogue, simulated=False, preferred=asked)
