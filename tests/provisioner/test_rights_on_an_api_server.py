"""What the provisioner may do and may not, asked of and tried on a real API server with RBAC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from aifactory_hub.clusters.objects import _collection
from aifactory_hub.registry import read_registry
from aifactory_hub.registry.changes import LABEL_REGISTRY, marked
from aifactory_hub.registry.render import tenant_objects
from aifactory_hub.registry.render_provisioner import (
    ANNOTATION_PURGE,
    ANNOTATION_PURGE_ASKED,
    HUB_TEAM_ROLE,
    PROVISIONER,
    PROVISIONER_TEAM_ROLE,
    PROVISIONER_USER,
    VCLUSTER_ROLE,
    binding,
    provisioner_objects,
)

from ..policy.api_server import api_server, missing
from .site import TEXT

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(bool(missing()), reason=missing() or "built")]

Json = dict[str, Any]
REGISTRY = read_registry(TEXT, "tenants.yaml")
TEAM = "vc-nlp"
WALL = next(each for each in tenant_objects(REGISTRY, REGISTRY.tenants["nlp"]) if each["kind"] == "Namespace")
# Seconds. The API server takes up new policies once a second.
TAKEN_UP = 30.0


class Host:
    """The host's API, asked as an administrator or as somebody else."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def apply(self, manifest: Json, user: str = "", *, dry_run: bool = False) -> httpx.Response:
        metadata = manifest["metadata"]
        path = f"{_collection(manifest['kind'], metadata.get('namespace', ''))}/{metadata['name']}"
        head = {"Content-Type": "application/apply-patch+yaml"} | ({"Impersonate-User": user} if user else {})
        params = {"fieldManager": "t", "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        return self.http.patch(path, json=manifest, params=params, headers=head)

    def may(self, verb: str, resource: str, namespace: str = "", *, group: str = "", name: str = "") -> bool:
        kind, _, sub = resource.partition("/")
        asked = {
            "verb": verb,
            "group": group,
            "resource": kind,
            "subresource": sub,
            "namespace": namespace,
            "name": name,
        }
        review: Json = {"spec": {"user": PROVISIONER_USER, "resourceAttributes": asked}}
        review |= {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
        answer = self.http.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review)
        return bool(answer.json()["status"]["allowed"])


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with api_server(tmp_path_factory.mktemp("api"), "RBAC") as running:
        found = Host(running.http)
        for each in provisioner_objects(REGISTRY):
            answer = found.apply(each)
            assert answer.status_code in (200, 201), answer.text
        until = time.monotonic() + TAKEN_UP
        while found.apply(namespace("probe", {}), PROVISIONER_USER, dry_run=True).status_code != 403:
            assert time.monotonic() < until, "the policy is not taken up"
            time.sleep(0.2)
        assert found.apply(marked(WALL, REGISTRY.hub), PROVISIONER_USER).status_code == 201
        own = bound("aifactory-provisioner", PROVISIONER_TEAM_ROLE, PROVISIONER)
        assert found.apply(own, PROVISIONER_USER).status_code == 201
        while not found.may("get", "secrets", TEAM):
            assert time.monotonic() < until + TAKEN_UP, "the binding is not taken up"
            time.sleep(0.2)
        yield found


def namespace(name: str, labels: dict[str, str]) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def bound(name: str, role: str, account: str, where: str = TEAM, of: str = "aifactory-system") -> Json:
    return binding("RoleBinding", name, "ClusterRole", role, account, where, of)


@pytest.mark.parametrize("resource", ["secrets", "services", "serviceaccounts", "resourcequotas", "limitranges"])
def test_it_may_write_what_a_team_is_made_of_in_the_teams_namespace(host: Host, resource: str) -> None:
    for verb in ("create", "patch", "get"):
        assert host.may(verb, resource, TEAM)
    assert not host.may("delete", resource, TEAM)


RBAC = "rbac.authorization.k8s.io"
NEVER = [
    *((verb, "roles", RBAC) for verb in ("create", "patch", "update", "escalate")),
    *((verb, "clusterroles", RBAC) for verb in ("create", "patch", "update", "escalate", "bind")),
    *((verb, "clusterrolebindings", RBAC) for verb in ("create", "patch")),
    ("delete", "namespaces", ""),
    ("delete", "persistentvolumeclaims", ""),
    ("delete", "statefulsets", "apps"),
    ("create", "pods", ""),
    ("create", "pods/exec", ""),
    ("create", "pods/attach", ""),
    ("create", "pods/portforward", ""),
    ("delete", "pods", ""),
    ("create", "serviceaccounts/token", ""),
    ("create", "jobs", "batch"),
    ("impersonate", "users", ""),
    ("*", "*", "*"),
]  # fmt: skip


@pytest.mark.parametrize("where", [TEAM, "kube-system", ""])
@pytest.mark.parametrize(("verb", "resource", "group"), NEVER, ids=[f"{verb}-{what}" for verb, what, _ in NEVER])
def test_what_it_may_nowhere(host: Host, verb: str, resource: str, group: str, where: str) -> None:
    assert not host.may(verb, resource, where, group=group)


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "patch"])
@pytest.mark.parametrize("where", ["kube-system", "default", "aifactory-system", ""])
def test_secrets_of_others_are_closed_to_it(host: Host, verb: str, where: str) -> None:
    assert not host.may(verb, "secrets", where)


