"""Options of the whole suite."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from .support.postgres import Postgres
    from .support.s3 import S3Server

# A busy machine is no finding: what a property test may take is not part of the property.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# Characters.
_LOG_END = 20_000
DATA = Path(__file__).parent / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files in tests/data anew; look at the diff"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each operation of the API its own name, and refuse names that stand twice.

    Of tests with one name pytest-xdist runs the first alone, and says nothing.
    """
    for item in items:
        if label := getattr(item, "operation_label", None):
            item._id = item.id.with_params(label)  # pytest 9.2 makes it of the function's name alone
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"{len(twice)} tests have the name of another one, the first: {twice[0]}")


class Golden:
    """Compares text with a file in ``tests/data``, or writes the file when asked to."""

    def __init__(self, update: bool) -> None:
        self.update = update

    def check(self, name: str, text: str) -> None:
        file = DATA / name
        if self.update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), f"{file} differs; see --update-golden"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(bool(request.config.getoption("--update-golden")))


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server on this machine."""
    from .support.s3 import NoS3, running_s3  # here, because not every environment of tests has its client

    try:
        with running_s3() as server:
            yield server
    except NoS3 as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL on this machine."""
    from .support.postgres import NoPostgres, running_postgres

    try:
        with running_postgres() as server:
            yield server
    except NoPostgres as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails with a hub shows what that hub said: its folder is gone when somebody looks."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            log = getattr(getattr(value, "hub", value), "log", None)
            if isinstance(log, str):
                report.sections.append((f"end of the log of {name}", log[-_LOG_END:]))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing may be skipped: a test that did not run proves nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests count as failures in CI", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
