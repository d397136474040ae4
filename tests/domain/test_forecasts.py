"""When a job would start, and for how much."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.forecasts import Demand, ExpectedStart, cost, expect_start
from aifactory_hub.domain.quota import Quota

ONE, TWO = {"mig": 1}, {"mig": 2}
OWN_TWO = Quota({"mig": 2})

# name, quota, running, ahead, devices, earliest, latest
CASES = [
    ("room", OWN_TWO, [], [], ONE, 0, 0),
    ("no device", OWN_TWO, [Demand(TWO)], [], {}, 0, 0),
    ("room beside another", OWN_TWO, [Demand(ONE, longest=60)], [], ONE, 0, 0),
    ("full until a deadline", OWN_TWO, [Demand(TWO, longest=60)], [], ONE, 0, 60),
    ("the sooner of two deadlines", OWN_TWO, [Demand(ONE, longest=60), Demand(ONE, longest=30)], [], ONE, 0, 30),
    ("needs both to end", OWN_TWO, [Demand(ONE, longest=60), Demand(ONE, longest=30)], [], TWO, 0, 60),
    ("a notebook has no end", OWN_TWO, [Demand(TWO)], [], ONE, 0, None),
    ("a notebook and a job", OWN_TWO, [Demand(ONE), Demand(ONE, longest=60)], [], ONE, 0, 60),
    ("both, one a notebook's", OWN_TWO, [Demand(ONE), Demand(ONE, longest=60)], [], TWO, 0, None),
    ("behind another", OWN_TWO, [Demand(TWO, longest=60)], [Demand(TWO, longest=100)], ONE, 0, 160),
    ("beside the one before", OWN_TWO, [Demand(TWO, longest=60)], [Demand(ONE, longest=100)], ONE, 0, 60),
    ("what runs says how long", OWN_TWO, [Demand(TWO, likely=40, longest=60)], [], ONE, 40, 60),
    ("borrowing is no promise", Quota({"mig": 1}, {"mig": 1}), [Demand(ONE, longest=60)], [], ONE, 0, 60),
    ("only by borrowing", Quota({"mig": 1}, {"mig": 1}), [], [], TWO, 0, None),
    ("more is held than is its own", Quota({"mig": 1}, {"mig": 2}), [Demand(TWO, longest=9)], [], ONE, 0, 9),
]


@pytest.mark.parametrize(("quota", "running", "ahead", "devices", "earliest", "latest"), [c[1:] for c in CASES],
                         ids=[c[0].replace(" ", "-") for c in CASES])  # fmt: skip
def test_when_it_would_start(
    quota: Quota, running: list[Demand], ahead: list[Demand], devices: dict[str, int], earliest: float, latest: float
) -> None:
    assert expect_start(quota, running, ahead, devices) == ExpectedStart(earliest, latest)


def test_what_can_never_start_has_no_forecast() -> None:
    assert expect_start(OWN_TWO, [], [], {"mig": 3}) is None
    assert expect_start(OWN_TWO, [], [], {"other": 1}) is None


DEMANDS = st.builds(
    lambda count, likely, more: Demand({"mig": count}, likely=likely, longest=None if more is None else likely + more),
    st.integers(1, 3),
    st.floats(0, 1e5),
    st.none() | st.floats(0, 1e5),
)


@given(st.lists(DEMANDS, max_size=6), st.lists(DEMANDS, max_size=6), st.integers(1, 4))
def test_the_range_is_one_and_a_longer_queue_is_never_a_shorter_wait(
    running: list[Demand], ahead: list[Demand], count: int
) -> None:
    quota = Quota({"mig": 4}, {"mig": 2})
    found = expect_start(quota, running, ahead, {"mig": count})
    assert found is not None
    assert found.earliest >= 0
    assert found.latest is None or found.earliest <= found.latest
    shorter = expect_start(quota, running, ahead[:-1], {"mig": count})
    assert shorter is not None
    if found.latest is not None:
        assert shorter.latest is not None and shorter.latest <= found.latest


def test_a_price_is_to_the_cent_and_no_price_is_not_free() -> None:
    assert cost(Decimal("0.40"), 86400) == Decimal("9.60")
    assert cost(Decimal("0.40"), 45) == Decimal("0.01")
    assert cost(None, 3600) is None
