"""``aifactory-hub tenants status|purge``: how far the provisioner is with each team, and the very end of one."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from .loading import load
from .registry import EXIT_BAD_FILE, open_registry

if TYPE_CHECKING:
    from aifactory_hub.clusters import KubeApi
    from aifactory_hub.domain.team_records import TeamRecord
    from aifactory_hub.domain.tenants import Tenant
    from aifactory_hub.registry import Registry

T = TypeVar("T")

_FILE = click.argument("file", type=click.Path())
_KUBECONFIG = click.option(
    "--kubeconfig", envvar="KUBECONFIG", type=click.Path(), help="The host cluster's kubeconfig; else the pod's own."
)


@click.command()
@_FILE
@_KUBECONFIG
@click.option("--journal", "team", metavar="TEAM", help="All that was written down of one team.")
def status(file: str, kubeconfig: str | None, team: str | None) -> None:
    """Show how far the provisioner is with each team of FILE, and what it put right."""
    registry = open_registry(file)
    if team is not None and team not in registry.tenants:
        raise click.BadParameter(f"{file} has no tenant {team!r}; it has {', '.join(registry.tenants)}")
    reader = load("aifactory_hub.provisioner.records", "hub")
    found = _on_the_host(kubeconfig, lambda api: reader.all_records(api, registry.hub))
    if team is None:
        for name in registry.tenants:
            click.echo(_line(name, found.get(name)))
        for name in sorted(found.keys() - registry.tenants.keys()):
            click.echo(f"{name}: in no file any more, and left as it is: the provisioner deletes nothing")
        return
    when = load("aifactory_hub.domain.formatting", "hub").moment
    for entry in found[team].journal if team in found else ():
        click.echo(f"{when(entry.at)}  {entry.text}")


def _line(name: str, record: TeamRecord | None) -> str:
    if record is None:
        return f"{name}: the provisioner has written nothing of it"
    formatting = load("aifactory_hub.domain.formatting", "hub")
    age = formatting.duration(max(0.0, time.time() - record.since))
    parts = [f"{name}: {record.stage} for {age}: {record.sentence}"]
    if record.version:
        parts.append(f"vCluster {record.version}")
    if record.healed:
        parts.append(f"{record.healed} changes of others were put right")
    if record.trouble:
        parts.append(f"TROUBLE: {record.trouble}")
    if record.todo:
        parts.append(f"to do: {record.todo}")
    return "; ".join(parts)


@click.command()
@_FILE
@click.argument("team")
@click.option("--uid", required=True, help="The uid of the team's namespace: what is deleted is what you looked at.")
@_KUBECONFIG
def purge(file: str, team: str, uid: str, kubeconfig: str | None) -> None:
    """Delete the namespace of TEAM, which has ended, with its vCluster and its people's homes. It takes two people.

    The first one asks, and the second one, with another account on the host, agrees by the same command. FILE still has
    to name the team, with a `retire` whose `keep` is over.
    """
    registry = open_registry(file)
    if team not in registry.tenants:
        raise click.BadParameter(f"{file} has no tenant {team!r}; it has {', '.join(registry.tenants)}")
    _on_the_host(kubeconfig, lambda api: _purge(api, registry, registry.tenants[team], uid))


async def _purge(api: KubeApi, registry: Registry, tenant: Tenant, uid: str) -> None:
    rights = load("aifactory_hub.registry.render_provisioner", "hub")
    decide, reader = load("aifactory_hub.domain.team_end", "hub"), load("aifactory_hub.provisioner.records", "hub")
    path = f"/api/v1/namespaces/{tenant.vcluster.namespace}"
    namespace = (await api.get(path))["metadata"]
    asked = (namespace.get("annotations") or {}).get(rights.ANNOTATION_PURGE_ASKED, "")
    me = await api.who_am_i()
    record = (await reader.all_records(api, registry.hub)).get(tenant.name)
    stage = "not known to the provisioner" if record is None else str(record.stage)
    # The first person only asks. All other conditions are checked now, as if a second person had agreed.
    want = decide.Purge(asked or me, me if asked else f"not {me}", uid)
    if problem := decide.purge_problem(tenant, want, namespace["uid"], stage, time.time()):
        raise click.ClickException(f"{problem}. Nothing was done.")
    if not asked:
        await api.merge_patch(path, {"metadata": {"annotations": {rights.ANNOTATION_PURGE_ASKED: me}}})
        click.echo(f"{me} asks for the end of {tenant.vcluster.namespace}. Another person has to run the same command.")
        return
    await api.merge_patch(path, {"metadata": {"annotations": {rights.ANNOTATION_PURGE: uid}}})
    await api.delete(path, uid=uid)
    click.echo(f"{tenant.vcluster.namespace} is deleted: {asked} asked, {me} agreed.")
    click.echo("Now take the team from the file, and `aifactory-hub tenants apply --prune` removes its queues.")


def _on_the_host(kubeconfig: str | None, work: Callable[[KubeApi], Awaitable[T]]) -> T:
    """Do ``work``. Ends the process with 2 and a reason when the host says no."""
    clusters = load("aifactory_hub.clusters", "hub")

    async def connected() -> T:
        api = await clusters.connect_host(kubeconfig)
        try:
            return await work(api)
        finally:
            await api.close()

    try:
        return asyncio.run(connected())
    except (clusters.ApiError, clusters.ApiUnreachable, clusters.CredentialError) as error:
        click.echo(f"the host cluster: {error}", err=True)
        sys.exit(EXIT_BAD_FILE)
