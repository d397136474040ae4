"""Every manifest of ours against Kubernetes' own schemas, offline."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest

from aifactory_hub.cli.app import main
from aifactory_hub.registry import read_registry
from aifactory_hub.registry.render import host_objects
from aifactory_hub.registry.render_vcluster import seeded_objects
from aifactory_hub.service.api.public import HEALTH_TIMEOUT
from aifactory_hub.settings import read_service_settings

from ..registry.files import GOOD, SOURCE
from .values import ROOT, documents

# The oldest and the newest that the product says it runs on.
VERSIONS = ("1.33", "1.35")
REGISTRY = read_registry(GOOD, SOURCE)
# What helm makes of the chart charts/aifactory-hub with all of it switched on; tests/chart compares it with helm.
CHART = ROOT / "tests/data/chart.yaml"
# Objects of others, for which Kubernetes has no schema.
OTHERS = ("kueue.x-k8s.io/", "monitoring.coreos.com/")


def every_object() -> list[tuple[str, dict[str, Any]]]:
    objects = [("chart", each) for each in documents(CHART)]
    objects += [("host", each) for each in host_objects(REGISTRY)]
    objects += [("seeded", each) for each in seeded_objects(REGISTRY.tenants["nlp"])]
    return [(source, each) for source, each in objects if not each["apiVersion"].startswith(OTHERS)]


OBJECTS = every_object()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("found", OBJECTS, ids=lambda f: f"{f[0]}-{f[1]['kind']}-{f[1]['metadata']['name']}")
def test_kubernetes_knows_every_field(found: tuple[str, dict[str, Any]], version: str) -> None:
    kubernetes_validate.validate(found[1], version, strict=True)


def test_a_misspelled_field_is_found() -> None:
    service = next(each for _, each in OBJECTS if each["kind"] == "Service")
    wrong = {**service, "spec": {**service["spec"], "externalIps": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def job_service() -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in documents(CHART) if each["metadata"]["name"] == "aifactory-jobs"}


def test_the_job_service_s_environment_is_what_its_settings_need() -> None:
    container = job_service()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    environment = {entry["name"]: entry.get("value", "from a Secret") for entry in container["env"]}
    settings = read_service_settings(environment)
    mounts = [Path(mount["mountPath"]) for mount in container["volumeMounts"]]
    for path in (settings.files, settings.tenants, Path(settings.database.removeprefix("sqlite:///"))):
        assert any(mount in path.parents for mount in mounts)
    assert settings.bind.port == container["ports"][0]["containerPort"]


def test_the_job_service_would_pass_pod_security_restricted() -> None:
    spec = job_service()["Deployment"]["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_ask_the_service_itself_and_wait_longer_than_it_takes(name: str) -> None:
    container = job_service()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    environment = {entry["name"]: entry.get("value", "from a Secret") for entry in container["env"]}
    probe = container[name]
    path, _, query = probe["httpGet"]["path"].partition("?")
    assert path == f"{environment['JUPYTERHUB_SERVICE_PREFIX']}api/v1/health"
    assert query == ("" if name == "readinessProbe" else "database=false"), "a restart mends no database"
    assert probe["timeoutSeconds"] > 2 * HEALTH_TIMEOUT


def reachable(address: str, port: int) -> bool:
    """Whether the job service's pod may connect to an address outside the pods."""
    for rule in job_service()["NetworkPolicy"]["spec"]["egress"]:
        if "ports" in rule and port not in {each["port"] for each in rule["ports"]}:
            continue
        for block in (to["ipBlock"] for to in rule["to"] if "ipBlock" in to):
            allowed, wanted = ip_network(block["cidr"]), ip_address(address)
            excepted = [ip_network(each) for each in block.get("except", [])]
            if wanted in allowed and not any(wanted in each for each in excepted):
                return True
    return False


@pytest.mark.parametrize(
    ("address", "port", "wanted"),
    [
        ("10.0.0.1", 443, True),  # the host's API server
        ("192.168.1.10", 6443, True),
        ("93.184.216.34", 8443, True),  # a webhook
        ("2606:2800:220:1:248:1893:25c8:1946", 443, True),
        ("10.0.0.5", 10250, False),  # a kubelet
        ("172.16.3.4", 5556, False),  # an identity provider in the cluster
        ("169.254.169.254", 80, False),
        ("169.254.169.254", 443, False),
        ("100.100.100.200", 443, False),
        ("168.63.129.16", 80, False),
        ("192.0.0.192", 443, False),
        ("fd00:ec2::254", 443, False),
        ("fd20:ce::254", 443, False),
        ("2002:a9fe:a9fe::1", 443, False),
        ("64:ff9b::a9fe:a9fe", 443, False),
        ("::ffff:169.254.169.254", 443, False),
    ],
)
def test_where_the_job_service_may_connect_to(address: str, port: int, wanted: bool) -> None:
    policy = job_service()["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert reachable(address, port) is wanted


def containers() -> list[dict[str, Any]]:
    """Of every pod that the chart makes."""
    found = []
    for each in documents(CHART):
        spec = each.get("spec", {}).get("jobTemplate", each).get("spec", {})
        found += (spec if each["kind"] == "Pod" else spec.get("template", {}).get("spec", {})).get("containers", [])
    return found


def test_every_command_of_the_chart_is_one_that_there_is() -> None:
    commands = [[*each["command"], *each.get("args", [])] for each in containers()]
    assert len(commands) == 5, commands
    for program, *words in commands:
        assert program == "aifactory-hub"
        group: click.Command = main
        context = click.Context(group)
        while isinstance(group, click.Group):
            found = group.get_command(context, words.pop(0))
            assert found is not None, words
            group = found
        group.make_context("chart", words, resilient_parsing=True)
        known = {option for each in group.params for option in each.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, words
