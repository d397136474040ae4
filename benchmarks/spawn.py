"""From a click to a running pod, on the test cluster: kubespawner on the host, kubespawner in one vCluster, and ours.

Each goes through JupyterHub's own spawn flow, in a process of its own, one after the other, with the same pod: the
notebook image with one MIG slice and no volume, running ``sleep``. Ours decides, takes a ticket from Kueue, and makes
the pod in the vCluster; the others make the pod and nothing else. Run it inside the cluster's network:
``python3 -m tests.cluster exec -- .venv/bin/python -m benchmarks.spawn``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from jupyterhub import roles as hub_roles
from jupyterhub.objects import Hub
from jupyterhub.orm import User as OrmUser
from kubespawner import KubeSpawner
from traitlets.config import Config

from aifactory_hub.domain.tenants import Role, hub_groups
from aifactory_hub.registry import RegistryProvider, load_registry
from aifactory_spawner import TenantKubeSpawner
from aifactory_spawner.host_cluster import connect_cluster
from aifactory_spawner.hub_process import HubProcess
from tests.cluster.access import access
from tests.e2e.cluster import Cluster
from tests.e2e.rig import TENANTS_FILE, open_rig
from tests.spawner.hub_in_memory import NoStatistics, Person, make_database

from .frame import Report, summary

SPAWNS = 30
HOST_NAMESPACE = "bench-kubespawner"
DEVICE = "nvidia.com/mig-1g.10gb"
Json = dict[str, Any]
CONTENDERS = {
    "kubespawner, host namespace": "host",
    "kubespawner, one vCluster": "vcluster",
    "ours, vCluster and ticket": "ours",
}


def settings(contender: str, registry: Any) -> Config:
    """The same pod for all."""
    config = Config()
    ours = contender == "ours"
    section = config.TenantKubeSpawner if ours else config.KubeSpawner
    section.cmd = ["sleep", "600"]
    section.start_timeout = 120
    section.extra_pod_config = {"terminationGracePeriodSeconds": 0}
    if ours:
        section.get_registry = lambda: registry
        section.storage_pvc_ensure = False
        section.volumes, section.volume_mounts = [], []
        return config
    section.namespace = HOST_NAMESPACE if contender == "host" else "notebooks"
    section.image, section.image_pull_policy = registry.notebook.image, "IfNotPresent"
    section.uid = section.gid = section.fs_gid = 1000
    section.container_security_context = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    section.cpu_guarantee, section.cpu_limit = 0.1, 2
    section.mem_guarantee, section.mem_limit = "512M", "2G"
    section.extra_resource_limits = section.extra_resource_guarantees = {DEVICE: "1"}
    return config


async def work(contender: str, kubeconfig: str) -> None:
    """Spawn and stop once for each line of standard input; one JSON line each."""
    logging.disable(logging.WARNING)
    registry = load_registry(TENANTS_FILE)
    if contender == "ours":
        # The container sleeps: nothing in it ever takes a connection, which ours waits for and the others do not.
        cluster = await connect_cluster(RegistryProvider(registry), kubeconfig)
        cluster.reach = taken_as_reached
        TenantKubeSpawner.hub_process = HubProcess(cluster)
    person = make_person(contender, registry)
    options = {"tenant": "nlp", "profile": "mig-1g.10gb"} if contender == "ours" else {}
    print("{}", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        begun, cpu = time.monotonic(), time.process_time()
        await person.spawn("", options=options)
        seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu}), flush=True)
        await person.stop("")
        print("{}", flush=True)
    os._exit(0)  # what is watched would be waited for


async def taken_as_reached(address: str, port: int) -> bool:
    """Until the container runs is what is measured."""
    return True


def make_person(contender: str, registry: Any) -> Person:
    db = make_database(registry.tenants)
    orm_user = OrmUser(name=f"bench-{contender}")
    db.add(orm_user)
    db.commit()
    hub_roles.assign_default_roles(db, orm_user)
    person = Person(
        orm_user,
        {
            "spawner_class": TenantKubeSpawner if contender == "ours" else KubeSpawner,
            "config": settings(contender, registry),
            "hub": Hub(ip="10.88.0.1", port=8081, base_url="/hub/"),
            "allow_named_servers": True,
            "internal_ssl": False,
            "statsd": NoStatistics(),
        },
    )
    person.__dict__["memberships"] = {"nlp": Role.MEMBER}
    person.sync_groups(hub_groups({"nlp": Role.MEMBER}))
    return person


class Worker:
    def __init__(self, contender: str, kubeconfig: str) -> None:
        argv = [sys.executable, "-m", "benchmarks.spawn", "--work", contender, "--kubeconfig", kubeconfig]
        # The client that kubespawner uses reads this when it is imported.
        variables = os.environ | {"KUBECONFIG": kubeconfig}
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables)
        self._line()

    def spawn(self) -> Json:
        """One spawn and its stop."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        took = self._line()
        self._line()
        return took

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def _line(self) -> Json:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a contender ended; its reason is above")
        return dict(json.loads(line))


@contextmanager
def workers(cluster: Cluster) -> Iterator[dict[str, Worker]]:
    found = access()
    nlp = found.admin_kubeconfig.parent / "nlp-admin.kubeconfig"
    kubeconfigs = {"host": found.admin_kubeconfig, "vcluster": nlp, "ours": found.hub_kubeconfig}
    cluster.run("create", "namespace", HOST_NAMESPACE)
    with ExitStack() as stack:
        stack.callback(cluster.run, "delete", "namespace", HOST_NAMESPACE, "--timeout=55s")
        selector = (
            "-l",
            "hub.jupyter.org/username=bench-vcluster",
            "--ignore-not-found",
            "--grace-period=0",
            "--force",
        )
        stack.callback(cluster.run, "delete", "pods", "-n", "notebooks", *selector, kubeconfig=nlp)
        made = {}
        for name, contender in CONTENDERS.items():
            made[name] = Worker(contender, str(kubeconfigs[contender]))
            stack.callback(made[name].end)
        yield made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spawns", type=int, default=SPAWNS)
    parser.add_argument("--work", choices=CONTENDERS.values(), help="be one contender")
    parser.add_argument("--kubeconfig")
    options = parser.parse_args()
    if options.work:
        asyncio.run(work(options.work, options.kubeconfig))
        return
    raw: dict[str, list[Json]] = {name: [] for name in CONTENDERS}
    with workers(open_rig().cluster) as contenders:
        for worker in contenders.values():
            # The first of each opens connections and starts watches.
            worker.spawn()
        for _ in range(options.spawns):
            for name, worker in contenders.items():
                raw[name].append(worker.spawn())
    rows = []
    for name, spawns in raw.items():
        seconds, cpu = (summary([spawn[key] for spawn in spawns]) for key in ("seconds", "cpu_seconds"))
        rows.append({"spawner": name, "p50, s": seconds["p50"], "p95, s": seconds["p95"], "hub's CPU, s": cpu["p50"]})
    question = f"How long from a click to a running pod? {options.spawns} spawns each, interleaved"
    notes = ["the container runs sleep and has no volume; JupyterLab's own start is not in these numbers"]
    Report("spawn", question, rows, raw, notes, simulated=["the GPU: a slice behind which there is no device"]).finish()


if __name__ == "__main__":
    main()
