"""What the hub and the service export, asked of both."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from aifactory_hub.domain.budgets import Action, Budget, Step, Unit
from aifactory_hub.registry import FileStatus
from aifactory_hub.registry.model import Registry
from aifactory_hub.service.auth.runner_tokens import token_hash
from aifactory_spawner import TenantKubeSpawner
from aifactory_spawner.metrics import HUB_METRICS

from ..service.conftest import hub as hub
from ..spawner.hub_in_memory import make_hub
from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, make_registry, running_service
from ..support.tenants import SMALL

BUDGET = Budget("month", Unit.GPU_HOURS, Fraction(3600), (Step(100, Action.HOLD),))


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    """One whose team nlp has a budget."""

    def registry(url: str) -> Registry:
        known = make_registry(service=url)
        return replace(known, tenants={**known.tenants, "nlp": replace(known.tenants["nlp"], budgets=(BUDGET,))})

    async with running_service(tmp_path, hub=hub, registry=registry, reconciling=False) as running:
        yield running


async def of_service(service: RunningService) -> set[str]:
    """The names at the service's /metrics."""
    object.__setattr__(service.context, "metrics_token_hash", token_hash("metrics-secret"))
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{service.url}metrics", headers={"Authorization": "token metrics-secret"})
    assert answer.status_code == 200, answer.text
    families = list(text_string_to_metric_families(answer.text))
    return {f"{each.name}_total" if each.type == "counter" else each.name for each in families}


async def of_hub() -> set[str]:
    """The names at the hub's /hub/metrics: JupyterHub's own, and ours."""
    made = make_hub(nlp={SMALL: 2})
    try:
        status = FileStatus("0" * 64, time.time())
        HUB_METRICS.follow(lambda: made.host_cluster, made.process.orphans, lambda: status)
        return {each.name for each in HUB_METRICS.collect()} | set(REGISTRY._names_to_collectors)
    finally:
        await made.close()
        made.db.close()
        TenantKubeSpawner.hub_process = None


@pytest.fixture
async def exported(service: RunningService) -> set[str]:
    """The names that both really export."""
    return await of_service(service) | await of_hub()
