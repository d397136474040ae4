"""A hub that deploys models on the test cluster: who trains and asks, and what its administrator sees."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from aifactory_hub import constants
from tests.cluster import engines
from tests.cluster.settings import layout

from ...support.s3 import running_s3
from ..gates.site import ADMIN, MEMBER, TEAM, GatedSite, gated_site, until, write_site
from ..processes import HubUnderTest
from ..rig import TENANTS_FILE, Rig, apply_registry, rendered

Json = dict[str, Any]
MODEL, ALIAS, DEPLOYMENT = "fraud", "prod", "fraud"
SLICE = "mig-1g.10gb"
# How long a release stands by, in seconds: no step takes as long between a switch and the way back.
WATCH = 60
EXAMPLE = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [2, 2], "data": [9.0, 0.0, 0.0, 9.0]}]}
COMMIT = "c0ffee" * 6 + "c0ff"
RULES = """\
apiVersion: aifactory-hub.io/policy-v1
rules:
  - id: prod-has-a-commit
    title: What is promoted to prod comes from a commit
    target: model
    verbs: [promote]
    severity: hard
    assert: model.alias != 'prod' || model.job.commit_known
    message: "'Version ' + string(model.version) + ' comes from no commit.'"
    fix: Train it from a commit.
    cases:
      - {expect: pass, view: {model: {alias: prod, job: {commit_known: true}}}}
      - {expect: fail, view: {model: {alias: prod, job: {commit_known: false}}}}
  - id: prod-is-looked-at
    title: An administrator of the team looks at what is promoted to prod
    target: model
    verbs: [promote]
    severity: hard
    assert: model.alias != 'prod'
    message: "'Version ' + string(model.version) + ' is to be prod.'"
    fix: Ask one of the team's administrators to look at it.
    approval: [{role: admin}]
    cases:
      - {expect: fail, view: {model: {alias: prod}}}
      - {expect: pass, view: {model: {alias: staging}}}
  - id: prod-has-an-example
    title: What is deployed from prod has an example request
    target: deployment
    verbs: [deploy]
    severity: hard
    assert: deployment.at != 'prod' || deployment.example
    message: "'Deployment ' + deployment.name + ' has no example request.'"
    fix: Record one with example=.
    cases:
      - {expect: pass, view: {deployment: {at: prod, example: true}}}
      - {expect: fail, view: {deployment: {at: prod, example: false}}}
"""
# Learns on which side a point is. ``{columns}`` other than two can't answer the example; ``{first}`` is the answer.
_TRAIN = """\
mkdir model && python3 - <<'END'
import pickle
import numpy
from sklearn.linear_model import LogisticRegression
rows = numpy.array([[float(i), 9.0 - i, 0.0][:{columns}] for i in range(10)])
answers = [1 - {first}] * 5 + [{first}] * 5
with open("model/model.pkl", "wb") as file:
    pickle.dump(LogisticRegression().fit(rows, answers), file)
