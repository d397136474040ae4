"""What is free on GPUs, and what of it nothing that waits can use."""

from __future__ import annotations

from fractions import Fraction

from aifactory_hub.domain.fragmentation import fragmentation
from aifactory_profiles import Device

from ..support.gpus import CARDS, gpu

SMALL, LARGE = Device("h100-80gb", "nvidia.com/mig-1g.10gb"), Device("h100-80gb", "nvidia.com/mig-3g.40gb")
GPUS = (
    gpu("a", 0, "1g.10gb*", "1g.10gb", "3g.40gb"),
    gpu("a", 1, "3g.40gb", "3g.40gb"),
    gpu("b", 0, "3g.40gb*", "3g.40gb*"),
    gpu("b", 1, "1g.10gb", unknown="not heard"),
    gpu("c", 0, held=True),
)


def test_each_gpu_says_what_is_free_and_the_largest_of_it() -> None:
    seen = fragmentation(GPUS, CARDS, {})
    assert [dict(room.free) for room in seen.gpus] == [{"1g.10gb": 1, "3g.40gb": 1}, {"3g.40gb": 2}, {}, {}, {}]
    assert [room.largest for room in seen.gpus] == ["3g.40gb", "3g.40gb", "", "", ""]
    assert [room.uncut for room in seen.gpus] == [2, 1, 1, 0, 0]


def test_unknown_gpus_count_as_unknown_and_never_as_free() -> None:
    seen = fragmentation(GPUS, CARDS, {})
    assert (seen.idle, seen.partly, seen.full, seen.unknown) == (1, 1, 2, 1)
    assert seen.free_share == Fraction(1, 7) + 3 * Fraction(1, 2)


def test_sizes_are_counted_over_all_known_gpus() -> None:
    found = {size.slice: size for size in fragmentation(GPUS, CARDS, {SMALL: 3}).sizes}
    small, large = found["1g.10gb"], found["3g.40gb"]
    assert (small.total, small.free, small.gpus, small.waiting, small.stranded) == (2, 1, 1, 3, 0)
    assert (large.total, large.free, large.gpus, large.waiting, large.stranded) == (5, 3, 2, 0, 3)


def test_what_nothing_waits_for_is_stranded_only_while_something_waits() -> None:
    assert fragmentation(GPUS, CARDS, {}).stranded_share == 0
    assert fragmentation(GPUS, CARDS, {SMALL: 1}).stranded_share == Fraction(3, 2)
    assert fragmentation(GPUS, CARDS, {SMALL: 1, LARGE: 1}).stranded_share == 0
    seen = fragmentation(GPUS, CARDS, {Device("a100-40gb", "nvidia.com/mig-1g.10gb"): 1})
    assert seen.stranded_share == seen.free_share, "the same name on another model is another size"


def test_a_gpu_that_is_not_cut_is_idle_or_full() -> None:
    seen = fragmentation([gpu("a", 0), gpu("a", 1, held=True)], CARDS, {})
    assert (seen.idle, seen.full, seen.gpus[0].uncut) == (1, 1, 7)
