"""``aifactory-hub provisioner``: makes the teams of tenants.yaml on the host, and keeps them as it says."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .loading import load
from .registry import EXIT_BAD_FILE

if TYPE_CHECKING:
    from aifactory_hub.domain.gates import Rule
    from aifactory_hub.policy import RulesProvider
    from aifactory_hub.provisioner.chart import Chart
    from aifactory_hub.registry import RegistryProvider

# Seconds between two looks at the site's rules.
_LOOK = 3.0


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--chart",
    "chart_path",
    required=True,
    envvar="AIFACTORY_HUB_VCLUSTER_CHART",
    type=click.Path(path_type=Path),
    help="vCluster's chart, as a folder or an archive.",
)
@click.option(
    "--values",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The site's values for the chart, such as helm-values/vcluster.yaml; may be given several times.",
)
@click.option("--helm", default="helm", show_default=True, envvar="AIFACTORY_HUB_HELM", help="The helm program.")
@click.option("--kube-version", default="", help="The host's version of Kubernetes, such as 1.35.0, for the chart.")
@click.option(
    "--folder",
    default=".",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where a copy of the last good registry is kept.",
)
@click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    type=click.Path(),
    help="The host cluster's kubeconfig, of the provisioner's account; left out, the pod's own.",
)
@click.option("--name", default="", help="This replica's own name; the machine's and the process's when left out.")
@click.option(
    "--service",
    default="",
    help="The job service's address, which says which teams were granted; `addresses.service` when left out. Asked"
    " where AIFACTORY_HUB_PROVISIONER_TOKEN is set.",
)
def provisioner(
    file: str,
    chart_path: Path,
    values: tuple[Path, ...],
    helm: str,
    kube_version: str,
    folder: Path,
    kubeconfig: str | None,
    name: str,
    service: str,
) -> None:
    """Make the teams of FILE on the host, walls first and door last, and heal what others change.

    Runs until it is stopped. Of several replicas one works. Its rights are those that `tenants render --part
    provisioner` prints, for an administrator to apply once.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    registry = load("aifactory_hub.registry", "hub")
    try:
        provider = registry.RegistryProvider.open(file, folder)
    except registry.RegistryError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_BAD_FILE)
    chart = load("aifactory_hub.provisioner.chart", "hub").Chart(helm, chart_path, values, kube_version)
    clusters, policy = load("aifactory_hub.clusters", "hub"), load("aifactory_hub.policy", "hub")
    try:
        rules = policy.RulesProvider.open(lambda: provider.registry.policies_folder, folder)
        asyncio.run(_run(provider, rules, chart, kubeconfig, name or f"{socket.gethostname()}-{os.getpid()}", service))
    except policy.PolicyError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_BAD_FILE)
    except clusters.CredentialError as error:
        click.echo(f"the host cluster: {error}", err=True)
        sys.exit(EXIT_BAD_FILE)


async def _run(
    provider: RegistryProvider, rules: RulesProvider, chart: Chart, kubeconfig: str | None, name: str, service: str
) -> None:
    loop, lease = load("aifactory_hub.provisioner.loop", "hub"), load("aifactory_hub.provisioner.lease", "hub")
    api = await load("aifactory_hub.clusters", "hub").connect_host(kubeconfig)
    held = lease.Lease(api, f"aifactory-provisioner-{provider.registry.hub}", name)
    works = loop.Provisioner(api, provider, chart, rules=lambda _: _on_the_host(rules))
    token = load("aifactory_hub.settings", "hub").read_provisioner_token()
    asked = None
    if token is not None:
        teams = load("aifactory_hub.provisioner.granted_teams", "hub")
        asked = teams.JobServiceTeams(service or provider.registry.addresses.service, token.reveal(), works.states)
        provider.follow_granted(asked.fetch)
    lasting = (provider.run(), held.run(works.run), _follow_rules(rules))
    tasks = [asyncio.create_task(each) for each in lasting]
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    ended: Any = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (*tasks, ended):
            task.cancel()
        await asyncio.gather(*tasks, ended, return_exceptions=True)
        await held.release()
        await api.close()
        if asked is not None:
            await asked.close()


async def _follow_rules(rules: RulesProvider) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        await asyncio.to_thread(rules.look)


def _on_the_host(rules: RulesProvider) -> list[Rule]:
    """The site's rules as `tenants apply` has them: one that is only tried so far comes as an advisory one."""
    now, advisory = time.time(), load("aifactory_hub.domain.verdicts", "hub").Severity.ADVISORY
    found = rules.current.bundle.rules
    return [rule if rule.enforced_at(now) else replace(rule, severity=advisory) for rule in found]
