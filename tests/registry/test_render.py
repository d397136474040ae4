"""What follows from the registry, compared with golden files and with what the parts rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from aifactory_hub import constants
from aifactory_hub.engines.installed import engine_needs
from aifactory_hub.registry import read_registry, render
from aifactory_hub.registry.host_quota import host_quota
from aifactory_hub.registry.output import yaml_documents
from aifactory_hub.registry.render import flavor_groups, host_objects
from aifactory_hub.registry.render_vcluster import seeded_objects, vcluster_values
from aifactory_profiles import Device

from ..conftest import Golden
from .files import GOOD, SOURCE, changed, kueue_object

REGISTRY = read_registry(GOOD, SOURCE)
HELM_VALUES = Path(__file__).parents[2] / "helm-values"


def parsed(text: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(text))


def test_the_host_s_objects_are_as_agreed(golden: Golden) -> None:
    golden.check("host-objects.yaml", yaml_documents(host_objects(REGISTRY)))


def values_of(tenant: str) -> dict[str, Any]:
    return vcluster_values(REGISTRY.tenants[tenant], REGISTRY.addresses)


@pytest.mark.parametrize(
    ("host", "services"),
    [
        ("hub.aifactory-system.svc:8081", ["aifactory-system/hub"]),
        ("hub.aifactory-system.svc.cluster.local:8081", ["aifactory-system/hub"]),
        ("hub.example.org:8081", []),
        ("10.0.0.5:8081", []),
    ],
)
def test_a_hub_that_is_a_service_of_the_host_has_its_name_in_the_vclusters(host: str, services: list[str]) -> None:
    registry = read_registry(changed("hub.example.org:8081", host), SOURCE)
    values = vcluster_values(registry.tenants["nlp"], registry.addresses)
    replicated = values["networking"]["replicateServices"]["fromHost"]
    assert replicated == [{"from": name, "to": name} for name in services]


@pytest.mark.parametrize("tenant", ["nlp", "vision"])
def test_the_values_of_a_vcluster_are_as_agreed(tenant: str, golden: Golden) -> None:
    golden.check(f"vcluster-{tenant}.yaml", yaml_documents([values_of(tenant)]))


def test_one_tenant_can_be_rendered_alone() -> None:
    objects = host_objects(REGISTRY, ["vision"])
    kinds = {"Namespace", "Role", "RoleBinding", "Cohort", "ClusterQueue", "LocalQueue", "ResourceQuota"}
    guards = {"LimitRange", "NetworkPolicy", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert {o["kind"] for o in objects} == kinds | guards
    assert all("vision" in str(o) and "nlp" not in str(o) for o in objects)
    with pytest.raises(KeyError, match="robots"):
        host_objects(REGISTRY, ["robots"])


def test_a_tenant_s_namespace_enforces_pod_security() -> None:
    for namespace in (o for o in host_objects(REGISTRY) if o["kind"] == "Namespace" and o["metadata"].get("labels")):
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_what_is_written_reads_back_the_same() -> None:
    objects = host_objects(REGISTRY)
    assert parsed(yaml_documents(objects)) == objects


def counts(manifest: dict[str, Any], key: str) -> dict[Device, str | None]:
    return {
        Device(flavor["name"], resource["name"]): resource.get(key)
        for group in manifest["spec"]["resourceGroups"]
        for flavor in group["flavors"]
        for resource in flavor["resources"]
    }


def test_kueue_holds_exactly_the_quotas_of_the_file() -> None:
    """Notebooks own them and have no more, jobs use what is left, and the tenant's cohort bounds both."""
    for name, tenant in REGISTRY.tenants.items():
        quota, carved = tenant.quota, REGISTRY.cluster.carved
        notebooks, jobs = kueue_object(REGISTRY, name), kueue_object(REGISTRY, name, name=f"{name}.jobs")
        both = kueue_object(REGISTRY, name, "Cohort", f"factory-{name}")
        assert counts(notebooks, "nominalQuota") == {d: str(quota.nominal.get(d, 0)) for d in carved}
        assert set(counts(notebooks, "borrowingLimit").values()) == {"0"}
        assert set(counts(jobs, "nominalQuota").values()) == {"0"}
        assert counts(both, "borrowingLimit") == {d: str(quota.borrowing.get(d, 0)) for d in carved}
        assert set(counts(both, "nominalQuota").values()) == {"0"}
        assert both["spec"]["parentName"] == "factory"
        assert {queue["spec"]["cohortName"] for queue in (notebooks, jobs)} == {f"factory-{name}"}
        queues = {local: kueue_object(REGISTRY, name, "LocalQueue", local)["spec"] for local in ("gpu", "gpu-jobs")}
        assert queues == {"gpu": {"clusterQueue": name}, "gpu-jobs": {"clusterQueue": f"{name}.jobs"}}


