"""Advice for a smaller slice: from peaks with a reserve, and silent where too little is known."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.right_size import LEAST_HELD, Held, Peaks, advise, more, sizes
from aifactory_profiles import load_catalogue
from aifactory_profiles.catalogue import SiteProfile

CATALOGUE = load_catalogue(
    ["h100-80gb"],
    [
        SiteProfile("cpu-small", cpu_only=True, cpu_millicores=500, memory_bytes=2**30),
        SiteProfile("mig-1g.10gb", price_per_hour=Decimal("0.40"), currency="EUR"),
        SiteProfile("mig-3g.40gb", price_per_hour=Decimal("1.60"), currency="EUR"),
    ],
)
MENU = sizes(["cpu-small", "mig-1g.10gb", "mig-2g.20gb", "mig-3g.40gb", "nothing"], CATALOGUE)
LARGE = next(size for size in MENU if size.profile == "mig-3g.40gb")
GB = 10**9
DAY = 86400
# Ten days of four hours, with all samples: 6 GB and a tenth of three slices' compute.
WEEK = [Held(day * DAY, 4 * 3600, Peaks(4 * 3600, 6 * GB, 0.1)) for day in range(10)]


def changed(**peaks: Any) -> list[Held]:
    return [replace(held, peaks=replace(held.peaks, **peaks)) for held in WEEK]


def test_the_menu_s_slices_are_sizes_and_others_are_not() -> None:
    assert [size.profile for size in MENU] == ["mig-1g.10gb", "mig-2g.20gb", "mig-3g.40gb"]
    assert LARGE.compute == 3 and LARGE.memory > 39 * GB


def test_a_smaller_slice_that_would_do_is_named_with_what_it_saves() -> None:
    advice = advise(WEEK, LARGE, MENU)
    assert advice is not None
    assert (advice.profile, advice.instead_of) == ("mig-1g.10gb", "mig-3g.40gb")
    assert advice.month == Decimal("48.00")  # 40 hours at 1.20 less
    assert advice.text == (
        "The most that was used in 30 days is 6.0 GB of GPU memory and 10% of the slice's compute: "
        "mig-1g.10gb would do, for 48.00 EUR a month less."
    )
    assert advice.gpu_seconds == int((LARGE.part - MENU[0].part) * 40 * 3600)


@pytest.mark.parametrize(
    ("held", "profile"),
    [
        (changed(memory=12 * GB), "mig-2g.20gb"),
        (changed(memory=30 * GB), None),
        # 40 % of three slices' compute are 1.2 of them: more than 80 % of one, and not of two.
        (changed(engine=0.4), "mig-2g.20gb"),
        (changed(engine=0.9), None),
        (changed(memory=None), None),
        (changed(engine=None), None),
        (changed(seconds=3 * 3600), None),
        (WEEK[:1], None),
        ([replace(each, start=0) for each in WEEK[:3]], None),
        ([], None),
    ],
)
def test_what_would_be_short_or_is_not_known_is_not_advised(held: list[Held], profile: str | None) -> None:
    advice = advise(held, LARGE, MENU)
    assert (None if advice is None else advice.profile) == profile


def test_another_model_and_a_dearer_slice_are_never_advised() -> None:
    other = [replace(size, model="a100-40gb") for size in MENU]
    assert advise(WEEK, LARGE, other) is None
    dear = [replace(size, per_hour=Decimal(9)) for size in MENU if size.profile == "mig-1g.10gb"]
    assert advise(WEEK, LARGE, dear) is None
    unpriced = [replace(size, per_hour=None) for size in MENU]
    advice = advise(WEEK, LARGE, unpriced)
    assert advice is not None and advice.month is None and "a month" not in advice.text


def test_peaks_of_one_pod_are_the_most_of_both() -> None:
    both = more(Peaks(600, 5, None), Peaks(600, None, 0.2))
    assert both == Peaks(1200, 5, 0.2)
    assert more(Peaks(), Peaks()) == Peaks()


@given(st.integers(0, 80 * GB), st.floats(0, 1), st.integers(0, 20))
def test_what_is_advised_always_has_room_for_what_was_used(memory: int, engine: float, pods: int) -> None:
    held = [Held(day * DAY, 4 * 3600, Peaks(4 * 3600, memory, engine)) for day in range(pods)]
    for now in MENU:
        advice = advise(held, now, MENU)
        if advice is not None:
            size = next(each for each in MENU if each.profile == advice.profile)
            assert size.memory >= memory and engine * now.compute <= size.compute
            assert sum(each.seconds for each in held) >= LEAST_HELD and size.part < now.part
