"""The cards: internally sound, sourced, and equal to what NVIDIA's tools list."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations, pairwise

import pytest

from aifactory_profiles import Card, CardError, Slice, card_names, load_card, load_model
from aifactory_profiles.cards import FIGURES

CARDS = {name: load_model(name) for name in card_names()}
SLICES = {f"{card.name} {piece.name}": (card, piece) for card in CARDS.values() for piece in card.slices}

# nvidia-smi mig -lgip and -lgipp, by GPU instance profile id: name, instances, {starts}:size. Written down apart
# from the cards, so that a slip in one of the two shows.
LISTED = {
    "h100-80gb": {
        19: ("1g.10gb", 7, {0, 1, 2, 3, 4, 5, 6}, 1, "9.75"),
        20: ("1g.10gb+me", 1, {0, 1, 2, 3, 4, 5, 6}, 1, "9.75"),
        15: ("1g.20gb", 4, {0, 2, 4, 6}, 2, "19.62"),
        14: ("2g.20gb", 3, {0, 2, 4}, 2, "19.62"),
        9: ("3g.40gb", 2, {0, 4}, 4, "39.5"),
        5: ("4g.40gb", 1, {0}, 4, "39.5"),
        0: ("7g.80gb", 1, {0}, 8, "79.25"),
    },
    "a100-40gb": {
        19: ("1g.5gb", 7, {0, 1, 2, 3, 4, 5, 6}, 1, "4.75"),
        20: ("1g.5gb+me", 1, {0, 1, 2, 3, 4, 5, 6}, 1, "4.75"),
        15: ("1g.10gb", 4, {0, 2, 4, 6}, 2, "9.62"),
        14: ("2g.10gb", 3, {0, 2, 4}, 2, "9.62"),
        9: ("3g.20gb", 2, {0, 4}, 4, "19.5"),
        5: ("4g.20gb", 1, {0}, 4, "19.5"),
        0: ("7g.40gb", 1, {0}, 8, "39.25"),
    },
}


@pytest.mark.parametrize("model", LISTED)
def test_a_card_says_what_the_driver_lists(model: str) -> None:
    listed = {name: (count, starts, size, Decimal(gib)) for name, count, starts, size, gib in LISTED[model].values()}
    said = {p.name: (p.max_count, set(p.starts), p.memory, p.usable_gib) for p in CARDS[model].slices}
    assert said == listed


def test_every_card_is_compared_with_the_driver_s_list() -> None:
    assert set(CARDS) == set(LISTED)


@pytest.mark.parametrize(("card", "piece"), SLICES.values(), ids=SLICES)
def test_a_slice_stays_on_the_card_wherever_it_starts(card: Card, piece: Slice) -> None:
    assert min(piece.starts) >= 0
    assert max(piece.starts) + piece.memory <= card.memory_slices


@pytest.mark.parametrize(("card", "piece"), SLICES.values(), ids=SLICES)
def test_as_many_as_the_card_says_fit_side_by_side_and_no_more(card: Card, piece: Slice) -> None:
    if piece.name.endswith("+me"):
        assert piece.max_count == 1  # the media engine exists once
        return
    by_place = most_without_overlap(piece)
    assert piece.max_count == min(by_place, card.compute_slices // piece.compute)


def most_without_overlap(piece: Slice) -> int:
    """The largest set of starts whose memory slices do not overlap, by trying all."""
    for count in range(len(piece.starts), 0, -1):
        for starts in combinations(sorted(piece.starts), count):
            if all(b - a >= piece.memory for a, b in pairwise(starts)):
                return count
    return 0


@pytest.mark.parametrize(("card", "piece"), SLICES.values(), ids=SLICES)
def test_a_slice_s_name_says_its_compute_and_bounds_its_memory(card: Card, piece: Slice) -> None:
    compute, memory = piece.name.removesuffix("+me").removesuffix("gb").split("g.")
    assert int(compute) == piece.compute
    assert piece.usable_gib is not None
    assert Decimal("0.9") * int(memory) < piece.usable_gib < int(memory)


@pytest.mark.parametrize(("card", "piece"), SLICES.values(), ids=SLICES)
def test_a_resource_is_named_as_the_device_plugin_names_it(card: Card, piece: Slice) -> None:
    assert piece.resource == "nvidia.com/mig-" + piece.name.replace("+", ".")
    assert piece.profile_name == "mig-" + piece.name.replace("+", ".")


@pytest.mark.parametrize(("card", "piece"), SLICES.values(), ids=SLICES)
def test_every_figure_names_its_source(card: Card, piece: Slice) -> None:
    assert set(FIGURES) == set(piece.sources)
    assert {"products", "compute_slices", "memory_slices"} <= set(card.sources)


def test_products_tell_models_apart() -> None:
    products = [product for card in CARDS.values() for product in card.products]
    assert len(set(products)) == len(products)


GOOD = """
name: tiny
display_name: Tiny
products: [TINY]
compute_slices: 2
memory_slices: 2
sources: {products: s, compute_slices: s, memory_slices: s, compute: s, memory: s, max: s, starts: s, resource: s}
slices:
  - {name: 1g.1gb, compute: 1, memory: 1, max: 2, starts: [0, 1], usable_gib: unknown, resource: nvidia.com/mig-1g.1gb}
