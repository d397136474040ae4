"""One short pod in a tenant's vCluster: whether it starts, is reached by the hub, reaches it, and nobody else."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from .. import constants
from ..clusters import ApiError, ApiUnreachable, KubeApi
from ..domain.doctor import Reached, Stage
from ..domain.tenants import Tenant
from ..registry import Registry
from ..registry.network_policies import NOTEBOOK_PORT

# Seconds. An image may have to be pulled first.
STARTS_WITHIN = 120.0
ANSWERS_WITHIN = 12.0
STAYS = 20
_PAUSE = 0.5
_PODS = f"/api/v1/namespaces/{constants.NOTEBOOKS_NAMESPACE}/pods"
_EVENTS = f"/api/v1/namespaces/{constants.NOTEBOOKS_NAMESPACE}/events"
_PROGRAM = Path(__file__).with_name("in_the_pod.py")
METADATA = "the cloud's metadata address"


@dataclass(frozen=True, slots=True)
class Probe:
    """What is tried for one tenant. ``shut``: name -> address that its pods must not reach.

    ``inside``: whether we run in the cluster, so that not reaching the pod means something.
    """

    registry: Registry
    tenant: Tenant
    api: KubeApi
    shut: dict[str, tuple[str, int]]
    inside: bool

    async def run(self) -> list[Reached]:
        """Makes the pod, looks, and deletes it."""
        name = f"aifactory-doctor-{secrets.token_hex(3)}"
        try:
            made = await self.api.create(_PODS, self._pod(name))
            try:
                return await self._watched(name)
            finally:
                await self.api.delete(f"{_PODS}/{name}", uid=made["metadata"]["uid"])
        except (ApiError, ApiUnreachable) as error:
            return [self._started(str(error))]

    async def _watched(self, name: str) -> list[Reached]:
        pod = await self._until(name, ("Running", "Succeeded", "Failed"), STARTS_WITHIN)
        if pod is None:
            return [self._started(await self._why(name))]
        answer = await self._asked(pod["status"].get("podIP", ""))
        from_here = self._reached_from_here(answer is not None)
        if answer is None:
            pod = await self._until(name, ("Succeeded", "Failed"), STAYS + 10.0)
            answer = _message(pod)
        if answer is None:
            return [self._started("it ended without a word; is there a python3 in notebook.image?"), from_here]
        return [self._started(""), from_here, *self._found(answer)]

    async def _until(self, name: str, phases: tuple[str, ...], seconds: float) -> dict[str, Any] | None:
        """The pod in one of these phases; None when it is not in time."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            pod = await self.api.get(f"{_PODS}/{name}")
            if pod["status"].get("phase") in phases:
                return pod
            await asyncio.sleep(_PAUSE)
        return None

    async def _asked(self, address: str) -> dict[str, Any] | None:
        """What the pod answers at a notebook's port; None when nobody does."""
        host = f"[{address}]" if ":" in address else address
        deadline = asyncio.get_running_loop().time() + ANSWERS_WITHIN
        async with httpx.AsyncClient(timeout=3, trust_env=False) as client:
            while asyncio.get_running_loop().time() < deadline:
                try:
                    return dict((await client.get(f"http://{host}:{NOTEBOOK_PORT}/")).json())
                except (httpx.HTTPError, ValueError):
                    await asyncio.sleep(_PAUSE)
        return None

    async def _why(self, name: str) -> str:
        """The last warning about the pod: the syncer's refusal, or what keeps it from starting."""
        events = await self.api.get(_EVENTS, {"fieldSelector": f"involvedObject.name={name}"})
        warnings = [each for each in events["items"] if each.get("type") == "Warning"]
        if warnings:
            return str(warnings[-1].get("message"))
        return f"it does not run after {STARTS_WITHIN:.0f} s (an image that is pulled for the first time takes longer)"

    def _started(self, error: str) -> Reached:
        todo = "what refuses it names itself; images are listed in isolation.images, quotas in tenants.yaml"
        check = f"a pod starts in the vCluster of {self.tenant.name}"
        return Reached(check, Stage.TENANCY, error, todo=todo, seen="it did")

    def _reached_from_here(self, good: bool) -> Reached:
        check = f"a pod of {self.tenant.name} is reached at port {NOTEBOOK_PORT}"
        if good:
            return Reached(check, Stage.TENANCY, seen="from here")
        if self.inside:
            todo = "let hub and proxy through: helm-values/network-policies.yaml, and the labels of the hub's pods"
            return Reached(check, Stage.TENANCY, "nobody answers", todo=todo)
        todo = "only the hub's pod is meant to reach it: run the doctor there"
        return Reached(check, Stage.TENANCY, "nobody answers, and this is not the hub's pod", tried=False, todo=todo)

    def _found(self, answer: dict[str, Any]) -> list[Reached]:
        addresses = self.registry.addresses
        urls = (
            ("the hub's API", addresses.hub_api, "addresses.hub_api"),
            ("the job service", addresses.service, "addresses.service"),
        )
        reached = [
            Reached(
                f"a pod of {self.tenant.name} reaches {what}",
                Stage.PLATFORM,
                str(answer["urls"].get(url, "was not tried")),
                seen="it answered",
                todo=f"{key} has to be reachable from pods, by name and through the network policies",
            )
            for what, url, key in urls
        ]
        todo = (
            "the network plugin has to enforce NetworkPolicies; then apply what `aifactory-hub tenants render` prints"
        )
        shut = [
            Reached(
                f"a pod of {self.tenant.name} does not reach {what}",
                Stage.TENANCY,
                "a connection opened" if what in answer["open"] else "",
                seen="shut",
                todo=todo,
            )
            for what in self.shut
        ]
        return [*reached, *shut]

    def _pod(self, name: str) -> dict[str, Any]:
        asked = {
            "urls": [self.registry.addresses.hub_api, self.registry.addresses.service],
            "shut": self.shut,
            "port": NOTEBOOK_PORT,
            "seconds": STAYS,
        }
        container = {
            "name": "doctor",
            "image": self.registry.notebook.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["python3", "-c", _PROGRAM.read_text(encoding="utf-8"), json.dumps(asked)],
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        restricted = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
        labels = {"app.kubernetes.io/name": "aifactory-doctor", constants.LABEL_TENANT: self.tenant.name}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "restartPolicy": "Never",
                "activeDeadlineSeconds": int(STARTS_WITHIN) + STAYS + 60,
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": restricted,
                "containers": [container],
            },
        }


def _message(pod: dict[str, Any] | None) -> dict[str, Any] | None:
    """The termination message of a pod that has ended, as the program in it wrote it."""
    for status in (pod or {}).get("status", {}).get("containerStatuses") or []:
        text = (status.get("state", {}).get("terminated") or {}).get("message", "")
        try:
            return dict(json.loads(text))
        except ValueError:
            return None
    return None
