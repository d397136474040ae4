"""What the GPUs are cut into, as NVIDIA's mig-parted wants it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from aifactory_hub.registry import read_registry
from aifactory_hub.registry.mig import MigError, gpu_cuts, mig_objects
from aifactory_profiles import load_model
from aifactory_profiles.placement import Fit, fits

from .files import GOOD, SOURCE, changed

H100 = load_model("h100-80gb")


def plans(text: str, gpus_per_node: int = 8) -> tuple[dict[str, Any], str]:
    (config_map,) = mig_objects(read_registry(text, SOURCE), gpus_per_node)
    config = YAML(typ="safe", pure=True).load(config_map["data"]["config.yaml"])
    assert config["version"] == "v1"
    return config["mig-configs"], config_map["data"]["nodes"]


def test_the_carved_slices_become_gpus_of_a_node() -> None:
    found, nodes = plans(GOOD)
    assert found == {
        "all-disabled": [{"devices": "all", "mig-enabled": False}],
        "h100-80gb-1": [
            {"devices": [0], "mig-enabled": True, "mig-devices": {"3g.40gb": 2}},
            {"devices": [1], "mig-enabled": True, "mig-devices": {"1g.10gb": 7}},
        ],
    }
    assert nodes == "h100-80gb-1: 1 of 8 GPUs"


def test_nodes_that_are_cut_alike_share_a_plan() -> None:
    found, nodes = plans(changed("mig-1g.10gb: 7, mig-3g.40gb: 2", "mig-1g.10gb: 56, mig-3g.40gb: 32"), 4)
    assert nodes.splitlines() == ["h100-80gb-1: 4 of 4 GPUs", "h100-80gb-2: 2 of 4 GPUs"]
    assert found["h100-80gb-1"] == [{"devices": [0, 1, 2, 3], "mig-enabled": True, "mig-devices": {"3g.40gb": 2}}]


@given(st.dictionaries(st.sampled_from([piece.name for piece in H100.slices]), st.integers(0, 9), max_size=4))
def test_every_gpu_of_a_plan_can_be_cut_so_and_nothing_is_lost(counts: dict[str, int]) -> None:
    cuts = gpu_cuts(H100, counts)
    assert all(fits(H100, cut) is Fit.YES for cut in cuts)
    assert {name: sum(cut.count(name) for cut in cuts) for name in counts} == counts


def test_a_slice_that_fits_on_no_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aifactory_hub.registry.mig.fits", lambda *_: Fit.NO)
    with pytest.raises(MigError, match=r"can't be cut into 1g.10gb"):
        gpu_cuts(H100, {"1g.10gb": 1})


def test_whole_gpus_stay_uncut() -> None:
    found, nodes = plans(changed("carved: {", "carved: {gpu: 6, "))
    assert found["h100-80gb-1"][2:] == [{"devices": [2, 3, 4, 5, 6, 7], "mig-enabled": False}]
    assert nodes == "h100-80gb-1: 1 of 8 GPUs"
