"""The pod that the doctor starts: what runs in it, and what is made of its answer."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import kubernetes_validate
import pytest

from aifactory_hub.clusters import ApiError
from aifactory_hub.doctor import in_the_pod, probe
from aifactory_hub.doctor.probe import METADATA, Probe
from aifactory_hub.domain.doctor import Reached
from aifactory_hub.registry import read_registry

from ..registry.files import GOOD, SOURCE

REGISTRY = read_registry(GOOD, SOURCE)
HUB, SERVICE = REGISTRY.addresses.hub_api, REGISTRY.addresses.service


@pytest.fixture
def web() -> Iterator[str]:
    """A server that answers every path with the status in it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path.strip("/")))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("status", "said"), [(200, ""), (403, ""), (404, "HTTP 404"), (502, "HTTP 502")])
def test_not_signed_in_is_an_answer_and_a_broken_server_is_none(web: str, status: int, said: str) -> None:
    assert in_the_pod.trouble(f"{web}/{status}") == said


def test_nobody_there_is_told_in_words() -> None:
    assert "refused" in in_the_pod.trouble("http://127.0.0.1:9/")


def test_what_opens_is_named(web: str) -> None:
    port = int(web.rpartition(":")[2])
    shut = {"this": ("127.0.0.1", port), "that": ("127.0.0.1", 9)}
    assert in_the_pod.look({"urls": [], "shut": shut}) == {"urls": {}, "open": ["this"]}


def test_the_pod_answers_the_first_who_asks() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    thread = threading.Thread(target=in_the_pod.answer_once, args=("{}", port, 10))
    thread.start()
    while thread.is_alive():
        try:
            assert httpx.get(f"http://127.0.0.1:{port}/", timeout=5, trust_env=False).json() == {}
        except httpx.ConnectError:
            continue
        break
    thread.join()


class FakeTenant:
    """A vCluster's API for one pod: its phases in turn, and what it says when it ends."""

    def __init__(self, *phases: str, message: str = "", warning: str = "", refusal: ApiError | None = None) -> None:
        self.phases, self.message, self.warning, self.refusal = list(phases), message, warning, refusal
        self.made: dict[str, Any] = {}
        self.deleted: list[str | None] = []

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        self.made = body
        return {"metadata": {"uid": "u1"}}

    async def get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        if path.endswith("/events"):
            return {"items": [{"type": "Warning", "message": self.warning}] if self.warning else []}
        phase = self.phases.pop(0) if len(self.phases) > 1 else self.phases[0]
        ended = [{"state": {"terminated": {"message": self.message}}}] if phase == "Succeeded" else []
        return {"status": {"phase": phase, "podIP": "127.0.0.1", "containerStatuses": ended}}

    async def delete(self, path: str, *, uid: str | None = None) -> None:
        self.deleted.append(uid)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_PAUSE", 0.01)
    monkeypatch.setattr(probe, "STARTS_WITHIN", 0.2)
    monkeypatch.setattr(probe, "ANSWERS_WITHIN", 0.1)
    # Nobody listens there.
    monkeypatch.setattr(probe, "NOTEBOOK_PORT", 9)


def probed(api: FakeTenant, *, inside: bool = False) -> dict[str, Reached]:
    shut = {METADATA: ("169.254.169.254", 80), "the vCluster of vision": ("10.96.0.7", 443)}
    made = Probe(REGISTRY, REGISTRY.tenants["nlp"], api, shut, inside)  # type: ignore[arg-type]
    return {each.check: each for each in asyncio.run(made.run())}


def test_a_pod_that_is_not_reached_tells_by_its_last_words() -> None:
    words = json.dumps({"urls": {HUB: "", SERVICE: "timed out"}, "open": ["the vCluster of vision"]})
    api = FakeTenant("Pending", "Running", "Succeeded", message=words)
    found = probed(api)
    assert found["a pod starts in the vCluster of nlp"].error == ""
    assert found["a pod of nlp reaches the hub's API"].error == ""
    assert found["a pod of nlp reaches the job service"].error == "timed out"
    assert found["a pod of nlp does not reach the vCluster of vision"].error == "a connection opened"
    assert found[f"a pod of nlp does not reach {METADATA}"].error == ""
    # Not the hub's pod, so that this says nothing of the hub.
    assert found["a pod of nlp is reached at port 9"].tried is False
    assert api.deleted == ["u1"]


def test_the_hub_s_own_pod_has_to_reach_it() -> None:
    api = FakeTenant("Running", "Succeeded", message='{"urls": {}, "open": []}')
    found = probed(api, inside=True)["a pod of nlp is reached at port 9"]
    assert found.tried
    assert found.error == "nobody answers"


def test_a_pod_that_does_not_start_says_why_and_is_deleted() -> None:
    api = FakeTenant("Pending", warning="exceeded quota: aifactory-hub")
    (found,) = probed(api).values()
    assert found.error == "exceeded quota: aifactory-hub"
    assert api.deleted == ["u1"]


def test_a_pod_that_may_not_be_made_says_why() -> None:
    api = FakeTenant("Pending", refusal=ApiError(403, "Forbidden", "pods is forbidden"))
    (found,) = probed(api).values()
    assert "pods is forbidden" in found.error


def test_an_image_without_python_is_named() -> None:
    found = probed(FakeTenant("Failed"))["a pod starts in the vCluster of nlp"]
    assert "python3" in found.error


def test_the_pod_is_one_that_the_policies_let_through() -> None:
    api = FakeTenant("Failed")
    probed(api)
    pod = api.made
    kubernetes_validate.validate(pod, "1.33", strict=True)
    (container,) = pod["spec"]["containers"]
    assert container["image"] == REGISTRY.notebook.image
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert "nodeName" not in pod["spec"]
    compile(container["command"][2], "in_the_pod.py", "exec")
