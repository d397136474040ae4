"""The hub starts again with 1,000 servers running: how long until it is right about all, and how many does it lose?

A real JupyterHub process each time, with a database in which 1,000 servers run. Ours beside kubespawner, and beside a
spawner that says "runs" without looking, which is what JupyterHub itself costs. Then once more with the API that says
what runs being away while the hub starts.
"""

from __future__ import annotations

import asyncio
import logging
import re
import resource
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from aiohttp import web
from jupyterhub import orm, roles
from sqlalchemy.orm import Session

from aifactory_hub import constants
from aifactory_hub.admission.translate import job_for
from aifactory_hub.domain.names import server_pod
from aifactory_hub.domain.tickets import TicketRequest
from aifactory_profiles import Resources
from aifactory_spawner import overrides
from aifactory_spawner.binding import Binding
from tests.support.hub_process import CONFIG, TENANTS, environment, hub_command
from tests.support.kube_server import KubeServer
from tests.support.ports import free_port

from .frame import Report, summary

SERVERS, TEAMS, ROUNDS = 1_000, 10, 1
# Seconds for one restart.
TIMEOUT = 300.0
HUB = "test"
INITIALIZED = re.compile(r"Initialized (\d+) spawners in ([\d.]+) seconds")
Json = dict[str, Any]

SETTINGS: dict[str, str] = {
    "ours": "c.TenantKubeSpawner.port = {port}",
    "kubespawner": """
from kubespawner import KubeSpawner
c.JupyterHub.spawner_class = KubeSpawner
c.KubeSpawner.namespace = "notebooks"
c.KubeSpawner.port = {port}
""",
    "JupyterHub alone": """
from jupyterhub.spawner import Spawner
class Believer(Spawner):
    async def start(self):
        raise RuntimeError("it starts nothing")
    async def poll(self):
        return None
    async def stop(self, now=False):
        pass
c.JupyterHub.spawner_class = Believer
""",
}


def user(number: int) -> str:
    return f"user-{number}"


def team(number: int) -> str:
    return f"team-{number % TEAMS}"


def tenants_yaml() -> str:
    """The registry with ten teams."""
    head = TENANTS.format(issuer="http://127.0.0.1:9").split("  nlp:")[0]
    head = head.replace("mig-1g.10gb: 2", f"mig-1g.10gb: {SERVERS}")
    teams = (
        f"  {team(i)}:\n    display_name: Team {i}\n    vcluster: {{namespace: vc-{team(i)}, name: {team(i)}}}\n"
        f"    groups: [{{group: teams/{team(i)}, role: member}}]\n    profiles: [mig-1g.10gb]\n"
        f"    quota: {{mig-1g.10gb: {SERVERS // TEAMS}}}\n"
        for i in range(TEAMS)
    )
    return head + "".join(teams)


def fill(server: KubeServer, port: int) -> None:
    """Pods and tickets of all servers, as the host has them; the same pods again as kubespawner's own cluster does."""
    for i in range(TEAMS):
        server.put("/api/v1/namespaces", {"metadata": {"name": f"vc-{team(i)}", "uid": f"uid-{team(i)}"}})
    for number in range(SERVERS):
        name, tenant = server_pod(user(number), ""), team(number)
        labels = {"vcluster.loft.sh/managed-by": tenant, **overrides.marks(HUB, user(number))}
        annotations = {"vcluster.loft.sh/object-name": name, "vcluster.loft.sh/object-namespace": "notebooks"}
        named: Json = {"name": f"{name}-x-notebooks-x-{tenant}", "labels": labels, "annotations": annotations}
        server.put(f"/api/v1/namespaces/vc-{tenant}/pods", {"metadata": named, **running(port)})
        stock = {"name": f"jupyter-{user(number)}", "labels": {"component": "singleuser-server"}, "annotations": {}}
        server.put("/api/v1/namespaces/notebooks/pods", {"metadata": stock, **running(port)})
        job = job_for(ticket(number), HUB)
        job["spec"]["suspend"], job["status"] = False, {"active": 1}
        server.put(f"/apis/batch/v1/namespaces/vc-{tenant}/jobs", job)


