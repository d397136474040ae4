"""Facts to holds: whatever the order and the doubles, the hold is the pod's true interval."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.usage import (
    Attribution,
    FactKind,
    Hold,
    Possession,
    Source,
    UsageFact,
    clip,
    fold,
)

ADA = Possession("nlp", "ada", "small", "server", "ada", attribution=Attribution.TICKET)


def fact(kind: FactKind, at: int, source: Source = Source.WATCH, **more: object) -> UsageFact:
    whole = UsageFact.exact("p1", kind, source, at, at, possession=ADA if kind is FactKind.BOUND else None)
    return replace(whole, **more)  # type: ignore[arg-type]


BOUND, STARTED, ENDED = fact(FactKind.BOUND, 100), fact(FactKind.STARTED, 110), fact(FactKind.ENDED, 200)
GONE = fact(FactKind.GONE, 150, Source.LIST, latest=260)


def test_a_pod_that_was_never_bound_held_nothing() -> None:
    assert fold([]) is None
    assert fold([ENDED, STARTED]) is None


def test_a_hold_goes_from_the_choice_of_a_node_to_the_end_of_the_last_container() -> None:
    assert fold([BOUND]) == Hold("p1", ADA, 100)
    hold = fold([BOUND, STARTED, ENDED])
    assert hold == Hold("p1", ADA, 100, 200, 200, 110, FactKind.ENDED, Source.WATCH)
    assert (hold.uncertain, clip(hold, 0, 1000), clip(hold, 150, 160), clip(hold, 200, 300)) == (0, 100, 10, 0)


def test_what_is_not_certain_is_kept_and_not_counted() -> None:
    hold = fold([BOUND, GONE])
    assert hold is not None
    assert (hold.end, hold.latest_end, hold.uncertain, clip(hold, 0, 1000)) == (150, 260, 110, 50)


def test_a_second_witness_narrows_what_the_first_could_not_know() -> None:
    hub = fact(FactKind.GONE, 203, Source.HUB)
    hold = fold([BOUND, GONE, hub])
    assert hold is not None
    assert (hold.end, hold.uncertain, hold.source) == (203, 0, Source.HUB)


def test_an_end_that_a_container_told_goes_before_any_other() -> None:
    lost = fact(FactKind.LOST, 140)
    assert [hold.end for hold in map(fold, ([BOUND, lost, GONE], [BOUND, lost, GONE, ENDED])) if hold] == [140, 200]


def test_the_newest_correction_counts_and_a_void_hold_is_nothing() -> None:
    first = fact(FactKind.CORRECTED, 120, Source.OPERATOR, place=8, note="the node was down")
    second = fact(FactKind.CORRECTED, 130, Source.OPERATOR, place=9, note="from 2:10 on")
    hold = fold([second, BOUND, ENDED, first])
    assert hold is not None
    assert (hold.end, hold.ended_by, hold.note) == (130, FactKind.CORRECTED, "from 2:10 on")
    struck = fold([BOUND, ENDED, fact(FactKind.VOID, 100, Source.OPERATOR, note="a test")])
    assert struck is not None
    assert (struck.void, clip(struck, 0, 1000)) == (True, 0)


def test_the_witness_who_knows_best_says_whose_it_is() -> None:
    label = fact(FactKind.BOUND, 100, Source.LIST, possession=replace(ADA, user="eve", attribution=Attribution.LABEL))
    for facts in ([label, BOUND], [BOUND, label]):
        hold = fold(facts)
        assert hold is not None
        assert hold.possession == ADA


def test_a_clock_that_is_behind_makes_no_hold_of_less_than_nothing() -> None:
    hold = fold([BOUND, fact(FactKind.ENDED, 40)])
    assert hold is not None
    assert (hold.start, hold.end, hold.uncertain) == (100, 100, 0)


FACTS = st.lists(
    st.builds(
        lambda kind, at, wide, source, place: fact(kind, at, source, latest=at + wide, place=place),
        st.sampled_from(list(FactKind)),
        st.integers(0, 500),
        st.integers(0, 50),
        st.sampled_from(list(Source)),
        st.integers(1, 50),
    ),
    max_size=12,
    unique_by=lambda each: each.place,
)


@given(FACTS, st.randoms(use_true_random=False))
def test_neither_order_nor_doubles_matter(facts: list[UsageFact], order: random.Random) -> None:
    shuffled = [*facts, *order.sample(facts, len(facts) // 2)]
    order.shuffle(shuffled)
    assert fold(shuffled) == fold(facts)


@given(FACTS, st.tuples(st.integers(0, 600), st.integers(0, 600), st.integers(0, 600)))
def test_seconds_of_two_spans_that_follow_add_up(facts: list[UsageFact], points: tuple[int, int, int]) -> None:
    hold = fold(facts)
    a, b, c = sorted(points)
    if hold is not None:
        assert clip(hold, a, c) == clip(hold, a, b) + clip(hold, b, c) >= 0
        assert hold.uncertain >= 0