def test_notebooks_that_may_borrow_are_bounded_by_their_tenant_alone() -> None:
    text = changed("    quota: {mig-1g.10gb: 3}\n", "    quota: {mig-1g.10gb: 3}\n    notebooks: borrow\n")
    registry = read_registry(text, SOURCE)
    assert set(counts(kueue_object(registry, "vision"), "borrowingLimit").values()) == {None}


def test_each_model_has_its_own_flavor_and_resources() -> None:
    text = changed("[h100-80gb]", "[h100-80gb, a100-40gb]").replace("mig-1g.10gb", "mig-1g.5gb")
    registry = read_registry(text, SOURCE)
    groups = kueue_object(registry, "nlp")["spec"]["resourceGroups"]
    assert [(group["flavors"][0]["name"], group["coveredResources"]) for group in groups] == [
        ("a100-40gb", ["nvidia.com/mig-1g.5gb"]),
        ("h100-80gb", ["nvidia.com/mig-3g.40gb"]),
    ]
    flavors = [o["metadata"]["name"] for o in host_objects(registry) if o["kind"] == "ResourceFlavor"]
    assert flavors == ["h100-80gb", "a100-40gb"]


def test_models_that_share_a_slice_s_name_are_flavors_of_one_group() -> None:
    small, large, other = "nvidia.com/mig-1g.10gb", "nvidia.com/mig-3g.40gb", "nvidia.com/mig-1g.6gb"
    carved = [Device("h100-80gb", large), Device("a100-80gb", small), Device("a30", other), Device("h100-80gb", small)]
    assert flavor_groups(carved) == [(("a30",), (other,)), (("h100-80gb", "a100-80gb"), (large, small))]


@given(st.sets(st.builds(Device, st.sampled_from("abcd"), st.sampled_from("uvwxyz"))))
def test_kueue_s_rules_for_resource_groups_hold(devices: set[Device]) -> None:
    groups = flavor_groups(devices)
    for part in (0, 1):
        names = [name for group in groups for name in group[part]]
        assert len(names) == len(set(names)), "a flavor and a resource are in one group each"
    assert devices <= {Device(f, r) for flavors, resources in groups for f in flavors for r in resources}


NO_GPUS = """\
apiVersion: aifactory-hub.io/v1
hub: main
cluster: {name: host}
identity: {issuer: https://idp.example.org, client_id: hub}
addresses: {hub_api: http://hub.example.org/hub/api, service: http://hub.example.org/services/aifactory/}
notebook: {image: i}
jobs: {image: i}
profiles: {cpu-small: {gpu: none, cpu: 1, memory: 1Gi}}
tenants:
  nlp:
    vcluster: {namespace: vc-nlp, name: nlp}
    groups: [{group: g, role: member}]
    profiles: [cpu-small]
"""


def test_a_queue_covers_something_even_without_gpus() -> None:
    """Kueue admits nothing to a queue without a resource group."""
    registry = read_registry(NO_GPUS, SOURCE)
    groups = kueue_object(registry, "nlp")["spec"]["resourceGroups"]
    assert [group["coveredResources"] for group in groups] == [[render.NO_GPU_RESOURCE]]
    flavors = [o["metadata"]["name"] for o in host_objects(registry) if o["kind"] == "ResourceFlavor"]
    assert flavors == [flavor["name"] for group in groups for flavor in group["flavors"]]


def rules_of(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for o in objects if o["kind"] in ("Role", "ClusterRole") for rule in o["rules"]]


