"""A database that is restored takes what it lacks from the ledger's journal."""

from __future__ import annotations

import shutil
from pathlib import Path

from aifactory_hub.domain.usage import FactKind, Possession, Source, UsageFact
from aifactory_hub.store import FileStore, migrate, open_db
from aifactory_hub.store.ledger import Ledger, Position
from aifactory_hub.store.ledger_journal import LedgerJournal


def facts(number: int) -> list[UsageFact]:
    start, pod = number * 1000, f"p{number}"
    whose = Possession("nlp", "ada")
    return [
        UsageFact.exact(pod, FactKind.BOUND, Source.WATCH, start, start, possession=whose),
        UsageFact.exact(pod, FactKind.ENDED, Source.WATCH, start + 60, start + 60),
    ]


def opened(file: Path) -> Ledger:
    db = open_db(f"sqlite:///{file}")
    migrate(db)
    return Ledger(db)


def test_a_database_from_an_hour_ago_is_made_whole(tmp_path: Path) -> None:
    files, file = FileStore(tmp_path / "files"), tmp_path / "service.sqlite"
    ledger = opened(file)
    journal = LedgerJournal(ledger, files)
    ledger.append(facts(1), Position("5", 1100))
    assert (journal.flush(), journal.flush()) == (2, 0)
    ledger.db.dispose()
    shutil.copy(file, tmp_path / "backup.sqlite")
    ledger.append([*facts(2), *facts(3)], Position("9", 3100))
    ledger.append(facts(4))
    assert journal.flush() == 6
    before = ledger.events_after(0, 100)
    restored = opened(tmp_path / "backup.sqlite")
    again = LedgerJournal(restored, files)
    assert (restored.head(), again.recover(), again.recover()) == (2, 6, 0)
    assert restored.events_after(0, 100) == before
    assert restored.verify().problem is None
    # The watch is asked again from where the backup stood: what it tells is known already.
    assert restored.position() == Position("5", 1100)
    assert restored.append([*facts(2), *facts(5)]) == 2
    assert again.flush() == 2


def test_a_journal_that_does_not_fit_is_left_alone(tmp_path: Path) -> None:
    files = FileStore(tmp_path / "files")
    first = opened(tmp_path / "first.sqlite")
    first.append([*facts(1), *facts(2)])
    LedgerJournal(first, files).flush()
    other = opened(tmp_path / "other.sqlite")
    other.append(facts(7)[:1])
    assert LedgerJournal(other, files).recover() == 0
    assert other.verify().problem is None
