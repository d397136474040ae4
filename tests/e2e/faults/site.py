"""One hub with people signed in, seen from outside: through its REST API, its proxy, and as the cluster's admin."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from prometheus_client.parser import text_string_to_metric_families

from aifactory_hub import constants
from aifactory_hub.domain.names import server_id
from tests.cluster.settings import RESTRICTED, RESTRICTED_POD

from ..cluster import Cluster
from ..person import Person
from ..processes import ROOT, HubUnderTest
from .hooks import DEATH

FOLDER = ROOT / "tests/e2e/faults"
HUB = "faults"


@dataclass(frozen=True)
class Outcome:
    """What became of a start. ``message`` is what the person reads."""

    ready: bool
    message: str
    seconds: float
    events: list[str] = field(default_factory=list)


@dataclass
class Site:
    """``people`` are signed in. Everything is asked with the witness's token, so nobody's browser is in the way."""

    hub: HubUnderTest
    cluster: Cluster
    people: dict[str, Person]
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        self.hub.config = FOLDER / "jupyterhub_config.py"
        sources = os.pathsep.join(map(str, (ROOT, ROOT / "spawner", ROOT / "profiles")))
        self.hub.environment = {"FAULTS_TOKEN": self.token, "PYTHONPATH": sources}

    # The hub

    def ask(self, method: str, path: str, *, timeout: float = 60, **more: Any) -> httpx.Response:
        head = {"Authorization": f"token {self.token}"}
        url = f"{self.hub.url}/hub/api{path}"
        return httpx.request(method, url, headers=head, timeout=timeout, trust_env=False, **more)

    def start(self, user: str, server: str = "", *, tenant: str, profile: str = "cpu-small") -> Outcome:
        """Start a server and wait for how it ends."""
        begun = time.monotonic()
        options = {"tenant": tenant, "profile": profile}
        answer = self.ask("POST", _server(user, server), json=options)
        if answer.status_code >= 400:
            return Outcome(False, str(answer.json().get("message")), time.monotonic() - begun)
        events = self.follow(user, server) if answer.status_code == 202 else []
        seconds = time.monotonic() - begun
        if events and events[-1].get("failed"):
            return Outcome(False, events[-1]["message"], seconds, [str(e.get("message")) for e in events])
        # The hub tells of the end of a start a moment before it has noted it itself.
        ready = wait_until(lambda: self.runs(user, server), 10)
        return Outcome(ready, "" if ready else str(events), seconds, [str(e.get("message")) for e in events])

    def follow(self, user: str, server: str = "", until: str = "", timeout: float = 150) -> list[dict[str, Any]]:
        """The progress of a start, until its end, or until it says the words ``until``."""
        events: list[dict[str, Any]] = []
        url = f"{self.hub.url}/hub/api{_server(user, server)}/progress"
        head = {"Authorization": f"token {self.token}"}
        with httpx.stream("GET", url, headers=head, timeout=timeout, trust_env=False) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    events.append(json.loads(line.removeprefix("data:")))
                    said = until and until in str(events[-1].get("message"))
                    if said or events[-1].get("ready") or events[-1].get("failed"):
                        break
        return events

    def stop(self, user: str, server: str = "", timeout: float = 60) -> bool:
        """Ask for the end of a server; whether it was gone in time."""
        self.ask("DELETE", _server(user, server))
        return wait_until(lambda: server not in self.servers(user), timeout)

    def ask_and_forget(self, method: str, user: str, server: str, options: dict[str, str] | None) -> None:
        """Ask for a start or a stop, whether or not an answer comes."""
        with suppress(httpx.TransportError):
            self.ask(method, _server(user, server), timeout=15, json=options)

    def notices(self, user: str) -> list[str]:
        """What her servers are told of what is about to happen to them."""
        found = self.servers(user).values()
        return [str(s["state"]["aifactory_notice"]) for s in found if (s.get("state") or {}).get("aifactory_notice")]

    def servers(self, user: str) -> dict[str, Any]:
        """Her servers as the hub lists them, those that end or begin too."""
        answer = self.ask("GET", f"/users/{quote(user)}")
        answer.raise_for_status()
        return dict(answer.json()["servers"])

    def runs(self, user: str, server: str = "") -> bool:
        found = self.servers(user).get(server)
        return found is not None and found["ready"] and found["pending"] is None

    def last_end(self, user: str, server: str = "") -> str:
        """Why her last server ended, as the hub keeps it."""
        answer = self.ask("GET", f"/users/{quote(user)}", params={"include_stopped_servers": "1"})
        kept = (answer.json()["servers"].get(server) or {}).get("state") or {}
        return str((kept.get("aifactory_ended") or {}).get("why", ""))

    def has_route(self, user: str, server: str = "") -> bool:
        return f"/user/{user}/" + (f"{server}/" if server else "") in self.hub.routes()

    def metric(self, name: str, **labels: str) -> float | None:
        """What /hub/metrics says of it now; None when it says nothing."""
        head = {"Authorization": f"token {self.token}"}
        answer = httpx.get(f"{self.hub.url}/hub/metrics", headers=head, timeout=30, trust_env=False)
        answer.raise_for_status()
        samples = (each for family in text_string_to_metric_families(answer.text) for each in family.samples)
        return next((each.value for each in samples if (each.name, each.labels) == (name, labels)), None)

    # The cluster

    def pod(self, tenant: str, user: str, server: str = "") -> dict[str, Any] | None:
        """The host's pod of the server, if there is one."""
        return self._one("pods", tenant, user, server)

    def uid(self, tenant: str, user: str, server: str = "") -> str:
        found = self.pod(tenant, user, server)
        return str(found["metadata"]["uid"]) if found else ""

    def ticket(self, tenant: str, user: str, server: str = "") -> dict[str, Any] | None:
        return self._one("jobs", tenant, user, server)

    def has_claim(self, tenant: str, user: str) -> bool:
        return self.cluster.has_claim(tenant, constants.NOTEBOOKS_NAMESPACE, user)

    def _one(self, kind: str, tenant: str, user: str, server: str) -> dict[str, Any] | None:
        selector = f"{constants.LABEL_OWNER}={server_id(user, server)},{constants.LABEL_HUB}={HUB}"
        items = self.cluster.get(kind, "-n", f"vc-{tenant}", "-l", selector)["items"]
        if len(items) > 1:
            raise AssertionError(f"{len(items)} {kind} of {user}/{server} in {tenant}")
        return items[0] if items else None

    def inside(self, tenant: str, *arguments: str, stdin: str | None = None) -> str:
        """kubectl in the tenant's vCluster, as its administrator, past any proxy that stands in front of it."""
        return self.cluster.inside(tenant, *arguments, stdin=stdin)

    # Death and return

    def die_at(self, point: str) -> None:
        """The hub ends itself at this point, once."""
        (self.hub.folder / DEATH).write_text(point)

    def wait_dead(self, timeout: float = 60) -> bool:
        """Whether the hub's process has ended."""
        dead = wait_until(lambda: self.hub.running["hub"].poll() is not None, timeout)
        if dead:
            self.hub.running.pop("hub")
        (self.hub.folder / DEATH).unlink(missing_ok=True)
        return dead

    def restart(self) -> float:
        """Kill the hub if it lives, start it again; seconds until it answers."""
        if "hub" in self.hub.running:
            self.hub.kill("hub")
        begun = time.monotonic()
        self.hub.start_hub()
        return time.monotonic() - begun

    def tidy(self, stay: Mapping[tuple[str, str], str]) -> None:
        """After a row that failed: the hub and the servers that ``stay`` run, (user, server) by tenant, no others."""
        (self.hub.folder / DEATH).unlink(missing_ok=True)
        if "hub" not in self.hub.running or self.hub.running["hub"].poll() is not None:
            self.hub.running.pop("hub", None)
            self.hub.start_hub()
        for user in {user for user, _ in stay}:
            for server in self.servers(user):
                if (user, server) not in stay:
                    self.stop(user, server)
        for (user, server), tenant in stay.items():
            if not self.runs(user, server):
                self.start(user, server, tenant=tenant)

    @contextmanager
    def probed(self, user: str, server: str = "") -> Iterator[Probe]:
        """Ask the notebook server again and again meanwhile.

        It asks the hub about a token that it has not seen for some minutes: that is over before anything begins.
        """
        path = f"/user/{quote(user)}/" + (f"{quote(server)}/" if server else "") + "api/status"
        probe = Probe(f"{self.hub.url}{path}", self.token)
        probe.thread.start()
        try:
            if not wait_until(lambda: probe.asked, 30) or probe.failures:
                raise RuntimeError(f"{path} did not answer before anything happened: {probe.failures}")
            yield probe
        finally:
            probe.ended.set()
            probe.thread.join(40)