def test_nobody_gets_a_right_to_everything() -> None:
    everywhere = [*host_objects(REGISTRY), *seeded_objects(REGISTRY.tenants["nlp"])]
    for rule in rules_of(everywhere):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_the_hub_reads_only_its_own_secrets_on_the_host() -> None:
    secrets = [rule for rule in rules_of(host_objects(REGISTRY)) if "secrets" in rule["resources"]]
    assert len(secrets) == len(REGISTRY.tenants)
    for rule in secrets:
        assert rule["verbs"] == ["get"]
        assert rule["resourceNames"] == [constants.NOTEBOOKS_SECRET, constants.JOBS_SECRET]


def test_rights_on_the_whole_host_are_to_read_only() -> None:
    roles = [o for o in host_objects(REGISTRY) if o["kind"] == "ClusterRole"]
    assert {verb for rule in rules_of(roles) for verb in rule["verbs"]} <= {"get", "list", "watch"}
    assert not any("secrets" in rule["resources"] for rule in rules_of(roles))


def test_a_tenant_s_two_accounts_have_nothing_in_common_but_looking() -> None:
    seeded = seeded_objects(REGISTRY.tenants["nlp"])
    roles = {o["metadata"]["namespace"]: o for o in seeded if o["kind"] == "Role"}
    assert set(roles) == {constants.NOTEBOOKS_NAMESPACE, constants.JOBS_NAMESPACE}
    assert not any(o["kind"].startswith("Cluster") for o in seeded)
    notebooks, jobs = (
        {(r, v) for rule in roles[ns]["rules"] for r in rule["resources"] for v in rule["verbs"]}
        for ns in (constants.NOTEBOOKS_NAMESPACE, constants.JOBS_NAMESPACE)
    )
    assert {verb for _, verb in notebooks & jobs} <= {"get", "list", "watch"}


def test_what_is_seeded_stands_in_the_values_as_it_is() -> None:
    tenant = REGISTRY.tenants["nlp"]
    manifests = vcluster_values(tenant, REGISTRY.addresses)["experimental"]["deploy"]["vcluster"]["manifests"]
    assert parsed(manifests) == seeded_objects(tenant)


def test_only_where_argo_runs_the_vcluster_s_api_server_is_told_otherwise() -> None:
    def control_plane(*engines: str) -> dict[str, Any]:
        return dict(vcluster_values(REGISTRY.tenants["nlp"], REGISTRY.addresses, engine_needs(engines))["controlPlane"])

    told = {"k8s": {"apiServer": {"extraArgs": ["--feature-gates=WatchList=false"]}}}
    assert control_plane("kubernetes-job", "argo-workflow")["distro"] == told
    assert "distro" not in control_plane("kubernetes-job", "jobset", "trainjob")


def test_kueue_looks_at_the_namespaces_that_are_labelled_for_it() -> None:
    values = parsed((HELM_VALUES / "kueue.yaml").read_text(encoding="utf-8"))[0]
    configuration = parsed(values["managerConfig"]["controllerManagerConfigYaml"])[0]
    assert configuration["managedJobsNamespaceSelector"] == {"matchLabels": {render.LABEL_TICKETS: "true"}}
    assert configuration["integrations"] == {"frameworks": ["batch/job"]}
    namespaces = [o for o in host_objects(REGISTRY, ["nlp"]) if o["kind"] == "Namespace"]
    assert [o["metadata"]["labels"][render.LABEL_TICKETS] for o in namespaces] == ["true"]


@pytest.mark.parametrize("file", sorted(HELM_VALUES.glob("*.yaml")), ids=lambda file: file.name)
def test_helm_values_are_one_mapping_each(file: Path) -> None:
    documents = parsed(file.read_text(encoding="utf-8"))
    assert len(documents) == 1
    assert isinstance(documents[0], dict)


def test_the_tenants_and_the_site_set_different_values() -> None:
    site = paths(parsed((HELM_VALUES / "vcluster.yaml").read_text(encoding="utf-8"))[0])
    assert not site & paths(values_of("nlp"))