def running(port: int) -> Json:
    port_of = {"name": "notebook-port", "containerPort": port}
    status = {"name": "notebook", "ready": True, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    return {
        "spec": {"containers": [{"name": "notebook", "ports": [port_of]}], "nodeName": "node-1"},
        "status": {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [status],
        },
    }


def ticket(number: int) -> TicketRequest:
    return TicketRequest(
        tenant=team(number),
        name=f"{server_pod(user(number), '')}-abc123",
        kind="server",
        owner=user(number),
        user=user(number),
        profile="mig-1g.10gb",
        resources=Resources(4000, 2**34, {"nvidia.com/mig-1g.10gb": 1}),
        priority=constants.PRIORITY_NOTEBOOK,
    )


def pod_name(contender: str, number: int) -> str:
    return f"jupyter-{user(number)}" if contender == "kubespawner" else server_pod(user(number), "")


def write_database(path: Path, port: int, contender: str) -> None:
    """What a hub that was killed leaves: 1,000 users, each with a server that runs."""
    db: Session = orm.new_session_factory(f"sqlite:///{path}")()
    for role in roles.get_default_roles():
        roles.create_role(db, role)
    member = orm.Role.find(db, "user")
    for number in range(SERVERS):
        name = user(number)
        vcluster = f"vc-{team(number)}"
        bound = Binding(team(number), "mig-1g.10gb", ticket(number).name, vcluster, team(number), None, True)
        state: Json = {"namespace": "notebooks", "kubespawner_version": metadata.version("jupyterhub-kubespawner")}
        state |= {"pod_name": pod_name(contender, number), "aifactory": bound.to_state()}
        server = orm.Server(
            proto="http", ip="127.0.0.1", port=port, base_url=f"/user/{name}/", cookie_name=f"jupyterhub-user-{name}"
        )
        owner = orm.User(name=name)
        db.add(orm.Spawner(name="", user=owner, server=server, state=state))
        # A hub that finds no roles at all gives them to everybody, one commit each.
        owner.roles.append(member)
    db.commit()
    db.close()
    orm.engine = None


@dataclass
class World:
    """The API server and all notebooks, in a thread of their own."""

    # Real servers give a whole list to who asks for no pages, as kubespawner does.
    api: KubeServer = field(default_factory=partial(KubeServer, page_size=10 * SERVERS))
    port: int = field(default_factory=free_port)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @contextmanager
    def up(self) -> Iterator[World]:
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        self.run(self._begin())
        try:
            yield self
        finally:
            self.run(self.api.stop())
            self.run(self._notebooks.cleanup())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
            self._loop.close()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _begin(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", _answer)
        self._notebooks = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._notebooks.setup()
        await web.TCPSite(self._notebooks, "127.0.0.1", self.port).start()
        await self.api.start()
        fill(self.api, self.port)


async def _answer(_: web.Request) -> web.Response:
    return web.Response(text="a notebook", headers={"X-JupyterHub-Version": "0"})


def restart(world: World, contender: str, *, away: bool) -> Json:
    """One start of a hub. ``away``: the API does not listen until the hub has made up its mind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_database(folder / "hub.sqlite", world.port, contender)
        if away:
            world.run(world.api.stop())
        try:
            return _restart(world, contender, folder)
        finally:
            if away:
                world.run(world.api.start())


def _restart(world: World, contender: str, folder: Path) -> Json:
    (folder / "tenants.yaml").write_text(tenants_yaml())
    (folder / "kubeconfig").write_text(kubeconfig(world.api.url))
    config = CONFIG + SETTINGS[contender].format(port=world.port) + "\nc.JupyterHub.init_spawners_timeout = 1\n"
    variables = environment(folder / "tenants.yaml", KUBECONFIG=str(folder / "kubeconfig"))
    log, before = folder / "hub.log", resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    with log.open("wb") as out:
        command = hub_command(folder, free_port(), config)
        hub = subprocess.Popen(command, cwd=folder, env=variables, stdout=out, stderr=out)
    try:
        checked = wait_initialized(hub, log)
        seconds = time.monotonic() - begun
        lost = SERVERS - still_running(folder / "hub.sqlite")
    finally:
        hub.kill()
        hub.wait(10)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "checked_in": checked, "lost": lost, "cpu_seconds": cpu}


def wait_initialized(hub: subprocess.Popen[bytes], log: Path) -> float | None:
    """Seconds that the hub says it needed for all servers; None when it was not done in time."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if hub.poll() is not None:
            raise RuntimeError(f"the hub ended:\n{log.read_text()[-3000:]}")
        found = INITIALIZED.search(log.read_text(errors="replace"))
        if found is not None:
            if int(found[1]) != SERVERS:
                raise RuntimeError(f"the hub looked at {found[1]} servers, not {SERVERS}")
            return float(found[2])
        time.sleep(0.2)
    return None


def still_running(database: Path) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as db:
        return int(db.execute("select count(*) from spawners where server_id is not null").fetchone()[0])


def kubeconfig(server: str) -> str:
    return f"""
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: hub}}}}]
clusters: [{{name: here, cluster: {{server: "{server}"}}}}]
users: [{{name: hub, user: {{token: none}}}}]
"""


def main() -> None:
    # Hubs are killed in the middle of an answer.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    raw: dict[str, dict[str, list[Json]]] = {name: {"up": [], "away": []} for name in SETTINGS}
    with World().up() as world:
        for _ in range(ROUNDS):
            for name, found in raw.items():
                found["up"].append(restart(world, name, away=False))
        for name in ("ours", "kubespawner"):
            raw[name]["away"].append(restart(world, name, away=True))
    rows = [row(name, kind, runs) for name, found in raw.items() for kind, runs in found.items() if runs]
    question = f"The hub starts again with {SERVERS} servers running in {TEAMS} teams: when is it right about all?"
    notes = [
        "seconds from the start of the process; 'looking' is JupyterHub's own count of its look at all servers",
        "'JupyterHub alone' believes that every server runs; JupyterHub itself still asks each over HTTP",
        "API away: its port is closed until the hub has looked at all servers",
    ]
    simulated = ["the API server (tests/support/kube_server.py)", "notebooks: one program answers for all", "no proxy"]
    Report("restart", question, rows, raw, notes, simulated=simulated).finish()


def row(name: str, kind: str, runs: list[Json]) -> Json:
    looked = [run["checked_in"] for run in runs if run["checked_in"] is not None]
    return {
        "spawner": name,
        "API": kind,
        "all looked at after, s": summary([run["seconds"] for run in runs])["p50"],
        "looking, s": summary(looked)["p50"] if looked else "not done",
        "CPU, s": summary([run["cpu_seconds"] for run in runs])["p50"],
        "false stops": max(run["lost"] for run in runs),
    }


if __name__ == "__main__":
    main()
