"""How much CPU a spawn page with many environments costs, and how much of it are the environments."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import Decimal

from aifactory_hub.domain.environment_fit import Sizes, pairings
from aifactory_hub.domain.environments import Environment, GpuUse, Kind, Needs, Offering, State, Version
from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.quota import Holder, Quota, Usage
from aifactory_hub.domain.spawns import SpawnRequest, menu
from aifactory_hub.domain.tenants import Role, Tenant, VCluster
from aifactory_profiles import Catalogue, Device, SiteProfile, load_catalogue
from aifactory_spawner.options_form import build_menu, render

from .frame import Report, summary

ROUNDS = 40
PROFILES = 100
COUNTS = (0, 1, 20)
GOAL = 5.0
_GPU = ("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb")
_DEVICES = [Device("h100-80gb", f"nvidia.com/mig-{name}") for name in _GPU]


def main() -> None:
    """One row for each number of environments."""
    report = Report(
        "environments",
        f"CPU of one spawn page with {PROFILES} profiles (ms); each environment has its own needs and three versions",
        simulated=["the team_load of the team (no cluster is asked)"],
        packages=("jupyterhub", "jinja2"),
    )
    catalogue = _catalogue()
    for count in COUNTS:
        made = _pages(catalogue, _environments(count))
        values = [_cpu(made) for _ in range(ROUNDS)]
        cold = [_cpu(_pages(_catalogue(), _environments(count))) for _ in range(5)]
        told = summary(values, digits=3)
        report.raw[f"{count} environments"] = {"page": values, "first page": cold}
        row = {"environments": count, "p50 ms": told["p50"], "p95 ms": told["p95"]}
        goal = GOAL if count == COUNTS[-1] else ""
        first = summary(cold, digits=3)["p50"]
        report.rows.append(row | {"first page p50 ms": first, "HTML kB": round(len(made()) / 1000), "goal ms": goal})
    tenant, many = _tenant(catalogue), _environments(COUNTS[-1])
    sizes = Sizes(menu(tenant, catalogue), catalogue.cards, (550,))
    alone = [_cpu(lambda: [pairings(each.needs, sizes) for each in many.values()]) for _ in range(ROUNDS)]
    report.raw["decision alone"] = {"2000 pairs": alone}
    print(f"deciding {COUNTS[-1]} x {PROFILES} pairs anew: p50 {summary(alone, digits=3)['p50']} ms")
    report.finish()


def _cpu(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return (time.process_time() - began) * 1000


def _pages(catalogue: Catalogue, environments: Mapping[str, Environment]) -> Callable[[], str]:
    """The page for a team with some sizes free and some taken, made anew each time."""
    tenant = _tenant(catalogue)
    holders = tuple(Holder("server", f"user{n}", "x", {d: 2}, "p", 0.0, 9e3) for n, d in enumerate(_DEVICES[:3]))
    used = dict.fromkeys(_DEVICES[:3], 2)
    now = iter(range(10**9))
    asked = SpawnRequest("nlp", "cpu-1", environment="env-3@1" if len(environments) > 3 else None)

    def page() -> str:
        carved, at = dict.fromkeys(_DEVICES, 9), next(now)
        team_load = TeamLoad(at, Usage(used, holders), queue=(), borrowable={}, cluster_used=used, carved=carved)
        shown = build_menu(
            {"nlp": tenant},
            {"nlp": Role.MEMBER},
            {"nlp": team_load},
            catalogue,
            simulated=False,
            preferred=asked,
            offering=Offering(environments, (550,), at),
        )
        return render(shown, refresh_url="/hub/aifactory/menu/ada")

    return page


def _tenant(catalogue: Catalogue) -> Tenant:
    return Tenant("nlp", "Language", VCluster("vc-nlp", "nlp"), (), catalogue.names[:PROFILES], Quota())


def _environments(count: int) -> dict[str, Environment]:
    """Each with its own needs, so that no decision of one is another's."""
    made = {}
    for number in range(count):
        packages = {f"package-{each}": f"{number}.{each}" for each in range(200)}
        versions = {
            "2": Version("2", "image", packages=packages),
            "1": Version("1", "image", State.DEPRECATED, 2e9, "2", "old", {**packages, "package-7": "0"}),
            "0": Version("0", "image", State.BLOCKED, None, "2", "a hole"),
        }
        use = (GpuUse.OPTIONAL, GpuUse.REQUIRED, GpuUse.NONE)[number % 3]
        needs = Needs((number + 1) * 2**30, use, (540 + number,), (number + 1) * 2**30)
        made[f"env-{number}"] = Environment(f"env-{number}", f"Environment {number}", Kind.LAB, versions, "text", needs)
    return made


def _catalogue() -> Catalogue:
    slices = [SiteProfile(f"mig-{name}", price_per_hour=Decimal("0.40")) for name in _GPU]
    cpus = [
        SiteProfile(f"cpu-{n}", cpu_only=True, cpu_millicores=500, memory_bytes=2**30 * (n + 1), description="a size")
        for n in range(PROFILES)
    ]
    return load_catalogue(["h100-80gb"], [*slices, *cpus])


if __name__ == "__main__":
    main()