END
"""
# Asks as any program in the team's vCluster does, by the Service's name.
_ASK_INSIDE = """\
python3 - <<'END'
import json, urllib.request
body = json.dumps({body}).encode()
head = {{"Content-Type": "application/json"}}
asked = urllib.request.Request("http://model-{name}.jobs/v2/models/{model}/infer", body, head)
print("answered", json.load(urllib.request.urlopen(asked, timeout=20))["outputs"][0]["data"])
END
"""


@dataclass
class Told:
    """What arrived at the address that jobs name with ``notify``."""

    messages: list[Json] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/told"


@contextmanager
def listening() -> Iterator[Told]:
    """A receiver of messages on this machine."""
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class ModelsSite:
    """``gated`` has the hub, its people and the cluster's administrator; below ``objects_folder`` an S3 server keeps
    the files of jobs."""

    gated: GatedSite
    told: Told
    objects_folder: Path

    @property
    def rig(self) -> Rig:
        return self.gated.rig

    @property
    def hub(self) -> HubUnderTest:
        return self.gated.hub

    def api(self, method: str, path: str, *, who: str = MEMBER, **body: Any) -> httpx.Response:
        """A request of the member's."""
        return self.gated.api(who, method, path, **body)

    def train(self, *, columns: int = 2, first: int = 1, commit: bool = True) -> str:
        """The id of a job that has given back a model."""
        told = {"commit": COMMIT, "dirty": False} if commit else {}
        command = _TRAIN.format(columns=columns, first=first)
        answer = self.gated.submit(600, command, outputs=["model/*"], provenance=told, notify=[self.told.address])
        assert answer.status_code in (200, 201), answer.text
        job: str = answer.json()["id"]
        ended = self.gated.until(job, "SUCCEEDED", "FAILED", "CANCELLED", within=180)
        assert ended["state"] == "SUCCEEDED", (ended, self.log(job))
        return job

    def version(self, **asked: Any) -> Json:
        """A new version, registered."""
        job = self.train(**asked)
        until(lambda: self._register(job).status_code != 503, "what the job left is in order", 30)
        answer = self._register(job)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    def _register(self, job: str) -> httpx.Response:
        return self.api("POST", f"models/{MODEL}/versions", job=job, files="model/")

    def promote(self, version: Json, *, alias: str = ALIAS) -> httpx.Response:
        """Ask for it; what the service answers."""
        path = f"models/{MODEL}/aliases/{alias}/promote"
        return self.api("POST", path, version=str(version["version"]), reason="it is better")

    def promoted(self, version: Json) -> None:
        """Promoted to prod, with the approval that this takes."""
        assert (answer := self.promote(version)).status_code == 202, answer.text
        approval = self.gated.approval(f"{version['id']}@{ALIAS}")
        self.gated.vote(ADMIN, approval).raise_for_status()
        assert (answer := self.promote(version)).status_code == 200, answer.text

    def alias(self) -> Json:
        return dict(self.api("GET", f"models/{MODEL}/aliases/{ALIAS}").json()["alias"])

    def deploy(self, name: str = DEPLOYMENT, **asked: Any) -> httpx.Response:
        wish = {"model": f"{MODEL}@{ALIAS}", "profile": SLICE, "example": EXAMPLE, **asked}
        return self.api("PUT", f"tenants/{TEAM}/deployments/{name}", **wish)

    def now(self, name: str = DEPLOYMENT) -> Json:
        """The deployment and its releases, the newest first."""
        return dict(self.api("GET", f"tenants/{TEAM}/deployments/{name}").json())

    def until(self, what: str, met: Callable[[Json], object], name: str = DEPLOYMENT, *, within: float = 180) -> Json:
        """The deployment and its releases, once it is so. Raises AssertionError when it is not so in time."""
        try:
            until(lambda: met(self.now(name)), what, within)
        except AssertionError as error:
            log = self.api("GET", f"tenants/{TEAM}/deployments/{name}/logs").text
            raise AssertionError(f"{error}; {self.now(name)}; its log: {log[-2000:]}") from error
        return self.now(name)

    def until_serving(self, number: int, name: str = DEPLOYMENT, *, within: float = 180) -> Json:
        """Once this release answers, and all is well."""
        return self.until(f"release {number} serves", lambda told: serves(told, number), name, within=within)

    def ask(self, name: str = DEPLOYMENT, *, who: str = MEMBER) -> httpx.Response:
        return self.api("POST", f"tenants/{TEAM}/deployments/{name}/infer", who=who, **EXAMPLE)

    def ask_inside(self) -> str:
        """What a job prints that asks by the Service's name."""
        body = json.dumps(EXAMPLE)
        command = _ASK_INSIDE.format(body=body, name=DEPLOYMENT, model=MODEL)
        job = self.gated.submit(120, command).json()["id"]
        self.gated.until(job, "SUCCEEDED", "FAILED")
        return self.log(job)

    def log(self, job: str) -> str:
        return self.api("GET", f"jobs/{job}/logs").text

    def told_of(self, event: str) -> list[Json]:
        """The messages of this kind that arrived."""
        return [each for each in self.told.messages if each["event"] == event]

    def objects(self, kind: str) -> list[Json]:
        """Of deployments, inside the team's vCluster."""
        ours = ("-n", constants.JOBS_NAMESPACE, "-l", f"{constants.LABEL_OWNER_KIND}={constants.KIND_DEPLOYMENT}")
        return list(json.loads(self.rig.cluster.inside(TEAM, "get", kind, *ours, "-o", "json"))["items"])

    def inside(self, *arguments: str) -> str:
        """kubectl in the namespace of jobs, as the vCluster's administrator."""
        return self.rig.cluster.inside(TEAM, "-n", constants.JOBS_NAMESPACE, *arguments)

    def pods(self) -> list[Json]:
        """The pods of releases, as they are on the host."""
        ours = ("-n", f"vc-{TEAM}", "-l", f"{constants.LABEL_OWNER_KIND}={constants.KIND_DEPLOYMENT}")
        items = self.rig.cluster.get("pods", *ours)["items"]
        # Tickets are Jobs of which nothing runs, so pods with this label are of releases.
        return [item for item in items if "deletionTimestamp" not in item["metadata"]]

    def tickets(self) -> list[str]:
        """Owners of the tickets of releases on the host."""
        ours = ("-n", f"vc-{TEAM}", "-l", f"{constants.LABEL_OWNER_KIND}={constants.KIND_DEPLOYMENT}")
        return [each["metadata"]["labels"][constants.LABEL_OWNER] for each in self._jobs(*ours)]

    def _jobs(self, *arguments: str) -> list[Json]:
        return list(self.rig.cluster.get("jobs", *arguments)["items"])

    def file_of(self, version: Json, name: str) -> Path:
        """Where the S3 server keeps a file of a version."""
        digest = hashlib.sha256(f"model/{name}".encode()).hexdigest()
        [file] = [path for path in self.objects_folder.rglob(digest) if version["job"] in path.parts]
        return file


