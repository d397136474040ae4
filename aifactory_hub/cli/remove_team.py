"""``aifactory-hub tenants remove``: end what a team runs, and keep its people's homes unless told their number."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from aifactory_profiles import format_bytes, parse_memory

from .loading import load
from .registry import EXIT_BAD_FILE, open_registry

if TYPE_CHECKING:
    from aifactory_hub.clusters import KubeApi
    from aifactory_hub.domain.tenants import Tenant
    from aifactory_hub.domain.tickets import Ticket
    from aifactory_hub.registry import Registry

Json = dict[str, Any]

# Seconds for pods to go: a job has 45 to bring its files home.
_TIMEOUT = 90.0
_PAUSE = 1.0


@dataclass(frozen=True)
class _Team:
    """What the team has on the host: claims of homes, pods of servers and jobs, and their tickets."""

    homes: list[Json]
    pods: list[Json]
    tickets: list[Ticket]

    def count(self, kind: str) -> int:
        return len({ticket.name for ticket in self.tickets if ticket.kind == kind})

    @property
    def bytes(self) -> int:
        return sum(_size(claim) for claim in self.homes)


@click.command()
@click.argument("file", type=click.Path())
@click.argument("team")
@click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    type=click.Path(),
    help="The host cluster's kubeconfig, of somebody who may change the team's namespace.",
)
@click.option(
    "--delete-homes",
    type=click.IntRange(min=0),
    metavar="N",
    help="Also delete the home volumes of the team. N has to be how many there are.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(file: str, team: str, kubeconfig: str | None, delete_homes: int | None, yes: bool) -> None:
    """Stop what TEAM runs, before its vCluster is uninstalled. FILE still has to name the team.

    Its queues are held, so that nothing new starts; servers and jobs are ended; their tickets are given back. Home
    volumes are kept, also when the vCluster is uninstalled after this, unless --delete-homes says their number.
    """
    registry = open_registry(file)
    if team not in registry.tenants:
        known = ", ".join(registry.tenants)
        raise click.BadParameter(f"{file} has no tenant {team!r}; it has {known}", param_hint="TEAM")
    clusters = load("aifactory_hub.clusters", "hub")
    unavailable = load("aifactory_hub.admission", "hub").AdmissionUnavailable

    async def with_host() -> None:
        host = await clusters.connect_host(kubeconfig)
        try:
            await _remove(host, registry, registry.tenants[team], delete_homes, yes)
        finally:
            await host.close()

    try:
        asyncio.run(with_host())
    except (clusters.ApiError, clusters.ApiUnreachable, clusters.CredentialError, unavailable) as error:
        click.echo(f"the host cluster: {error}", err=True)
        sys.exit(EXIT_BAD_FILE)


async def _remove(host: KubeApi, registry: Registry, tenant: Tenant, delete_homes: int | None, yes: bool) -> None:
    found = await _gather(host, registry, tenant)
    _show(tenant, found)
    count = len(found.homes)
    if delete_homes is not None and delete_homes != count:
        raise click.ClickException(f"--delete-homes is {delete_homes}, and there are {count} homes. Nothing was done.")
    if delete_homes is None and count:
        await _check_kept(host)
    fate = f"DELETE its {count} homes" if delete_homes else f"keep its {count} homes"
    if not yes:
        click.confirm(f"Stop all that team {tenant.name} runs, and {fate}?", abort=True)
    await _hold_queues(host, tenant)
    await _end(host, registry, tenant, found)
    for claim in found.homes if delete_homes else ():
        await _delete_home(host, tenant, claim)
    _show_next(tenant, count, kept=not delete_homes)


async def _gather(host: KubeApi, registry: Registry, tenant: Tenant) -> _Team:
    constants = load("aifactory_hub.constants", "hub")
    homes = load("aifactory_hub.registry.homes", "hub")
    where = f"/api/v1/namespaces/{tenant.vcluster.namespace}"
    inside = {"labelSelector": f"{homes.VIRTUAL_NAMESPACE}={constants.NOTEBOOKS_NAMESPACE}"}
    claims = (await host.get(f"{where}/persistentvolumeclaims", inside)).get("items") or []
    ours = {"labelSelector": f"{constants.LABEL_HUB}={registry.hub},{constants.LABEL_OWNER_KIND}"}
    return _Team(
        [claim for claim in claims if claim["metadata"]["name"].startswith(constants.HOME_PREFIX)],
        (await host.get(f"{where}/pods", ours)).get("items") or [],
        await _kueue(host, registry).tickets(tenant.name),
    )


def _kueue(host: KubeApi, registry: Registry) -> Any:
    return load("aifactory_hub.admission", "hub").KueueAdmission(host, registry.tenants, registry.hub)


def _show(tenant: Tenant, found: _Team) -> None:
    namespace = tenant.vcluster.namespace
    for claim in sorted(found.homes, key=_name):
        spec = claim["spec"]
        volume = f"volume {spec.get('volumeName') or 'none yet'} of class {spec.get('storageClassName') or 'default'}"
        click.echo(f"home {_name(claim)}: {format_bytes(_size(claim))}, {volume}")
    for ticket in found.tickets:
        click.echo(f"{ticket.kind} of {ticket.user}: {ticket.profile}, {'runs' if ticket.active else ticket.state}")
    sizes = f"{len(found.homes)} homes of {format_bytes(found.bytes)} in all"
    work = f"{found.count('server')} servers, {found.count('job')} jobs, {len(found.pods)} pods"
    click.echo(f"team {tenant.name}, namespace {namespace}: {work}, {sizes}")


def _name(claim: Json) -> str:
    """Inside the vCluster."""
    metadata = claim["metadata"]
    homes = load("aifactory_hub.registry.homes", "hub")
    return str((metadata.get("annotations") or {}).get(homes.VIRTUAL_NAME) or metadata["name"])


def _size(claim: Json) -> int:
    capacity = (claim.get("status") or {}).get("capacity") or claim["spec"]["resources"]["requests"]
    try:
        return parse_memory(capacity.get("storage", "0"))
    except ValueError:
        return 0  # such as 1.5Gi, for a sum that only informs


async def _check_kept(host: KubeApi) -> None:
    homes = load("aifactory_hub.registry.homes", "hub")
    clusters = load("aifactory_hub.clusters", "hub")
    try:
        path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
        await host.get(f"{path}/{homes.HOME_POLICY}")
    except clusters.ApiError as error:
        if error.status != 404:
            raise
        raise click.ClickException(
            "the policy that keeps homes is not on the host cluster, so they would go with the vCluster: run "
            "`aifactory-hub tenants apply` first. Nothing was done."
        ) from error


async def _hold_queues(host: KubeApi, tenant: Tenant) -> None:
    constants = load("aifactory_hub.constants", "hub")
    clusters = load("aifactory_hub.clusters", "hub")
    queues = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{tenant.vcluster.namespace}/localqueues"
    for queue in (constants.LOCAL_QUEUE, constants.JOBS_LOCAL_QUEUE):
        try:
            await host.merge_patch(f"{queues}/{queue}", {"spec": {"stopPolicy": "Hold"}})
        except clusters.ApiError as error:
            if error.status != 404:
                raise


async def _end(host: KubeApi, registry: Registry, tenant: Tenant, found: _Team) -> None:
    """Pods first, tickets after: quota is free only once nothing uses it. A pod that is gone from the host goes from
    the vCluster, too."""
    where = f"/api/v1/namespaces/{tenant.vcluster.namespace}/pods"
    deadline = time.monotonic() + _TIMEOUT
    pods: Sequence[Json] = found.pods
    while pods:
        for pod in pods:
            if "deletionTimestamp" not in pod["metadata"]:
                await host.delete(f"{where}/{pod['metadata']['name']}", uid=pod["metadata"]["uid"])
        if time.monotonic() > deadline:
            names = ", ".join(pod["metadata"]["name"] for pod in pods)
            raise click.ClickException(f"pods do not go: {names}. Run this again; no home was touched.")
        await asyncio.sleep(_PAUSE)
        pods = (await _gather(host, registry, tenant)).pods
    kueue = _kueue(host, registry)
    for ticket in await kueue.tickets(tenant.name):
        await kueue.release(tenant.name, ticket.name)
    click.echo(f"ended {len(found.pods)} pods, gave back {len(found.tickets)} tickets")


async def _delete_home(host: KubeApi, tenant: Tenant, claim: Json) -> None:
    homes = load("aifactory_hub.registry.homes", "hub")
    metadata = claim["metadata"]
    path = f"/api/v1/namespaces/{tenant.vcluster.namespace}/persistentvolumeclaims/{metadata['name']}"
    await host.merge_patch(path, {"metadata": {"annotations": {homes.ANNOTATION_DELETE_HOME: metadata["uid"]}}})
    await host.delete(path, uid=metadata["uid"])
    click.echo(f"deleted home {_name(claim)}")


def _show_next(tenant: Tenant, homes: int, *, kept: bool) -> None:
    namespace = tenant.vcluster.namespace
    click.echo(f"Now: helm uninstall {tenant.vcluster.name} -n {namespace}")
    click.echo(
        "then take the team from the file, start the hub and the job service again, and `tenants apply --prune`."
    )
    if kept and homes:
        click.echo(f"Leave namespace {namespace}: its {homes} homes are in it, and go with it.")
