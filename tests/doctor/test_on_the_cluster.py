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


def findings(found: Access) -> dict[str, dict[str, str]]:
    argv = [BIN / "aifactory-hub", "doctor", TENANTS_FILE, "--json", "--kubeconfig", found.admin_kubeconfig]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr  # no hub runs now, and there is no GPU to measure
    return {each["check"]: each for each in json.loads(done.stdout)["findings"]}


def test_the_first_three_stages_are_well_and_a_change_by_hand_is_found(found: Access) -> None:
    well = findings(found)
    wrong = [each for each in well.values() if each["verdict"] != "ok"]
    assert {each["stage"] for each in wrong} <= {4, 5}, wrong
    policy = ("networkpolicy", "aifactory-default-deny", "-n", "vc-vision")
    kubectl = cluster_of(found)
    try:
        kubectl.run("patch", *policy, "--type=merge", "-p", '{"spec": {"policyTypes": ["Ingress"]}}')
        changed = findings(found)["NetworkPolicy aifactory-default-deny in vc-vision"]
        assert changed["seen"] == "differs in spec.policyTypes"
    finally:
        apply_registry(kubectl, TENANTS_FILE)
