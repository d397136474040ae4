"""What a tenant could have now: its own, and what others lend."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.borrowing import Free, available, free_now, guaranteed
from aifactory_hub.domain.quota import Quota

from ..support.tenants import SMALL


@dataclass(frozen=True)
class Case:
    """``nlp`` asks; ``vision`` is the other tenant. Own, borrowing limit, lending limit (None: all)."""

    name: str
    nlp: tuple[int, int]
    vision: tuple[int, int | None]
    held: tuple[int, int]
    free: Free


CASES = [
    Case("nothing is held", (3, 2), (4, None), (0, 0), Free(3, 2)),
    Case("its own are taken, others' are idle", (3, 2), (4, None), (3, 0), Free(0, 2)),
    Case("no more than it may borrow", (3, 2), (4, None), (4, 0), Free(0, 1)),
    Case("no more than is idle", (3, 2), (4, None), (3, 3), Free(0, 1)),
    Case("no more than the other lends", (3, 2), (4, 1), (3, 0), Free(0, 1)),
    Case("the other uses what it keeps first", (3, 2), (4, 1), (3, 3), Free(0, 1)),
    Case("the other uses some of what it lends", (3, 2), (4, 1), (3, 4), Free(0, 0)),
    Case("its own are lent out", (3, 0), (4, None), (1, 5), Free(1, 0, lent=1)),
    Case("all of its own are lent out", (3, 2), (4, None), (0, 7), Free(0, 0, lent=3)),
    Case("more is held than there is", (1, 0), (1, None), (3, 1), Free(0, 0)),
]


def quotas(case: Case) -> dict[str, Quota]:
    own, lends = case.vision
    lending = {} if lends is None else {SMALL: lends}
    return {"nlp": Quota({SMALL: case.nlp[0]}, {SMALL: case.nlp[1]}), "vision": Quota({SMALL: own}, lending=lending)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_free_now(case: Case) -> None:
    held = {"nlp": {SMALL: case.held[0]}, "vision": {SMALL: case.held[1]}}
    free = free_now("nlp", SMALL, quotas(case), held)
    assert (free, free.now) == (case.free, case.free.own + case.free.borrowable)


COUNT = st.integers(0, 6)
QUOTA = st.builds(
    lambda own, borrowing, lending: Quota(
        {SMALL: own}, {SMALL: borrowing}, {} if lending is None else {SMALL: min(lending, own)}
    ),
    COUNT,
    COUNT,
    st.none() | COUNT,
)


@given(st.lists(QUOTA, min_size=2, max_size=4), st.lists(st.integers(0, 3), max_size=40))
def test_taking_only_what_is_available_keeps_every_promise(tenants: list[Quota], asking: list[int]) -> None:
    limits = {f"t{number}": quota for number, quota in enumerate(tenants)}
    held = {name: {SMALL: 0} for name in limits}
    for number in asking:
        name = f"t{number % len(tenants)}"
        if available(name, SMALL, limits, held) > 0:
            held[name][SMALL] += 1
    assert sum(h[SMALL] for h in held.values()) <= sum(q.nominal[SMALL] for q in tenants), "no more than there is"
    for name, quota in limits.items():
        assert held[name][SMALL] <= quota.limit(SMALL)
        kept = guaranteed(quota, SMALL)
        assert available(name, SMALL, limits, held) >= kept - held[name][SMALL], "what it keeps is never lent"
