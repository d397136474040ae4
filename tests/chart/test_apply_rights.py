"""What the account that applies tenants.yaml may do and may not, on a real API server that has nothing at first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from aifactory_hub.registry import load_registry
from aifactory_hub.registry.changes import marked
from aifactory_hub.registry.chart_files import APPLY_ACCOUNT, apply_rights
from aifactory_hub.registry.render import host_objects
from aifactory_hub.registry.render_provisioner import binding

from ..policy.api_server import api_server, missing
from ..provisioner.test_rights_on_an_api_server import Host
from .chart import NAMESPACE, TENANTS

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(bool(missing()), reason=missing() or "built")]

ME = f"system:serviceaccount:{NAMESPACE}:{APPLY_ACCOUNT}"
RBAC = "rbac.authorization.k8s.io/v1"
REGISTRY = load_registry(TENANTS)
# Seconds that an API server may take to hear of rights.
TAKEN_UP = 30.0


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with api_server(tmp_path_factory.mktemp("api"), "RBAC") as running:
        found = Host(running.http)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        for each in (namespace, *apply_rights()):
            assert found.apply(each).status_code in (200, 201)
        until = time.monotonic() + TAKEN_UP
        while found.apply(namespace, ME, dry_run=True).status_code == 403:
            assert time.monotonic() < until, "the rights are not taken up"
            time.sleep(0.2)
        yield found


def role(name: str, kind: str = "ClusterRole") -> dict[str, Any]:
    """One that lets its holder read every Secret."""
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    return {"apiVersion": RBAC, "kind": kind, "metadata": {"name": name}, "rules": rules}


def test_it_makes_all_that_is_rendered_on_a_host_that_has_nothing_and_changes_it(host: Host) -> None:
    for _ in range(2):
        for manifest in host_objects(REGISTRY):
            if not manifest["apiVersion"].startswith("kueue"):  # this API server has none of Kueue's kinds
                answer = host.apply(marked(manifest, REGISTRY.hub), ME)
                assert answer.status_code in (200, 201), (manifest["kind"], answer.text)


def test_it_writes_no_other_role_and_binds_none(host: Host) -> None:
    assert host.apply(role("aifactory-hub"), ME, dry_run=True).status_code in (200, 201)
    for name in ("mine", APPLY_ACCOUNT, "aifactory-provisioner", "admin"):
        answer = host.apply(role(name), ME, dry_run=True)
        assert answer.status_code == 403, (name, answer.text)
    for name, bound in (("mine", "cluster-admin"), ("aifactory-hub", "cluster-admin"), (APPLY_ACCOUNT, "admin")):
        answer = host.apply(binding("ClusterRoleBinding", name, "ClusterRole", bound, APPLY_ACCOUNT), ME, dry_run=True)
        assert answer.status_code == 403, (name, answer.text)


@pytest.mark.parametrize("path", ["secrets", "pods", "configmaps"])
def test_it_makes_no_secret_no_pod_and_no_file_of_tenants(host: Host, path: str) -> None:
    body = {"metadata": {"name": "x"}}
    answer = host.http.post(f"/api/v1/namespaces/{NAMESPACE}/{path}", json=body, headers={"Impersonate-User": ME})
    assert answer.status_code == 403, answer.text


def test_it_reads_no_secret_and_deletes_no_namespace(host: Host) -> None:
    me = {"Impersonate-User": ME}
    assert host.http.get("/api/v1/secrets", headers=me).status_code == 403
    assert host.http.delete("/api/v1/namespaces/vc-nlp", headers=me).status_code == 403
