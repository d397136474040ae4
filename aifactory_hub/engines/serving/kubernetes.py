"""Releases as Deployments in the team's vCluster, asked through the vCluster's own API server.

All is made by server-side apply, so that what was changed by hand is put back by making it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ... import constants
from ...clusters.api import KubeApi
from ...clusters.errors import ApiError, ApiUnreachable
from ...clusters.tenant_clients import TenantUnavailable
from ...clusters.tenant_objects import ServingDeployment, ServingService
from ...clusters.text import printable
from ...domain.engines import EngineNeeds, Rule
from ...domain.release_steps import Served
from ..base import EngineRefused, SeenRun, Site
from ..cluster_objects import FOR_GOOD, NAMESPACE, SECRETS, ClusterObjects, collection, find
from ..objects import Object, is_ours, render_secret
from .base import Answer, NotAnswered, ServeSpec
from .translate import (
    changes,
    read_served,
    release_name,
    render_deployment,
    render_own_service,
    render_service,
    service_name,
)

_SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
_MANAGER = "aifactory-hub"
# An answer of a model, in seconds.
_ANSWER = 60.0
_VERBS = ("get", "list", "create", "patch", "delete")
# What the service's account needs for deployments in a team's vCluster, beside what every engine has.
NEEDS = EngineNeeds(
    rules=(
        Rule("apps", ("deployments",), _VERBS),
        Rule("", ("services",), _VERBS),
        Rule("", ("services/proxy",), ("create",)),
    )
)


class KubernetesServing(ClusterObjects):
    """See base.ServingEngine."""

    name = "kubernetes"
    path = collection("apps/v1", "deployments")
    pod_label = constants.LABEL_RELEASE
    kind = constants.KIND_DEPLOYMENT

    def __init__(self, site: Site) -> None:
        super().__init__(site, "deployments")

    def render(self, spec: ServeSpec) -> list[Object]:
        """The Secret, the Deployment and the Service of its own."""
        return [
            render_secret(spec.run, self._hub),
            render_deployment(spec, self._hub),
            render_own_service(spec, self._hub),
        ]

    async def apply(self, spec: ServeSpec) -> None:
        """The Secret first, because a pod without it would wait for it."""
        secret, deployment, service = self.render(spec)
        async with self._api(spec.run.tenant) as api:
            await self._create(api, SECRETS, secret, spec.run.run_id)
            await self._apply(api, self.path, deployment, spec)
            if await self._changed(api, deployment):
                await self._apply_anew(api, deployment, spec)
            await self._apply(api, _SERVICES, service, spec)

    async def look(self, spec: ServeSpec) -> Served:
        """The Deployment and the Service from the tenant's API, pods from the host."""
        release = spec.run.run_id
        async with self._api(spec.run.tenant) as api:
            found = await find(api, f"{self.path}/{release_name(release)}", ServingDeployment)
            if found is None or not is_ours(found, release, self._hub, self.kind):
                return Served(False)
            led = await find(api, f"{_SERVICES}/{service_name(spec.deployment)}", ServingService)
            pods = self._host_pods(spec.run.tenant, release)
            seen = read_served(spec, found, led, pods, self._hub)
            if not pods and seen.ready == 0:
                return Served(True, 0, (await self._unseen(api, release)).reason or "", "", seen.changed, seen.leads)
            return seen

    async def lead(self, spec: ServeSpec) -> None:
        """One patch of the Service's selector."""
        async with self._api(spec.run.tenant) as api:
            await self._apply(api, _SERVICES, render_service(spec, self._hub), spec, own=False)

    async def unlead(self, tenant: str, deployment: str) -> None:
        """The Service of the name goes."""
        async with self._api(tenant) as api:
            await self._remove(api, f"{_SERVICES}/{service_name(deployment)}", None)

    async def remove(self, tenant: str, release: str) -> None:
        """Service, Deployment with its pods, Secret: only what is ours."""
        name = release_name(release)
        async with self._api(tenant) as api:
            for place in (f"{_SERVICES}/{name}", f"{self.path}/{name}", f"{SECRETS}/{name}"):
                await self._remove(api, place, release)

    async def gone(self, tenant: str, release: str) -> bool:
        """Both say so: the tenant's API and the host."""
        return await self.pods_gone(tenant, release)

    async def releases(self, tenant: str) -> list[SeenRun]:
        """The Deployments that carry this hub's labels."""
        return await self.runs(tenant)

    async def ask(self, tenant: str, release: str, path: str, body: Mapping[str, object]) -> Answer:
        """Through the API server's proxy to the release's Service: nothing of the host is opened for it."""
        place = f"{_SERVICES}/{release_name(release)}:http/proxy{path}"
        try:
            api = await self._clients.api(tenant)
            status, answer, media_type = await api.proxied(place, dict(body), timeout=_ANSWER)
        except (TenantUnavailable, ApiUnreachable) as error:
            raise NotAnswered(str(error)) from error
        own = _own_words(answer) if status >= 400 else None
        if own is not None:
            raise NotAnswered(own)
        return Answer(status, answer, media_type)

    async def _apply(self, api: KubeApi, path: str, body: Object, spec: ServeSpec, *, own: bool = True) -> None:
        """Make it, or put it back. What has its name and is not ours is left alone. Raises EngineRefused."""
        name = body["metadata"]["name"]
        there = await find(api, f"{path}/{name}")
        ours = there is None or (there["metadata"].get("labels") or {}).get(constants.LABEL_HUB)
        if there is not None and (not ours or (own and not is_ours(there, spec.run.run_id, self._hub, self.kind))):
            raise EngineRefused(f"The team's vCluster has a {body['kind']} {name} already that is not ours.")
        try:
            await api.apply(f"{path}/{name}", body, manager=_MANAGER)
        except ApiError as error:
            if error.status in FOR_GOOD:
                raise EngineRefused(f"The team's vCluster refused the release: {error.message}") from error
            raise

    async def _changed(self, api: KubeApi, deployment: Object) -> str:
        found = await find(api, f"{self.path}/{deployment['metadata']['name']}", ServingDeployment)
        return "" if found is None else changes(deployment, found)

    async def _apply_anew(self, api: KubeApi, deployment: Object, spec: ServeSpec) -> None:
        """To apply leaves alone what somebody added, such as another container. What is changed as soon as it is made
        is no hand's work. Raises EngineRefused."""
        await self._remove(api, f"{self.path}/{deployment['metadata']['name']}", spec.run.run_id)
        await self._apply(api, self.path, deployment, spec)
        if changed := await self._changed(api, deployment):
            words = changed.removesuffix(" by hand")
            raise EngineRefused(f"A program in the team's vCluster changes the release when it is made: {words}.")

    async def _remove(self, api: KubeApi, place: str, release: str | None) -> None:
        found = await find(api, place)
        if found is None:
            return
        labels = found["metadata"].get("labels") or {}
        ours = labels.get(constants.LABEL_OWNER_KIND) == self.kind and labels.get(constants.LABEL_HUB)
        if ours and (release is None or is_ours(found, release, self._hub, self.kind)):
            await api.delete(place, propagation="Background", uid=found["metadata"].get("uid"))


def _own_words(answer: bytes) -> str | None:
    """What the API server itself says; None for an answer of the release."""
    try:
        said = json.loads(answer)
    except ValueError:
        return None
    own = isinstance(said, dict) and said.get("kind") == "Status"
    return printable(str(said.get("message", "")), 300) if own else None
