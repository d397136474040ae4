"""Placement: what fits on a GPU, where, what is left and what it costs, in named cases."""

from __future__ import annotations

from fractions import Fraction

import pytest

from aifactory_profiles import (
    CardError,
    Fit,
    Placed,
    PlacementError,
    best_layout,
    fits,
    layouts,
    load_model,
    memory_bytes,
    room,
    room_if_moved,
    share,
    smallest_with_memory,
    too_much,
)

H100 = load_model("h100-80gb")
H200 = load_model("h200")
A30 = load_model("a30")
RTX = load_model("rtx-pro-6000-blackwell")
GIB = 2**30
GB = 10**9


@pytest.mark.parametrize(
    ("slices", "answer"),
    [
        pytest.param("", Fit.YES, id="nothing"),
        pytest.param("1g.10gb " * 7, Fit.YES, id="seven of the smallest"),
        pytest.param("1g.10gb " * 8, Fit.NO, id="an eighth"),
        pytest.param("1g.10gb " * 6 + "1g.10gb+me", Fit.YES, id="one of seven with media extensions"),
        pytest.param("1g.10gb+me " * 2, Fit.NO, id="media extensions twice"),
        pytest.param("1g.10gb 1g.10gb 2g.20gb 3g.40gb", Fit.YES, id="the balanced mix"),
        pytest.param("3g.40gb 3g.40gb", Fit.YES, id="two halves"),
        pytest.param("3g.40gb 3g.40gb 1g.10gb", Fit.NO, id="two halves strand a compute slice"),
        pytest.param("4g.40gb 3g.40gb", Fit.YES, id="four and three"),
        pytest.param("4g.40gb 4g.40gb", Fit.NO, id="four twice"),
        pytest.param("2g.20gb " * 3 + "1g.20gb", Fit.YES, id="eight memory slices and seven compute slices"),
        pytest.param("7g.80gb 1g.10gb", Fit.NO, id="beside the whole GPU"),
    ],
)
def test_slices_fit_on_an_h100(slices: str, answer: Fit) -> None:
    assert fits(H100, slices.split()) is answer


def test_only_one_slice_of_an_a30_has_the_media_extensions() -> None:
    assert fits(A30, ["1g.6gb+me", "2g.12gb"]) is Fit.YES
    assert fits(A30, ["1g.6gb+me", "2g.12gb+me"]) is Fit.NO
    assert too_much(A30, ["1g.6gb+me", "2g.12gb+me"]) == "the media extensions can be in one slice only"


def test_three_small_slices_in_the_way_leave_no_place_for_a_larger_one() -> None:
    placed = [Placed("1g.10gb", start) for start in (1, 3, 5)]
    assert fits(H100, ["2g.20gb"], placed) is Fit.NO
    assert fits(H100, ["1g.10gb"] * 3 + ["2g.20gb"]) is Fit.YES
    assert room(H100, placed)["2g.20gb"] == 0
    assert room_if_moved(H100, ["1g.10gb"] * 3)["2g.20gb"] == 2


def test_the_best_layout_leaves_the_largest_slice_possible() -> None:
    layout = best_layout(H100, ["1g.10gb", "1g.10gb"])
    assert layout is not None
    assert room(H100, layout)["4g.40gb"] == 1
    assert sorted(item.start for item in layout) == [4, 5]


def test_a_slice_that_is_placed_stays_where_it_is() -> None:
    assert best_layout(H100, ["3g.40gb"], [Placed("1g.10gb", 0)]) == (Placed("3g.40gb", 4),)
    assert best_layout(H100, ["4g.40gb"], [Placed("1g.10gb", 0)]) is None


