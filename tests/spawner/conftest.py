from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from aifactory_spawner import TenantKubeSpawner

from ..support.tenants import LARGE, SMALL
from .hub_in_memory import HubInMemory, make_hub


@pytest.fixture
async def hub() -> AsyncIterator[HubInMemory]:
    made = make_hub(nlp={SMALL: 2, LARGE: 1}, vision={SMALL: 1})
    yield made
    await made.close()
    made.db.close()
    TenantKubeSpawner.hub_process = None
