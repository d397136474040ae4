"""A hub with budgets, a Prometheus and an exporter on the test cluster, and what its people see."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from ..gates.site import until
from ..person import Person
from ..processes import HubUnderTest
from ..rig import TENANTS_FILE, Rig
from .exporter import Exporter, history

PREFIX = "/services/aifactory/"
TEAM, SLICE = "nlp", "mig-1g.10gb"
ADA, BOB = "nlp-user", "two-team-user"  # the second is an admin of the team
PROMETHEUS, EXPORTER, HOOK = 9190, 9400, 9290
SCRAPE, JOB = 2, "dcgm-exporter"
# Seconds of a 1g.10gb, a seventh of a GPU, that a person may have.
BUDGET = 500
BUDGETS = f"""\
    budgets:
      each:
        per: person
        gpu_hours: {BUDGET / 7 / 3600:.6f}
        safe: false
        steps: {{warn: [80], lower_priority: 95, hold: 100}}
        notify: [http://10.88.0.1:{HOOK}/budgets]
"""
HEAD = f"""\
telemetry: {{prometheus: "http://10.88.0.1:{PROMETHEUS}", scrape: {SCRAPE}s}}
idle: {{action: dry-run, after: 60s, notice: 60s, keep: 60s, keeps: 1}}
"""


class Receiver:
    """Where the webhooks of budgets arrive."""

    def __init__(self, port: int) -> None:
        self.messages: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("0.0.0.0", port), partial(_Hook, self.messages))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Hook(BaseHTTPRequestHandler):
    def __init__(self, messages: list[dict[str, Any]], *rest: object) -> None:
        self.messages = messages
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        self.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@dataclass
class Prometheus:
    """A real Prometheus that looks at the exporter, with the history that it would have."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        data = self.folder / "data"
        data.mkdir(parents=True)
        now = int(time.time())
        until_now = history(now - 1500, now, SCRAPE * 5, f"127.0.0.1:{EXPORTER}", JOB)
        (self.folder / "history.txt").write_text(until_now)
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(self.folder / "history.txt"), str(data)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        target = {
            "job_name": JOB,
            "honor_labels": True,
            "scrape_interval": f"{SCRAPE}s",
            "scrape_timeout": f"{SCRAPE}s",
        }
        target["static_configs"] = [{"targets": [f"127.0.0.1:{EXPORTER}"]}]
        (self.folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [target]}))  # JSON is YAML

    def start(self) -> None:
        command = [
            "prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=0.0.0.0:{PROMETHEUS}",
        ]  # fmt: skip
        with (self.folder / "prometheus.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(self._ready, "Prometheus answers", within=60)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    @staticmethod
    def _ready() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{PROMETHEUS}/-/ready", timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@dataclass
class LoopSite:
    """All of it, and the people by name."""

    rig: Rig
    hub: HubUnderTest
    people: Mapping[str, Person]
    exporter: Exporter
    prometheus: Prometheus
    receiver: Receiver
    noted: dict[str, Any] = field(default_factory=dict)

    def api(self, who: str, method: str, path: str, **body: Any) -> httpx.Response:
        """A request with a person's token."""
        head = {"Authorization": f"token {self.people[who].token}"}
        url = f"{self.hub.url}{PREFIX}api/v1/{path}"
        return httpx.request(method, url, json=body or None, headers=head, timeout=30, trust_env=False)

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.api(ADA, "GET", f"jobs/{job_id}").json())

    def budget(self) -> dict[str, Any]:
        """Ada's own, as they see it."""
        return dict(self.api(ADA, "GET", f"tenants/{TEAM}/budget").json()["budgets"][0])

    def idle(self) -> dict[str, Any]:
        """What the team's admin sees of servers."""
        return dict(self.api(BOB, "GET", f"tenants/{TEAM}/idle").json())

    def server(self, who: str) -> dict[str, Any] | None:
        """What is thought of somebody's server."""
        return next((each for each in self.idle()["servers"] if each["user"] == who), None)

    def acts(self, who: str) -> list[str]:
        """The steps taken with somebody's server, in the order of time."""
        found = [each for each in self.idle()["acts"] if each["user"] == who]
        return [each["act"] for each in sorted(found, key=lambda each: str(each["at"]))]

    def priority(self, job_id: str) -> int | None:
        """Of the job's Workload in Kueue."""
        for item in self.rig.cluster.get("workloads.kueue.x-k8s.io", "-n", f"vc-{TEAM}")["items"]:
            if any(owner["name"] == f"job-{job_id}" for owner in item["metadata"]["ownerReferences"]):
                return int(item["spec"]["priority"])
        return None

    def write(self, text: str) -> None:
        """Save tenants.yaml, as editors do."""
        beside = self.hub.tenants.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self.hub.tenants)


@contextmanager
def loop_site(rig: Rig, folder: Path) -> Iterator[LoopSite]:
    """All of it running, ada and bob signed in; stopped at the end."""
    text = TENANTS_FILE.read_text().replace("tenants:\n", f"{HEAD}tenants:\n", 1)
    text = text.replace("jobs:\n", "jobs:\n  webhook_hosts: [10.88.0.1]\n", 1)
    text = text.replace("  vision:\n", f"{BUDGETS}  vision:\n", 1)
    tenants = folder / "tenants.yaml"
    tenants.write_text(text)
    hub = rig.hub(folder / "hub", tenants=tenants)
    exporter = Exporter(rig.cluster, (f"vc-{TEAM}", "vc-vision"), EXPORTER)
    prometheus = Prometheus(folder / "prometheus")
    with ExitStack() as stack:
        receiver = Receiver(HOOK)
        stack.callback(receiver.close)
        prometheus.prepare()
        exporter.start()
        stack.callback(exporter.stop)
        stack.callback(prometheus.stop)
        prometheus.start()
        stack.callback(hub.stop)
        hub.start()
        people = stack.enter_context(rig.people(hub.url))
        for name in (ADA, BOB):
            people[name].sign_in()
            people[name].make_token()
        yield LoopSite(rig, hub, people, exporter, prometheus, receiver)
