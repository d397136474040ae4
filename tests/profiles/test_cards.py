"""The cards: internally sound, sourced, and equal to what NVIDIA's tools list."""

from __future__ import annotations

from decimal import Decimal
from importlib import resources
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from aifactory_profiles import Card, CardError, Slice, all_card_names, card_names, card_schema, load_card, load_model
from aifactory_profiles.card import CARD_FIGURES, FIGURES

CARDS = {name: load_model(name) for name in all_card_names()}
SLICES = {f"{card.name} {piece.name}": (card, piece) for card in CARDS.values() for piece in card.slices}
PLACED = {name: pair for name, pair in SLICES.items() if pair[1].starts is not None}

# What the driver (nvidia-smi mig -lgip and -lgipp) and NVIDIA's tools list. Written down apart from the cards, so
# that a slip in one of the two shows. First the shape that all seven-slice models share, in the order of GPU
# instance profiles 19, 20, 15, 14, 9, 5, 0: instances, starts, size.
SEVEN = [
    (7, {0, 1, 2, 3, 4, 5, 6}, 1),
    (1, {0, 1, 2, 3, 4, 5, 6}, 1),
    (4, {0, 2, 4, 6}, 2),
    (3, {0, 2, 4}, 2),
    (2, {0, 4}, 4),
    (1, {0}, 4),
    (1, {0}, 8),
]
# Then each model's names for them, and what a program can allocate, `?` where that is not known.
NAMED = {
    "a100-40gb": "1g.5gb 1g.5gb+me 1g.10gb 2g.10gb 3g.20gb 4g.20gb 7g.40gb",
    "a100-80gb": "1g.10gb 1g.10gb+me 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb",
    "b200": "1g.23gb 1g.23gb+me 1g.45gb 2g.45gb 3g.90gb 4g.90gb 7g.180gb",
    "b300": "1g.34gb 1g.34gb+me 1g.67gb 2g.67gb 3g.135gb 4g.135gb 7g.269gb",
    "gb200": "1g.23gb 1g.23gb+me 1g.47gb 2g.47gb 3g.93gb 4g.93gb 7g.186gb",
    "gb300": "1g.35gb 1g.35gb+me 1g.70gb 2g.70gb 3g.139gb 4g.139gb 7g.278gb",
    "gh200-144gb": "1g.18gb 1g.18gb+me 1g.36gb 2g.36gb 3g.72gb 4g.72gb 7g.144gb",
    "gh200-96gb": "1g.12gb 1g.12gb+me 1g.24gb 2g.24gb 3g.48gb 4g.48gb 7g.96gb",
    "h100-80gb": "1g.10gb 1g.10gb+me 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb",
    "h100-94gb": "1g.12gb 1g.12gb+me 1g.24gb 2g.24gb 3g.47gb 4g.47gb 7g.94gb",
    "h100-96gb": "1g.12gb 1g.12gb+me 1g.24gb 2g.24gb 3g.48gb 4g.48gb 7g.96gb",
    "h20-96gb": "1g.12gb 1g.12gb+me 1g.24gb 2g.24gb 3g.48gb 4g.48gb 7g.96gb",
    "h200": "1g.18gb 1g.18gb+me 1g.35gb 2g.35gb 3g.71gb 4g.71gb 7g.141gb",
}
USABLE = {
    "a100-40gb": "4.75 4.75 9.62 9.62 19.5 19.5 39.25",
    "b200": "? ? 44.25 ? ? ? ?",
    "gb200": "22 ? 45.5 45.5 ? ? ?",
    "h100-80gb": "9.75 9.75 19.62 19.62 39.5 39.5 79.25",
    "h200": "16.0 ? 32.25 ? 69.5 ? 139.75",
}
# The four-slice models: instances, starts and size.
FOUR: dict[str, dict[str, tuple[int, set[int] | None, int | None]]] = {
    "a30": {
        "1g.6gb": (4, {0, 1, 2, 3}, 1),
        "1g.6gb+me": (1, {0, 1, 2, 3}, 1),
        "2g.12gb": (2, {0, 2}, 2),
        "2g.12gb+me": (1, {0, 2}, 2),
        "4g.24gb": (1, {0}, 4),
    },
    "rtx-pro-6000-blackwell": {
        "1g.24gb": (4, None, None),
        "1g.24gb+me": (1, None, None),
        "1g.24gb+gfx": (4, None, None),
        "1g.24gb+me.all": (1, None, None),
        "1g.24gb-me": (4, None, None),
        "2g.48gb": (2, None, None),
        "2g.48gb+gfx": (2, None, None),
        "2g.48gb+me.all": (1, None, None),
        "2g.48gb-me": (2, None, None),
        "4g.96gb": (1, None, None),
        "4g.96gb+gfx": (1, None, None),
    },
}
LISTED = FOUR | {model: dict(zip(names.split(), SEVEN, strict=True)) for model, names in NAMED.items()}


