"""The ceiling of a tenant's namespace on the host: every tenant has one, and its control plane fits beside it."""

from __future__ import annotations

import pytest

from aifactory_hub.registry import read_registry
from aifactory_hub.registry.host_quota import cores, count, host_quota, size
from aifactory_hub.registry.render import host_objects
from aifactory_hub.registry.render_vcluster import vcluster_values

from .files import GOOD, SOURCE, changed

REGISTRY = read_registry(GOOD, SOURCE)


def test_a_tenant_without_limits_has_some_that_follow_from_its_profiles_and_quota() -> None:
    _, objects, pods = host_quota(REGISTRY, REGISTRY.tenants["nlp"])
    # 5 slices of 500m, one of the card's own size, 50 servers of 250m; twice that, and what the vCluster takes.
    cpu = 2 * (5 * 500 + REGISTRY.catalogue.profile("mig-3g.40gb").requests.cpu_millicores + 50 * 250)
    assert pods["spec"]["hard"]["requests.cpu"] == cores(max(cpu, 32_000) + 2000)
    assert pods["spec"]["hard"]["pods"] == "205"
    assert {name for name in objects["spec"]["hard"] if "nvidia.com" not in name} == {
        "requests.storage",
        "persistentvolumeclaims",
        "limits.ephemeral-storage",
        "secrets",
        "configmaps",
        "services",
        "count/endpoints",
        "count/endpointslices.discovery.k8s.io",
        "count/events",
    }


def test_each_limit_of_the_file_is_the_host_s_with_room_for_the_vcluster() -> None:
    limits = "limits: {storage: 1Ti, claims: 30, disk: 100Gi, secrets: 300, configmaps: 200, services: 10}"
    quota = "    quota: {mig-1g.10gb: 3}\n"
    registry = read_registry(changed(quota, f"{quota}    {limits}\n"), SOURCE)
    hard = host_quota(registry, registry.tenants["vision"])[1]["spec"]["hard"]
    assert (hard["requests.storage"], hard["limits.ephemeral-storage"]) == ("1074Gi", "150Gi")
    counted = ("persistentvolumeclaims", "secrets", "configmaps", "services", "count/endpoints")
    assert [hard[name] for name in counted] == ["130", "400", "300", "110", "110"]


def test_the_control_plane_of_a_vcluster_is_not_counted_among_its_tenant_s_pods() -> None:
    """Its pods have a priority class that no synced pod may have, and the quota of pods leaves out that class."""
    made = [each["metadata"]["name"] for each in host_objects(REGISTRY) if each["kind"] == "PriorityClass"]
    for tenant in REGISTRY.tenants.values():
        values = vcluster_values(tenant, REGISTRY.addresses)
        used = values["controlPlane"]["statefulSet"]["scheduling"]["priorityClassName"]
        (scope,) = host_quota(REGISTRY, tenant)[2]["spec"]["scopeSelector"]["matchExpressions"]
        assert scope == {"scopeName": "PriorityClass", "operator": "NotIn", "values": [used]}
        assert made == [used]


def test_a_container_that_names_no_size_gets_one_of_all_that_the_quotas_count() -> None:
    """Else a namespace with such a quota refuses its pod."""
    ranges, *quotas = host_quota(REGISTRY, REGISTRY.tenants["nlp"])
    (defaults,) = ranges["spec"]["limits"]
    asked = [name.partition(".") for quota in quotas for name in quota["spec"]["hard"]]
    compute = {(side, name) for side, _, name in asked if name in ("cpu", "memory", "ephemeral-storage")}
    given = {("requests", name) for name in defaults["defaultRequest"]} | {
        ("limits", name) for name in defaults["default"]
    }
    assert compute <= given


@pytest.mark.parametrize(
    ("written", "amount"),
    [("0", count(0)), ("50k", count(50_000)), ("1999", count(1999)), ("2M", count(2_000_000)), ("1500m", cores(1500)),
     ("2", cores(2000)), ("1Ti", size(2**40)), ("1536Mi", size(3 * 2**29)), ("1k", size(1000))],
)  # fmt: skip
def test_amounts_are_written_as_the_api_server_writes_them(written: str, amount: str) -> None:
    """So that what it answers is what was rendered."""
    assert amount == written
