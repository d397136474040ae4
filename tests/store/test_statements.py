"""The chain of statements, and what is written beside it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from aifactory_hub.domain.models import AliasMove, ModelFacts, ModelVersion, MoveKind, VersionState
from aifactory_hub.signing.keys import KeyFacts
from aifactory_hub.signing.manifest import FileEntry, FileSet
from aifactory_hub.store import FileStore, migrate, open_db
from aifactory_hub.store.model_journal import ModelJournal
from aifactory_hub.store.model_registry import AliasChanged, ModelRegistry
from aifactory_hub.store.statements import Draft, append, read_chain, row_hash, statements_after

MODEL = ModelFacts("m1", "nlp", "fraud", 1.0, "ada")


def files(name: str) -> FileSet:
    return FileSet.of([FileEntry(f"{name}.bin", 1, "a" * 64)])


def version(name: str, **rest: Any) -> ModelVersion:
    some = files(name)
    return ModelVersion(
        f"v-{name}", "m1", 0, some.digest, some.root, 1, 1, f"j-{name}", 1, "model/", "ada", 1.0, **rest
    )


def draft(kind: str = "files", version: str | None = None, envelope: str = "{}") -> Draft:
    return Draft(kind, "s" * 64, version, "k" * 64, envelope)


def add(registry: ModelRegistry, name: str) -> ModelVersion:
    return registry.add(MODEL, version(name), files(name), [draft(version=f"v-{name}")])[0]


def promote(registry: ModelRegistry, after: str, at: float = 1.0) -> AliasMove:
    before = registry.alias("m1", "prod")
    move = AliasMove(0, "m1", "prod", MoveKind.PROMOTE, before.version, after, "ada", at)
    return registry.move(before, move, draft("decision", after))


def test_versions_are_counted_and_the_same_files_are_the_same(db: Engine) -> None:
    registry = ModelRegistry(db)
    assert [add(registry, name).number for name in ("a", "b", "a")] == [1, 2, 1]
    assert [each.number for each in registry.versions("m1", limit=10)] == [2, 1]
    assert [each.number for each in registry.versions("m1", limit=10, before=2)] == [1]
    assert registry.files("v-a") == files("a")
    assert registry.held_files("j-a") == {"model/a.bin"}
    assert registry.held_jobs(["j-a", "j-c"]) == {"j-a"}
    assert read_chain(db).statements == 2


def test_an_alias_moves_from_where_it_was_seen_alone(db: Engine) -> None:
    registry = ModelRegistry(db)
    add(registry, "a"), add(registry, "b")
    seen = registry.alias("m1", "prod")
    promote(registry, "v-a")
    move = AliasMove(0, "m1", "prod", MoveKind.PROMOTE, None, "v-b", "bob", 2.0)
    with pytest.raises(AliasChanged):
        registry.move(seen, move, draft("decision"))
    assert (registry.alias("m1", "prod").version, read_chain(db).statements) == ("v-a", 3)


def test_one_of_many_at_once_moves_it(db: Engine) -> None:
    registry = ModelRegistry(db)
    add(registry, "a")
    seen = registry.alias("m1", "prod")
    won, lost = [], []

    def go() -> None:
        move = AliasMove(0, "m1", "prod", MoveKind.PROMOTE, None, "v-a", "ada", 2.0)
        try:
            won.append(registry.move(seen, move, draft("decision")))
        except AliasChanged:
            lost.append(1)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert read_chain(db).problem is None


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE statements SET envelope = ''",
        "DELETE FROM statements",
        "UPDATE alias_moves SET after = NULL",
        "DELETE FROM alias_moves",
        "DELETE FROM model_versions",
        "UPDATE model_versions SET files = '[]'",
        "UPDATE model_versions SET job = ''",
    ],
)
def test_the_database_refuses_to_change_what_was_written(db: Engine, sql: str) -> None:
    registry = ModelRegistry(db)
    promote(registry, add(registry, "a").id)
    with pytest.raises(Exception, match="stays as it is"), db.begin() as connection:
        connection.execute(text(sql))
    registry.set_state("v-a", VersionState.QUARANTINED, "a byte", draft("decision", "v-a"), 1.0)
    found = registry.version("v-a")
    assert found is not None
    assert (found.state, found.why) == (VersionState.QUARANTINED, "a byte")


@settings(max_examples=40, deadline=None)
@given(
    what=st.sampled_from(["change", "drop", "swap"]),
    place=st.integers(0, 4),
    column=st.sampled_from(["envelope", "at", "key"]),
)
def test_any_row_changed_dropped_or_swapped_is_found(what: str, place: int, column: str, chained: Engine) -> None:
    """In a table without the triggers, as somebody with the database's file can make it."""
    with chained.connect() as connection:
        before = [dict(row._mapping) for row in connection.execute(text("SELECT * FROM statements ORDER BY number"))]
    rows = [dict(row) for row in before]
    if what == "change":
        rows[place][column] = 2.5 if column == "at" else "x"
    elif what == "drop":
        del rows[place]
        if place == 4:  # the end is cut off: only a head that is kept elsewhere shows it
            return
    else:
        other = (place + 1) % 5
        rows[place]["number"], rows[other]["number"] = rows[other]["number"], rows[place]["number"]
    _write(chained, rows)
    assert read_chain(chained).problem is not None
    _write(chained, before)
    assert read_chain(chained).problem is None


