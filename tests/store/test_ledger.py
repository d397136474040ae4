"""The ledger, on both databases: nothing counts twice, nothing changes afterwards, and what does is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from aifactory_hub.domain.usage import Attribution, FactKind, Hold, Possession, Source, UsageFact
from aifactory_hub.store.database import altering, writing
from aifactory_hub.store.ledger import Ledger, Position, hand_over
from aifactory_hub.store.ledger_rows import hold_of as read
from aifactory_hub.store.usage_tables import HoldRow

ADA = Possession("nlp", "ada", "small", "server", "ada", devices={"h100/mig-1g": 1}, attribution=Attribution.TICKET)


@pytest.fixture
def ledger(db: Engine) -> Ledger:
    return Ledger(db)


def fact(kind: FactKind, at: int, source: Source = Source.WATCH, *, pod: str = "p1", note: str = "") -> UsageFact:
    whose = ADA if kind is FactKind.BOUND else None
    return UsageFact.exact(pod, kind, source, at, at, possession=whose, note=note)


LIFE = [fact(FactKind.BOUND, 100), fact(FactKind.STARTED, 110), fact(FactKind.ENDED, 200)]


def hold_of(ledger: Ledger, pod: str = "p1") -> Hold | None:
    with ledger.db.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM usage_holds WHERE pod = :pod"), {"pod": pod}).one_or_none()
    return None if row is None else read(row._mapping)


def test_each_fact_counts_once_however_often_and_in_which_pieces_it_comes(ledger: Ledger) -> None:
    assert ledger.append(LIFE[:1], Position("7", 101)) == 1
    assert ledger.going_on() == [Hold("p1", ADA, 100)]
    assert ledger.append(LIFE, Position("9", 205)) == 2
    assert ledger.append([*LIFE, *LIFE]) == 0
    assert hold_of(ledger) == Hold("p1", ADA, 100, 200, 200, 110, FactKind.ENDED, Source.WATCH)
    assert ledger.position() == Position("9", 205)
    assert ledger.going_on() == []
    assert [each.place for each in ledger.facts("p1")] == [1, 2, 3]
    assert ledger.verify().problem is None


def test_a_second_witness_adds_evidence_and_no_seconds(ledger: Ledger) -> None:
    ledger.append(LIFE)
    assert ledger.append([replace(each, source=Source.REPLAY) for each in LIFE]) == 3
    hold = hold_of(ledger)
    assert hold is not None
    assert (hold.start, hold.end) == (100, 200)


def test_corrections_of_an_administrator_are_all_kept_and_the_last_counts(ledger: Ledger) -> None:
    ledger.append(LIFE)
    for end in (150, 160):
        ledger.append([fact(FactKind.CORRECTED, end, Source.OPERATOR, note=f"until {end}")])
    hold = hold_of(ledger)
    assert hold is not None
    assert (hold.end, hold.note, len(ledger.facts("p1"))) == (160, "until 160", 5)


@pytest.mark.parametrize("change", ["UPDATE usage_events SET at = 1", "DELETE FROM usage_events"])
def test_the_database_itself_refuses_to_change_a_fact(ledger: Ledger, change: str) -> None:
    ledger.append(LIFE)
    with pytest.raises(sa.exc.DBAPIError, match="rows are only ever added"), writing(ledger.db) as connection:
        connection.execute(sa.text(change))
    assert ledger.verify().problem is None


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE usage_events SET at = at + 1 WHERE seq = 2", "event 2 is not as it was written"),
        ("DELETE FROM usage_events WHERE seq = 2", "after event 1 comes event 3"),
        ("UPDATE usage_events SET note = 'x', hash = hash WHERE seq = 3", "event 3 is not as it was written"),
        ("UPDATE usage_holds SET start = start - 60", "the hold of pod p1 is not what follows"),
        ("DELETE FROM usage_holds", "the hold of pod p1 is not what follows"),
    ],
)
def test_what_somebody_changes_in_spite_of_that_is_found_and_named(ledger: Ledger, change: str, found: str) -> None:
    ledger.append(LIFE)
    without_triggers(ledger.db)
    with writing(ledger.db) as connection:
        connection.execute(sa.text(change))
    assert found in str(ledger.verify().problem)


def without_triggers(db: Engine) -> None:
    with altering(db) as connection:
        if db.dialect.name == "sqlite":
            for what in ("update", "delete"):
                connection.execute(sa.text(f"DROP TRIGGER usage_events_no_{what}"))
        else:
            connection.execute(sa.text("ALTER TABLE usage_events DISABLE TRIGGER ALL"))


def test_holds_are_made_anew_from_the_events(ledger: Ledger) -> None:
    ledger.append([*LIFE, *(replace(each, pod="p2") for each in LIFE[:2])])
    before = hold_of(ledger)
    with writing(ledger.db) as connection:
        connection.execute(sa.text("UPDATE usage_holds SET start = 0"))
    assert ledger.rebuild() == 2
    assert hold_of(ledger) == before
    assert ledger.verify() == replace(ledger.verify(), events=5, holds=2, problem=None)


def test_a_database_from_an_hour_ago_takes_what_it_lacks_from_the_journal(ledger: Ledger, db: Engine) -> None:
    ledger.append(LIFE)
    rows = ledger.events_after(0, 10)
    without_triggers(db)
    with writing(db) as connection:
        connection.execute(sa.text("DELETE FROM usage_events WHERE seq > 1"))
        connection.execute(sa.text("DELETE FROM usage_holds"))
    assert ledger.restore(rows) == 2
    assert ledger.restore(rows) == 0
    assert ledger.verify().problem is None
    assert ledger.events_after(0, 10) == rows
    with pytest.raises(ValueError, match="event 5 of the journal does not follow on event 3"):
        ledger.restore([{**rows[-1], "seq": 5}])


def test_what_an_account_held_before_it_was_handed_over_stays_the_former_owners(ledger: Ledger) -> None:
    later = [replace(each, pod="p2", at=each.at + 1000) for each in LIFE]
    ledger.append(LIFE)
    with writing(ledger.db) as connection:
        hand_over(connection, "ada", "ada/former-1", 500)
    ledger.append(later)
    assert users_of(ledger) == {"p1": "ada/former-1", "p2": "ada"}
    ledger.rebuild()
    assert ledger.verify().problem is None
    assert users_of(ledger) == {"p1": "ada/former-1", "p2": "ada"}


def users_of(ledger: Ledger) -> dict[str, str]:
    with ledger.db.connect() as connection:
        return {row.pod: row.user for row in connection.execute(sa.select(HoldRow.pod, HoldRow.user))}
