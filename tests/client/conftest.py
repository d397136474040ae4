"""The client against the real service in this process; jobs run as real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aifactory_hub.client.api import forget_sessions
from aifactory_hub.client.session import Account, Session

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, running_service
from ..support.local_runs import LocalRuns


@pytest.fixture(autouse=True)
def no_session_is_left() -> Iterator[None]:
    """What a test has asked by the notebook's own session leaves no connection open for the tests after it."""
    yield
    forget_sessions()


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    hub = FakeHub()
    hub.start()
    hub.add("ada-token", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    hub.add("eve-token", "eve", scopes_for("vision"), groups=["tenant-vision"])
    yield hub
    await hub.stop()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[LocalRuns]:
    runs = LocalRuns(tmp_path / "node")
    yield runs
    runs.close()


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub, runs: LocalRuns) -> AsyncIterator[RunningService]:
    async with running_service(tmp_path / "service", hub=hub, engine=runs.engine) as service:
        yield service


@pytest.fixture
def session(service: RunningService) -> Iterator[Session]:
    session = Session(Account(service.url.rstrip("/"), "ada-token", tenant="nlp"))
    yield session
    session.close()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A working directory with a script that trains for a moment."""
    folder = tmp_path / "notebook"
    folder.mkdir()
    (folder / "train.py").write_text(
        "import pathlib, measures\n"
        "print('accuracy', measures.ACCURACY)\n"
        "pathlib.Path('model.bin').write_bytes(b'weights' * 100)\n"
    )
    (folder / "measures.py").write_text("ACCURACY = 0.97\n")
    return folder


@pytest.fixture
def here(service: RunningService, work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A terminal in the notebook."""
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "ada-token")
    monkeypatch.setenv("AIFACTORY_SERVICE_URL", service.url)
    monkeypatch.setenv("AIFACTORY_PROFILE", "mig-1g.10gb")
    monkeypatch.chdir(work)
    return work
