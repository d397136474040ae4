"""What runs inside the hub under test: pods spoiled by the name of their server, and a death at a chosen moment."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aifactory_hub.clusters import KubeApi
from aifactory_spawner import TenantKubeSpawner

# In the hub's folder: "<verb> <end of the path> <before or after>".
DEATH = Path("die-at")
# While it is there, a server named "leak" fails.
SPOILED = Path("spoiled")
# Variables of the hub's environment. The seconds that a notebook may take to answer:
HTTP_TIMEOUT = "FAULTS_HTTP_TIMEOUT"
# Set, the hub removes pods without a server.
REMOVE_ORPHANS = "FAULTS_REMOVE_ORPHANS"
# Who may look at the administrators' pages.
ADMIN = "two-team-user"
NO_IMAGE = "registry.invalid/nothing:1"


def spoil(spawner: TenantKubeSpawner, pod: Any) -> Any:
    """Change the pod as the server's name says; any other name changes nothing."""
    container = pod.spec.containers[0]
    if spawner.name == "no-image":
        container.image = NO_IMAGE
    elif spawner.name == "privileged":
        container.security_context = {"privileged": True, "allowPrivilegeEscalation": True}
    elif spawner.name == "nowhere":
        pod.spec.node_selector = {**(pod.spec.node_selector or {}), "example.com/no-such": "node"}
    elif spawner.name == "too-large":
        container.resources.requests = {**container.resources.requests, "cpu": "500"}
        container.resources.limits = {**container.resources.limits, "cpu": "500"}
    elif spawner.name == "crash" or (spawner.name == "leak" and SPOILED.exists()):
        container.args = ["python3", "-c", "raise SystemExit(7)"]
    return pod


def watch_for_death() -> None:
    """Kill this process without a word, as a crash does, before or after the call that the file names."""
    verbs = {"create": "create", "create_object": "create", "delete": "delete", "merge_patch": "merge_patch"}
    for method, verb in {**verbs, "get": "get", "object": "get"}.items():
        setattr(KubeApi, method, _mortal(verb, getattr(KubeApi, method)))


def _mortal(verb: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def wrapped(self: KubeApi, path: str, *arguments: Any, **named: Any) -> Any:
        die_if_asked(verb, path, "before")
        try:
            return await call(self, path, *arguments, **named)
        finally:
            die_if_asked(verb, path, "after")

    return wrapped


def die_if_asked(verb: str, path: str, moment: str) -> None:
    try:
        asked_verb, part, asked_moment = DEATH.read_text().split()
    except FileNotFoundError:
        return
    if (verb, moment) == (asked_verb, asked_moment) and f"/{part}" in path:
        DEATH.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
