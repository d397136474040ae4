"""The chart as helm renders it. No cluster is asked; helm is built with the test cluster."""

from __future__ import annotations

import json
from pathlib import Path

import kubernetes_validate
import pytest

from aifactory_hub.registry import load_registry
from aifactory_hub.registry.render_provisioner import provisioner_objects

from ..conftest import Golden
from .chart import CHART, TENANTS, Object, documents, helm, one, template

# Not a running one: the programs are enough.
pytestmark = pytest.mark.cluster

VERSIONS = ("1.33", "1.35")
OVERLAYS = sorted((CHART / "overlays").glob("*.yaml"))
SETS = {
    "defaults": (),
    "everything": (
        "--set",
        "provisioner.enabled=true,monitors.enabled=true,dashboards.enabled=true,backup.enabled=true,"
        "backup.keysKey=backup-key",
    ),
    "nothing": ("--set", "host.apply=false,networkPolicy.internet=false,networkPolicy.apiServers=null"),
    **{path.stem: ("-f", str(path)) for path in OVERLAYS},
}


def objects(*arguments: object) -> list[Object]:
    done = template(*arguments)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


@pytest.mark.parametrize("name", SETS)
def test_every_object_is_one_that_kubernetes_takes(name: str) -> None:
    found = objects(*SETS[name])
    for each in found:
        if not each["apiVersion"].startswith("monitoring.coreos.com/"):
            for version in VERSIONS:
                kubernetes_validate.validate(each, version, strict=True)
    names = [(each["kind"], each["metadata"]["name"], each["metadata"].get("namespace", "")) for each in found]
    assert sorted(set(names)) == sorted(names), "an object is there twice"


@pytest.mark.parametrize("name", SETS)
def test_lint_has_nothing_to_say(name: str) -> None:
    ours = ("--set-file", f"tenants.inline={TENANTS}", "--set", "hubName=e2e", "--namespace", "aifactory-system")
    done = helm("lint", CHART, "--strict", *ours, *SETS[name])
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_renders_is_what_the_tests_without_helm_look_at(golden: Golden) -> None:
    given = (
        "--set",
        "tenants.existingConfigMap=aifactory-tenants,provisioner.enabled=true,monitors.enabled=true,backup.enabled=true,backup.keysKey=backup-key",
    )
    done = template(*given, tenants=False)
    assert done.returncode == 0, done.stderr
    golden.check("chart.yaml", done.stdout)


def test_each_dashboard_is_a_config_map_that_grafana_s_sidecar_finds() -> None:
    found = objects(*SETS["everything"])
    files = sorted((CHART / "files/dashboards").glob("*.json"))
    assert files
    for file in files:
        made = one(found, "ConfigMap", f"aifactory-dashboard-{file.stem}")
        assert made["metadata"]["labels"] == {"grafana_dashboard": "1"}
        assert {name: json.loads(text) for name, text in made["data"].items()} == {
            f"aifactory-{file.name}": json.loads(file.read_text(encoding="utf-8"))
        }
    for name in ("defaults", "nothing"):
        assert not [each for each in objects(*SETS[name]) if "dashboard" in each["metadata"]["name"]]


def test_the_provisioner_s_rights_are_the_rendered_ones() -> None:
    found = objects(*SETS["everything"])
    for wanted in provisioner_objects(load_registry(TENANTS)):
        assert wanted in found or wanted["kind"] == "Namespace", wanted["metadata"]