@pytest.fixture(scope="module")
def chained(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    db = open_db(f"sqlite:///{tmp_path_factory.mktemp('chain') / 'db.sqlite'}")
    migrate(db)
    with db.begin() as connection:
        append(connection, [draft(envelope=f"{n}") for n in range(5)], 1.0)
        for what in ("change", "removal"):
            connection.execute(text(f"DROP TRIGGER statements_no_{what}"))
    return db


def _write(db: Engine, rows: list[dict[str, Any]]) -> None:
    with db.begin() as connection:
        connection.execute(text("DELETE FROM statements"))
        for row in rows:
            names = ", ".join(f'"{name}"' for name in row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO statements ({names}) VALUES ({values})"), row)  # noqa: S608


def test_keys_take_turns(db: Engine) -> None:
    registry = ModelRegistry(db)
    for key in ("a", "b"):
        registry.add_key(KeyFacts(key * 64, "pem"), 1.0, lambda number: draft("keys"))
        add(registry, key)
    known = {key[0]: (facts.first, facts.last, facts.revoked) for key, facts in registry.keys().items()}
    assert known == {"a": (1, 2, None), "b": (3, None, None)}
    assert registry.revoke_key("a" * 64, "copied", 5.0, draft("keys"))
    assert not registry.revoke_key("a" * 64, "copied", 6.0, draft("keys"))
    assert not registry.revoke_key("c" * 64, "copied", 6.0, draft("keys"))
    assert registry.keys()["a" * 64].revoked == 5.0


def test_a_database_from_an_hour_ago_is_made_whole(tmp_path: Path) -> None:
    """No alias goes back in silence: what the journal has is taken over, and so is a quarantine."""
    store, file = FileStore(tmp_path / "files"), tmp_path / "service.sqlite"

    def opened(path: Path) -> ModelRegistry:
        db = open_db(f"sqlite:///{path}")
        migrate(db)
        return ModelRegistry(db)

    registry = opened(file)
    journal = ModelJournal(registry.db, store)
    registry.add_key(KeyFacts("a" * 64, "pem"), 1.0, lambda number: draft("keys"))
    promote(registry, add(registry, "a").id)
    assert (journal.flush(), journal.flush()) == (3, 0)
    registry.db.dispose()
    shutil.copy(file, tmp_path / "backup.sqlite")
    promote(registry, add(registry, "b").id)
    registry.add_key(KeyFacts("b" * 64, "pem"), 1.0, lambda number: draft("keys"))
    registry.set_state("v-a", VersionState.QUARANTINED, "a byte", draft("decision", "v-a"), 1.0)
    assert journal.flush() == 4
    restored = opened(tmp_path / "backup.sqlite")
    assert restored.alias("m1", "prod").version == "v-a"
    again = ModelJournal(restored.db, store)
    assert (again.recover(), again.recover()) == (4, 0)
    assert restored.alias("m1", "prod") == registry.alias("m1", "prod")
    assert restored.keys() == registry.keys()
    assert restored.version("v-a") == registry.version("v-a")
    assert statements_after(restored.db, 0, 100) == statements_after(registry.db, 0, 100)
    assert read_chain(restored.db).problem is None
    add(restored, "c")
    assert again.flush() == 1


def test_a_journal_of_another_database_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FileStore(tmp_path / "files")
    registries = []
    for number in (1, 2):
        db = open_db(f"sqlite:///{tmp_path / f'{number}.sqlite'}")
        migrate(db)
        registries.append(ModelRegistry(db))
    add(registries[0], "a"), add(registries[0], "b")
    ModelJournal(registries[0].db, store).flush()
    add(registries[1], "c")
    assert ModelJournal(registries[1].db, store).recover() == 0
    assert "can't be made whole" in caplog.text
    assert registries[1].of_number("m1", 2) is None


def test_the_hash_covers_the_row_before(open_it: Callable[[], Engine]) -> None:
    row = {"number": 1, "kind": "files", "subject": "s", "version": None, "key": "k", "at": 1.0, "envelope": "{}"}
    assert row_hash("", row) != row_hash("x", row)
    assert row_hash("", row) != row_hash("", {**row, "version": "v"})
