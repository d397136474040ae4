"""``aifactory-hub tenants remove``: homes are kept unless their number is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aifactory_hub import constants
from aifactory_hub.registry import load_registry
from aifactory_hub.registry.homes import ANNOTATION_DELETE_HOME, HOME_POLICY, VIRTUAL_NAME, VIRTUAL_NAMESPACE

from ..registry.files import GOOD
from ..support.kube_server import KubeServer, kube_server
from .on_a_server import file_ticket, kubeconfig, run

CLAIMS = "/api/v1/namespaces/vc-nlp/persistentvolumeclaims"
PODS = "/api/v1/namespaces/vc-nlp/pods"
TICKETS = "/apis/batch/v1/namespaces/vc-nlp/jobs"
QUEUES = "/apis/kueue.x-k8s.io/v1beta2/namespaces/vc-nlp/localqueues"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.fixture
async def server() -> AsyncIterator[KubeServer]:
    async with kube_server() as made:
        yield made


@pytest.fixture
async def site(tmp_path: Path, server: KubeServer) -> tuple[str, str, str, str]:
    file = tmp_path / "tenants.yaml"
    file.write_text(GOOD, encoding="utf-8")
    registry = load_registry(file)
    await file_ticket(server, registry, "nb-ada-1")
    server.put(BINDINGS, {"metadata": {"name": HOME_POLICY}})
    for queue in (constants.LOCAL_QUEUE, constants.JOBS_LOCAL_QUEUE):
        server.put(QUEUES, {"metadata": {"name": queue}, "spec": {}})
    for user in ("ada", "bob"):
        put_claim(server, f"home-{user}", "notebooks")
    put_claim(server, "data-nlp-0", "")
    put_claim(server, "home-of-a-job", "jobs")
    labels = {constants.LABEL_HUB: registry.hub, constants.LABEL_OWNER_KIND: "server"}
    server.put(PODS, {"metadata": {"name": "nb-ada-x", "labels": labels}})
    server.put(PODS, {"metadata": {"name": "nlp-0", "labels": {"app": "vcluster"}}})
    return "tenants", "remove", str(file), kubeconfig(tmp_path, server)


def put_claim(server: KubeServer, name: str, namespace: str) -> None:
    metadata = {
        "name": f"{name}-x-{namespace}-x-nlp" if namespace else name,
        "labels": {VIRTUAL_NAMESPACE: namespace} if namespace else {},
        "annotations": {VIRTUAL_NAME: name},
    }
    size = {"requests": {"storage": "3Gi"}}
    server.put(CLAIMS, {"metadata": metadata, "spec": {"resources": size, "storageClassName": "fast"}})


def left(server: KubeServer, collection: str) -> list[str]:
    return sorted(obj["metadata"]["name"] for obj in server.objects(collection))


async def test_what_runs_is_ended_and_homes_are_kept(site: tuple[str, ...], server: KubeServer) -> None:
    *command, file, config = site
    result = await run(*command, file, "nlp", "--kubeconfig", config, answer="y\n")
    assert result.exit_code == 0, result.output
    assert "team nlp, namespace vc-nlp: 1 servers, 0 jobs, 1 pods, 2 homes of 6Gi in all" in result.output
    assert "Stop all that team nlp runs, and keep its 2 homes?" in result.output
    assert "Leave namespace vc-nlp: its 2 homes are in it" in result.output
    assert left(server, PODS) == ["nlp-0"] and left(server, TICKETS) == []
    assert len(left(server, CLAIMS)) == 4
    assert all(queue["spec"]["stopPolicy"] == "Hold" for queue in server.objects(QUEUES))


async def test_nothing_happens_before_a_person_said_yes(site: tuple[str, ...], server: KubeServer) -> None:
    *command, file, config = site
    result = await run(*command, file, "nlp", "--kubeconfig", config, answer="n\n")
    assert result.exit_code == 1
    assert not [method for method, *_ in server.requests if method in ("DELETE", "PATCH")]


@pytest.mark.parametrize("number", ["0", "1", "3"])
async def test_a_wrong_number_of_homes_deletes_nothing(site: tuple[str, ...], server: KubeServer, number: str) -> None:
    *command, file, config = site
    result = await run(*command, file, "nlp", "--kubeconfig", config, "--yes", "--delete-homes", number)
    assert result.exit_code == 1 and f"--delete-homes is {number}, and there are 2 homes" in result.output
    assert not [method for method, *_ in server.requests if method in ("DELETE", "PATCH")]


async def test_the_right_number_deletes_homes_alone_and_each_was_marked(
    site: tuple[str, ...], server: KubeServer
) -> None:
    *command, file, config = site
    result = await run(*command, file, "nlp", "--kubeconfig", config, "--yes", "--delete-homes", "2")
    assert result.exit_code == 0, result.output
    assert left(server, CLAIMS) == ["data-nlp-0", "home-of-a-job-x-jobs-x-nlp"]
    marked = [
        obj for *_, obj in server._history if ANNOTATION_DELETE_HOME in (obj["metadata"].get("annotations") or {})
    ]
    assert {obj["metadata"]["annotations"][VIRTUAL_NAME] for obj in marked} == {"home-ada", "home-bob"}


async def test_without_the_policy_that_keeps_homes_nothing_is_begun(site: tuple[str, ...], server: KubeServer) -> None:
    *command, file, config = site
    server.remove(f"{BINDINGS}/{HOME_POLICY}")
    result = await run(*command, file, "nlp", "--kubeconfig", config, "--yes")
    assert result.exit_code == 1 and "the policy that keeps homes is not on the host cluster" in result.output
    assert not [method for method, *_ in server.requests if method in ("DELETE", "PATCH")]


async def test_a_team_that_is_not_in_the_file_is_named(site: tuple[str, ...]) -> None:
    *command, file, config = site
    result = await run(*command, file, "robots", "--kubeconfig", config)
    assert result.exit_code == 2 and "has no tenant 'robots'; it has nlp, vision" in result.output
