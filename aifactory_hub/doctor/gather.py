"""The facts of a site, gathered side by side. What can't be asked is not known, and never taken for wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from aifactory_profiles import parse_quantity
from aifactory_profiles.catalogue import PRODUCT_LABEL

from .. import constants
from ..clusters import ApiError, ApiUnreachable, HostObjects, KubeApi, TenantClients, TenantUnavailable
from ..domain.doctor import Compared, Reached, SiteFacts, Stage, differences
from ..domain.engines import EngineNeeds
from ..domain.site_charts import Chart, charts_of
from ..domain.site_rights import AskedRights
from ..domain.site_walls import AdmissionTry, gpu_runtime
from ..engines.installed import UnknownEngine, needs_of_site
from ..registry import Registry
from ..registry.api_servers import networks_of, uncovered, with_api_servers
from ..registry.changes import MANAGER
from ..registry.render import host_objects
from .admission import try_admission
from .authorities import authorities
from .probe import METADATA, Probe
from .rights import host_rights, vcluster_rights
from .sources import Source

T = TypeVar("T")
# At once: enough to be quick, few enough for any API server.
_SIDE_BY_SIDE = 8
_SECONDS = 5.0
# Of kinds that guard tenants from each other; what is not here belongs to managed workloads.
_GUARDS = {
    "NetworkPolicy",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ConfigMap",
    "ResourceQuota",
}
_GUARDS |= {"LimitRange", "Namespace", "Role", "RoleBinding"}
# Whose labels name their chart.
_MADE_BY_CHARTS = ("Deployment", "StatefulSet", "DaemonSet")
_EXPORTER = "app.kubernetes.io/name=dcgm-exporter"
log = logging.getLogger(__name__)

_NO_ANSWER = (ApiUnreachable, ApiError)


def gather_offline(registry: Registry) -> SiteFacts:
    """What tenants.yaml alone says."""
    given = {
        str(device): sum(tenant.quota.nominal.get(device, 0) for tenant in registry.tenants.values())
        for device in registry.cluster.carved
    }
    return SiteFacts(carved={str(device): count for device, count in registry.cluster.carved.items()}, given=given)


async def gather(
    registry: Registry, source: Source, api: KubeApi | None = None, *, probe: bool = False, inside: bool = False
) -> SiteFacts:
    """The facts of the site; with ``api``, the host's, also who answers, and what the hub's accounts may do.

    ``probe`` starts a pod in each vCluster for a while; ``inside`` says that we run in the cluster, as the hub does.
    """
    limit, unseen = asyncio.Semaphore(_SIDE_BY_SIDE), set[str]()
    offline = gather_offline(registry)
    registry, servers = await _api_servers(registry, api)
    storage, nodes, exporters, daemonsets = await asyncio.gather(
        _known(lambda: source.all("storage.k8s.io/v1", "StorageClass"), unseen, "default_storage"),
        _known(lambda: source.all("v1", "Node"), unseen, "allocatable"),
        _known(lambda: source.all("v1", "Pod", _EXPORTER), unseen, "exporters"),
        _known(lambda: source.all("apps/v1", "DaemonSet")),
    )
    version, apis, web, teams = await asyncio.gather(
        _known(source.version),
        _known(source.apis),
        _web_reached(registry, inside),
        _tenants(registry, api, probe, inside),
    )
    (charts, complete), rights, admission = await asyncio.gather(
        _charts(registry, source),
        host_rights(registry, api) if api is not None else _none(),
        try_admission(registry, api) if api is not None else _untried(),
    )
    objects = await asyncio.gather(*(_compared(source, manifest, limit) for manifest in host_objects(registry)))
    return SiteFacts(
        version=version,
        apis=apis,
        default_storage=None if storage is None else any(_is_default(each) for each in storage),
        home_reclaim=_home_reclaim(registry, storage or []),
        **_devices(registry, nodes),
        carved=offline.carved,
        given=offline.given,
        compared=objects,
        reached=[*servers, *(reach for team in teams for reach in team.reached), *web],
        exporters=None if exporters is None else bool(exporters),
        charts=charts,
        charts_complete=complete,
        rights=[*rights, *(each for team in teams for each in team.rights)],
        admission=admission,
        gpu_runtime=None if daemonsets is None else gpu_runtime(daemonsets),
        simulated=registry.cluster.simulated,
        unseen=frozenset(unseen),
    )


async def _known(ask: Callable[[], Awaitable[T]], unseen: set[str] | None = None, field: str = "") -> T | None:
    """The answer; None where there is none. Where the credential may not ask, ``field`` is added to ``unseen``."""
    try:
        return await ask()
    except _NO_ANSWER as error:
        if unseen is not None and _may_not_look(error):
            unseen.add(field)
        return None


def _may_not_look(error: Exception) -> bool:
    return isinstance(error, ApiError) and error.status == HTTPStatus.FORBIDDEN


async def _compared(source: Source, manifest: dict[str, Any], limit: asyncio.Semaphore) -> Compared:
    kind = manifest["kind"]
    name = f"{kind} {manifest['metadata']['name']}"
    if namespace := manifest["metadata"].get("namespace"):
        name += f" in {namespace}"
    stage = Stage.TENANCY if kind in _GUARDS else Stage.WORKLOADS
    async with limit:
        try:
            found = await source.one(manifest)
        except _NO_ANSWER as error:
            return Compared(name, stage, None, unseen=_may_not_look(error))
    if found is None:
        return Compared(name, stage, False)
    return Compared(name, stage, True, tuple(differences(manifest, found)))


def _is_default(storage: dict[str, Any]) -> bool:
    marks = storage["metadata"].get("annotations") or {}
    return marks.get("storageclass.kubernetes.io/is-default-class") == "true"


def _home_reclaim(registry: Registry, classes: Sequence[dict[str, Any]]) -> str | None:
    """Of the class that tenants.yaml names for homes, or else the default one; None when there is no such class."""
    name = registry.notebook.storage_class
    mine = [each for each in classes if (each["metadata"]["name"] == name if name else _is_default(each))]
    return str(mine[0].get("reclaimPolicy") or "Delete") if mine else None


def _devices(registry: Registry, nodes: Sequence[dict[str, Any]] | None) -> dict[str, Any]:
    """Fields of SiteFacts. A quantity that can't be read makes them unknown, not 0."""
    if nodes is None:
        return {}
    try:
        return {"allocatable": _allocatable(registry, nodes), "mislabelled": _mislabelled(registry, nodes)}
    except ValueError as error:
        log.warning("what the nodes have can't be read: %s", error)
        return {}


