"""A wall that is rendered is a wall that stands, on the real API server: all policies removed and applied again at
once, with another list, and what an earlier version rendered replaced without a moment in which nothing is refused.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_hub.doctor.admission import pod
from aifactory_hub.registry import load_registry
from aifactory_hub.registry.policies import admission_policies
from tests.cluster.access import access
from tests.cluster.settings import NODE
from tests.e2e.by_hand import syncer
from tests.e2e.cluster import Cluster
from tests.e2e.rig import TENANTS_FILE, apply_registry

pytestmark = pytest.mark.cluster

REGISTRY = load_registry(TENANTS_FILE)
OLD, NEW = "registry.invalid/none:1", "registry.invalid/none:2"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = access()
    made = Cluster(found.kubectl, found.admin_kubeconfig, NODE)  # type: ignore[arg-type]
    apply_registry(made, TENANTS_FILE)
    yield made
    apply_registry(made, TENANTS_FILE)


def refusal(cluster: Cluster, image: str) -> str:
    """What the host says to vision's syncer about a pod with this image; empty when it would be made."""
    where = ("-n", "vc-vision", *syncer("vc-vision"))
    wanted = json.dumps(pod(REGISTRY.tenants["vision"], image))
    try:
        cluster.run("create", "--dry-run=server", *where, "-f", "-", stdin=wanted)
    except RuntimeError as error:
        return str(error)
    return ""


def remove_policies(cluster: Cluster) -> None:
    made = [each for tenant in REGISTRY.tenants.values() for each in admission_policies(REGISTRY, tenant)]
    text = "\n---\n".join(map(json.dumps, made))
    cluster.run("delete", "--ignore-not-found", "--wait=true", "-f", "-", stdin=text)


def test_policies_that_are_removed_and_applied_at_once_enforce_the_new_list(cluster: Cluster, tmp_path: Path) -> None:
    """With their lists as parameters the API server went on with the old ones, or refused everything, until it was
    restarted (kubernetes/kubernetes#130887, #133827)."""
    assert cluster.wait(lambda: not refusal(cluster, OLD) and bool(refusal(cluster, NEW)), 30)
    now, then = OLD, NEW
    for number in range(3):
        file = tmp_path / f"{number}.yaml"
        file.write_text(TENANTS_FILE.read_text().replace(OLD, then))
        remove_policies(cluster)
        apply_registry(cluster, file)
        seen: list[tuple[str, str]] = []

        def new_list(allowed: str = then, gone: str = now, seen: list[tuple[str, str]] = seen) -> bool:
            seen.append((refusal(cluster, allowed), refusal(cluster, gone)))
            return not seen[-1][0] and "is not allowed here" in seen[-1][1]

        assert cluster.wait(new_list, 30), seen[-1]
        now, then = then, now


SHARED = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: aifactory-hub.io-tenant-pods}
spec:
  failurePolicy: Fail
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}
  matchConditions:
    - name: by-the-syncer
      expression: "request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':')"
  validations:
    - {expression: "object.spec.containers.all(c, c.image in params.data.images.split('\\\\n'))", reason: Forbidden}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: aifactory-hub.io-tenant-pods-vision}
spec:
  policyName: aifactory-hub.io-tenant-pods
  validationActions: [Deny]
  matchResources:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: vc-vision}}
  paramRef: {name: tenant-vision, namespace: aifactory-system, parameterNotFoundAction: Deny}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: tenant-vision, namespace: aifactory-system}
data: {images: "registry.invalid/none:1"}
"""
OBJECTS = (
    ("configmap", "tenant-vision", "-n", "aifactory-system"),
    ("validatingadmissionpolicybinding", "aifactory-hub.io-tenant-pods-vision"),
    ("validatingadmissionpolicy", "aifactory-hub.io-tenant-pods"),
)


def tenants(command: str, *options: str) -> Result:
    kubeconfig = str(access().admin_kubeconfig)
    return CliRunner().invoke(main, ["tenants", command, str(TENANTS_FILE), "--kubeconfig", kubeconfig, *options])


def test_apply_replaces_what_an_earlier_version_rendered_and_nothing_slips_through(cluster: Cluster) -> None:
    remove_policies(cluster)
    cluster.run("apply", "--server-side", "-f", "-", stdin=SHARED)
    try:
        assert cluster.wait(lambda: bool(refusal(cluster, NEW)), 30)
        planned = tenants("plan").output
        assert "remove ValidatingAdmissionPolicyBinding aifactory-hub.io-tenant-pods-vision (an earlier" in planned
        slipped: list[str] = []
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                slipped.extend([] if refusal(cluster, NEW) else ["an unlisted image was let through"])

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            applied = tenants("apply")
        finally:
            done.set()
            watcher.join()
        assert applied.exit_code == 0, applied.output
        assert slipped == []
        for each in OBJECTS:
            assert not cluster.run("get", *each, "--ignore-not-found").strip()
        # The API server's cache may hold the binding that was removed for a moment: until then that one refuses.
        assert cluster.wait(lambda: "is not allowed here" in refusal(cluster, NEW), 30)
        assert tenants("plan").output.splitlines()[-1].endswith(" 0 not")
    finally:
        for each in OBJECTS:
            cluster.run("delete", *each, "--ignore-not-found")


def test_what_prune_would_delete_is_shown_before(cluster: Cluster) -> None:
    marked: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "left-behind", "namespace": "vc-vision", "labels": {"aifactory-hub.io/registry": "e2e"}},
        "spec": {"hard": {"count/cronjobs.batch": "1"}},
    }
    cluster.run("apply", "-f", "-", stdin=json.dumps(marked))
    try:
        tenants("apply")
        for command in ("plan", "diff"):
            shown = tenants(command, "--prune").output
            assert "delete ResourceQuota left-behind in vc-vision (not in the file any more)\n" in shown
        assert "left-behind" in cluster.run("get", "resourcequota", "-n", "vc-vision", "-o", "name")
    finally:
        cluster.run("delete", "resourcequota", "left-behind", "-n", "vc-vision", "--ignore-not-found")
