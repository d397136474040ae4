"""``aifactory-hub tenants plan|apply|diff``: what tenants.yaml means for the host cluster, and making it so."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .loading import load
from .registry import EXIT_BAD_FILE, open_registry, site_rules

if TYPE_CHECKING:
    from aifactory_hub.clusters import HostObjects
    from aifactory_hub.registry import Registry
    from aifactory_hub.registry.changes import Change

# As diff has it: 1 means that there are differences, 2 is trouble.
EXIT_DIFFERENT = 1
# A namespace holds a team's vCluster, with its volumes. No program deletes that because a line left a file.
_NEVER_DELETED = ("Namespace",)

_FILE = click.argument("file", type=click.Path())
_KUBECONFIG = click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    type=click.Path(),
    help="The host cluster's kubeconfig, of somebody who may change these objects; left out, the pod's own account.",
)
_TENANT = click.option("--tenant", "chosen", help="Only what belongs to this tenant.")
_PRUNE = click.option(
    "--prune", is_flag=True, help="Also what `apply --prune` would delete, because FILE does not say it any more."
)
# Seconds. An API server looks for new admission policies once a second, and a host may have several. What an earlier
# version rendered goes only when all of them enforce what takes its place.
_SETTLES = 10.0

T = TypeVar("T")
Plan = tuple[list[Any], list["Change"]]


@click.command()
@_FILE
@_KUBECONFIG
@_TENANT
@_PRUNE
def plan(file: str, kubeconfig: str | None, chosen: str | None, prune: bool) -> None:
    """Show what apply would do on the host cluster for FILE. Changes nothing."""
    _, changes = _run(file, kubeconfig, lambda host, registry: _plan(host, registry, chosen))
    _show(changes, prune=prune)


@click.command()
@_FILE
@_KUBECONFIG
@_TENANT
@_PRUNE
def diff(file: str, kubeconfig: str | None, chosen: str | None, prune: bool) -> None:
    """Like plan, but ends with 1 when the host cluster is not as FILE says, so also after a change by hand."""
    _, changes = _run(file, kubeconfig, lambda host, registry: _plan(host, registry, chosen))
    _show(changes, prune=prune)
    if any(change.action != "keep" for change in changes):
        sys.exit(EXIT_DIFFERENT)


@click.command()
@_FILE
@_KUBECONFIG
@_TENANT
@click.option("--prune", is_flag=True, help="Also delete what FILE says no more; namespaces are never deleted.")
def apply(file: str, kubeconfig: str | None, chosen: str | None, prune: bool) -> None:
    """Make the host cluster what FILE says, by server-side apply. A second time it changes nothing."""

    async def work(host: HostObjects, registry: Registry) -> list[Change]:
        wanted, changes = await _plan(host, registry, chosen)
        _show(changes, prune=prune)
        refs = load("aifactory_hub.registry.changes", "hub")
        todo = {change.ref for change in changes if change.action in ("create", "change")}
        for manifest in wanted:
            if refs.ref_of(manifest) in todo:
                await host.apply(manifest, dry_run=False)
        await _remove_replaced(host, changes)
        for change in changes:
            if prune and change.action == "delete" and change.ref.kind not in _NEVER_DELETED:
                await host.delete(*change.ref)
                click.echo(f"deleted {change.ref}")
        return changes

    changes = _run(file, kubeconfig, work)
    done = sum(change.action in ("create", "change", "remove") for change in changes)
    click.echo(f"applied {done} {_objects(done)}")


async def _remove_replaced(host: HostObjects, changes: list[Change]) -> None:
    """Remove what an earlier version rendered, once what takes its place is enforced."""
    replaced = [change.ref for change in changes if change.action == "remove"]
    if replaced:
        await asyncio.sleep(_SETTLES)
    for ref in replaced:
        await host.delete(*ref)
        click.echo(f"removed {ref}")


async def _replaced(host: HostObjects, registry: Registry, chosen: str | None) -> list[Change]:
    """What the host still has of what an earlier version rendered in the place of today's policies."""
    changes = load("aifactory_hub.registry.changes", "hub")
    policies = load("aifactory_hub.registry.policies", "hub")
    tenants = [tenant for name, tenant in registry.tenants.items() if chosen in (None, name)]
    old = [changes.ref_of(each) for each in policies.replaced_objects(tenants)]
    found = [ref for ref in old if await host.get(*ref) is not None]
    shared = [changes.ref_of(each) for each in policies.SHARED_POLICIES]
    shared = [ref for ref in shared if await host.get(*ref) is not None]
    if shared:
        bindings = await host.marked(["ValidatingAdmissionPolicyBinding"], "")
        found += changes.unbound(shared, bindings, found)
    return [changes.Change(ref, changes.Action.REMOVE) for ref in found]


