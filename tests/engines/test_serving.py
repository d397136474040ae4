"""What every serving engine must do, on its own ground: in memory, and through a tenant's API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.clusters.api import KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.release_steps import Served
from aifactory_hub.engines.base import EngineRefused, EngineUnavailable, Site
from aifactory_hub.engines.installed import needs_of_site
from aifactory_hub.engines.serving.base import NotAnswered, ServeSpec, ServingEngine
from aifactory_hub.engines.serving.kubernetes import KubernetesServing
from aifactory_hub.engines.serving.memory import MemoryServing
from aifactory_hub.engines.serving.translate import changes, render_deployment, render_service
from aifactory_hub.registry.output import yaml_documents
from aifactory_hub.registry.render_vcluster import seeded_objects

from ..conftest import Golden
from ..registry.test_render import REGISTRY
from ..support.kube_server import KubeServer
from ..support.tenants import make_tenant
from .runs import HUB, SPEC

SERVED = ServeSpec(
    replace(SPEC, kind=constants.KIND_DEPLOYMENT, run_id="e0123456789abcdef", nodes=2, deadline_seconds=None),
    "fraud",
    "a" * 64,
)
NEXT = replace(SERVED, run=replace(SERVED.run, run_id="e1111111111111111"), digest="b" * 64)
NAME = "release-e0123456789abcdef"
DEPLOYMENTS = "/apis/apps/v1/namespaces/jobs/deployments"
SERVICES = "/api/v1/namespaces/jobs/services"
SECRETS = "/api/v1/namespaces/jobs/secrets"
BODY = {"inputs": [{"name": "x", "datatype": "INT64", "shape": [1], "data": [1]}]}


@dataclass
class UnderTest:
    """An engine, and what happens on its ground: replicas get ready, somebody deletes, the API falls silent."""

    engine: ServingEngine
    ready: Callable[[ServeSpec, int], None]
    delete: Callable[[ServeSpec], None]
    silence: Callable[[], None]


@dataclass
class OnServer:
    """A vCluster's API server and the host's pods."""

    server: KubeServer
    engine: KubernetesServing
    pods: list[PodFact]

    def ready(self, spec: ServeSpec, count: int) -> None:
        self.server.patch(f"{DEPLOYMENTS}/release-{spec.run.run_id}", {"status": {"readyReplicas": count}})


@pytest.fixture
async def on_server() -> AsyncIterator[OnServer]:
    server = KubeServer()
    await server.start()
    api = KubeApi(Credential(server.url, token="t"), timeout=5.0)
    pods: list[PodFact] = []

    async def give(_tenant: str) -> KubeApi:
        return api

    watch: Any = SimpleNamespace(stale=False, pods=lambda _vcluster: pods)
    clients: Any = SimpleNamespace(api=give)
    yield OnServer(server, KubernetesServing(Site(HUB, {"nlp": make_tenant("nlp")}, clients, watch)), pods)
    await api.close()
    await server.stop()


@pytest.fixture(params=["memory", "kubernetes"])
async def under_test(request: pytest.FixtureRequest, on_server: OnServer) -> UnderTest:
    if request.param == "memory":
        memory = MemoryServing(by_itself=False)

        def ready(spec: ServeSpec, count: int) -> None:
            memory.see("nlp", spec.run.run_id, Served(True, ready=count))

        return UnderTest(
            memory, ready, lambda spec: memory.lose("nlp", spec.run.run_id), lambda: memory.unavailable.add("nlp")
        )
    server = on_server.server

    def answer(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {"outputs": body["inputs"]}

    server.behind = answer
    return UnderTest(
        on_server.engine,
        on_server.ready,
        lambda spec: server.remove(f"{DEPLOYMENTS}/release-{spec.run.run_id}"),
        lambda: setattr(server.faults, "status", 503),
    )


async def test_a_release_is_made_once_and_seen_as_it_is(under_test: UnderTest) -> None:
    engine = under_test.engine
    assert not (await engine.look(SERVED)).exists
    await engine.apply(SERVED)
    await engine.apply(SERVED)
    assert (await engine.look(SERVED)) == Served(True, ready=0, leads=False)
    under_test.ready(SERVED, 2)
    assert (await engine.look(SERVED)).ready == 2
    assert [seen.run_id for seen in await engine.releases("nlp")] == [SERVED.run.run_id]


async def test_the_name_leads_to_one_release_then_to_the_other(under_test: UnderTest) -> None:
    engine = under_test.engine
    for spec in (SERVED, NEXT):
        await engine.apply(spec)
        under_test.ready(spec, 2)
    await engine.lead(SERVED)
    assert [(await engine.look(spec)).leads for spec in (SERVED, NEXT)] == [True, False]
    await engine.lead(NEXT)
    assert [(await engine.look(spec)).leads for spec in (SERVED, NEXT)] == [False, True]
    await engine.unlead("nlp", "fraud")
    await engine.unlead("nlp", "fraud")
    assert [(await engine.look(spec)).leads for spec in (SERVED, NEXT)] == [False, False]


async def test_what_was_deleted_is_said_to_be_gone_and_made_again(under_test: UnderTest) -> None:
    engine = under_test.engine
    await engine.apply(SERVED)
    under_test.delete(SERVED)
    assert not (await engine.look(SERVED)).exists
    await engine.apply(SERVED)
    assert (await engine.look(SERVED)).exists


async def test_removing_leaves_nothing_and_the_other_release(under_test: UnderTest) -> None:
    engine = under_test.engine
    await engine.apply(SERVED)
    await engine.apply(NEXT)
    await engine.remove("nlp", SERVED.run.run_id)
    await engine.remove("nlp", SERVED.run.run_id)
    assert await engine.gone("nlp", SERVED.run.run_id)
    assert [(await engine.look(spec)).exists for spec in (SERVED, NEXT)] == [False, True]


async def test_a_release_is_asked(under_test: UnderTest) -> None:
    await under_test.engine.apply(SERVED)
    answer = await under_test.engine.ask("nlp", SERVED.run.run_id, "/v2/models/fraud/infer", BODY)
    assert (answer.status, b'"data": [1]' in answer.body) == (200, True)


async def test_silence_is_no_answer_and_ends_nothing(under_test: UnderTest) -> None:
    engine = under_test.engine
    await engine.apply(SERVED)
    under_test.silence()
    for call in (engine.apply(SERVED), engine.look(SERVED), engine.lead(SERVED), engine.remove("nlp", "e0")):
        with pytest.raises(EngineUnavailable):
            await call
    with pytest.raises((NotAnswered, EngineUnavailable)):
        await engine.ask("nlp", SERVED.run.run_id, "/v2/models/fraud/infer", BODY)


# What is of the cluster alone.


async def test_the_token_is_in_a_secret_and_nowhere_else(on_server: OnServer) -> None:
    await on_server.engine.apply(SERVED)
    [secret] = on_server.server.objects(SECRETS)
    assert secret["metadata"]["name"] == NAME
    told = str(on_server.server.objects(DEPLOYMENTS)) + str(on_server.server.objects(SERVICES))
    assert all(text not in told for text in SERVED.run.secret_files.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": {"replicas": 5}}, "replicas changed by hand"),
        ({"spec": {"template": {"metadata": {"annotations": {constants.ANNOTATION_FILES: "c" * 64}}}}}, "files"),
        ({"spec": {"template": {"spec": {"containers": [{"name": "job", "image": "evil"}]}}}}, "image and command"),
    ],
)
async def test_a_change_by_hand_is_named_and_put_back(on_server: OnServer, change: dict[str, Any], said: str) -> None:
    await on_server.engine.apply(SERVED)
    on_server.ready(SERVED, 2)
    on_server.server.patch(f"{DEPLOYMENTS}/{NAME}", change)
    assert (await on_server.engine.look(SERVED)).changed.startswith(said)
    await on_server.engine.apply(SERVED)
    assert (await on_server.engine.look(SERVED)).changed == ""


async def test_a_container_that_was_added_by_hand_goes(on_server: OnServer) -> None:
    await on_server.engine.apply(SERVED)
    [made] = on_server.server.objects(DEPLOYMENTS)
    containers = made["spec"]["template"]["spec"]["containers"]
    added = {"spec": {"template": {"spec": {"containers": [*containers, {"name": "mine", "image": "other"}]}}}}
    on_server.server.patch(f"{DEPLOYMENTS}/{NAME}", added)
    assert (await on_server.engine.look(SERVED)).changed == "image and command changed by hand"
    await on_server.engine.apply(SERVED)
    assert (await on_server.engine.look(SERVED)).changed == ""
    [again] = on_server.server.objects(DEPLOYMENTS)
    assert [each["name"] for each in again["spec"]["template"]["spec"]["containers"]] == ["job"]


async def test_what_a_webhook_of_the_team_changes_each_time_is_refused(
    on_server: OnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = on_server.server._apply

    def with_another(path: str, body: dict[str, Any], query: Any) -> Any:
        answer = apply(path, body, query)
        if path.startswith(DEPLOYMENTS):
            on_server.server.patch(path, {"spec": {"replicas": 7}})
        return answer

    monkeypatch.setattr(on_server.server, "_apply", with_another)
    with pytest.raises(EngineRefused, match="changes the release when it is made: replicas changed"):
        await on_server.engine.apply(SERVED)


async def test_what_the_api_server_adds_is_no_change(on_server: OnServer) -> None:
    await on_server.engine.apply(SERVED)
    on_server.server.patch(f"{DEPLOYMENTS}/{NAME}", {"spec": {"progressDeadlineSeconds": 600}, "status": {"a": 1}})
    assert (await on_server.engine.look(SERVED)).changed == ""


async def test_objects_of_somebody_else_are_left_alone(on_server: OnServer) -> None:
    mine = {"metadata": {"name": NAME, "labels": {"app": "theirs"}}, "spec": {"replicas": 1}}
    on_server.server.put(DEPLOYMENTS, mine)
    on_server.server.put(SERVICES, {"metadata": {"name": "model-fraud"}, "spec": {"selector": {"app": "theirs"}}})
    with pytest.raises(EngineRefused, match="already that is not ours"):
        await on_server.engine.apply(SERVED)
    with pytest.raises(EngineRefused, match="already that is not ours"):
        await on_server.engine.lead(SERVED)
    await on_server.engine.remove("nlp", SERVED.run.run_id)
    await on_server.engine.unlead("nlp", "fraud")
    assert len(on_server.server.objects(DEPLOYMENTS)) == len(on_server.server.objects(SERVICES)) == 1
    assert not (await on_server.engine.look(SERVED)).exists


async def test_while_a_pod_is_on_the_host_the_release_is_not_gone(on_server: OnServer) -> None:
    await on_server.engine.apply(SERVED)
    await on_server.engine.remove("nlp", SERVED.run.run_id)
    on_server.pods.append(PodFact("vc-nlp", "nlp", "jobs", f"{NAME}-5d-x7k2p", "u", "h", "Running"))
    assert not await on_server.engine.gone("nlp", SERVED.run.run_id)
    on_server.pods.clear()
    assert await on_server.engine.gone("nlp", SERVED.run.run_id)


async def test_why_a_pod_waits_is_said(on_server: OnServer) -> None:
    await on_server.engine.apply(SERVED)
    waits = PodFact("vc-nlp", "nlp", "jobs", f"{NAME}-5d-x7k2p", "u", "h", "Pending", waiting="ImagePullBackOff")
    on_server.pods.append(waits)
    assert "ImagePullBackOff" in (await on_server.engine.look(SERVED)).reason


@pytest.mark.parametrize(
    ("status", "body", "answered"),
    [
        (400, {"error": "inputs.0.data"}, 400),
        (500, {"error": "the model failed"}, 500),
        (503, {"kind": "Status", "apiVersion": "v1", "message": "no endpoints available"}, None),
        (403, {"kind": "Status", "apiVersion": "v1", "message": "services/proxy is forbidden"}, None),
    ],
)
async def test_the_release_s_own_words_are_told_from_the_api_server_s(
    on_server: OnServer, status: int, body: dict[str, Any], answered: int | None
) -> None:
    on_server.server.behind = lambda _path, _body: (status, body)
    asking = on_server.engine.ask("nlp", SERVED.run.run_id, "/v2/models/fraud/infer", BODY)
    if answered is None:
        with pytest.raises(NotAnswered, match=str(body["message"])):
            await asking
    else:
        assert (await asking).status == answered
    [(method, path, _)] = on_server.server.requests
    assert (method, path) == ("POST", f"{SERVICES}/{NAME}:http/proxy/v2/models/fraud/infer")


def test_what_is_created_for_a_release_is_what_was_reviewed(golden: Golden) -> None:
    made = [render_deployment(SERVED, HUB), render_service(SERVED, HUB)]
    golden.check("engines/release.yaml", yaml_documents(made))
    assert changes(made[0], made[0]) == ""


def test_a_site_without_deployments_gives_no_rights_for_them() -> None:
    def groups(deployments: bool) -> set[str]:
        seeded = seeded_objects(REGISTRY.tenants["nlp"], needs_of_site(["kubernetes-job"], deployments=deployments))
        [role] = [o for o in seeded if o["kind"] == "Role" and o["metadata"]["namespace"] == "jobs"]
        return {resource for rule in role["rules"] for resource in rule["resources"]}

    assert groups(True) - groups(False) == {"deployments", "services", "services/proxy"}