def test_every_pod_would_pass_pod_security_restricted() -> None:
    for each in objects(*SETS["everything"]):
        template = each.get("spec", {}).get("jobTemplate", each).get("spec", {}).get("template", {})
        spec = each["spec"] if each["kind"] == "Pod" else template.get("spec")
        if spec is None:
            continue
        assert spec["securityContext"]["runAsNonRoot"] is True, each["metadata"]["name"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_a_digest_goes_before_a_tag_and_a_database_s_password_is_not_in_its_address() -> None:
    digest = f"sha256:{'a' * 64}"
    url = "postgresql+psycopg://me@db:5432/jobs"
    found = objects("--set", f"image.digest={digest},jobService.database.url={url}")
    (container,) = one(found, "Deployment", "aifactory-jobs")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.org/aifactory/hub@{digest}"
    environment = {each["name"]: each for each in container["env"]}
    assert environment["AIFACTORY_HUB_SERVICE_DATABASE"]["value"] == url
    assert environment["PGPASSWORD"]["valueFrom"]["secretKeyRef"]["key"] == "database-password"


def test_rights_of_the_job_that_applies_are_gone_when_it_ends() -> None:
    hooks = [each for each in objects() if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    before = [each for each in hooks if "pre-install" in each["metadata"]["annotations"]["helm.sh/hook"]]
    assert {each["kind"] for each in before} == {
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "Job",
    }
    for each in before:
        marks = each["metadata"]["annotations"]
        assert marks["helm.sh/hook"] == "pre-install,pre-upgrade,pre-rollback"
        assert marks["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    weights = {each["kind"]: int(each["metadata"]["annotations"]["helm.sh/hook-weight"]) for each in before}
    assert weights.pop("Job") > max(weights.values())


REFUSED = {
    "a key that nobody knows": (("--set", "jobservice.x=1"), "jobservice"),
    "a tag that is none": (("--set", "image.tag=a b"), "/image/tag"),
    "a digest that is cut": (("--set", "image.digest=sha256:abc"), "/image/digest"),
    "a pull policy of another spelling": (("--set", "image.pullPolicy=always"), "/image/pullPolicy"),
    "a password in an address": (
        ("--set", "jobService.database.url=postgresql://me:secret@db/jobs"),
        "/jobService/database/url",
    ),
    "a size without a number": (("--set", "jobService.storage.size=much"), "/jobService/storage/size"),
    "a bucket that is none": (("--set", "jobService.objects=http://bucket"), "/jobService/objects"),
    "a network that is an address": (
        ("--set", "networkPolicy.apiServers[0].cidr=10.0.0.1"),
        "/networkPolicy/apiServers/0/cidr",
    ),
    "a replica too few": (("--set", "provisioner.replicas=0"), "/provisioner/replicas"),
    "text for a switch": (("--set-string", "monitors.enabled=yes"), "/monitors/enabled"),
    "a file in a folder": (("--set", "tenants.files.a/b=x"), "/tenants/files"),
    "tenants twice": (("--set", "tenants.existingConfigMap=other"), "are both set"),
    "the name of another hub": (("--set", "hubName=other"), 'hubName is "other" and tenants.yaml says hub: e2e'),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named(name: str) -> None:
    arguments, said = REFUSED[name]
    done = template(*arguments)
    assert done.returncode
    assert said in done.stderr.replace(".", "/") or said in done.stderr, done.stderr


def test_files_that_tenants_yaml_names_are_beside_it_in_both_places(tmp_path: Path) -> None:
    card = tmp_path / "card.yaml"
    card.write_text("name: x\nquoted: '\"'\n")
    found = objects("--set-file", f"tenants.files.card\\.yaml={card}")
    for name in ("aifactory-tenants", "aifactory-apply"):
        assert one(found, "ConfigMap", name)["data"]["card.yaml"] == card.read_text()
        assert one(found, "ConfigMap", name)["data"]["tenants.yaml"] == TENANTS.read_text()


def test_a_file_of_tenants_that_is_no_yaml_is_refused() -> None:
    done = template("--set", "tenants.inline=a: b: c", tenants=False)
    assert "tenants.inline is no YAML" in done.stderr
    assert "aifactory-hub tenants check" in done.stderr


def test_without_tenants_and_in_another_namespace_it_says_what_to_add() -> None:
    assert "--set-file tenants.inline=tenants.yaml" in template(tenants=False).stderr
    assert "--namespace aifactory-system" in template(namespace="default").stderr


def test_a_package_has_what_the_templates_need_and_no_overlay(tmp_path: Path) -> None:
    done = helm("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("aifactory-hub-*.tgz")
    shown = helm("show", "all", package)
    assert "additionalProperties" not in shown.stderr and shown.returncode == 0
    again = helm("template", "aifactory-hub", package, "--namespace", "aifactory-system", "--kube-version", "1.35.0",
                 "--set", "provisioner.enabled=true,tenants.existingConfigMap=t")  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert "aifactory-provisioner-team" in again.stdout
