"""The tickets of many running jobs, as an API server lists them and lets them be watched: in a process of its own,
beside the service's. Nothing of them changes."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs

from aifactory_hub import constants
from aifactory_hub.admission.translate import JOB_UID_LABEL, job_for
from aifactory_hub.domain.tickets import TicketRequest
from aifactory_hub.store import JobRecord
from aifactory_profiles import Resources
from tests.support.tenants import SMALL

Json = dict[str, Any]
HUB = "test"
_AT = "2026-11-28T10:00:00Z"
_NODE = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}


@contextmanager
def listed(jobs: Sequence[JobRecord]) -> Iterator[str]:
    """An API server that lists an admitted ticket for each of these jobs; its address."""
    ours, theirs = multiprocessing.Pipe()
    serving = multiprocessing.get_context("spawn").Process(target=_serve, args=(jobs, theirs), daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        serving.kill()
        serving.join()


def _serve(jobs: Sequence[JobRecord], said: Connection) -> None:
    lists: dict[str, list[Json]] = {}
    objects: dict[str, bytes] = {}
    for tenant in {job.tenant for job in jobs}:
        tickets = [_ticket(job) for job in jobs if job.tenant == tenant]
        collection = f"/apis/batch/v1/namespaces/vc-{tenant}/jobs"
        lists[collection] = tickets
        objects |= {f"{collection}/{each['metadata']['name']}": json.dumps(each).encode() for each in tickets}
        lists[f"/apis/kueue.x-k8s.io/v1beta2/namespaces/vc-{tenant}/workloads"] = list(map(_workload, tickets))

    class Lists(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            asked = parse_qs(query)
            if "watch" in asked:
                self._watch(float(asked.get("timeoutSeconds", ["60"])[0]))
                return
            body = objects.get(path) or _page(lists.get(path, []), asked)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _watch(self, seconds: float) -> None:
            """Until its time is over; then a bookmark, as an API server sends one."""
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            time.sleep(seconds)
            bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "1"}}}
            self.wfile.write(json.dumps(bookmark).encode() + b"\n")
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Lists)
    said.send(server.server_port)
    server.serve_forever()


def _page(items: Sequence[Json], asked: Mapping[str, Sequence[str]]) -> bytes:
    """As an API server answers ``limit`` and ``continue``."""
    first = int(asked.get("continue", ["0"])[0])
    after = first + int(asked.get("limit", [len(items)])[0])
    metadata = {"resourceVersion": "1"} | ({"continue": str(after)} if after < len(items) else {})
    return json.dumps({"metadata": metadata, "items": items[first:after]}).encode()


def _ticket(job: JobRecord) -> Json:
    """As Kubernetes shows it: with what its defaults add, and who owns which field."""
    resources = Resources(100, 1, {SMALL.resource: 1})
    request = TicketRequest(
        *(job.tenant, job.ticket_name, constants.KIND_JOB, job.id, job.owner, job.spec.profile, resources),
        *(constants.PRIORITY_BATCH,),
        flavor=SMALL.flavor,
        max_seconds=86400,
    )
    body = job_for(request, HUB)
    body["spec"]["suspend"] = False
    body["spec"]["template"]["spec"] |= {"nodeSelector": _NODE, "dnsPolicy": "ClusterFirst", "securityContext": {}}
    body["status"] = {"active": 1, "ready": 1}
    body["metadata"] |= {"namespace": f"vc-{job.tenant}", "uid": f"uid-{job.id}", "resourceVersion": "1"}
    return _kept(body)


def _workload(ticket: Json) -> Json:
    metadata, pod = ticket["metadata"], ticket["spec"]["template"]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": _AT, "reason": kind, "message": f"The workload: {kind}"}
        for kind in ("QuotaReserved", "Admitted")
    ]
    labels = {JOB_UID_LABEL: metadata["uid"]}
    return _kept(
        {
            "metadata": {"name": f"job-{metadata['name']}", "namespace": metadata["namespace"], "labels": labels},
            "spec": {"active": True, "podSets": [{"count": 1, "name": "main", "template": pod}], "priority": 0},
            "status": {"conditions": conditions},
        }
    )


def _kept(body: Json) -> Json:
    """With the notes that an API server keeps of an object: half of its size."""
    fields = {f"f:{name}": _owned(value) for name, value in body.items()}
    note = {
        "manager": "aifactory-hub",
        "operation": "Update",
        "time": _AT,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return {**body, "metadata": {**body["metadata"], "creationTimestamp": _AT, "managedFields": [note]}}


def _owned(value: Any) -> Json:
    return {f"f:{name}": _owned(each) for name, each in value.items()} if isinstance(value, dict) else {}