@pytest.mark.parametrize("model", LISTED)
def test_a_card_says_what_the_driver_lists(model: str) -> None:
    said = {
        piece.name: (piece.max_count, None if piece.starts is None else set(piece.starts), piece.memory)
        for piece in CARDS[model].slices
    }
    assert said == LISTED[model]


@pytest.mark.parametrize("model", LISTED)
def test_a_card_says_the_usable_memory_that_was_measured_and_no_other(model: str) -> None:
    pieces = CARDS[model].slices
    expected = USABLE.get(model, " ".join("?" for _ in pieces)).split()
    assert [piece.usable_gib for piece in pieces] == [None if gib == "?" else Decimal(gib) for gib in expected]


def test_every_card_is_compared_with_the_driver_s_list() -> None:
    assert set(CARDS) == set(LISTED)


@pytest.mark.parametrize(("card", "piece"), PLACED.values(), ids=PLACED)
def test_a_slice_stays_on_the_card_wherever_it_starts(card: Card, piece: Slice) -> None:
    assert piece.starts is not None and piece.memory is not None and card.memory_slices is not None
    assert min(piece.starts) >= 0
    assert max(piece.starts) + piece.memory <= card.memory_slices


@pytest.mark.parametrize(("card", "piece"), PLACED.values(), ids=PLACED)
def test_as_many_as_the_card_says_fit_side_by_side_and_no_more(card: Card, piece: Slice) -> None:
    if piece.has_media_extensions:
        assert piece.max_count == 1  # they exist once
        return
    by_place = most_without_overlap(piece)
    assert piece.max_count == min(by_place, card.compute_slices // piece.compute)


def most_without_overlap(piece: Slice) -> int:
    """The largest set of starts whose memory slices do not overlap, by trying all."""
    assert piece.starts is not None and piece.memory is not None
    for count in range(len(piece.starts), 0, -1):
        for starts in combinations(sorted(piece.starts), count):
            if all(b - a >= piece.memory for a, b in pairwise(starts)):
                return count
    return 0


@pytest.mark.parametrize(("card", "piece"), SLICES.values(), ids=SLICES)
def test_a_slice_s_name_says_its_compute_and_bounds_its_memory(card: Card, piece: Slice) -> None:
    compute, memory = piece.size.removesuffix("gb").split("g.")
    assert (int(compute), int(memory)) == (piece.compute, piece.named_gb)
    if piece.usable_gib is not None:
        assert Decimal("0.85") * int(memory) < piece.usable_gib < int(memory)


@pytest.mark.parametrize(("card", "piece"), SLICES.values(), ids=SLICES)
def test_a_resource_is_named_as_the_device_plugin_names_it(card: Card, piece: Slice) -> None:
    assert piece.resource == "nvidia.com/mig-" + piece.name.replace("+", ".")
    assert piece.profile_name == "mig-" + piece.name.replace("+", ".")


@pytest.mark.parametrize(("card", "piece"), SLICES.values(), ids=SLICES)
def test_every_figure_names_its_source_or_why_it_is_unknown(card: Card, piece: Slice) -> None:
    assert set(FIGURES) == set(piece.sources)
    assert set(CARD_FIGURES) <= set(card.sources)


def test_a_site_can_name_the_models_whose_nodes_it_can_select() -> None:
    assert {model for model in CARDS if model not in card_names()} == {"gb300", "gh200-144gb", "h100-96gb"}
    assert all(CARDS[model].products for model in card_names())


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


BAD = [
    pytest.param("name: tiny", "nam: tiny", 2, "the card: lacks name", id="missing key"),
    pytest.param("name: tiny", "name: tiny\ncolour: red", 3, "colour: is no key of a card", id="unknown key"),
    pytest.param("name: tiny", "name: 7", 2, "name: 7 is not text", id="a number for a name"),
    pytest.param("[0, 1]", "[]", 9, "slices[0].starts: must be a list with at least one", id="no starts"),
    pytest.param("[0, 1]", "[1, 1]", 9, "slices[0].starts: [1, 1] names a start twice", id="repeated start"),
    pytest.param("[0, 1]", "[-1]", 9, "slices[0].starts: -1 is neither a whole number from 0 nor", id="negative start"),
    pytest.param("max: 2", "max: true", 9, "slices[0].max: True is not a whole number from 1", id="true is no number"),
    pytest.param("max: 2", "max: unknown", 9, "slices[0].max: 'unknown' is not a whole", id="a maximum is known"),
    pytest.param("name: 1g.1gb", "name: small", 9, "slices[0].name: 'small' is no slice name", id="no slice name"),
    pytest.param("unknown", "'?', sources: {usable_gib: s}", 9, "usable_gib: '?' is neither", id="no number of GiB"),
    pytest.param("unknown", ".inf, sources: {usable_gib: s}", 9, "usable_gib: inf is neither", id="endless memory"),
    pytest.param("resource: s}", "resource: s, weight: s}", 7, "sources.weight: is no figure", id="odd source"),
    pytest.param("nvidia.com/mig", "amd.com/mig", 9, "does not start with nvidia.com/", id="another vendor"),
    pytest.param("products: [TINY]", "products: []", 4, "products: must be a list", id="no product"),
    pytest.param("slices:\n", "slices: [] #", 8, "slices: must be a list with at least one slice", id="no slices"),
    pytest.param("slices:\n", "slices: [7] #", 8, "slices[0]: must be a mapping", id="a slice that is a number"),
]
# What needs more than a schema to see.
CONTRADICTIONS = [
    pytest.param("unknown", "'?'", 9, "slices[0].usable_gib: no source", id="figure without a source"),
    pytest.param("[0, 1]", "[0, 2]", 9, "slices[0].starts: 1g.1gb would reach beyond memory slice 2", id="beyond"),
    pytest.param("max: 2", "max: 3", 9, "slices[0].max: 3 of 1g.1gb have only 2 starts", id="more than places"),
    pytest.param("compute: 1", "compute: 2", 9, "need more than 2 compute slices", id="more compute than there is"),
    pytest.param(
        "memory_slices: 2", "memory_slices: unknown", 9, "slices[0].memory: memory_slices is unknown", id="part of what"
    ),
    pytest.param("memory: 1", "memory: unknown", 9, "slices[0].starts: how much memory", id="starts of no size"),
    pytest.param(
        "slices:\n", f"slices:\n{GOOD.splitlines()[-1]}\n", 10, "slices[1].name: slices[0] is called 1g.1gb", id="twice"
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "says"), [*BAD, *CONTRADICTIONS])
def test_a_bad_card_is_refused_with_its_place(old: str, new: str, line: int, says: str) -> None:
    assert old in GOOD
    with pytest.raises(CardError) as caught:
        load_card(GOOD.replace(old, new, 1), "tiny.yaml")
    assert str(caught.value).startswith(f"tiny.yaml:{line}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("name: [0, 1", "tiny.yaml:1: not valid YAML", id="a bracket left open"),
        pytest.param("name: a\nname: b", "tiny.yaml:2: not valid YAML: found duplicate key", id="a key given twice"),
        pytest.param("", "tiny.yaml:1: the card: must be a mapping", id="empty"),
        pytest.param("- 1", "tiny.yaml:1: the card: must be a mapping", id="a list"),
        pytest.param("a: 1\n---\nb: 2", "tiny.yaml:2: not valid YAML", id="two documents"),
    ],
)
def test_what_is_no_card_at_all_is_refused_too(text: str, says: str) -> None:
    with pytest.raises(CardError) as caught:
        load_card(text, "tiny.yaml")
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("model", CARDS)
def test_every_card_keeps_to_the_schema(model: str) -> None:
    text = (resources.files("aifactory_profiles") / "cards" / f"{model}.yaml").read_text(encoding="utf-8")
    assert schema_errors(text) == []


@pytest.mark.parametrize(("old", "new", "line", "says"), BAD)
def test_the_schema_refuses_what_the_reader_refuses(old: str, new: str, line: int, says: str) -> None:
    assert schema_errors(GOOD.replace(old, new, 1))


def test_the_schema_takes_what_the_reader_takes() -> None:
    assert schema_errors(GOOD) == []


def schema_errors(text: str) -> list[str]:
    schema = card_schema()
    Draft202012Validator.check_schema(schema)
    data = YAML(typ="safe", pure=True).load(text)
    return [error.message for error in Draft202012Validator(schema).iter_errors(data)]


def test_a_model_without_a_card_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(CardError, match="no card for GPU model 'v100'; there are a100-40gb, a100-80gb, a30, "):
        load_model("v100")


def test_a_slice_is_found_by_its_name_and_by_its_profile_s() -> None:
    card = CARDS["a30"]
    assert card.slice("1g.6gb+me") is card.slice("mig-1g.6gb.me")
    with pytest.raises(CardError, match=r"a30 has no slice '7g.80gb'; it has 1g.6gb, 1g.6gb\+me, 2g.12gb"):
        card.slice("7g.80gb")


def test_the_documentation_names_every_model() -> None:
    text = (Path(__file__).parents[2] / "docs/profiles.md").read_text(encoding="utf-8")
    assert [model for model in CARDS if f"| `{model}` |" not in text] == []
