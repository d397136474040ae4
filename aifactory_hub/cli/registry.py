"""Commands about ``tenants.yaml``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from aifactory_profiles import format_bytes

from .loading import load

if TYPE_CHECKING:
    from aifactory_hub.domain.engines import EngineNeeds
    from aifactory_hub.domain.gates import Rule
    from aifactory_hub.registry import Registry

# As grep and diff have it: 1 is an answer, 2 is trouble.
EXIT_BAD_FILE = 2

_FILE = click.argument("file", type=click.Path())


@click.group()
def tenants() -> None:
    """Check tenants.yaml, and render what follows from it."""


@tenants.command()
@_FILE
def check(file: str) -> None:
    """Check FILE and say what it defines. Ends with 2 and a list of problems when it is wrong."""
    registry = open_registry(file)
    cluster = registry.cluster
    simulated = ", its GPUs are simulated" if cluster.simulated else ""
    click.echo(f"{file}: hub {registry.hub}, cluster {cluster.name}{simulated}")
    for device, count in cluster.carved.items():
        given = sum(tenant.quota.nominal.get(device, 0) for tenant in registry.tenants.values())
        click.echo(f"  {device}: {given} of {count} given to tenants")
    for tenant in registry.tenants.values():
        place = f"vCluster {tenant.vcluster.name} in {tenant.vcluster.namespace}"
        click.echo(f"tenant {tenant.name} ({tenant.display_name}): {place}")
        for name in tenant.profiles:
            profile = registry.catalogue.profile(name)
            limit = ", ".join(f"{tenant.quota.limit(device)} at most" for device in profile.takes)
            memory = format_bytes(profile.requests.memory_bytes)
            size = f"{profile.requests.cpu_millicores}m cpu, {memory} memory"
            click.echo(f"  {name}: {', '.join(part for part in (size, limit) if part)}")


@tenants.command()
@_FILE
@click.option("--tenant", "chosen", help="Only what belongs to this tenant.")
@click.option(
    "--part",
    type=click.Choice(["host", "policies", "vcluster", "mig", "provisioner"]),
    default="host",
    show_default=True,
    help="Objects for the host cluster; of those only the policies; values for the vCluster chart, one document a"
    " tenant; how the GPUs are cut, for NVIDIA's GPU Operator; or the provisioner's rights.",
)
@click.option("--gpus-per-node", type=click.IntRange(1, 16), default=8, show_default=True, help="For --part mig.")
def render(file: str, chosen: str | None, part: str, gpus_per_node: int) -> None:
    """Print what FILE means for the host cluster or for the tenants' vClusters, as YAML documents."""
    registry = open_registry(file)
    if chosen is not None and chosen not in registry.tenants:
        known = ", ".join(registry.tenants)
        raise click.BadParameter(f"{file} has no tenant {chosen!r}; it has {known}", param_hint="--tenant")
    if part in ("host", "policies") and not registry.isolation.api_servers:
        servers = load("aifactory_hub.registry.api_servers", "hub")
        click.echo(
            f"{file}: isolation.api_servers is left out, and render asks no cluster where the host's API servers are;"
            " name their networks (to see them: "
            f"`{servers.HOW_TO_SEE}`), or use `aifactory-hub tenants apply`, which asks the host",
            err=True,
        )
        sys.exit(EXIT_BAD_FILE)
    names = None if chosen is None else [chosen]
    documents = _parts(registry, names, gpus_per_node)[part]()
    click.echo(load("aifactory_hub.registry.output", "hub").yaml_documents(documents), nl=False)


def _parts(registry: Registry, names: list[str] | None, gpus_per_node: int) -> dict[str, Callable[[], list[Any]]]:
    def rules() -> Sequence[Rule]:
        return site_rules(registry)

    def vcluster() -> list[Any]:
        values = load("aifactory_hub.registry.render_vcluster", "hub").vcluster_values
        chosen, needs = names or registry.tenants, needs_of_engines(registry)
        return [values(registry.tenants[name], registry.addresses, needs) for name in chosen]

    def mig() -> list[Any]:
        plans = load("aifactory_hub.registry.mig", "hub")
        try:
            return list(plans.mig_objects(registry, gpus_per_node))
        except plans.MigError as error:
            raise click.ClickException(str(error)) from error

    return {
        "host": lambda: list(load("aifactory_hub.registry.render", "hub").host_objects(registry, names, rules())),
        "policies": lambda: list(
            load("aifactory_hub.registry.policies", "hub").policy_objects(registry, names, rules())
        ),
        "vcluster": vcluster,
        "mig": mig,
        "provisioner": lambda: list(
            load("aifactory_hub.registry.render_provisioner", "hub").provisioner_objects(registry)
        ),
    }


def needs_of_engines(registry: Registry) -> list[EngineNeeds]:
    """The needs of the site's engines in each vCluster. Ends the process with 2 when one is not installed."""
    engines = load("aifactory_hub.engines.installed", "hub")
    try:
        needs: list[EngineNeeds] = engines.needs_of_site(
            registry.jobs.engines, deployments=registry.deployments.enabled
        )
    except engines.UnknownEngine as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_BAD_FILE)
    return needs


def site_rules(registry: Registry) -> Sequence[Rule]:
    """The rules in the site's folder; none where it has none. Ends the process with 2 when they can't be used.

    One that is only tried so far comes as an advisory one: the host has no clock for that.
    """
    if registry.policies_folder is None:
        return ()
    policy = load("aifactory_hub.policy", "hub")
    try:
        bundle = policy.load_bundle(registry.policies_folder).bundle
    except policy.PolicyError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_BAD_FILE)
    now, advisory = time.time(), load("aifactory_hub.domain.verdicts", "hub").Severity.ADVISORY
    return [rule if rule.enforced_at(now) else replace(rule, severity=advisory) for rule in bundle.rules]


def open_registry(file: str) -> Registry:
    """The registry in ``file``. Ends the process with 2 and the list of problems when it is wrong."""
    registry = load("aifactory_hub.registry", "hub")
    try:
        loaded: Registry = registry.load_registry(file)
    except registry.RegistryError as error:
        count = len(error.problems)
        click.echo(str(error), err=True)
        click.echo(f"{file}: {count} {'problem' if count == 1 else 'problems'}", err=True)
        sys.exit(EXIT_BAD_FILE)
    return loaded
