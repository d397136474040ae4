"""Samples joined to pods: by names of the host alone, and what is missing stays unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.domain.gpu_metrics import TABLE, Signal, in_unit, names_of
from aifactory_hub.domain.pod_samples import PodPlace, Reading, Series, samples_of

PODS = {"u1": PodPlace("vc-nlp", "nb-ada-x-notebooks-x-nlp"), "u2": PodPlace("vc-nlp", "nb-bob-x-notebooks-x-nlp")}
GPU = {"UUID": "GPU-1", "instance": "node-1:9400"}
SLICE = {**GPU, "GPU_I_ID": "7", "GPU_I_PROFILE": "1g.10gb"}
ADA = {**SLICE, "exported_namespace": "vc-nlp", "exported_pod": "nb-ada-x-notebooks-x-nlp"}


def one(value: float, labels: dict[str, str] = ADA, **more: str) -> tuple[Series, ...]:
    return (Series({**labels, **more}, value),)


WHOLE = Reading(
    expected=91,
    count=one(90),
    engine=one(0.004),
    dram=one(0.0),
    memory=one(4 * 2**30),
    memory_changes=one(0),
    xid=one(0, {"UUID": "GPU-1"}),
    up=one(1, {"instance": "node-1:9400"}),
    cut_known=one(1, {"UUID": "GPU-1"}),
    cpu=one(0.02, {"namespace": "vc-nlp", "pod": "nb-ada-x-notebooks-x-nlp"}),
)


def test_a_pod_has_what_its_slice_showed_and_another_one_has_nothing() -> None:
    found = samples_of(WHOLE, PODS)
    gpu = found["u1"].gpu
    assert (gpu.samples, gpu.expected, gpu.engine, gpu.dram, gpu.memory) == (90, 91, 0.004, 0.0, 4 * 2**30)
    assert (gpu.xid, gpu.disturbed, gpu.memory_changed, found["u1"].cpu) == (0, None, False, 0.02)
    other = found["u2"].gpu
    assert (other.samples, other.engine, other.dram, other.memory, other.xid) == (0, None, None, None, None)
    assert found["u2"].cpu is None


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"pod_uid": "u1"}, True),
        # A uid says it alone, and a name beside it does not count.
        ({"pod_uid": "u9", "exported_namespace": "vc-nlp", "exported_pod": "nb-ada-x-notebooks-x-nlp"}, False),
        ({"namespace": "vc-nlp", "pod": "nb-ada-x-notebooks-x-nlp"}, True),
        # The exporter's own pod, which Prometheus adds, is not whose slice it is.
        ({"namespace": "gpu-operator", "pod": "dcgm-x7"}, False),
        ({**ADA, "namespace": "gpu-operator", "pod": "dcgm-x7"}, True),
        ({"exported_namespace": "vc-vision", "exported_pod": "nb-ada-x-notebooks-x-nlp"}, False),
        ({"exported_pod": "nb-ada-x-notebooks-x-nlp"}, False),
        ({}, False),
    ],
)
def test_series_are_joined_by_the_hosts_names(labels: dict[str, str], *, found: bool) -> None:
    reading = replace(WHOLE, engine=one(0.5, {**SLICE, **labels}))
    assert (samples_of(reading, PODS)["u1"].gpu.engine == 0.5) is found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"up": one(0, {"instance": "node-1:9400"})}, "was away"),
        ({"up": ()}, "nothing tells whether the exporter"),
        ({"cut_known": ()}, "how its GPU was cut before"),
        ({"cut_changed": one(2, {"UUID": "GPU-1"})}, "cut anew"),
    ],
)
def test_what_disturbs_the_samples_is_told(change: Any, said: str) -> None:
    disturbed = samples_of(replace(WHOLE, **change), PODS)["u1"].gpu.disturbed
    assert disturbed is not None and said in disturbed


def test_an_xid_error_of_the_gpu_is_its_slices_and_one_that_nobody_tells_is_unknown() -> None:
    assert samples_of(replace(WHOLE, xid=one(31, {"UUID": "GPU-1"})), PODS)["u1"].gpu.xid == 31
    assert samples_of(replace(WHOLE, xid=one(31, {"UUID": "GPU-2"})), PODS)["u1"].gpu.xid is None


def test_a_pod_with_two_slices_of_which_one_has_no_samples_has_none() -> None:
    pods = {"u1": replace(PODS["u1"], devices=2)}
    assert samples_of(WHOLE, pods)["u1"].gpu.samples == 0
    second = {**ADA, "GPU_I_ID": "8"}
    both = replace(WHOLE, count=(*one(90), *one(70, second)), memory=(*one(2**30), *one(3 * 2**30, second)))
    gpu = samples_of(both, pods)["u1"].gpu
    assert (gpu.samples, gpu.memory) == (70, 4 * 2**30)


def test_an_exporter_that_was_renamed_meanwhile_has_its_samples_added_up() -> None:
    both = replace(WHOLE, count=(*one(40), *one(50)), engine=(*one(0.2), *one(0.1)), memory=(*one(5), *one(7)))
    gpu = samples_of(both, PODS)["u1"].gpu
    assert (gpu.samples, gpu.engine, gpu.memory) == (90, 0.2, 7)


def test_both_generations_of_the_exporter_are_read_in_one_unit() -> None:
    assert in_unit(Signal.GPU_MEMORY, "DCGM_FI_DEV_FB_USED", 12.0) == 12 * 2**20
    assert in_unit(Signal.GPU_MEMORY, "DCGM_FI_DEV_FB_USED_BYTES", 12.0) == 12
    assert in_unit(Signal.GPU_MEMORY, "site_memory", 12.0, {"gpu_memory": "site_memory"}) == 12
    with pytest.raises(KeyError):
        in_unit(Signal.GPU_MEMORY, "DCGM_FI_DEV_FB_FREE", 1.0)


def test_no_name_stands_for_two_signals_and_a_site_s_own_goes_first() -> None:
    names = [exported.name for signal in Signal for exported in TABLE[signal]]
    assert len(set(names)) == len(names)
    own = {"engine": "DCGM_FI_PROF_GR_ENGINE_ACTIVE"}
    assert [each.source for each in names_of(Signal.ENGINE, own)] == ["site", "dcgm-4.9"]
