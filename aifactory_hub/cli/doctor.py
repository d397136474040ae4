"""``aifactory-hub doctor``: what is right and wrong with a site, and which stage it has reached."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .loading import load
from .registry import open_registry

if TYPE_CHECKING:
    from aifactory_hub.clusters import KubeApi
    from aifactory_hub.domain.doctor import Finding, SiteFacts
    from aifactory_hub.registry import Registry

# As grep and diff have it: 1 is an answer, 2 is trouble.
EXIT_WRONG = 1
EXIT_TROUBLE = 2
_MARKS = {"ok": "ok      ", "wrong": "WRONG   ", "unknown": "unknown ", "not seen": "not seen", "warning": "warning "}


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--kubeconfig", type=click.Path(), help="Of the host cluster; KUBECONFIG, or the pod's own, when left out."
)
@click.option(
    "--objects", type=click.Path(), help="Look at objects in this file (kubectl get -o yaml), not at a cluster."
)
@click.option("--offline", is_flag=True, help="Look at FILE alone.")
@click.option(
    "--probe",
    is_flag=True,
    help="Start a small pod in each vCluster for a moment: who reaches whom, by real connections.",
)
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON.")
def doctor(file: str, kubeconfig: str | None, objects: str | None, offline: bool, probe: bool, as_json: bool) -> None:
    """Compare a site with FILE (tenants.yaml): what is wrong, what to do, and which of five stages it has reached.

    Reads only, unless --probe is given. Ends with 0 when all that can be seen is well or has only warnings, with 1 when
    something is wrong or unknown, with 2 when FILE is.
    """
    if probe and (offline or objects is not None):
        raise click.UsageError("--probe needs a cluster: leave out --offline and --objects")
    registry = open_registry(file)
    judge = load("aifactory_hub.domain.doctor", "hub")
    kubeconfig = kubeconfig or os.environ.get("KUBECONFIG") or None
    facts, on_the_host = asyncio.run(_facts(registry, kubeconfig, objects, offline, probe))
    findings: list[Finding] = [*judge.examine(facts), *on_the_host]
    token = os.environ.get("AIFACTORY_HUB_SERVICE_TOKEN")
    if token and not (offline or objects):
        room = load("aifactory_hub.doctor", "hub")
        findings += room.room_findings(asyncio.run(room.ask_for_room(registry.addresses.service, token)))
        findings += asyncio.run(_tenants_file(registry, token))
        findings += asyncio.run(_service_checks(registry, token))
    if not (offline or objects):
        findings.append(asyncio.run(_public_address(registry)))
    if offline:
        findings = [each for each in findings if each.verdict in (judge.Verdict.GOOD, judge.Verdict.BAD)]
    reached = judge.stage_reached(findings)
    if as_json:
        click.echo(json.dumps({"stage": reached, "findings": [asdict(each) for each in findings]}, indent=2))
    else:
        _show(findings, None if offline else reached, judge, offline)
        if not (probe or offline or objects):
            click.echo("who reaches whom was not tried: --probe does, with a pod in each vCluster")
    if any(each.verdict.holds for each in findings):
        sys.exit(EXIT_WRONG)


async def _tenants_file(registry: Registry, token: str) -> list[Finding]:
    """Whether the processes that run work with this file."""
    asker, reader = load("aifactory_hub.doctor", "hub"), load("aifactory_hub.registry.contents", "hub")
    digest = reader.digest_of(reader.read_text(registry.source))
    addresses = registry.addresses
    places = {"hub": asker.hub_url(addresses.hub_api), "job service": asker.service_url(addresses.service)}
    found = await asyncio.gather(*(asker.ask_for_answer(url, token) for url in places.values()))
    return [asker.tenants_file_finding(who, answer, digest) for who, answer in zip(places, found, strict=True)]


async def _service_checks(registry: Registry, token: str) -> list[Finding]:
    """Whether the job service has its rules and can sign, and how its other parts fare."""
    asker, service = load("aifactory_hub.doctor", "hub"), registry.addresses.service
    places = (asker.rules_url(service), asker.signing_url(service), asker.factory_url(service))
    rules, signing, factory = await asyncio.gather(*(asker.ask_for_answer(url, token) for url in places))
    return [asker.rules_finding(rules), asker.signing_finding(signing), *asker.factory_findings(factory)]


async def _provisioned_teams(registry: Registry, api: KubeApi) -> list[Finding]:
    """A finding for each team that the provisioner keeps; none where a site has no provisioner, or none can be read."""
    clusters, records = load("aifactory_hub.clusters", "hub"), load("aifactory_hub.provisioner.records", "hub")
    judge = load("aifactory_hub.domain.team_records", "hub")
    try:
        found = await records.all_records(api, registry.hub)
    except (clusters.ApiError, clusters.ApiUnreachable):
        return []
    now = time.time()
    return [judge.finding_of(name, found.get(name), now) for name in registry.tenants] if found else []


async def _public_address(registry: Registry) -> Finding:
    asker, public = load("aifactory_hub.doctor", "hub"), registry.addresses.public
    finding: Finding = asker.public_finding(None if public is None else await asker.ask_for_sign_in(public))
    return finding


async def _facts(
    registry: Registry, kubeconfig: str | None, objects: str | None, offline: bool, probe: bool
) -> tuple[SiteFacts, list[Finding]]:
    """The site's facts, and findings of what is asked of the host besides; one connection for both."""
    gatherer, clusters = load("aifactory_hub.doctor", "hub"), load("aifactory_hub.clusters", "hub")
    if offline:
        return gatherer.gather_offline(registry), []
    try:
        if objects is not None:
            return await gatherer.gather(registry, gatherer.FileSource.read(Path(objects))), []
        api = await clusters.connect_host(kubeconfig)
    except (gatherer.SourceError, clusters.CredentialError) as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_TROUBLE)
    try:
        source = gatherer.ApiSource(api)
        facts = await gatherer.gather(registry, source, api, probe=probe, inside=kubeconfig is None)
        teams, now = await _provisioned_teams(registry, api), time.time()
        ends = await gatherer.expiry_findings(registry, api, now)
        return facts, [*teams, await gatherer.backup_finding(api, now), *ends]
    finally:
        await api.close()


def _show(findings: list[Finding], reached: Any, judge: Any, offline: bool) -> None:
    for stage in judge.Stage:
        mine = [each for each in findings if each.stage is stage]
        if mine:
            click.echo(f"\nstage {stage.value}, {stage.label}")
        for each in mine:
            click.echo(f"  {_MARKS[each.verdict.value]} {each.check}: {each.seen}")
            if each.todo:
                click.echo(f"           to do: {each.todo}")
    if offline:
        return
    label = "none yet" if reached is None else f"{reached.value} of {len(judge.Stage)}, {reached.label}"
    click.echo(f"\nstage reached: {label}")
    unseen = sum(each.verdict is judge.Verdict.UNSEEN for each in findings)
    if unseen:
        checks = "1 check" if unseen == 1 else f"{unseen} checks"
        click.echo(f"as far as it can be seen from here: {checks} not seen")
    lacking = [each for each in findings if each.verdict.holds]
    if lacking:
        first = min(each.stage for each in lacking)
        names = [each.check for each in lacking if each.stage is first]
        click.echo(f"stage {first.value}, {first.label}, lacks: {'; '.join(names)}")
