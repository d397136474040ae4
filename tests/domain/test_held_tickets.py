"""Which tickets that nobody holds may be given back, and which wait for a person."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.orphans import (
    MANY,
    HoldReason,
    are_many,
    is_behind,
    judge_tickets,
    ticket_key,
)
from aifactory_hub.domain.tickets import Ticket, TicketState

OURS, OTHER = "ours", "other"


def ticket(number: int, database: str = OURS, **changes: object) -> Ticket:
    made = Ticket("nlp", f"nb-{number}", f"uid-{number}", TicketState.ADMITTED, database=database, sequence=number)
    return replace(made, **changes)  # type: ignore[arg-type]


HELD_BY_SERVERS = [ticket(number) for number in range(100, 110)]
KNOWN = {each.name for each in HELD_BY_SERVERS}


@pytest.mark.parametrize(
    ("orphan", "reason"),
    [
        (ticket(1), None),
        (ticket(1, OTHER), HoldReason.OTHER_DATABASE),
        (ticket(1, ""), HoldReason.NO_DATABASE),
        (ticket(1, OTHER, release_asked=True), None),
        (ticket(1, "", release_asked=True), None),
    ],
)
def test_only_what_this_database_filed_or_an_administrator_names_is_given_back(
    orphan: Ticket, reason: HoldReason | None
) -> None:
    verdicts = judge_tickets([*HELD_BY_SERVERS, orphan], KNOWN, database=OURS)
    assert verdicts.give_back == (() if reason else (orphan,))
    assert [each.reason for each in verdicts.held] == ([reason] if reason else [])


def test_a_known_ticket_is_neither_whatever_it_says() -> None:
    """Made before there were ids, or taken over from another database: a server holds it."""
    tickets = [ticket(1, ""), ticket(2, OTHER), ticket(3, "", release_asked=True)]
    verdicts = judge_tickets(tickets, {"nb-1", "nb-2", "nb-3"}, database=OURS)
    assert (verdicts.give_back, verdicts.held) == ((), ())


def test_many_at_once_are_held_until_a_person_says_so() -> None:
    lost = [ticket(number) for number in range(MANY + 1)]
    verdicts = judge_tickets(lost, set(), database=OURS)
    assert [each.reason for each in verdicts.held] == [HoldReason.MANY] * len(lost) and not verdicts.give_back
    # People start servers again: they are not many any more, and stay held.
    keys = {ticket_key(each.ticket) for each in verdicts.held}
    later = judge_tickets([*lost, *HELD_BY_SERVERS], KNOWN, database=OURS, held_before=keys)
    assert len(later.held) == len(lost) and not later.give_back
    asked = [replace(lost[0], release_asked=True), *lost[1:]]
    assert judge_tickets(asked, set(), database=OURS, held_before=keys).give_back == (asked[0],)


def test_a_database_whose_id_is_not_known_gives_nothing_back() -> None:
    verdicts = judge_tickets([ticket(1), ticket(2, "")], set(), database=None)
    assert not verdicts.give_back and len(verdicts.held) == 2


def test_a_database_is_behind_when_it_filed_what_it_does_not_remember() -> None:
    tickets = [ticket(7), ticket(9, OTHER)]
    assert is_behind(tickets, OURS, 6) and not is_behind(tickets, OURS, 7) and not is_behind([], OURS, 0)


TICKETS = st.lists(
    st.builds(
        lambda number, database, asked: ticket(number, database, release_asked=asked),
        st.integers(0, 30),
        st.sampled_from([OURS, OTHER, ""]),
        st.booleans(),
    ),
    unique_by=lambda each: each.name,
    max_size=20,
)


@given(TICKETS, st.sets(st.integers(0, 30)), st.sampled_from([OURS, None]))
def test_each_ticket_has_one_fate_and_none_is_ended_in_doubt(
    tickets: list[Ticket], known: set[int], database: str | None
) -> None:
    names = {f"nb-{number}" for number in known}
    verdicts = judge_tickets(tickets, names, database=database)
    gone, held = {each.name for each in verdicts.give_back}, {each.ticket.name for each in verdicts.held}
    assert gone | held | (names & {each.name for each in tickets}) == {each.name for each in tickets}
    assert not gone & held and not (gone | held) & names
    unasked = [each for each in verdicts.give_back if not each.release_asked]
    assert all(each.database == database for each in unasked)
    assert not are_many(len(unasked), len(tickets))
