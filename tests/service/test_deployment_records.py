"""What is kept of deployments: what their pods held, and what came from what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.prices import PriceVersion
from aifactory_hub.domain.usage import FactKind, Source, UsageFact
from aifactory_hub.engines.serving.base import ServeSpec
from aifactory_hub.engines.serving.translate import render_deployment
from aifactory_hub.metering.claims import Claims

from ..support.deployments import PATH, Site, deploying_site
from ..support.fake_hub import FakeHub

RESOURCE = "nvidia.com/mig-1g.10gb"


@pytest.fixture
async def site(tmp_path: Path, hub: FakeHub) -> AsyncIterator[Site]:
    async with deploying_site(tmp_path, hub) as site:
        yield site


async def pod_was_there(site: Site, spec: ServeSpec, name: str, start: int, end: int | None, **changed: Any) -> None:
    """The host had a pod of this release, with the labels that its Deployment gives; as the witness writes it."""
    context = site.service.context
    labels = render_deployment(spec, context.registry.hub)["spec"]["template"]["metadata"]["labels"]
    tenant = context.registry.tenants[changed.pop("tenant", "nlp")]
    place = (tenant.vcluster.namespace, tenant.vcluster.name, constants.JOBS_NAMESPACE)
    pod = PodFact(*place, name, f"uid-{name}", name, "Running", labels=labels | changed, devices=((RESOURCE, 1),))
    held = await Claims(context.provider, site.service.admission).possession(pod)
    assert held is not None
    facts = [UsageFact.exact(pod.uid, FactKind.BOUND, Source.WATCH, start, start, possession=held)]
    if end is not None:
        facts.append(UsageFact.exact(pod.uid, FactKind.ENDED, Source.WATCH, end, end))
    context.ledger.append(facts)


async def test_what_pods_of_a_release_hold_is_the_team_s_the_deployment_s_and_the_release_s(
    site: Site, hub: FakeHub
) -> None:
    context, clock = site.service.context, site.clock
    context.billing.add_price(PriceVersion("mig-1g.10gb", 0, Decimal("3.60"), "EUR"))
    await site.deploy()
    await site.go_on()
    await site.version("two")
    await site.go_on()
    first, second = site.serving.made
    now = int(clock.now)
    await pod_was_there(site, first, "one", now - 7000, now - 5000)
    await pod_was_there(site, first, "again", now - 5000, now - 4000)
    await pod_was_there(site, second, "two", now - 1000, None)
    # Another team's pod that has the labels of this release is that team's.
    await pod_was_there(site, second, "stolen", now - 9000, now - 8000, tenant="vision")
    async with site.service.http("grace") as http:
        told = (await http.get(f"{PATH}/usage")).json()
        holds = (await http.get("/tenants/nlp/usage/holds?limit=200")).json()["holds"]
        rows = (await http.get("/tenants/nlp/usage?by=kind")).json()["rows"]
    assert [(each["release"], each["seconds"], each["pods"], each["amount"]) for each in told["held"]] == [
        (2, 1000, 1, "1.00"),
        (1, 3000, 2, "3.00"),
    ]
    assert told["held"][1]["gpu_seconds"] == round(3000 / 7, 3)
    releases = {first.run.run_id, second.run.run_id}
    assert {(each["kind"], each["owner"]) for each in holds} == {("deployment", owner) for owner in releases}
    # Whose it is, the ticket says, which is not the pod's word.
    assert {each["user"] for each in holds if each["end"] is None} == {"ada"}
    assert [(row["key"], row["seconds"], row["amount"]) for row in rows] == [("deployment", 4000, "4.00")]


async def test_a_deployment_that_has_held_nothing_says_so(site: Site) -> None:
    await site.deploy()
    async with site.service.http("ada") as http:
        told = (await http.get(f"{PATH}/usage")).json()
    assert (told["held"], told["asked"], told["as_of"]) == ([], 0, int(site.clock.now))


async def graph(site: Site, of: str, who: str = "ada", **asked: str) -> tuple[set[str], set[tuple[str, str, str]]]:
    """Nodes as kind and label, and edges by their labels."""
    async with site.service.http(who) as http:
        answer = await http.get("/lineage", params={"of": of, **asked})
    assert answer.status_code == 200, answer.text
    by_id = {node["id"]: f"{node['kind']} {node['label']}" for node in answer.json()["nodes"]}
    edges = {(by_id[each["before"]], each["how"], by_id[each["after"]]) for each in answer.json()["edges"]}
    return set(by_id.values()), edges


async def test_lineage_leads_from_an_alias_to_what_serves_it_and_back(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    await site.version("two")
    await site.go_on()
    _, edges = await graph(site, "model:fraud@prod", direction="down")
    assert ("alias fraud@prod", "is followed by", "deployment fraud") in edges
    _, edges = await graph(site, "model:fraud@1", direction="down")
    assert ("version fraud@1", "was served by", "deployment fraud") in edges
    assert ("version fraud@1", "led to before", "alias fraud@prod") in edges
    nodes, edges = await graph(site, "deployment:fraud", direction="up")
    assert ("version fraud@2", "is served by", "deployment fraud") in edges
    assert {"version fraud@1", "version fraud@2", "alias fraud@prod"} <= nodes
    assert {("job python train.py", "made", f"version fraud@{number}") for number in (1, 2)} <= edges


async def test_lineage_of_a_deployment_of_one_version_and_of_one_that_was_stopped(site: Site) -> None:
    await site.deploy(model="fraud@1")
    await site.go_on()
    _, edges = await graph(site, "model:fraud@prod", direction="both")
    assert ("version fraud@1", "is served by", "deployment fraud") not in edges
    nodes, _ = await graph(site, "deployment:fraud", direction="up")
    assert "alias fraud@prod" not in nodes
    async with site.service.http("ada") as http:
        await http.delete(PATH)
    await site.go_on()
    _, edges = await graph(site, "model:fraud@1", direction="down")
    assert ("version fraud@1", "was served by", "deployment fraud") in edges


async def test_lineage_of_a_deployment_is_the_team_s(site: Site) -> None:
    await site.deploy()
    await site.go_on()
    async with site.service.http("eve") as http:
        answer = await http.get("/lineage", params={"of": "deployment:fraud"})
        assert (answer.status_code, answer.json()["field"]) == (404, "of")
        assert (await http.get("/lineage", params={"of": "deployment:fraud", "tenant": "nlp"})).status_code == 403
