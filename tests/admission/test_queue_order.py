"""Who is admitted and who must go: cases by name, and what holds for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aifactory_hub.admission.queue_order import Claim, Decision, decide
from aifactory_hub.domain.borrowing import Reclaim
from aifactory_hub.domain.quota import Quota
from aifactory_profiles import Device

G = Device("any", "gpu")
QUOTAS = {"a": Quota({G: 2}, {G: 2}), "b": Quota({G: 2})}


def claim(key: str, filed: int, count: int = 1, **changes: object) -> Claim:
    return replace(Claim(key, key[0], filed, {G: count}), **changes)  # type: ignore[arg-type]


def runs(key: str, admitted: int, count: int = 1, **changes: object) -> Claim:
    return claim(key, admitted, count, admitted=admitted, **changes)


def notebook(key: str, filed: int, count: int = 1, **changes: object) -> Claim:
    return claim(key, filed, count, notebook=True, priority=50, **changes)


@dataclass(frozen=True)
class Case:
    name: str
    claims: tuple[Claim, ...]
    admit: tuple[str, ...] = ()
    evict: tuple[str, ...] = ()


CASES = [
    Case("nothing waits", (runs("a1", 1),)),
    Case("what fits is admitted in the order of filing", (claim("a2", 2), claim("a1", 1)), admit=("a1", "a2")),
    Case("idle devices of others are lent", (runs("a1", 1), runs("a2", 2), claim("a3", 3)), admit=("a3",)),
    Case("no more than the limit", (runs("a1", 1, 4), claim("a2", 2))),
    Case("who may not borrow does not", (runs("b1", 1, 2), claim("b2", 2))),
    Case("owners go before borrowers", (runs("a1", 1, 3), claim("a2", 2), claim("b1", 3)), admit=("b1",)),
    Case(
        "the newest borrower goes first",
        (runs("a1", 1, held=True), runs("a2", 2, 2, held=True), runs("a3", 3, held=True), claim("b1", 4)),
        evict=("a3",),
    ),
    Case("one on which nothing runs goes at once", (runs("a1", 1, 4), claim("b1", 2)), admit=("b1",), evict=("a1",)),
    Case(
        "one eviction is enough for one claim",
        (runs("a1", 1, 3, held=True), runs("a2", 2, held=True, evicted=True), claim("b1", 3)),
    ),
    Case("nobody goes where it would not help", (runs("a1", 1, 2, held=True), claim("b1", 2, 3))),
    Case("who uses only its own is left alone", (runs("a1", 1, 2), runs("b1", 2, 2), claim("a2", 3))),
    Case(
        "a higher priority displaces a lower one of its own tenant",
        (runs("b1", 1, 2, held=True, priority=1), claim("b2", 2, priority=9)),
        evict=("b1",),
    ),
    Case("an equal priority displaces nobody", (runs("b1", 1, 2, priority=9), claim("b2", 2, priority=9))),
    Case("a small one passes a big one that can't fit", (claim("b1", 1, 9), claim("b2", 2)), admit=("b2",)),
    Case(
        "what an evicted one will give back is kept for who asked",
        (runs("a1", 1, 3), runs("a2", 2, held=True, evicted=True), claim("b1", 3, 1), claim("a3", 4)),
    ),
    Case("a notebook does not borrow", (notebook("a1", 1, 2, admitted=1), notebook("a2", 2))),
    Case("a job of its tenant does", (notebook("a1", 1, 2, admitted=1), claim("a2", 2)), admit=("a2",)),
    Case(
        "a notebook starts in what is its own while jobs of its tenant borrow",
        (runs("a1", 1, 2), notebook("a2", 2)),
        admit=("a2",),
    ),
    Case(
        "of a tenant that borrows the jobs go and never a notebook of its own",
        (notebook("a1", 1, 2, admitted=9), runs("a2", 2, 2, priority=99), claim("b1", 3)),
        admit=("b1",),
        evict=("a2",),
    ),
    Case(
        "a notebook takes its own back from jobs of its own tenant",
        (runs("b1", 1, 2, held=True), notebook("b2", 2)),
        evict=("b1",),
    ),
    Case(
        "no job goes for a notebook that may not have more",
        (notebook("a1", 1, 2, admitted=1), runs("a3", 3, 2), notebook("a2", 4)),
    ),
    Case(
        "a notebook never goes for a job of its own tenant",
        (notebook("b1", 1, 2, admitted=1), claim("b2", 2, priority=99)),
    ),
    Case("without devices it always fits", (runs("b1", 1, 2), replace(claim("b2", 2), devices={})), admit=("b2",)),
    Case("what nobody has is never admitted", (replace(claim("a1", 1), devices={Device("any", "tpu"): 1}),)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_decision(case: Case) -> None:
    decision = decide(case.claims, QUOTAS)
    assert decision.admit == case.admit
    assert tuple(eviction.key for eviction in decision.evict) == case.evict


@pytest.mark.parametrize(
    ("reclaim", "priority", "evicted"),
    [
        (Reclaim.ANY, 0, True),
        (Reclaim.ANY, 5, True),
        (Reclaim.LOWER_PRIORITY, 0, True),
        (Reclaim.LOWER_PRIORITY, 5, False),
        (Reclaim.NEVER, 0, False),
    ],
)
def test_what_owners_end_to_get_their_own_back_is_a_setting(reclaim: Reclaim, priority: int, evicted: bool) -> None:
    borrowers = tuple(runs(f"a{number}", number, priority=priority) for number in range(1, 5))
    decision = decide((*borrowers, claim("b1", 9, priority=5)), QUOTAS, reclaim)
    assert bool(decision.evict) is evicted


@pytest.mark.parametrize(("reclaim", "evicted"), [(each, each is not Reclaim.NEVER) for each in Reclaim])
def test_a_more_urgent_job_ends_one_of_its_own_tenant_unless_nothing_is_ever_ended(
    reclaim: Reclaim, evicted: bool
) -> None:
    decision = decide((runs("b1", 1, 2, held=True, priority=1), claim("b2", 2, priority=9)), QUOTAS, reclaim)
    assert [eviction.key for eviction in decision.evict] == (["b1"] if evicted else [])


def apply(claims: Mapping[str, Claim], decision: Decision, number: int) -> dict[str, Claim]:
    changed = dict(claims)
    for eviction in decision.evict:
        victim = changed[eviction.key]
        changed[eviction.key] = replace(victim, evicted=True) if victim.held else replace(victim, admitted=None)
    for offset, key in enumerate(decision.admit):
        changed[key] = replace(changed[key], admitted=number + offset)
    return changed


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, str, int, int]]:
    step = st.tuples(
        st.sampled_from(["file", "hold", "release"]), st.sampled_from("ab"), st.integers(0, 9), st.integers(1, 3)
    )
    return draw(st.lists(step, max_size=30))


@settings(deadline=None)
@given(histories())
def test_whatever_happens_nobody_gets_more_than_there_is_and_deciding_ends(
    history: list[tuple[str, str, int, int]],
) -> None:
    claims: dict[str, Claim] = {}
    number = 0
    for what, tenant, which, count in history:
        key = f"{tenant}{which}"
        if what == "file":
            claims.setdefault(key, claim(key, number, count, priority=which % 2))
        elif what == "hold" and key in claims and not claims[key].waits:
            claims[key] = replace(claims[key], held=True)
        elif what == "release":
            claims.pop(key, None)
        for _ in range(50):
            number += 1
            if (decision := decide(tuple(claims.values()), QUOTAS)) == Decision():
                break
            claims = apply(claims, decision, number * 100)
        else:
            raise AssertionError("it never ends")
        used = {t: sum(c.devices[G] for c in claims.values() if c.tenant == t and not c.waits) for t in QUOTAS}
        assert all(used[t] <= QUOTAS[t].limit(G) for t in QUOTAS)
        assert sum(used.values()) <= 4