def paths(values: dict[str, Any], before: str = "") -> set[str]:
    """The dotted paths of all leaves."""
    found: set[str] = set()
    for name, value in values.items():
        path = f"{before}.{name}"
        found |= paths(value, path) if isinstance(value, dict) else {path}
    return found


LIMITED = """\
    quota: {mig-1g.10gb: 3}
    lending: {mig-1g.10gb: 1}
    per_user: {mig-1g.10gb: 2}
    weight: 2.5
    limits: {cpu: 10, memory: 64Gi, pods: 20}
"""


def test_lending_weight_and_reclaim_reach_kueue() -> None:
    text = changed("    quota: {mig-1g.10gb: 3}\n", LIMITED).replace(
        "  carved:", "  reclaim: lower-priority\n  fair_sharing: true\n  carved:"
    )
    registry = read_registry(text, SOURCE)
    both = kueue_object(registry, "vision", "Cohort", "factory-vision")
    assert both["spec"]["fairSharing"] == {"weight": "2.5"}
    assert list(counts(both, "lendingLimit").values()) == ["1", None]
    for name in ("vision", "vision.jobs"):
        queue = kueue_object(registry, "vision", name=name)
        assert queue["spec"]["preemption"]["reclaimWithinCohort"] == "LowerPriority"
        assert "lendingLimit" not in str(queue)
    assert "fairSharing" not in str(kueue_object(registry, "nlp", "Cohort", "factory-nlp"))
    assert kueue_object(registry, "nlp", name="nlp.jobs")["spec"]["fairSharing"] == {"weight": "0"}
    assert "fairSharing" not in kueue_object(registry, "nlp")["spec"]
    assert "fairSharing" not in str(kueue_object(read_registry(GOOD, SOURCE), "nlp", name="nlp.jobs"))
    assert registry.tenants["vision"].quota.per_user == {Device("h100-80gb", "nvidia.com/mig-1g.10gb"): 2}


@pytest.mark.parametrize(
    ("setting", "ends"),
    [
        ("reclaim: any", True),
        ("reclaim: lower-priority", True),
        ("reclaim: never", False),  # Kueue takes the two together for a contradiction
        ("fair_sharing: true", False),  # ends them anyway
    ],
)
def test_a_more_urgent_job_ends_others_of_its_own_queue_only(setting: str, ends: bool) -> None:
    registry = read_registry(GOOD.replace("  carved:", f"  {setting}\n  carved:"), SOURCE)
    assert _when_it_borrows(kueue_object(registry, "nlp")) == {"policy": "Never"}, "notebooks are all as urgent"
    jobs = _when_it_borrows(kueue_object(registry, "nlp", name="nlp.jobs"))
    assert (jobs["policy"] == "LowerPriority") is ends
    # What is in other queues can be ended up to this priority: nothing is as low.
    assert not ends or jobs["maxPriorityThreshold"] < min(constants.PRIORITIES.values())


def _when_it_borrows(queue: dict[str, Any]) -> dict[str, Any]:
    return dict(queue["spec"]["preemption"]["borrowWithinCohort"])


def test_the_host_holds_a_tenant_to_what_it_may_ever_have_with_its_vcluster_s_own_on_top() -> None:
    registry = read_registry(
        changed("    quota: {mig-1g.10gb: 3}\n", LIMITED).replace("  carved:", "  fair_sharing: true\n  carved:"),
        SOURCE,
    )
    limits, objects, pods = host_quota(registry, registry.tenants["vision"])
    assert pods["spec"]["hard"] == {"pods": "25", "requests.cpu": "12", "requests.memory": "68Gi"}
    assert limits["kind"] == "LimitRange"
    assert devices_of(objects) == {"requests.nvidia.com/mig-1g.10gb": "3", "requests.nvidia.com/mig-3g.40gb": "0"}
    _, objects, _ = host_quota(registry, registry.tenants["nlp"])
    assert devices_of(objects) == {"requests.nvidia.com/mig-1g.10gb": "5", "requests.nvidia.com/mig-3g.40gb": "1"}


def devices_of(quota: dict[str, Any]) -> dict[str, str]:
    return {name: most for name, most in quota["spec"]["hard"].items() if "nvidia.com" in name}
