"""``aifactory-hub tickets``: who holds quota on the host cluster, and giving back what no server or job holds."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from .loading import load
from .registry import EXIT_BAD_FILE, open_registry

if TYPE_CHECKING:
    from aifactory_hub.clusters import KubeApi
    from aifactory_hub.domain.tickets import Ticket
    from aifactory_hub.registry import Registry

_FILE = click.argument("file", type=click.Path())
_KUBECONFIG = click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    type=click.Path(),
    help="The host cluster's kubeconfig, of somebody who may read and patch Jobs in the teams' namespaces.",
)


@click.group()
def tickets() -> None:
    """Tickets on the host cluster: each holds the quota of one server or job."""


@tickets.command("list")
@_FILE
@_KUBECONFIG
def list_tickets(file: str, kubeconfig: str | None) -> None:
    """Show the tickets of FILE's hub by the database that filed them.

    Tickets of a database that neither the hub nor the job service has now are held by nobody: /hub/aifactory/cluster
    and the job service's log name them.
    """
    found = _with_host(file, kubeconfig, _read)
    for ticket in found:
        click.echo(_line(ticket))
    for (kind, database), count in sorted(Counter((each.kind, each.database) for each in found).items()):
        click.echo(f"{count} of {kind}s, filed with database {database or '(no id)'}")


@tickets.command()
@_FILE
@_KUBECONFIG
@click.argument("names", nargs=-1, metavar="TEAM/TICKET...")
@click.option("--database", help='All tickets that were filed with the database of this id; "none": without an id.')
@click.option("--yes", is_flag=True, help="Do not ask.")
def release(file: str, kubeconfig: str | None, names: tuple[str, ...], database: str | None, yes: bool) -> None:
    """Have tickets given back that no server or job holds; what runs on them is ended.

    The hub and the job service do it within two minutes. A ticket that a server or a job of theirs holds is left alone.
    """

    async def work(host: KubeApi, registry: Registry) -> int:
        chosen = _chosen(await _read(host, registry), names, database)
        people = len({ticket.user for ticket in chosen})
        click.echo("\n".join(_line(ticket) for ticket in chosen))
        if not yes:
            click.confirm(f"End what runs on these {len(chosen)} tickets of {people} people?", abort=True)
        for ticket in chosen:
            await _ask_release(host, registry, ticket)
        return len(chosen)

    click.echo(f"asked for the release of {_with_host(file, kubeconfig, work)} tickets")


def _chosen(found: Sequence[Ticket], names: Sequence[str], database: str | None) -> list[Ticket]:
    if bool(names) == (database is not None):
        raise click.UsageError("Name tickets as TEAM/TICKET, or a --database.")
    if database is not None:
        wanted = "" if database == "none" else database
        chosen = [ticket for ticket in found if ticket.database == wanted]
        if not chosen:
            raise click.BadParameter(f"no ticket was filed with database {database}", param_hint="--database")
        return chosen
    by_name = {f"{ticket.tenant}/{ticket.name}": ticket for ticket in found}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise click.BadParameter(f"there is no ticket {', '.join(unknown)}: see `aifactory-hub tickets list`")
    return [by_name[name] for name in names]


async def _read(host: KubeApi, registry: Registry) -> list[Ticket]:
    kueue = load("aifactory_hub.admission", "hub").KueueAdmission(host, registry.tenants, registry.hub)
    listed = [await kueue.tickets(tenant) for tenant in registry.tenants]
    return sorted((ticket for each in listed for ticket in each), key=lambda t: (t.database, t.tenant, t.name))


async def _ask_release(host: KubeApi, registry: Registry, ticket: Ticket) -> None:
    constants = load("aifactory_hub.constants", "hub")
    namespace = registry.tenants[ticket.tenant].vcluster.namespace
    # The uid: a ticket that is filed under this name later is another right to run.
    patch = {"metadata": {"uid": ticket.uid, "annotations": {constants.ANNOTATION_RELEASE: ticket.uid}}}
    await host.merge_patch(f"/apis/batch/v1/namespaces/{namespace}/jobs/{ticket.name}", patch)


def _line(ticket: Ticket) -> str:
    since = "" if ticket.filed_at is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(ticket.filed_at))
    held = "held" if ticket.active else str(ticket.state)
    who = f"{ticket.kind} of {ticket.user}, {ticket.profile}, {held}, filed {since}"
    return f"{ticket.tenant}/{ticket.name}: {who}, database {ticket.database or '(no id)'}"


def _with_host(file: str, kubeconfig: str | None, work: Callable[[KubeApi, Registry], Awaitable[Any]]) -> Any:
    """Do ``work`` with the host's API. Ends the process with 2 and a reason when the host does not let it."""
    registry = open_registry(file)
    clusters = load("aifactory_hub.clusters", "hub")
    unavailable = load("aifactory_hub.admission", "hub").AdmissionUnavailable

    async def with_host() -> Any:
        api = await clusters.connect_host(kubeconfig)
        try:
            return await work(api, registry)
        finally:
            await api.close()

    try:
        return asyncio.run(with_host())
    except (clusters.ApiError, clusters.ApiUnreachable, clusters.CredentialError, unavailable) as error:
        click.echo(f"the host cluster: {error}", err=True)
        sys.exit(EXIT_BAD_FILE)