def test_it_binds_three_roles_by_name_and_no_other(host: Host) -> None:
    for role in (PROVISIONER_TEAM_ROLE, HUB_TEAM_ROLE, VCLUSTER_ROLE):
        assert host.may("bind", "clusterroles", group=RBAC, name=role)
    for role in ("cluster-admin", "admin", "edit", PROVISIONER):
        assert not host.may("bind", "clusterroles", group=RBAC, name=role)
        answer = host.apply(bound("x", role, PROVISIONER), PROVISIONER_USER)
        assert answer.status_code == 403, answer.text


@pytest.mark.parametrize(
    ("role", "account", "of"),
    [(HUB_TEAM_ROLE, "aifactory-hub", "aifactory-system"), (VCLUSTER_ROLE, "vc-nlp", TEAM)],
)
def test_it_binds_each_for_whom_it_is_meant(host: Host, role: str, account: str, of: str) -> None:
    assert host.apply(bound(role, role, account, of=of), PROVISIONER_USER).status_code == 201
    for other, other_of in (("default", TEAM), (account, "kube-system"), ("default", "aifactory-system")):
        answer = host.apply(bound("x", role, other, of=other_of), PROVISIONER_USER)
        assert answer.status_code == 403 and "for whom" not in answer.text, answer.text
        assert "whom it is meant for only" in answer.text


@pytest.mark.parametrize("where", ["kube-system", "default", "aifactory-system"])
def test_it_binds_nothing_outside_of_teams_namespaces(host: Host, where: str) -> None:
    answer = host.apply(bound("x", PROVISIONER_TEAM_ROLE, PROVISIONER, where), PROVISIONER_USER)
    assert answer.status_code == 403 and "teams only" in answer.text


@pytest.mark.parametrize("labels", [{}, {LABEL_REGISTRY: "another"}, {"team": "x"}])
def test_it_makes_no_namespace_of_others(host: Host, labels: dict[str, str]) -> None:
    answer = host.apply(namespace("vc-x", labels), PROVISIONER_USER)
    assert answer.status_code == 403 and "makes namespaces of hub e2e only" in answer.text


def test_it_takes_no_namespace_for_its_own(host: Host) -> None:
    """Else it could bind itself in kube-system."""
    answer = host.apply(namespace("kube-system", {LABEL_REGISTRY: "e2e"}), PROVISIONER_USER)
    assert answer.status_code == 403 and "not one of hub e2e" in answer.text


def test_nobody_deletes_a_teams_namespace_by_mistake(host: Host) -> None:
    assert host.apply(marked(WALL | {"metadata": {**WALL["metadata"], "name": "vc-gone"}}, "e2e")).status_code == 201
    path = "/api/v1/namespaces/vc-gone"
    uid = host.http.get(path).json()["metadata"]["uid"]

    def annotate(who: str, name: str, value: str) -> httpx.Response:
        head = {"Content-Type": "application/merge-patch+json", "Impersonate-User": who}
        head["Impersonate-Group"] = "system:masters"
        return host.http.patch(path, json={"metadata": {"annotations": {name: value}}}, headers=head)

    answer = host.http.delete(path)
    assert answer.status_code == 403 and "aifactory-hub tenants purge" in answer.text
    answer = annotate("eve", ANNOTATION_PURGE, uid)
    assert answer.status_code == 403 and "takes two people" in answer.text, "nobody has asked"
    answer = annotate("eve", ANNOTATION_PURGE_ASKED, "ada")
    assert answer.status_code == 403 and "in their own name" in answer.text
    assert annotate("ada", ANNOTATION_PURGE_ASKED, "ada").status_code == 200
    answer = annotate("ada", ANNOTATION_PURGE, uid)
    assert answer.status_code == 403 and "takes two people" in answer.text, "nobody agrees with themselves"
    assert annotate("eve", ANNOTATION_PURGE, "another uid").status_code == 200
    assert host.http.delete(path).status_code == 403, "what is deleted has the uid that was said"
    assert annotate("eve", ANNOTATION_PURGE, uid).status_code == 200
    assert host.http.delete(path).status_code == 200
