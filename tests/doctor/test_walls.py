"""What the doctor says of the walls: admission as it answers, GPUs as the runtime hands them out, API servers."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.doctor import SiteFacts, Verdict, examine
from aifactory_hub.domain.site_walls import admission_try, gpu_runtime
from aifactory_hub.registry import read_registry
from aifactory_hub.registry.api_servers import networks_of, uncovered, with_api_servers

from ..registry.files import GOOD, SOURCE

POLICY = "aifactory-hub.io-pods-nlp"
REFUSED = f"pods \"x\" is forbidden: ValidatingAdmissionPolicy '{POLICY}' with binding '{POLICY}' denied request: image"
CARVED = {"nvidia.com/mig-1g.10gb": 7}


@pytest.mark.parametrize(
    ("policy", "refusal", "verdict", "seen"),
    [
        ("", None, Verdict.GOOD, "it does"),
        ("", (403, REFUSED), Verdict.BAD, REFUSED),
        ("", (403, 'pods "x" is forbidden: exceeded quota: aifactory-hub'), Verdict.GOOD, "exceeded quota"),
        (POLICY, (403, REFUSED), Verdict.GOOD, "it does"),
        (POLICY, None, Verdict.BAD, "it was let through"),
        (POLICY, (403, "violates PodSecurity"), Verdict.BAD, "refused, but not by policy"),
        (POLICY, (403, 'User "u" cannot impersonate resource "serviceaccounts"'), Verdict.WARNING, "not impersonate"),
        ("", (403, 'cannot create resource "pods" in API group'), Verdict.WARNING, "is its vCluster installed?"),
        ("", (404, 'namespaces "vc-nlp" not found'), Verdict.WARNING, "namespace is not there"),
    ],
)
def test_admission_is_judged_by_what_it_answers(
    policy: str, refusal: tuple[int, str] | None, verdict: Verdict, seen: str
) -> None:
    tried = admission_try("nlp", "a pod", policy, refusal)
    (finding,) = [each for each in examine(SiteFacts(admission=[tried])) if each.check == tried.check]
    assert finding.verdict is verdict
    assert seen in finding.seen
    assert finding.todo or verdict is Verdict.GOOD


def test_who_could_not_ask_holds_no_stage() -> None:
    """The hub's own credential may not, on purpose: it would then have all rights of every syncer."""
    tried = admission_try("nlp", "a pod", POLICY, (403, "cannot impersonate"))
    (finding,) = [each for each in examine(SiteFacts(admission=[tried])) if each.check == tried.check]
    assert not finding.verdict.holds


def daemonset(app: str, **env: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    spec = {"template": {"spec": {"containers": [{"name": "c", "env": variables}, {"name": "other"}]}}}
    return {"metadata": {"name": app, "labels": {"app": app}}, "spec": spec}


SHUT = {"ACCEPT_NVIDIA_VISIBLE_DEVICES_ENVVAR_WHEN_UNPRIVILEGED": "false"}
MOUNTS = {"ACCEPT_NVIDIA_VISIBLE_DEVICES_AS_VOLUME_MOUNTS": "true"}


@pytest.mark.parametrize(
    ("toolkit", "plugin", "problem"),
    [
        ({**SHUT, **MOUNTS}, {"DEVICE_LIST_STRATEGY": "volume-mounts"}, ""),
        (SHUT, {"DEVICE_LIST_STRATEGY": "cdi-cri"}, ""),
        ({}, {"DEVICE_LIST_STRATEGY": "volume-mounts"}, "gives itself every GPU"),
        ({**MOUNTS}, {}, "gives itself every GPU"),
        (SHUT, {}, "no GPU for anybody"),
        (SHUT, {"DEVICE_LIST_STRATEGY": "volume-mounts"}, "hands out devices as mounts"),
    ],
)
def test_gpus_past_their_resource_are_found_at_the_gpu_operator(
    toolkit: dict[str, str], plugin: dict[str, str], problem: str
) -> None:
    made = [
        daemonset("nvidia-container-toolkit-daemonset", **toolkit),
        daemonset("nvidia-device-plugin-daemonset", **plugin),
        daemonset("something-else"),
    ]
    facts = SiteFacts(carved=CARVED, gpu_runtime=gpu_runtime(made))
    (finding,) = [each for each in examine(facts) if "no GPU but" in each.check]
    assert finding.verdict is (Verdict.BAD if problem else Verdict.GOOD)
    assert problem in finding.seen


def test_a_site_without_the_operator_is_told_what_to_look_at_and_one_without_gpus_nothing() -> None:
    (finding,) = [
        each for each in examine(SiteFacts(carved=CARVED, gpu_runtime=gpu_runtime([]))) if "no GPU" in each.check
    ]
    assert finding.verdict is Verdict.WARNING
    assert not [each for each in examine(SiteFacts()) if "no GPU but" in each.check]
    assert not [each for each in examine(SiteFacts(carved=CARVED, simulated=True)) if "no GPU but" in each.check]


SERVICE = {"spec": {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd00::1"]}}
SLICES: list[dict[str, Any]] = [
    {"endpoints": [{"addresses": ["10.0.0.7"]}, {"addresses": ["10.0.0.6"]}]},
    {"endpoints": None},
]


def test_where_the_host_s_api_servers_are_is_what_the_host_says() -> None:
    networks = networks_of(SERVICE, SLICES)
    assert networks == ("10.0.0.6/32", "10.0.0.7/32", "10.96.0.1/32", "fd00::1/128")
    assert networks_of(None, []) == ()
    registry = read_registry(GOOD, SOURCE)
    assert with_api_servers(registry, networks).isolation.api_servers == networks
    named = read_registry(GOOD + "isolation: {api_servers: [10.0.0.6/31]}\n", SOURCE)
    assert with_api_servers(named, networks) is named, "the file goes first"
    assert uncovered(named, networks_of(None, SLICES)) == []
    assert uncovered(named, ["10.0.0.9/32"]) == ["10.0.0.9/32"]
