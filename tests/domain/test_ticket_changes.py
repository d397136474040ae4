"""What is told of a ticket that changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.tickets import Ticket, TicketEvent, TicketState, TimeSource, changes_between

E, S = TicketEvent, TicketState
ENGINE, HEARD, NOTICED = TimeSource.ENGINE, TimeSource.HEARD, TimeSource.NOTICED


def ticket(state: TicketState, *, active: bool = False, **values: float | str) -> Ticket:
    return Ticket("nlp", "t1", "u1", state, active=active, **values)  # type: ignore[arg-type]


WAITS, RUNS = ticket(S.QUEUED, filed_at=1.0), ticket(S.ADMITTED, filed_at=1.0, admitted_at=2.0)
HELD = replace(RUNS, active=True)
EVICTED = ticket(S.EVICTED, active=True, filed_at=1.0, evicted_at=3.0)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (None, WAITS, [(E.QUEUED, 1.0, ENGINE)]),
        (None, RUNS, [(E.QUEUED, 1.0, ENGINE), (E.ADMITTED, 2.0, ENGINE)]),
        (None, HELD, [(E.QUEUED, 1.0, ENGINE), (E.ADMITTED, 2.0, ENGINE), (E.HELD, 9.0, HEARD)]),
        (None, EVICTED, [(E.QUEUED, 1.0, ENGINE), (E.HELD, 9.0, HEARD), (E.EVICTED, 3.0, ENGINE)]),
        (None, ticket(S.QUEUED), [(E.QUEUED, 9.0, HEARD)]),
        (WAITS, RUNS, [(E.ADMITTED, 2.0, ENGINE)]),
        (WAITS, HELD, [(E.ADMITTED, 2.0, ENGINE), (E.HELD, 9.0, HEARD)]),
        (RUNS, HELD, [(E.HELD, 9.0, HEARD)]),
        (HELD, RUNS, [(E.RELEASED, 9.0, HEARD)]),
        (HELD, EVICTED, [(E.EVICTED, 3.0, ENGINE)]),
        (EVICTED, replace(EVICTED, active=False), [(E.RELEASED, 9.0, HEARD)]),
        (EVICTED, WAITS, [(E.RELEASED, 9.0, HEARD), (E.QUEUED, 9.0, HEARD)]),
        (RUNS, replace(WAITS, evicted_at=3.0), [(E.QUEUED, 3.0, ENGINE)]),
        (HELD, ticket(S.FINISHED, ended_at=4.0), [(E.RELEASED, 4.0, ENGINE)]),
        (HELD, ticket(S.GONE), [(E.GONE, 9.0, HEARD)]),
        (ticket(S.FINISHED), ticket(S.GONE), [(E.GONE, 9.0, HEARD)]),
        (WAITS, replace(WAITS, message="no room"), [(E.EXPLAINED, 9.0, HEARD)]),
        (RUNS, replace(RUNS, release_asked=True), [(E.EXPLAINED, 9.0, HEARD)]),
        (HELD, HELD, []),
    ],
)
def test_each_change_is_told_with_the_best_time_there_is(
    before: Ticket | None, after: Ticket, changes: list[tuple[TicketEvent, float, TimeSource]]
) -> None:
    found = list(changes_between(before, after, seen_at=9.0, live=True))
    assert [(c.what, c.at, c.source) for c in found] == changes
    assert {c.before for c in found} <= {None if before is None else before.state}
    assert all(c.ticket is after for c in found)


def test_what_was_found_later_is_told_as_noticed_where_the_engine_says_nothing() -> None:
    found = list(changes_between(RUNS, replace(EVICTED, evicted_at=None), seen_at=9.0, live=False))
    assert [(c.what, c.source) for c in found] == [(E.HELD, NOTICED), (E.EVICTED, NOTICED)]


STATES = st.sampled_from([s for s in S if s is not S.GONE])
TICKETS = st.builds(
    lambda state, active: ticket(state, active=state is S.EVICTED or (active and state is S.ADMITTED)),
    STATES,
    st.booleans(),
)


@given(st.lists(TICKETS, min_size=1, max_size=8))
def test_who_hears_all_changes_knows_whether_it_is_held_admitted_and_there(ticket_by_time: list[Ticket]) -> None:
    """Whatever was missed between two looks: held, admitted and there follow from what was told."""
    before, held, state = None, False, None
    for now in ticket_by_time:
        for change in changes_between(before, now, seen_at=9.0, live=False):
            match change.what:
                case E.HELD:
                    held = True
                case E.RELEASED:
                    held = False
                case E.EXPLAINED:
                    raise AssertionError("nothing was explained")
                case what:
                    state = what
        assert held == now.active
        if now.state in (S.QUEUED, S.ADMITTED, S.EVICTED):
            assert state == now.state.value
        before = now
    (last,) = changes_between(before, ticket(S.GONE), seen_at=9.0, live=False)
    assert last.what is E.GONE
