"""Placement against a second implementation that tries every combination of starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from aifactory_profiles import (
    Card,
    Fit,
    Placed,
    all_card_names,
    best_layout,
    fits,
    layouts,
    load_model,
    room,
    room_if_moved,
    share,
    smallest_with_memory,
)

CARDS = [load_model(model) for model in all_card_names()]
KNOWN = [card for card in CARDS if all(piece.starts for piece in card.slices)]
# One card of each shape is enough where a test tries everything.
SHAPES = [load_model("h100-80gb"), load_model("a30")]


def every_way(card: Card, names: Sequence[str], placed: Sequence[Placed] = ()) -> Iterator[frozenset[Placed]]:
    """All arrangements of ``names`` beside ``placed`` that break no rule, found by trying all starts."""
    for starts in product(*(card.slice(name).starts or () for name in names)):
        items = [*placed, *(Placed(name, start) for name, start in zip(names, starts, strict=True))]
        if allowed(card, items):
            yield frozenset(items[len(placed) :])


def allowed(card: Card, items: Sequence[Placed]) -> bool:
    taken: list[int] = []
    for item in items:
        taken += range(item.start, item.start + (card.slice(item.slice).memory or 0))
    counts = Counter(item.slice for item in items)
    return (
        len(set(taken)) == len(taken)
        and sum(card.slice(item.slice).compute for item in items) <= card.compute_slices
        and all(count <= card.slice(name).max_count for name, count in counts.items())
        and sum("+me" in item.slice for item in items) <= 1
    )


@st.composite
def cards_with_names(draw: st.DrawFn, most: int = 4) -> tuple[Card, list[str]]:
    card = draw(st.sampled_from(SHAPES))
    return card, draw(st.lists(st.sampled_from([piece.name for piece in card.slices]), max_size=most))


@st.composite
def cards_with_placed(draw: st.DrawFn) -> tuple[Card, list[Placed]]:
    """A GPU on which slices came and went: each new one wherever it may be, so that it is fragmented."""
    card = draw(st.sampled_from(SHAPES))
    places = [Placed(piece.name, start) for piece in card.slices for start in piece.starts or ()]
    placed: list[Placed] = []
    for item in draw(st.lists(st.sampled_from(places), max_size=5)):
        if allowed(card, [*placed, item]):
            placed.append(item)
    return card, placed


@given(cards_with_names())
def test_what_fits_is_what_some_arrangement_allows(case: tuple[Card, list[str]]) -> None:
    card, names = case
    assert fits(card, names) is (Fit.YES if any(True for _ in every_way(card, names)) else Fit.NO)


@given(cards_with_names())
def test_the_layouts_are_all_arrangements_each_once(case: tuple[Card, list[str]]) -> None:
    card, names = case
    found = [frozenset(layout) for layout in layouts(card, names)]
    assert len(set(found)) == len(found)
    assert set(found) == set(every_way(card, names))


@given(cards_with_placed())
def test_the_room_beside_what_is_placed_is_what_some_arrangement_allows(case: tuple[Card, list[Placed]]) -> None:
    card, placed = case
    for name, count in room(card, placed).items():
        assert count is not None
        assert not count or fits_somewhere(card, name, count, placed)
        assert not fits_somewhere(card, name, count + 1, placed)


def fits_somewhere(card: Card, name: str, count: int, placed: Sequence[Placed]) -> bool:
    """As ``every_way`` for one kind, where the order does not matter."""
    ways = combinations(card.slice(name).starts or (), count)
    return any(allowed(card, [*placed, *(Placed(name, start) for start in way)]) for way in ways)


@given(cards_with_placed())
def test_moving_things_never_leaves_less_room(case: tuple[Card, list[Placed]]) -> None:
    card, placed = case
    moved = room_if_moved(card, [item.slice for item in placed])
    assert all((count or 0) <= (moved[name] or 0) for name, count in room(card, placed).items())


@given(cards_with_placed(), st.data())
def test_the_best_layout_is_allowed_and_none_leaves_a_larger_slice(
    case: tuple[Card, list[Placed]], data: st.DataObject
) -> None:
    card, placed = case
    wanted = data.draw(st.lists(st.sampled_from([piece.name for piece in card.slices]), min_size=1, max_size=2))
    best = best_layout(card, wanted, placed)
    others = list(every_way(card, wanted, placed))
    assert (best is None) == (not others)
    if best is not None:
        assert allowed(card, [*placed, *best])
        assert largest_left(card, [*placed, *best]) == max(largest_left(card, [*placed, *way]) for way in others)


def largest_left(card: Card, placed: Sequence[Placed]) -> Fraction | int:
    parts = [share(card, piece) or 0 for piece in card.slices if any(every_way(card, [piece.name], placed))]
    return max(parts, default=0)


@given(st.sampled_from(KNOWN), st.data())
def test_models_of_one_shape_answer_alike(card: Card, data: st.DataObject) -> None:
    like = next(shape for shape in SHAPES if shape.compute_slices == card.compute_slices)
    indices = data.draw(st.lists(st.integers(0, len(card.slices) - 1), max_size=7))
    answers = {fits(one, [one.slices[index].name for index in indices]) for one in (card, like)}
    assert len(answers) == 1


@settings(max_examples=300)
@given(st.sampled_from(CARDS), st.integers(1, 300 * 10**9))
def test_no_cheaper_slice_has_enough_memory(card: Card, least: int) -> None:
    found = smallest_with_memory(card, least)
    if found is None:
        return
    assert found.memory_bytes >= least
    for other in card.slices:
        enough = other.usable_gib is not None and other.usable_gib * 2**30 >= least
        parts = share(card, other), share(card, found.slice)
        if enough and parts[0] is not None and parts[1] is not None:
            assert parts[1] <= parts[0]
