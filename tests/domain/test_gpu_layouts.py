"""How GPUs are cut and held, from samples that may lack something."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from aifactory_hub.domain.gpu_layouts import GpuLayout, InUse, layouts_of
from aifactory_hub.domain.pod_samples import Series

from ..support.gpus import CARDS, sample

SMALL = "nvidia.com/mig-1g.10gb"
HELD = {"exported_pod": "ada-x-hub-x-nlp", "exported_namespace": "vc-nlp"}
ONE: InUse = {"gpu-1": {SMALL: 1}}


def read(*series: Series, in_use: InUse | None = None) -> tuple[GpuLayout, ...]:
    return layouts_of(series, CARDS.values(), {} if in_use is None else in_use)


def test_each_slice_is_there_held_or_free() -> None:
    (seen,) = read(sample(slice="1g.10gb", id=7, **HELD), sample(slice="1g.10gb", id=8), sample(slice="3g.40gb", id=1))
    assert (seen.node, seen.index, seen.model, seen.unknown, seen.idle) == ("gpu-1", 0, "h100-80gb", "", False)
    assert (dict(seen.cut()), dict(seen.free())) == ({"1g.10gb": 2, "3g.40gb": 1}, {"1g.10gb": 1, "3g.40gb": 1})


def test_a_slice_that_any_sample_names_a_pod_for_is_held() -> None:
    (seen,) = read(sample(slice="1g.10gb", id=7), sample(slice="1g.10gb", id=7, **HELD))
    assert [each.held for each in seen.slices] == [True]


@pytest.mark.parametrize(("labels", "held"), [(HELD, True), ({}, False)])
def test_a_gpu_that_is_not_cut_is_held_whole(labels: Mapping[str, str], held: bool) -> None:
    first, other = read(sample(**labels), sample(index=1, slice="1g.10gb", **HELD))
    assert (first.slices, first.held, first.idle) == ((), held, not held)
    assert other.held is False and other.idle is False


def test_where_no_pod_is_exported_pod_alone_counts_as_its_holder() -> None:
    (seen,) = read(sample(slice="1g.10gb", id=7))
    assert not seen.idle, "with honor_labels it may be the holder's: rather held than free"
    (seen,) = read(sample(slice="1g.10gb", id=7, pod=""))
    assert seen.idle


@pytest.mark.parametrize(
    ("series", "why"),
    [
        (sample(product="NVIDIA T4", **HELD), "no GPU model of tenants.yaml is called NVIDIA-T4"),
        (sample(slice="9g.90gb", **HELD), "has no slice '9g.90gb'"),
        (sample(gpu="", **HELD), "do not say which GPU"),
        (sample(host="$(reboot)", **HELD), "no node that could be one"),
    ],
)
def test_what_can_not_be_read_is_unknown_and_not_free(series: Series, why: str) -> None:
    (seen,) = read(series)
    assert why in seen.unknown
    assert not seen.idle and not seen.free()


def test_a_gpu_that_was_cut_a_moment_ago_is_unknown() -> None:
    (seen,) = read(sample(slice="1g.10gb", id=7, **HELD), sample(slice="3g.40gb", id=7))
    assert seen.unknown == "it was cut anew a moment ago"
    (seen,) = read(*(sample(slice="3g.40gb", id=id, **HELD) for id in (1, 2, 3)))
    assert "slices that can't be" in seen.unknown


def test_a_node_whose_pods_hold_more_than_its_samples_say_is_unknown() -> None:
    series = [sample(slice="1g.10gb", id=7, exported_pod=""), sample(index=1, slice="3g.40gb"), sample(host="gpu-2")]
    seen = read(*series, in_use=ONE)
    assert [bool(gpu.unknown) for gpu in seen] == [True, True, False]
    assert "hold 1 nvidia.com/mig-1g.10gb, and the samples say 0" in seen[0].unknown
    assert not read(sample(slice="1g.10gb", id=7, **HELD), in_use=ONE)[0].unknown


def test_other_devices_and_turns_on_a_gpu_are_not_compared() -> None:
    pods = {"gpu-1": {"rdma/hca": 1, "nvidia.com/gpu.shared": 3}}
    assert not read(sample(slice="1g.10gb", id=7, exported_pod=""), in_use=pods)[0].unknown


def test_nothing_is_known_while_the_hosts_pods_are_not_heard() -> None:
    (seen,) = layouts_of([sample(slice="1g.10gb", exported_pod="")], CARDS.values(), None)
    assert "not heard" in seen.unknown


def test_two_gpus_of_one_number_are_unknown() -> None:
    seen = read(sample(exported_pod=""), sample(UUID="other", exported_pod=""))
    assert len(seen) == 2 and all("one number" in gpu.unknown for gpu in seen)


def test_prometheus_own_name_of_the_node_goes_before_the_exporters() -> None:
    (seen,) = read(sample(host="dcgm-exporter-abc", node="gpu-9", **HELD))
    assert seen.node == "gpu-9"
