"""The doctor on the real test cluster: it finds what is well, and what was changed by hand."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cluster.access import Access, access
from tests.cluster.settings import NODE
from tests.e2e.cluster import Cluster
from tests.e2e.processes import BIN
from tests.e2e.rig import TENANTS_FILE, apply_registry

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def found() -> Access:
    here = access()
    apply_registry(cluster_of(here), TENANTS_FILE)
    return here


def cluster_of(found: Access) -> Cluster:
    return Cluster(found.kubectl, found.admin_kubeconfig, NODE)  # type: ignore[arg-type]


def findings(found: Access, *more: object, as_hub: bool = False) -> dict[str, dict[str, str]]:
    credential = found.hub_kubeconfig if as_hub else found.admin_kubeconfig
    argv = [BIN / "aifactory-hub", "doctor", TENANTS_FILE, "--json", "--kubeconfig", credential, *more]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr  # no hub runs now, and there is no GPU to measure
    return {each["check"]: each for each in json.loads(done.stdout)["findings"]}


def test_the_first_three_stages_are_well_and_a_change_by_hand_is_found(found: Access) -> None:
    well = findings(found)
    wrong = [each for each in well.values() if each["verdict"] in ("wrong", "unknown")]
    assert {each["stage"] for each in wrong} <= {4, 5}, wrong
    assert well["the chart of vCluster is 0.33 or newer"]["seen"].startswith("0.33")
    assert well["the chart of Kueue is 0.15 or newer"]["verdict"] == "ok"
    for who in ("the hub", "the job service"):
        assert well[f"the credential that {who} has for team nlp"]["verdict"] == "ok", "the vCluster wrote it just now"
    policy = ("networkpolicy", "aifactory-default-deny", "-n", "vc-vision")
    kubectl = cluster_of(found)
    try:
        kubectl.run("patch", *policy, "--type=merge", "-p", '{"spec": {"policyTypes": ["Ingress"]}}')
        changed = findings(found)["NetworkPolicy aifactory-default-deny in vc-vision"]
        assert changed["seen"] == "differs in spec.policyTypes"
    finally:
        apply_registry(kubectl, TENANTS_FILE)


WALLS = [
    "a pod of nlp does not reach the vCluster of vision",
    "a pod of vision does not reach the vCluster of nlp",
    "a pod of nlp does not reach the cloud's metadata address",
]


def test_a_probe_is_reached_and_reaches_nobody_else_and_is_gone_afterwards(found: Access) -> None:
    probed = findings(found, "--probe")
    for tenant in ("nlp", "vision"):
        assert probed[f"a pod starts in the vCluster of {tenant}"]["seen"] == "it did"
        assert probed[f"a pod of {tenant} is reached at port 8888"]["verdict"] == "ok"
    assert {probed[wall]["seen"] for wall in WALLS} == {"shut"}
    # No hub runs now: a pod that does not reach it says so.
    assert "refused" in probed["a pod of nlp reaches the hub's API"]["seen"]
    listed = cluster_of(found).run("get", "pods", "-A", "-o", "name")
    assert "aifactory-doctor" not in listed


def test_a_right_too_many_and_one_too_few_are_found_by_administrator_and_hub(found: Access) -> None:
    kubectl = cluster_of(found)
    where = "rights of the hub in namespace vc-vision"
    account = "--serviceaccount=aifactory-system:aifactory-hub"
    too_much = ("rolebinding", "too-much", "-n", "vc-vision")
    try:
        kubectl.run("create", *too_much, "--clusterrole=edit", account)
        seen = findings(found)[where]
        assert (seen["verdict"], "create pods" in seen["seen"]) == ("warning", True)
        kubectl.run("delete", *too_much)
        kubectl.run("delete", "rolebinding", "aifactory-hub", "-n", "vc-vision")
        seen = findings(found, as_hub=True)[where]
        assert seen["verdict"] == "wrong"
        assert "may not" in seen["seen"]
    finally:
        kubectl.run("delete", *too_much, "--ignore-not-found")
        apply_registry(kubectl, TENANTS_FILE)


def test_admission_is_asked_and_not_only_compared(found: Access) -> None:
    kubectl = cluster_of(found)
    passes = "admission lets through a pod with the notebooks' image of vision"
    refuses = "admission refuses a pod with an unlisted image of vision"
    service = "admission refuses a Service with a port of every node of vision"
    well = findings(found)
    assert [well[check]["verdict"] for check in (passes, refuses, service)] == ["ok"] * 3, well
    hub = findings(found, as_hub=True)
    assert {hub[check]["verdict"] for check in (passes, refuses, service)} == {"warning"}
    assert "may not impersonate" in hub[refuses]["seen"]
    try:
        kubectl.run("delete", "validatingadmissionpolicybinding", "aifactory-hub.io-pods-vision")
        # The API server takes up the change within a second or two.
        assert kubectl.wait(lambda: findings(found)[refuses]["seen"] == "it was let through", 30)
    finally:
        apply_registry(kubectl, TENANTS_FILE)
