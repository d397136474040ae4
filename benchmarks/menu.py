"""How much CPU the menu costs, beside kubespawner's own form; and how far its expected waits are from what happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from unittest import mock

from kubespawner import KubeSpawner
from traitlets.config import Config

from aifactory_hub.domain.menu import TeamLoad
from aifactory_hub.domain.quota import Holder, Quota, Usage
from aifactory_hub.domain.spawns import SpawnRequest
from aifactory_hub.domain.tenants import Role, Tenant, VCluster
from aifactory_profiles import Catalogue, Device, SiteProfile, load_catalogue
from aifactory_spawner.options_form import build_menu, numbers, render

from .frame import Report, summary
from .menu_waits import replay

SIZES = (10, 100, 1000)
ROUNDS = 40
GOALS = {100: 1.0, 1000: 5.0}
_GPU = ("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb")
_DEVICES = [Device("h100-80gb", f"nvidia.com/mig-{name}") for name in _GPU]


def main() -> None:
    """Both questions in one report."""
    report = Report(
        "menu",
        "CPU of one spawn page (ms), and the expected wait beside the wait that came",
        simulated=[
            "the team_load of the team (no cluster is asked)",
            "the trace: generated, not recorded on a cluster",
        ],
        packages=("jupyterhub", "jupyterhub-kubespawner", "jinja2"),
    )
    for count in SIZES:
        _render(report, count)
    replay(report)
    report.finish()


def _render(report: Report, count: int) -> None:
    menu, peer = _ours(count), _kubespawners(count)
    asked_again = _numbers(count)
    times: dict[str, list[float]] = {"ours": [], "kubespawner": [], "refresh": []}
    for _ in range(ROUNDS):
        # Interleaved, so that whatever else the machine does hits all.
        times["ours"].append(_cpu(menu))
        times["kubespawner"].append(_cpu(peer))
        times["refresh"].append(_cpu(asked_again))
    report.raw[f"render {count}"] = times
    row: dict[str, Any] = {"profiles": count}
    for name, values in times.items():
        told = summary(values, digits=3)
        row |= {f"{name} p50 ms": told["p50"], f"{name} p95 ms": told["p95"]}
    report.rows.append(row | {"HTML kB": round(len(menu()) / 1000), "goal ms": GOALS.get(count, "")})


def _cpu(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return (time.process_time() - began) * 1000


def _ours(count: int) -> Callable[[], str]:
    made = _maker(count)

    def page() -> str:
        return render(made(), refresh_url="/hub/aifactory/menu/ada")

    return page


def _numbers(count: int) -> Callable[[], object]:
    made = _maker(count)
    return lambda: numbers(made())


def _maker(count: int) -> Callable[[], Any]:
    """The decision for a team with some sizes free and some taken, made anew each time."""
    catalogue = _catalogue(count)
    tenant = Tenant("nlp", "Language", VCluster("vc-nlp", "nlp"), (), catalogue.names[:count], _quota())
    holders = tuple(Holder("server", f"user{n}", "x", {d: 2}, "p", 0.0, 9e3) for n, d in enumerate(_DEVICES[:3]))
    used = dict.fromkeys(_DEVICES[:3], 2)
    now = iter(range(10**9))

    def made() -> Any:
        carved = dict.fromkeys(_DEVICES, 9)
        team_load = TeamLoad(next(now), Usage(used, holders), queue=(), borrowable={}, cluster_used=used, carved=carved)
        asked = SpawnRequest("nlp", "mig-7g.80gb")
        members, facts = {"nlp": Role.MEMBER}, {"nlp": team_load}
        return build_menu({"nlp": tenant}, members, facts, catalogue, simulated=False, preferred=asked)

    return made


def _quota() -> Quota:
    return Quota(dict.fromkeys(_DEVICES, 2))


def _catalogue(count: int) -> Catalogue:
    slices = [SiteProfile(f"mig-{name}", price_per_hour=Decimal("0.40")) for name in _GPU]
    cpus = [
        SiteProfile(f"cpu-{n}", cpu_only=True, cpu_millicores=500, memory_bytes=2**30 * (n + 1), description="a size")
        for n in range(count)
    ]
    return load_catalogue(["h100-80gb"], [*slices, *cpus])


def _kubespawners(count: int) -> Callable[[], str]:
    """The same names and texts as a profile_list; it has no counts, no prices and no queue to show."""
    catalogue = _catalogue(count)
    profiles = [
        {"display_name": p.name, "slug": p.name.replace(".", "-"), "description": f"{p.display_name} {p.description}"}
        for p in (catalogue.profile(name) for name in catalogue.names[:count])
    ]
    # It would connect to a cluster; the form needs none.
    with mock.patch("kubespawner.spawner.load_config"), mock.patch("kubespawner.spawner.shared_client"):
        spawner = KubeSpawner(_mock=True, config=Config())
    # As kubespawner itself does it for a list that depends on the user, as ours does.
    return lambda: str(spawner._render_options_form(profiles))


if __name__ == "__main__":
    main()
