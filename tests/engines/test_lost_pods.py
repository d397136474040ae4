"""A pod that the host has no more, and the tenant's API still shows: its control plane restarted just as it ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.engines.base import Site
from aifactory_hub.engines.kubernetes_job import KubernetesJobEngine
from aifactory_hub.engines.kubernetes_job.translate import render_job
from aifactory_hub.engines.objects import POD_GONE, gone_for_good

from ..support.tenants import make_tenant
from ..support.typed_api import TypedApi
from .runs import HUB, SPEC

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def pod(ago: float | None, now: datetime = NOW) -> dict[str, Any]:
    """A pod that was to be gone so many seconds ago; None: nobody has ended it."""
    name = {"name": "job-j0123456789ab-x7k2p", "uid": "v"}
    end = {} if ago is None else {"deletionTimestamp": (now - timedelta(seconds=ago)).isoformat()}
    return {"metadata": {**name, **end}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("pods", "gone"),
    [
        ([], False),
        ([pod(None)], False),
        ([pod(5)], False),
        ([pod(-40)], False),
        ([pod(31)], True),
        ([pod(31), pod(None)], False),
    ],
)
def test_only_what_is_long_past_its_end_is_a_memory(pods: list[dict[str, Any]], gone: bool) -> None:
    assert gone_for_good(pods, NOW) is gone


def engine(shown: list[dict[str, Any]], *, on_the_host: bool = False, stale: bool = False) -> KubernetesJobEngine:
    async def get(path: str) -> dict[str, Any]:
        if path.endswith("/pods"):
            return {"items": shown}
        return {"items": []} if path.endswith("/events") else {**render_job(SPEC, HUB), "status": {"terminating": 1}}

    async def api(_tenant: str) -> Any:
        return TypedApi(get)

    host = [PodFact("vc-nlp", "nlp", "jobs", "job-j0123456789ab-x7k2p", "u", "h", "Running")] if on_the_host else []
    watch: Any = SimpleNamespace(stale=stale, pods=lambda _vcluster: host)
    clients: Any = SimpleNamespace(api=api)
    return KubernetesJobEngine(Site(HUB, {"nlp": make_tenant("nlp")}, clients, watch))


async def test_its_run_has_failed_and_says_why() -> None:
    run = await engine([pod(60, datetime.now(UTC))]).get("nlp", SPEC.run_id)
    assert (run.state, run.reason) == (JobState.FAILED, POD_GONE)


@pytest.mark.parametrize(
    "seen",
    [{"on_the_host": True}, {"stale": True}],
)
async def test_unless_the_host_has_it_or_can_t_be_heard(seen: dict[str, bool]) -> None:
    run = await engine([pod(60, datetime.now(UTC))], **seen).get("nlp", SPEC.run_id)
    assert not run.state.final