def test_each_layout_comes_once() -> None:
    found = list(layouts(A30, ["1g.6gb", "1g.6gb"]))
    assert [tuple(item.start for item in layout) for layout in found] == [
        (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("placed", "says"),
    [
        pytest.param([Placed("2g.20gb", 1)], "2g.20gb can't start at 1; it can at 0, 2, 4", id="no start"),
        pytest.param([Placed("3g.40gb", 0), Placed("1g.10gb", 3)], "1g.10gb@3 overlaps another slice", id="overlap"),
        pytest.param([Placed("1g.10gb+me", 0), Placed("1g.10gb+me", 1)], r"2 of 1g.10gb\+me are more than", id="twice"),
    ],
)
def test_slices_that_can_t_be_on_a_gpu_together_are_refused(placed: list[Placed], says: str) -> None:
    with pytest.raises(PlacementError, match=says):
        room(H100, placed)


def test_a_slice_that_the_card_lacks_is_refused() -> None:
    with pytest.raises(CardError, match=r"h100-80gb has no slice '1g.5gb'"):
        fits(H100, ["1g.5gb"])


@pytest.mark.parametrize(
    ("slices", "answer"),
    [
        pytest.param("", Fit.YES, id="nothing"),
        pytest.param("1g.24gb", Fit.YES, id="one, because its maximum is not zero"),
        pytest.param("1g.24gb " * 4, Fit.YES, id="the maximum of one kind"),
        pytest.param("1g.24gb " * 5, Fit.NO, id="more than the maximum"),
        pytest.param("1g.24gb 2g.48gb", Fit.UNKNOWN, id="two kinds"),
        pytest.param("2g.48gb 2g.48gb 1g.24gb", Fit.NO, id="more compute than there is"),
        pytest.param("4g.96gb 1g.24gb", Fit.NO, id="beside the whole GPU"),
        pytest.param("1g.24gb+me 1g.24gb+me.all", Fit.NO, id="media extensions twice"),
    ],
)
def test_without_known_starts_only_what_is_certain_is_said(slices: str, answer: Fit) -> None:
    assert fits(RTX, slices.split()) is answer


def test_without_known_starts_there_is_no_layout_and_no_share() -> None:
    assert best_layout(RTX, ["1g.24gb"]) is None
    assert share(RTX, RTX.slice("1g.24gb")) is None
    left = room_if_moved(RTX, ["1g.24gb"])
    assert (left["1g.24gb"], left["2g.48gb"], left["4g.96gb"]) == (3, None, 0)
    assert room(RTX, [])["2g.48gb"] == 2
    with pytest.raises(PlacementError, match=r"where 1g.24gb may start is unknown, so not 0 either"):
        room(RTX, [Placed("1g.24gb", 0)])


@pytest.mark.parametrize(
    ("name", "part"),
    [
        pytest.param("1g.10gb", Fraction(1, 7), id="compute is more"),
        pytest.param("1g.20gb", Fraction(2, 8), id="memory is more"),
        pytest.param("2g.20gb", Fraction(2, 7), id="two slices of compute"),
        pytest.param("3g.40gb", Fraction(4, 8), id="half of the memory"),
        pytest.param("4g.40gb", Fraction(4, 7), id="more than half of the compute"),
        pytest.param("7g.80gb", Fraction(1), id="the whole GPU"),
    ],
)
def test_a_slice_costs_the_larger_of_its_shares(name: str, part: Fraction) -> None:
    assert share(H100, H100.slice(name)) == part


@pytest.mark.parametrize(
    ("model", "least", "name", "measured"),
    [
        pytest.param("h100-80gb", 10 * GB, "1g.10gb", True, id="9.75 GiB are more than 10 GB"),
        pytest.param("h100-80gb", 10 * GIB, "1g.20gb", True, id="9.75 GiB are less than 10 GiB"),
        pytest.param("h100-80gb", 18 * GB, "1g.20gb", True, id="memory of two slices costs less than compute of two"),
        pytest.param("h100-80gb", 40 * GB, "3g.40gb", True, id="half a GPU"),
        pytest.param("h200", 18 * GB, "1g.35gb", True, id="1g.18gb has 16 GiB only, with media extensions or without"),
        pytest.param("b200", 23 * GB, "1g.23gb", False, id="what sources disagree on goes by its name"),
        pytest.param("a100-80gb", 18 * GB, "1g.20gb", False, id="nothing measured"),
        pytest.param("rtx-pro-6000-blackwell", 25 * GB, "2g.48gb", False, id="unknown shares go by compute"),
    ],
)
def test_the_smallest_slice_with_enough_memory(model: str, least: int, name: str, measured: bool) -> None:
    found = smallest_with_memory(load_model(model), least)
    assert found is not None
    assert (found.slice.name, found.measured) == (name, measured)
    assert found.memory_bytes >= least


def test_no_slice_has_more_memory_than_the_gpu() -> None:
    assert smallest_with_memory(H100, 80 * GIB) is None


def test_a_measurement_counts_for_all_slices_of_that_size() -> None:
    assert memory_bytes(H200, H200.slice("1g.18gb+me")) == (16 * GIB, True)
    assert memory_bytes(H200, H200.slice("2g.35gb")) == (35 * GB, False)