def _allocatable(registry: Registry, nodes: Sequence[dict[str, Any]]) -> dict[str, int]:
    """What the nodes that take pods have of each device that is given out, by its flavor's node label."""
    usable = [node for node in nodes if not node["spec"].get("unschedulable")]
    return {
        str(device): sum(_count(node, device.resource) for node in usable if _has_flavor(registry, node, device.flavor))
        for device in registry.cluster.carved
    }


def _has_flavor(registry: Registry, node: dict[str, Any], flavor: str) -> bool:
    if flavor not in registry.cluster.gpu_models:
        return True
    return (node["metadata"].get("labels") or {}).get(PRODUCT_LABEL) in registry.catalogue.card(flavor).products


def _mislabelled(registry: Registry, nodes: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Devices on nodes whose product label is none of their flavor's card: device -> label -> how many."""
    found: dict[str, dict[str, int]] = {}
    for device in registry.cluster.carved:
        for node in nodes:
            label = (node["metadata"].get("labels") or {}).get(PRODUCT_LABEL, "")
            count = _count(node, device.resource)
            if count and not _has_flavor(registry, node, device.flavor) and not _of_another(registry, label):
                labels = found.setdefault(str(device), {})
                labels[label] = labels.get(label, 0) + count
    return found


def _of_another(registry: Registry, label: str) -> bool:
    return any(label in registry.catalogue.card(model).products for model in registry.cluster.gpu_models)


def _count(node: dict[str, Any], resource: str) -> int:
    """Raises ValueError for what is no quantity: it is not 0."""
    return int(parse_quantity(str(node["status"].get("allocatable", {}).get(resource, 0))))


async def _none() -> list[AskedRights]:
    return []


async def _untried() -> list[AdmissionTry]:
    return []


async def _api_servers(registry: Registry, api: KubeApi | None) -> tuple[Registry, list[Reached]]:
    """The registry with the addresses of the host's API servers, and whether tenants.yaml covers those that it names.

    What the host does not say to this credential is left as it is.
    """
    if api is None:
        return registry, []
    found = await _known(HostObjects(api, MANAGER).api_servers)
    if found is None:
        return registry, []
    service, slices = found
    check = "vClusters may reach every API server of the host"
    if not registry.isolation.api_servers:
        return with_api_servers(registry, networks_of(service, slices)), []
    missing = uncovered(registry, networks_of(None, slices))
    error = f"{', '.join(missing)} in no network of isolation.api_servers" if missing else ""
    todo = "add the network that they are in, then `aifactory-hub tenants apply`"
    return registry, [
        Reached(check, Stage.TENANCY, error, todo=todo, seen="their addresses are in isolation.api_servers")
    ]


async def _charts(registry: Registry, source: Source) -> tuple[list[Chart], bool]:
    """By what charts made in all namespaces, which is all of them; where these may not be listed, the vClusters'."""
    listed = await asyncio.gather(*(_known(partial(source.all, "apps/v1", kind)) for kind in _MADE_BY_CHARTS))
    if None not in listed:
        return charts_of(each for kind in listed for each in kind or ()), True
    vclusters = [
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": each.name, "namespace": each.namespace}}
        for each in (tenant.vcluster for tenant in registry.tenants.values())
    ]
    found = await asyncio.gather(*(_known(partial(source.one, each)) for each in vclusters))
    return charts_of(each for each in found if each is not None), False


async def _web_reached(registry: Registry, inside: bool) -> list[Reached]:
    """Ask the addresses of tenants.yaml. Names of Services have a meaning in pods only."""
    addresses = registry.addresses
    issuer = f"{registry.identity.issuer.rstrip('/')}/.well-known/openid-configuration"
    web = (
        ("the identity provider", issuer, "identity.issuer in tenants.yaml has to be its URL"),
        ("the hub's API", addresses.hub_api, "look at the hub's log; addresses.hub_api is the address for pods"),
        ("the job service", addresses.service, "look at the service's log; addresses.service is the address for pods"),
    )
    here = [each for each in web if inside or not _for_pods(each[1])]
    elsewhere = [Reached(_answers(*each[:2]), Stage.PLATFORM, for_pods=True) for each in web if each not in here]
    async with httpx.AsyncClient(timeout=_SECONDS, verify=authorities()) as client:
        return [*await asyncio.gather(*(_web(client, *each) for each in here)), *elsewhere]


def _for_pods(url: str) -> bool:
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host.endswith((".svc", ".svc.cluster.local"))


def _answers(name: str, url: str) -> str:
    return f"{name} answers at {url}"


async def _web(client: httpx.AsyncClient, name: str, url: str, todo: str) -> Reached:
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        return Reached(_answers(name, url), Stage.PLATFORM, str(error) or type(error).__name__, todo=todo)
    # Not signed in is an answer; an error of its own is not.
    wrong = f"HTTP {answer.status_code}" if answer.status_code >= 500 or answer.status_code == 404 else ""
    return Reached(_answers(name, url), Stage.PLATFORM, wrong, todo=todo)


@dataclass(frozen=True, slots=True)
class _Team:
    """What was found of one tenant."""

    reached: Sequence[Reached]
    rights: Sequence[AskedRights] = ()


async def _tenants(registry: Registry, api: KubeApi | None, probe: bool, inside: bool) -> list[_Team]:
    """Each tenant's API, under the credentials that hub and job service have for it."""
    if api is None:
        todo = "ask a cluster, not a file"
        return [_Team([Reached(_asked(name), Stage.TENANCY, tried=False, todo=todo)]) for name in registry.tenants]
    secrets = (constants.NOTEBOOKS_SECRET, constants.JOBS_SECRET)
    clients = {secret: TenantClients(api, registry.tenants, secret) for secret in secrets}
    shut = await _addresses(registry, api) if probe else {}
    # It imports the engines' packages, so once for all teams.
    engines = _needs_of_engines(registry)
    asked = (_tenant(registry, name, clients, engines, shut, probe, inside) for name in registry.tenants)
    try:
        return list(await asyncio.gather(*asked))
    finally:
        for each in clients.values():
            await each.close()


async def _tenant(
    registry: Registry,
    name: str,
    clients: Mapping[str, TenantClients],
    engines: Sequence[EngineNeeds],
    shut: Mapping[str, tuple[str, int]],
    probe: bool,
    inside: bool,
) -> _Team:
    tenant, check = registry.tenants[name], _asked(name)
    todo = f"look at its pods; its values are `aifactory-hub tenants render --part vcluster --tenant {name}`"
    try:
        apis = {secret: await client.api(name) for secret, client in clients.items()}
        hub = apis[constants.NOTEBOOKS_SECRET]
        await hub.get(f"/api/v1/namespaces/{constants.NOTEBOOKS_NAMESPACE}/pods", {"limit": 1})
        asked = (vcluster_rights(tenant, each, secret, engines) for secret, each in apis.items())
        rights = await asyncio.gather(*asked)
    except TenantUnavailable as error:
        return _Team([Reached(check, Stage.TENANCY, error.reason, todo=todo)])
    except _NO_ANSWER as error:
        return _Team([Reached(check, Stage.TENANCY, str(error), todo=todo)])
    walls = {what: where for what, where in shut.items() if what != _vcluster_of(name)}
    probed = await Probe(registry, tenant, hub, walls, inside).run() if probe else []
    return _Team([Reached(check, Stage.TENANCY, todo=todo), *probed], rights)


def _needs_of_engines(registry: Registry) -> list[EngineNeeds]:
    """The needs of the site's engines; none if one of them is not installed here, so that nothing is asked for it."""
    try:
        return needs_of_site(registry.jobs.engines, deployments=registry.deployments.enabled)
    except UnknownEngine:
        return []


async def _addresses(registry: Registry, api: KubeApi) -> dict[str, tuple[str, int]]:
    """What no tenant's pod may reach: the metadata address, and the vClusters, each but its own."""
    found = {METADATA: ("169.254.169.254", 80)}
    for name, tenant in registry.tenants.items():
        place = f"/api/v1/namespaces/{tenant.vcluster.namespace}/services/{tenant.vcluster.name}"
        service = await _known(partial(api.get, place))
        if service is not None:
            found[_vcluster_of(name)] = (service["spec"]["clusterIP"], 443)
    return found


def _vcluster_of(tenant: str) -> str:
    return f"the vCluster of {tenant}"


def _asked(tenant: str) -> str:
    return f"the vCluster of {tenant} answers the hub"
