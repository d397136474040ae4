"""A site's own cards: files that tenants.yaml names."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory_hub.domain.formatting import gpu_words
from aifactory_hub.registry import Registry, RegistryError, load_registry
from aifactory_hub.registry.mig import mig_objects
from aifactory_hub.registry.render import cluster_objects
from aifactory_profiles import Device

from .files import GOOD

CARD = """\
name: lab-gpu
display_name: Lab GPU
products: [LAB-GPU]
compute_slices: 2
memory_slices: 2
sources: {products: s, compute_slices: s, memory_slices: s, compute: s, memory: s, max: s, starts: s, resource: s}
slices:
  - {name: 1g.1gb, compute: 1, memory: 1, max: 2, starts: [0, 1], usable_gib: unknown, resource: nvidia.com/mig-1g.1gb}
"""
SITE = GOOD.replace("[h100-80gb]", "[h100-80gb, lab-gpu]\n  cards: [cards/lab.yaml]").replace(
    "carved: {", "carved: {mig-1g.1gb: 2, "
)
LINE = 6  # of `cards`


def read(folder: Path, site: str = SITE, card: str | bytes = CARD) -> Registry:
    (folder / "cards").mkdir(exist_ok=True)
    (folder / "cards" / "lab.yaml").write_bytes(card.encode() if isinstance(card, str) else card)
    (folder / "tenants.yaml").write_text(site, encoding="utf-8")
    return load_registry(folder / "tenants.yaml")


def test_its_slices_are_profiles_and_devices_like_all_others(tmp_path: Path) -> None:
    registry = read(tmp_path)
    device = Device("lab-gpu", "nvidia.com/mig-1g.1gb")
    assert registry.cluster.carved[device] == 2
    profile = registry.catalogue.profile("mig-1g.1gb")
    assert (profile.takes, profile.node_labels) == ({device: 1}, {"nvidia.com/gpu.product": "LAB-GPU"})
    flavors = {each["metadata"]["name"]: each for each in cluster_objects(registry) if each["kind"] == "ResourceFlavor"}
    assert flavors["lab-gpu"]["spec"]["nodeLabels"] == {"nvidia.com/gpu.product": "LAB-GPU"}
    assert "lab-gpu-1" in mig_objects(registry, 8)[0]["data"]["config.yaml"]


def test_it_goes_before_the_hub_s_card_of_that_name(tmp_path: Path) -> None:
    site = GOOD.replace("[h100-80gb]", "[h100-80gb, b200]\n  cards: [cards/lab.yaml]")
    card = CARD.replace("name: lab-gpu", "name: b200")
    assert read(tmp_path, site, card).catalogue.card("b200").display_name == "Lab GPU"


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (
            CARD.replace("max: 2", "max: 3"),
            "lab.yaml:8: slices[0].max: 3 of 1g.1gb have only 2 starts; correct the card",
        ),
        (b"name: \xff", "lab.yaml: byte 6 is not UTF-8; save it as UTF-8"),
        (CARD.replace("name: lab-gpu", "name: Lab GPU"), "name: 'Lab GPU' can't be the name of a Kueue flavor too"),
    ],
)
def test_a_card_that_is_wrong_is_named_with_file_and_line(tmp_path: Path, card: str | bytes, said: str) -> None:
    with pytest.raises(RegistryError) as caught:
        read(tmp_path, card=card)
    lines = str(caught.value).splitlines()
    start = f"{tmp_path}/tenants.yaml:{LINE}: cluster.cards[0]: {tmp_path}/cards/"
    assert any(line.startswith(start) and said in line for line in lines), lines


def test_a_file_that_is_not_there_and_one_named_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"cluster.cards\[0\]: .*none.yaml can't be read: No such file"):
        read(tmp_path, SITE.replace("cards/lab.yaml", "none.yaml"))
    with pytest.raises(RegistryError, match=r"cluster.cards\[1\]: .* another file of the list has 'lab-gpu' too"):
        read(tmp_path, SITE.replace("[cards/lab.yaml]", "[cards/lab.yaml, cards/lab.yaml]"))


def test_a_card_without_a_node_label_can_t_be_named(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nvidia.com/gpu.product of lab-gpu is unknown to its card"):
        read(tmp_path, card=CARD.replace("products: [LAB-GPU]", "products: unknown"))


SINGLE = """\
name: h100-1g
display_name: NVIDIA H100 80GB
products: [NVIDIA-H100-80GB-HBM3-MIG-1g.10gb]
compute_slices: 7
memory_slices: 8
sources: {products: s, compute_slices: s, memory_slices: s, compute: s, memory: s, max: s, starts: s, resource: s}
slices:
  - name: 1g.10gb
    compute: 1
    memory: 1
    max: 7
    starts: [0, 1, 2, 3, 4, 5, 6]
    usable_gib: unknown
    resource: nvidia.com/gpu
"""


def test_with_the_single_strategy_a_slice_is_a_gpu_of_nodes_with_a_name_of_their_own(tmp_path: Path) -> None:
    site = GOOD.replace("[h100-80gb]", "[h100-1g]\n  cards: [cards/lab.yaml]")
    for more in (", mig-3g.40gb: 2", ", nvidia.com/mig-3g.40gb: 1", ", mig-3g.40gb"):
        site = site.replace(more, "")
    registry = read(tmp_path, site.replace("mig-1g.10gb", "gpu"), SINGLE)
    profile, device = registry.catalogue.profile("gpu"), Device("h100-1g", "nvidia.com/gpu")
    assert (profile.takes, registry.cluster.carved) == ({device: 1}, {device: 7})
    assert profile.node_labels == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"}
    assert gpu_words(profile, registry.catalogue.cards) == "1/7 of an H100, 10 GB"
