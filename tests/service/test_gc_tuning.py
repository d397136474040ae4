"""What is loaded when the service begins to listen is not looked through again: nobody waits for that."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory_hub.service.api.context import Context
from aifactory_hub.service.background.periodic import PeriodicTasks
from aifactory_hub.service.main import _serve
from aifactory_hub.settings import Bind, Secret, ServiceSettings

from .world import World


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


async def test_a_service_that_listens_leaves_what_is_loaded_out_of_collections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    async def look_and_stop() -> None:
        seen.append((gc.get_freeze_count(), len(gc.get_objects())))
        os.kill(os.getpid(), signal.SIGTERM)

    @asynccontextmanager
    async def in_memory(_: ServiceSettings) -> AsyncIterator[Context]:
        yield replace(World(tmp_path).service, periodic_tasks=PeriodicTasks({"look": (60.0, look_and_stop)}))

    monkeypatch.setitem(_serve.__globals__, "real_context", in_memory)
    where = {"tenants": tmp_path, "files": tmp_path, "database": "", "prefix": "/", "hub_api_url": ""}
    await _serve(ServiceSettings(service_token=Secret("t"), bind=Bind("127.0.0.1", 0), **where))  # type: ignore[arg-type]
    left_out, looked_through = seen[0]
    assert left_out > 100_000
    assert looked_through < left_out / 20
