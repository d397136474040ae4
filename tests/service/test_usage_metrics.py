"""The ledger's metrics: what Prometheus is told, and who may ask."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from aifactory_hub.domain.usage import FactKind, Possession, Source, UsageFact

from ..support.job_service import RunningService

ADA = Possession("nlp", "ada", "mig-1g.10gb", "server", gpus=Fraction(1, 7))


def life(pod: str, start: int, end: int | None) -> list[UsageFact]:
    bound = UsageFact.exact(pod, FactKind.BOUND, Source.WATCH, start, start, possession=ADA)
    return [bound] if end is None else [bound, UsageFact.exact(pod, FactKind.ENDED, Source.WATCH, end, end)]


async def test_counters_are_the_table_and_only_for_prometheus(service: RunningService) -> None:
    context = service.context
    now = context.heard_at()
    context.ledger.append([*life("p1", now - 700, now - 100), *life("p2", now - 60, None)])
    object.__setattr__(context, "metrics_token_hash", hashlib.sha256(b"metrics-secret").hexdigest())
    address = f"{service.url}metrics"
    async with httpx.AsyncClient(trust_env=False) as http:
        for token in ("ada", "grace", "everything"):
            refused = await http.get(address, headers={"Authorization": f"token {token}"})
            assert refused.status_code == 403
        assert (await http.get(address)).status_code == 401
        text = (await http.get(address, headers={"Authorization": "token metrics-secret"})).text
    found = {
        (sample.name, sample.labels.get("tenant", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["aifactory_usage_held_seconds_total", "nlp"] >= 660
    held = found["aifactory_usage_held_seconds_total", "nlp"]
    assert found["aifactory_usage_gpu_seconds_total", "nlp"] == pytest.approx(held / 7)
    assert found["aifactory_usage_held", "nlp"] == 1
    assert found["aifactory_usage_events_total", ""] == 3
    assert found["aifactory_usage_uncertain_seconds_total", ""] == 0
    assert "ada" not in text
