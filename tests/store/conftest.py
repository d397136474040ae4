"""Databases for the store's tests: the same tests on both kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from aifactory_hub.store import Jobs, migrate, open_engine


@pytest.fixture
def open_it(database_url: str) -> Iterator[Callable[[], Engine]]:
    """Opens the test's database, which is empty at first; as often as wanted."""
    opened: list[Engine] = []

    def open_again() -> Engine:
        opened.append(open_engine(database_url))
        return opened[-1]

    yield open_again
    for engine in opened:
        engine.dispose()


@pytest.fixture
def engine(open_it: Callable[[], Engine]) -> Engine:
    engine = open_it()
    migrate(engine)
    return engine


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    return Jobs(engine)