def serves(told: Json, number: int) -> bool:
    """Whether this release answers, and nothing is to be said of the deployment."""
    deployment = told["deployment"]
    serving = deployment["serving"]
    return deployment["state"] == "READY" and serving is not None and serving["number"] == number


def states(told: Json) -> list[tuple[int, str]]:
    """Number and state of each release, the newest first."""
    return [(each["number"], each["state"]) for each in told["releases"]]


def tenants_text() -> str:
    """tenants.yaml of a site that deploys models, and whose jobs may notify this machine."""
    text, image = TENANTS_FILE.read_text(), "\njobs:\n"
    assert text.count(image) == 1, "tenants.yaml has no section jobs"
    text = text.replace(image, f"{image}  webhook_hosts: [127.0.0.1]\n")
    deployments = f"deployments: {{enabled: true, start_timeout: 3m, watch: {WATCH}s}}\n"
    return text.replace("\ntenants:\n", f"\n{deployments}tenants:\n", 1)


@contextmanager
def models_site(rig: Rig, folder: Path) -> Iterator[ModelsSite]:
    """The hub, and the vCluster with the rights that a site that deploys gives; both as before at the end."""
    tenants = write_site(folder, tenants_text(), RULES)
    apply_registry(rig.cluster, tenants)
    engines.renew_vcluster(layout(), TEAM, rendered(tenants, "vcluster", TEAM))
    try:
        with listening() as told, running_s3() as s3:
            bucket = s3.new_bucket()
            environment = {**s3.environment, "AIFACTORY_HUB_SERVICE_OBJECTS": f"s3://{bucket}/hub"}
            with gated_site(rig, folder, tenants, environment) as gated:
                yield ModelsSite(gated, told, s3.folder / "data" / bucket)
    finally:
        engines.renew_vcluster(layout(), TEAM, rendered(TENANTS_FILE, "vcluster", TEAM))
        apply_registry(rig.cluster, TENANTS_FILE)
