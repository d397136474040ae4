"""Whole, several and shared GPUs in ``tenants.yaml``: read, counted, rendered, and what is said of mistakes."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.formatting import gpu_words
from aifactory_hub.domain.menu import Availability, ProfileAvailability, TeamLoad, offers
from aifactory_hub.domain.quota import Usage
from aifactory_hub.registry import read_registry
from aifactory_hub.registry.host_quota import host_quota
from aifactory_profiles import Device

from .files import GOOD, SOURCE, kueue_object, problems

WHOLE = Device("h100-80gb", "nvidia.com/gpu")
SHARED = Device("h100-80gb", "nvidia.com/gpu.shared")
MADE = """\
  gpu: {gpu: whole}
  gpu-2: {gpu: whole, count: 2, cpu: 8, memory: 64Gi, price_per_hour: 9}
  turn: {gpu: shared, replicas: 4}
"""
SITE = (
    GOOD.replace("tenants:\n", MADE + "tenants:\n")
    .replace("carved: {", "carved: {gpu: 4, gpu.shared: 8, ")
    .replace("profiles: [cpu-small, ", "profiles: [gpu, gpu-2, turn, cpu-small, ")
    .replace("quota: {mig-1g.10gb: 3, n", "quota: {gpu: 2, nvidia.com/gpu.shared: 4, mig-1g.10gb: 3, n")
)


LINE = SITE.splitlines().index("  gpu: {gpu: whole}") + 1


def changed(*pairs: tuple[str, str]) -> str:
    text = SITE
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def test_what_a_pod_gets() -> None:
    catalogue = read_registry(SITE, SOURCE).catalogue
    whole, two, turn = (catalogue.profile(name) for name in ("gpu", "gpu-2", "turn"))
    assert (whole.takes, two.takes, turn.takes) == ({WHOLE: 1}, {WHOLE: 2}, {SHARED: 1})
    assert whole.node_labels == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert (whole.requests.cpu_millicores, whole.requests.memory_bytes) == (14000, 112 * 2**30)
    assert (two.requests.cpu_millicores, two.limits.devices) == (8000, {"nvidia.com/gpu": 2})
    assert (turn.requests.cpu_millicores, turn.requests.memory_bytes) == (3500, 28 * 2**30)


def test_words_say_what_is_had_and_that_a_turn_is_no_share() -> None:
    catalogue = read_registry(SITE, SOURCE).catalogue
    words = [gpu_words(catalogue.profile(name), catalogue.cards) for name in ("gpu", "gpu-2", "turn")]
    assert words == ["a whole H100", "2 whole H100", "an H100, time-sliced (4 per GPU)"]
    assert "memory is shared" in catalogue.profile("turn").description


def test_they_have_quota_as_slices_have() -> None:
    registry = read_registry(SITE, SOURCE)
    nlp = registry.tenants["nlp"]
    assert (nlp.quota.nominal[WHOLE], nlp.quota.nominal[SHARED]) == (2, 4)
    hard = host_quota(registry, nlp)[1]["spec"]["hard"]
    assert (hard["requests.nvidia.com/gpu"], hard["requests.nvidia.com/gpu.shared"]) == ("2", "4")
    (group,) = kueue_object(registry, "nlp")["spec"]["resourceGroups"]
    counts = {each["name"]: each["nominalQuota"] for each in group["flavors"][0]["resources"]}
    assert (counts["nvidia.com/gpu"], counts["nvidia.com/gpu.shared"]) == ("2", "4")


@pytest.mark.parametrize("name", ["gpu", "h100-80gb:gpu", "nvidia.com/gpu"])
def test_a_whole_gpu_has_three_names(name: str) -> None:
    registry = read_registry(changed(("carved: {gpu: 4", f"carved: {{{name}: 4")), SOURCE)
    assert registry.cluster.carved[WHOLE] == 4


def test_of_two_models_it_says_which() -> None:
    two = SITE.replace("[h100-80gb]", "[h100-80gb, b200]")
    said = problems(two)
    wanted = "profiles.gpu: the cluster has several GPU models (h100-80gb, b200); say which as `model`"
    assert f"{SOURCE}:{LINE}: {wanted}" in said
    assert any("gpu is a slice of several GPU models; say which: h100-80gb:gpu or b200:gpu" in line for line in said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{gpu: whole}", "{gpu: half}", "profiles.gpu.gpu: 'half' is not possible here; write none, whole or shared"),
        (", count: 2", ", count: 0", "profiles.gpu-2.count: 0 of them are no profile; write 1 or more"),
        (", count: 2", ", count: 1.5", "profiles.gpu-2.count: 1.5 is not a whole number"),
        (", replicas: 4", "", "profiles.turn: a shared GPU needs replicas, how many pods take turns on it"),
        (", replicas: 4", ", replicas: 4, count: 2", "profiles.turn: count means something with `gpu: whole` only"),
        ("{gpu: none,", "{gpu: none, model: b200,", "model means something with `gpu: whole` or `gpu: shared` only"),
        (
            "{gpu: whole}",
            "{gpu: whole, model: b200}",
            "'b200' is no GPU model of the cluster; the models are",
        ),
        (
            "{cpu: 500m,",
            "{gpu: whole, cpu: 500m,",
            "profiles.mig-1g.10gb.gpu: mig-1g.10gb is a GPU slice; remove",
        ),
        (
            "count: 2",
            "count: 3",
            "only 2 of the 3 nvidia.com/gpu (h100-80gb) that it takes, so this profile",
        ),
        ("quota: {gpu: 2", "quota: {gpu: 5", "cluster.carved.gpu: quotas add up to 5 (nlp 5), but 4 are carved"),
        ("carved: {gpu: 4, ", "carved: {", "tenants.nlp.quota.gpu: gpu is not carved on this cluster"),
        (
            "  turn: {",
            "  turns: {gpu: shared, replicas: 2}\n  turn: {",
            "4 take turns here, but 2 in turns, which is the same device",
        ),
    ],
)
def test_a_mistake_is_named(old: str, new: str, said: str) -> None:
    assert any(said in line for line in problems(changed((old, new)))), problems(changed((old, new)))


def standings(used: int) -> dict[str, ProfileAvailability]:
    registry = read_registry(SITE, SOURCE)
    team_load = TeamLoad(0.0, Usage({WHOLE: used}), queue=(), borrowable={}, carved=registry.cluster.carved)
    return {each.profile.name: each.standing for each in offers(registry.tenants["nlp"], registry.catalogue, team_load)}


def test_the_menu_counts_how_often_a_profile_of_several_can_be_had() -> None:
    free = standings(used=0)
    assert (free["gpu"].free_now, free["gpu-2"].free_now, free["turn"].free_now) == (2, 1, 4)


def test_one_free_gpu_is_no_room_for_two_and_the_reason_counts_gpus() -> None:
    short = standings(used=1)
    assert short["gpu"].availability is Availability.FREE
    assert (short["gpu-2"].availability, short["gpu-2"].reason) == (
        Availability.QUEUE,
        "nlp uses 1 of 2 h100-80gb GPUs",
    )