class Probe:
    """Counts requests to a notebook server and those that were not answered by 200."""

    def __init__(self, url: str, token: str) -> None:
        self.asked = 0
        self.failures: list[str] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._ask, args=(url, token), daemon=True)

    def _ask(self, url: str, token: str) -> None:
        head = {"Authorization": f"token {token}"}
        with httpx.Client(headers=head, timeout=30, trust_env=False) as client:
            while not self.ended.wait(0.2):
                try:
                    status = client.get(url).status_code
                    problem = "" if status == 200 else f"status {status}"
                except httpx.HTTPError as error:
                    problem = repr(error)
                self.asked += 1
                if problem:
                    self.failures.append(problem)


def wait_until(condition: Callable[[], object], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.3)
    return True


def tenants_file() -> Path:
    return FOLDER / "tenants.yaml"


def still_pod(name: str, *command: str, labels: Mapping[str, str] | None = None) -> str:
    """A manifest of a pod that the tenants' policies let run, and that does only this command."""
    container = {
        "name": "notebook",
        "image": "docker.io/aifactory-hub/notebook:test",
        "imagePullPolicy": "Never",
        "command": list(command),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "securityContext": RESTRICTED,
    }
    spec = {
        "containers": [container],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "securityContext": RESTRICTED_POD,
    }
    metadata = {"name": name, "namespace": constants.NOTEBOOKS_NAMESPACE, "labels": dict(labels or {})}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def _server(user: str, server: str) -> str:
    return f"/users/{quote(user)}/" + (f"servers/{quote(server)}" if server else "server")