"""


def test_a_figure_that_nobody_knows_is_none_and_needs_no_source() -> None:
    assert load_card(GOOD, "tiny.yaml").slices[0].usable_gib is None


def test_a_slice_s_own_source_goes_before_the_card_s() -> None:
    text = GOOD.replace("resource: nvidia.com/mig-1g.1gb}", "resource: nvidia.com/mig-1g.1gb, sources: {max: own}}")
    assert load_card(text, "tiny.yaml").slices[0].sources["max"] == "own"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("name: tiny", "nam: tiny", "the card: lacks name", id="missing key"),
        pytest.param("name: tiny", "name: tiny\ncolour: red", "the card: has unknown keys: colour", id="unknown key"),
        pytest.param("starts: [0, 1]", "starts: [0, 2]", "would reach beyond slice 2", id="start beyond the card"),
        pytest.param("starts: [0, 1]", "starts: [-1]", "-1 is not a whole number from 0", id="negative start"),
        pytest.param("max: 2", "max: 3", "3 of 1g.1gb have only 2 starts", id="more than there are places"),
        pytest.param("compute: 1", "compute: 2", "need more than 2 compute", id="more compute than there is"),
        pytest.param("max: 2", "max: true", "True is not a whole number from 1", id="true is no number"),
        pytest.param("unknown", "1.0", "slices[0].sources: no source for usable_gib", id="figure without a source"),
        pytest.param(
            "unknown", "'?', sources: {usable_gib: s}", "slices[0].usable_gib: '?' is neither", id="no number of GiB"
        ),
        pytest.param("resource: s}", "resource: s, weight: s}", "figures that do not exist: weight", id="odd source"),
        pytest.param("nvidia.com/mig", "amd.com/mig", "does not start with nvidia.com/", id="another vendor"),
        pytest.param("products: [TINY]", "products: []", "products: must be a list", id="no product"),
        pytest.param("slices:\n", "slices: [] #", "slices: must be a list with at least one slice", id="no slices"),
        pytest.param("[0, 1]", "[0, 1", "not valid YAML", id="broken YAML"),
    ],
)
def test_a_bad_card_is_refused_with_its_place(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(CardError) as caught:
        load_card(GOOD.replace(old, new, 1), "tiny.yaml")
    assert str(caught.value).startswith("tiny.yaml: ")
    assert says in str(caught.value)


def test_a_model_without_a_card_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(CardError, match="no card for GPU model 'v100'; there are a100-40gb, h100-80gb"):
        load_model("v100")