async def with_host_addresses(host: HostObjects, registry: Registry) -> Registry:
    """The registry with the addresses of the host's API servers, where FILE leaves them to the host."""
    servers = load("aifactory_hub.registry.api_servers", "hub")
    if registry.isolation.api_servers:
        return registry
    networks = servers.networks_of(*await host.api_servers())
    if not networks:
        raise click.ClickException("the host names no address of its API servers; write isolation.api_servers")
    found: Registry = servers.with_api_servers(registry, networks)
    return found


async def _plan(host: HostObjects, registry: Registry, chosen: str | None) -> Plan:
    """The objects that FILE means, marked, and what applying them would do."""
    changes = load("aifactory_hub.registry.changes", "hub")
    render = load("aifactory_hub.registry.render", "hub")
    if chosen is not None and chosen not in registry.tenants:
        known = ", ".join(registry.tenants)
        raise click.BadParameter(f"{registry.source} has no tenant {chosen!r}; it has {known}", param_hint="--tenant")
    registry = await with_host_addresses(host, registry)
    follows = load("aifactory_hub.registry.contents", "hub").revision_of(registry.source)
    wanted = [
        changes.marked(manifest, registry.hub, follows)
        for manifest in render.host_objects(registry, None if chosen is None else [chosen], site_rules(registry))
    ]
    found = []
    for manifest in wanted:
        live = await host.get(*changes.ref_of(manifest))
        becomes = None if live is None else await host.apply(manifest, dry_run=True)
        found.append(changes.change_of(manifest, live, becomes))
    replaced = await _replaced(host, registry, chosen)
    if chosen is None:
        kinds = dict.fromkeys([*(manifest["kind"] for manifest in wanted), "ConfigMap"])
        marked = await host.marked(kinds, f"{changes.LABEL_REGISTRY}={registry.hub}")
        going = {change.ref for change in replaced}
        found += [each for each in changes.surplus(marked, wanted) if each.ref not in going]
    return wanted, [*found, *replaced]


def _run(file: str, kubeconfig: str | None, work: Callable[[HostObjects, Registry], Awaitable[T]]) -> T:
    """Do ``work`` with the registry and the host. Ends the process with 2 and a reason when the host says no."""
    registry = open_registry(file)
    clusters = load("aifactory_hub.clusters", "hub")
    manager = load("aifactory_hub.registry.changes", "hub").MANAGER

    async def with_host() -> T:
        api = await clusters.connect_host(kubeconfig)
        try:
            return await work(clusters.HostObjects(api, manager), registry)
        finally:
            await api.close()

    try:
        return asyncio.run(with_host())
    except (clusters.ApiError, clusters.ApiUnreachable, clusters.CredentialError) as error:
        click.echo(f"the host cluster: {error}", err=True)
        sys.exit(EXIT_BAD_FILE)


def _show(changes: list[Change], *, prune: bool) -> None:
    for change in changes:
        if change.action == "keep":
            continue
        told = f" (changed by hand: {', '.join(change.by_hand)})" if change.by_hand else ""
        click.echo(f"{change.action} {change.ref}{told}{_note(change, prune=prune)}")
        for difference in change.differences:
            click.echo(f"  {difference.path}: {_value(difference.now)} -> {_value(difference.wanted)}")
    kept = sum(change.action == "keep" for change in changes)
    click.echo(f"{kept} {_objects(kept)} as wanted, {len(changes) - kept} not")


def _note(change: Change, *, prune: bool) -> str:
    if change.action == "remove":
        return " (an earlier version made it; apply removes it when what takes its place is enforced)"
    if change.action != "delete":
        return ""
    if change.ref.kind in _NEVER_DELETED:
        return " (not in the file any more; delete it by hand when nobody needs what is in it)"
    return " (not in the file any more)" if prune else " (not in the file any more; `apply --prune` deletes it)"


def _value(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, sort_keys=True)


def _objects(count: int) -> str:
    return "object" if count == 1 else "objects"
