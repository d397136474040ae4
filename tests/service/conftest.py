"""The service over real HTTP, with a hub that knows a few tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aifactory_hub import constants

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, running_service
from ..support.local_runs import LocalRuns


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    hub.add("bob", "bob", scopes_for("nlp"), groups=["tenant-nlp"])
    hub.add("grace", "grace", scopes_for("nlp"), groups=["tenant-nlp", "tenant-nlp-admin"])
    hub.add("eve", "eve", scopes_for("vision"), groups=["tenant-vision"])
    hub.add("both", "both", scopes_for("nlp", "vision"), groups=["tenant-nlp", "tenant-vision"])
    hub.add("reader", "reader", scopes_for("nlp", names=[constants.SCOPE_READ]))
    hub.add("stranger", "stranger", scopes_for())
    hub.add("no-access", "no-access", scopes_for("nlp", access=False))
    hub.add("robot", "robot", scopes_for("nlp"), kind="service")
    hub.add("everything", "root", [*constants.JOB_SCOPES, "access:services"])
    yield hub
    await hub.stop()


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    """Nothing takes jobs forward by itself: a test calls ``reconciler.settle``."""
    async with running_service(tmp_path, hub=hub, reconciling=False) as service:
        yield service


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[LocalRuns]:
    """A node whose pods are processes."""
    runs = LocalRuns(tmp_path / "node")
    yield runs
    runs.close()


@pytest.fixture
async def working(tmp_path: Path, hub: FakeHub, runs: LocalRuns) -> AsyncIterator[RunningService]:
    """Its jobs really run."""
    async with running_service(tmp_path / "service", hub=hub, engine=runs.engine) as service:
        yield service
