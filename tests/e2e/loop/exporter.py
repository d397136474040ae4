"""SIMULATED GPUs: an exporter with the shapes of DCGM's, for the slices that the test cluster's node says it has.

Which pod holds which slice is read from the cluster; how busy a slice is, the test says. A real exporter tells of all
slices of a GPU at all times, and names a pod where one holds the slice.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..cluster import Cluster

ENGINE, DRAM = "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_DRAM_ACTIVE"
MEMORY, XID = "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_XID_ERRORS"
# Seven small slices on one GPU, two large ones on another, as SIMULATED_SLICES of the cluster has them.
SLICES = (
    *(("GPU-00000000-0000-0000-0000-00000000000a", str(number), "1g.10gb") for number in range(7, 14)),
    *(("GPU-00000000-0000-0000-0000-00000000000b", str(number), "3g.40gb") for number in (1, 2)),
)
Slice = tuple[str, str, str]
# Namespace and name of the pod on the host.
Pod = tuple[str, str]


def labels_of(device: Slice, pod: Pod | None) -> str:
    """The labels that DCGM's exporter gives a slice."""
    uuid, instance, profile = device
    shown = {"gpu": "0", "UUID": uuid, "GPU_I_PROFILE": profile, "GPU_I_ID": instance}
    if pod is not None:
        shown |= {"container": "notebook", "namespace": pod[0], "pod": pod[1]}
    return ",".join(f'{name}="{value}"' for name, value in shown.items())


def series(held: Mapping[Slice, Pod], works: Mapping[Pod, float]) -> Iterator[tuple[str, str, float]]:
    """All samples of one look: name, labels, value in the units of the exporter before 4.9.0."""
    for device in SLICES:
        pod = held.get(device)
        share = 0.0 if pod is None else works.get(pod, 0.0)
        memory = 0 if pod is None else 900
        for name, value in ((ENGINE, share), (DRAM, share / 2), (MEMORY, memory)):
            yield name, labels_of(device, pod), value
    for uuid in dict.fromkeys(device[0] for device in SLICES):
        yield XID, f'gpu="0",UUID="{uuid}"', 0


def history(start: int, end: int, step: int, instance: str, job: str) -> str:
    """What the exporter would have told before it was there, when no pod held a slice, as OpenMetrics."""
    more = f'instance="{instance}",job="{job}"'
    lines: dict[str, list[str]] = {}
    for at in range(start, end, step):
        for name, labels, value in series({}, {}):
            lines.setdefault(name, []).append(f"{name}{{{labels},{more}}} {value} {at}")
        lines.setdefault("up", []).append(f"up{{{more}}} 1 {at}")
    text = [f"# TYPE {name} gauge\n" + "\n".join(each) for name, each in lines.items()]
    return "\n".join([*text, "# EOF\n"])


@dataclass
class Exporter:
    """Answers at ``port`` of all addresses. ``works`` says how much of the time a pod's slice computes, 0 to 1."""

    cluster: Cluster
    namespaces: tuple[str, ...]
    port: int
    works: dict[Pod, float] = field(default_factory=dict)
    held: dict[Slice, Pod] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("0.0.0.0", self.port), partial(_Answer, self))
        for body in (self._server.serve_forever, self._follow):
            threading.Thread(target=body, daemon=True).start()

    def stop(self) -> None:
        self._over.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def text(self) -> str:
        return "".join(f"{name}{{{labels}}} {value}\n" for name, labels, value in series(self.held, self.works))

    def _follow(self) -> None:
        while not self._over.wait(1):
            try:
                pods = [pod for space in self.namespaces for pod in self.cluster.get("pods", "-n", space)["items"]]
            except (RuntimeError, json.JSONDecodeError):
                continue  # as before, as a real exporter does while the kubelet does not answer
            self.held = placed(self.held, wanted(pods))


def wanted(pods: list[dict[str, object]]) -> dict[Pod, str]:
    """The slice's profile of each running pod that has one."""
    found: dict[Pod, str] = {}
    for pod in pods:
        meta, spec, status = (dict(pod[key]) for key in ("metadata", "spec", "status"))  # type: ignore[call-overload]
        for container in spec["containers"]:
            for name in container["resources"].get("limits", {}):
                if name.startswith("nvidia.com/mig-") and status.get("phase") == "Running":
                    found[meta["namespace"], meta["name"]] = name.removeprefix("nvidia.com/mig-")
    return found


def placed(before: Mapping[Slice, Pod], pods: Mapping[Pod, str]) -> dict[Slice, Pod]:
    """Each pod on a slice: where it was, else on a free one."""
    held = {device: pod for device, pod in before.items() if pod in pods}
    for pod, profile in pods.items():
        if pod not in held.values():
            free = next((each for each in SLICES if each[2] == profile and each not in held), None)
            if free is not None:
                held[free] = pod
    return held


class _Answer(BaseHTTPRequestHandler):
    def __init__(self, exporter: Exporter, *rest: object) -> None:
        self.exporter = exporter
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        body = self.exporter.text().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: it is asked every two seconds."""
