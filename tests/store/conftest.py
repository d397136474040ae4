"""Databases for the store's tests: the same tests on both kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from aifactory_hub.store import Jobs, migrate, open_db


@pytest.fixture
def open_it(database_url: str) -> Iterator[Callable[[], Engine]]:
    """Opens the test's database, which is empty at first; as often as wanted."""
    opened: list[Engine] = []

    def open_again() -> Engine:
        opened.append(open_db(database_url))
        return opened[-1]

    yield open_again
    for db in opened:
        db.dispose()


@pytest.fixture
def db(open_it: Callable[[], Engine]) -> Engine:
    db = open_it()
    migrate(db)
    return db


@pytest.fixture
def jobs(db: Engine) -> Jobs:
    return Jobs(db)
