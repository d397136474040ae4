"""200 teams of one registry: reading their files, rendering their objects, and a full check that finds nothing to do.

The host is a small API server in a process of its own, so that its work is not counted. vCluster's chart stands in by
its six objects: Helm renders it once a team, and that is not measured here.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aifactory_hub.clusters import HostObjects, KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.clusters.objects import _collection
from aifactory_hub.domain.provisioning import Stage
from aifactory_hub.domain.team_records import TeamRecord
from aifactory_hub.provisioner.objects import TeamObjects, team_objects
from aifactory_hub.provisioner.team import TeamKeeper
from aifactory_hub.registry import Registry, load_registry
from aifactory_hub.registry.changes import MANAGER
from tests.support.kube_server import kube_server

from .frame import Report

TEAMS = 200
HEAD = (Path(__file__).parents[1] / "tests/e2e/tenants.yaml").read_text().split("\ntenants:")[0] + "\n"
TEAM = """\
vcluster: {{namespace: vc-{name}, name: {name}}}
groups: [{{group: teams/{name}, role: member}}]
profiles: [cpu-small]
"""
Json = dict[str, Any]


def chart(name: str) -> list[Json]:
    """The kinds of objects that vCluster's chart has."""
    where = {"namespace": f"vc-{name}"}
    kinds = [("v1", "ServiceAccount", f"vc-{name}"), ("v1", "ServiceAccount", f"vc-workload-{name}")]
    kinds += [("v1", "Secret", f"vc-config-{name}"), ("v1", "Service", name), ("v1", "Service", f"{name}-headless")]
    made: list[Json] = [{"apiVersion": api, "kind": kind, "metadata": {"name": n, **where}} for api, kind, n in kinds]
    control = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, **where}}
    return [*made, {**control, "spec": {"replicas": 1}}]


def registry_of(folder: Path) -> Registry:
    """200 teams in files of their own."""
    (folder / "tenants.yaml").write_text(HEAD)
    (folder / "tenants.d").mkdir()
    for number in range(TEAMS):
        name = f"team-{number}"
        (folder / "tenants.d" / f"{name}.yaml").write_text(TEAM.format(name=name))
    return load_registry(folder / "tenants.yaml")


def render(registry: Registry) -> dict[str, TeamObjects]:
    """All objects of all teams."""
    return {
        name: team_objects(registry, tenant, chart(name), (), "sha256:0") for name, tenant in registry.tenants.items()
    }


def serve(objects: list[Json], pipe: Connection) -> None:
    """The host, on which all is as it should be."""

    async def run() -> None:
        async with kube_server() as server:
            for each in objects:
                metadata = each["metadata"]
                stored = each
                if each["kind"] == "ResourceQuota":
                    stored = {**each, "status": {"hard": each["spec"]["hard"]}}
                if each["kind"] == "StatefulSet":
                    stored = {**each, "status": {"readyReplicas": 1}}
                server.put(_collection(each["kind"], metadata.get("namespace", "")), stored)
            pipe.send(server.url)
            while not pipe.poll():
                await asyncio.sleep(0.2)

    asyncio.run(run())


async def check(registry: Registry, teams: dict[str, TeamObjects], url: str) -> int:
    """One look at each team, four at once, as the loop has it. Returns how many are as they should be."""
    api = KubeApi(Credential(url, token="t"), timeout=120)  # noqa: S106 - of the stand-in
    keeper, turns = TeamKeeper(HostObjects(api, MANAGER), registry.hub, time.time), asyncio.Semaphore(4)
    opened = TeamRecord(Stage.READY, 0.0, opened=1.0)

    async def look(name: str) -> bool:
        async with turns:
            record = await keeper.look(registry.tenants[name], teams[name], opened, None)
        return record.stage is Stage.READY and not record.journal

    try:
        return sum(await asyncio.gather(*(look(name) for name in teams)))
    finally:
        await api.close()


def main() -> None:
    """Measure, once each: what is asked is whether it is seconds or minutes."""
    report = Report("tenants", f"What do {TEAMS} teams cost the provisioner?")
    report.simulated = ("the host's API server", "the objects of vCluster's chart")
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        registry = registry_of(Path(folder))
        read = time.process_time() - begun
    begun = time.process_time()
    teams = render(registry)
    rendered = time.process_time() - begun
    objects = [each for team in teams.values() for stage in team.by_stage.values() for each in stage]
    secrets = [
        {"kind": "Secret", "metadata": {"name": name, "namespace": tenant.vcluster.namespace}}
        for tenant in registry.tenants.values()
        for name in ("hub-notebooks", "hub-jobs")
    ]
    ours, theirs = multiprocessing.Pipe()
    host = multiprocessing.get_context("spawn").Process(target=serve, args=([*objects, *secrets], theirs))
    host.start()
    url = ours.recv()
    begun, wall = time.process_time(), time.monotonic()
    good = asyncio.run(check(registry, teams, url))
    checked, wall = time.process_time() - begun, time.monotonic() - wall
    ours.send("end")
    host.join()
    report.rows = [
        {"what": f"read {TEAMS} files", "CPU seconds": round(read, 2)},
        {"what": f"render {len(objects)} objects", "CPU seconds": round(rendered, 2)},
        {
            "what": f"full check, {good} of {TEAMS} as wanted",
            "CPU seconds": round(checked, 2),
            "seconds": round(wall, 1),
        },
    ]
    report.finish()


if __name__ == "__main__":
    main()
