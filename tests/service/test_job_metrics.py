"""Metrics of jobs and budgets: counted from the tables, and what is not known is left out."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from aifactory_hub.domain.budgets import Action, Budget, Step, Unit
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.usage import FactKind, Possession, Source, UsageFact
from aifactory_hub.registry.model import Registry
from aifactory_hub.service.api.job_metrics import lately, nearest
from aifactory_hub.store.job_counts import EndedJob
from aifactory_hub.store.models import AttemptRow

from ..support.fake_hub import FakeHub
from ..support.job_service import Clock, RunningService, make_registry, running_service

NOW = 1_800_000_000.0
STEPS = (Step(100, Action.WARN),)
ORDER = ("tenant", "state", "budget", "unit", "phase", "quantile")
Found = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    """One whose team nlp has a budget of two hours, and one for each person."""

    def registry(url: str) -> Registry:
        known = make_registry(service=url)
        month = Budget("month", Unit.GPU_HOURS, Fraction(7200), STEPS)
        budgets = (month, replace(month, name="each", person=True))
        return replace(known, tenants={**known.tenants, "nlp": replace(known.tenants["nlp"], budgets=budgets)})

    clock = Clock(NOW)
    async with running_service(tmp_path, hub=hub, registry=registry, reconciling=False, clock=clock) as running:
        digest = hashlib.sha256(b"metrics-secret").hexdigest()
        object.__setattr__(running.context, "metrics_token_hash", digest)
        yield running


async def told(service: RunningService) -> Found:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{service.url}metrics", headers={"Authorization": "token metrics-secret"})
    assert answer.status_code == 200, answer.text
    assert "ada" not in answer.text and "secret-command" not in answer.text
    return {
        (sample.name, tuple(sample.labels[name] for name in ORDER if name in sample.labels)): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def submit(service: RunningService, key: str) -> str:
    async with service.http("ada") as http:
        answer = await http.post("/jobs", json={"key": key, "command": "secret-command", "profile": "mig-1g.10gb"})
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def set_times(service: RunningService, job: str, **times: float) -> None:
    with service.context.jobs.db.begin() as connection:
        connection.execute(update(AttemptRow).where(AttemptRow.job_id == job).values(**times))


async def test_jobs_are_counted_by_state_and_how_they_ended(service: RunningService) -> None:
    jobs = service.context.jobs
    first, second, third, _ = [await submit(service, key) for key in "abcd"]
    jobs.set_state(first, JobState.QUEUED, None, now=NOW - 500)
    jobs.set_state(second, JobState.QUEUED, None, now=NOW - 300)
    jobs.set_state(third, JobState.QUEUED, None, now=NOW - 900)
    set_times(service, third, starting_at=NOW - 800, running_at=NOW - 790)
    jobs.finish(third, JobState.SUCCEEDED, reason=None, exit_code=0, now=NOW - 90)
    found = await told(service)
    assert found["aifactory_jobs", ("nlp", "QUEUED")] == 2
    assert found["aifactory_jobs", ("nlp", "PENDING")] == 1
    assert ("aifactory_jobs", ("nlp", "SUCCEEDED")) not in found
    assert found["aifactory_jobs_ended_total", ("nlp", "SUCCEEDED")] == 1
    assert found["aifactory_jobs_oldest_wait_seconds", ("nlp",)] == 500
    assert found["aifactory_jobs_lately_seconds", ("nlp", "queued", "0.5")] == 100
    assert found["aifactory_jobs_lately_seconds", ("nlp", "ran", "0.9")] == 700
    assert not [labels for name, labels in found if name.startswith("aifactory_job") and "vision" in labels]


async def test_what_ended_long_ago_is_counted_and_not_lately(service: RunningService) -> None:
    job = await submit(service, "a")
    service.context.jobs.finish(job, JobState.CANCELLED, reason=None, exit_code=None, now=NOW - 3601)
    found = await told(service)
    assert found["aifactory_jobs_ended_total", ("nlp", "CANCELLED")] == 1
    assert not [name for name, _ in found if name == "aifactory_jobs_lately_seconds"]
    assert not [name for name, _ in found if name == "aifactory_jobs_oldest_wait_seconds"]


async def test_a_team_s_budget_is_told_and_nobody_s_own(service: RunningService) -> None:
    begin, end = int(NOW) - 7200, int(NOW) - 3600
    ada = Possession("nlp", "ada", "mig-1g.10gb", "server", gpus=Fraction(1, 7))
    bound = UsageFact.exact("p1", FactKind.BOUND, Source.WATCH, begin, begin, possession=ada)
    service.context.ledger.append([bound, UsageFact.exact("p1", FactKind.ENDED, Source.WATCH, end, end)])
    found = await told(service)
    budget = ("nlp", "month", "gpu_hours")
    of_budgets: dict[str, Any] = {name: value for (name, labels), value in found.items() if labels == budget}
    assert of_budgets == {
        "aifactory_budget_limit": 2,
        "aifactory_budget_spent": pytest.approx(1 / 7),
        "aifactory_budget_reserved": 0,
    }
    assert not [labels for _, labels in found if "each" in labels]
    # The ledger has not heard of the cluster for long: what is spent is unknown, and not what it was.
    object.__setattr__(service.context.budgets, "heard_at", lambda: int(NOW) - 3600)
    found = await told(service)
    assert {name for name, labels in found if labels == budget} == {"aifactory_budget_limit"}


def test_quantiles_are_values_that_there_are() -> None:
    assert [nearest([1.0, 2.0, 3.0, 4.0], each) for each in (0.0, 0.5, 0.9)] == [1.0, 3.0, 4.0]
    assert nearest([5.0], 0.9) == 5.0
    family = lately([EndedJob("nlp", None, 3.0), EndedJob("nlp", None, 1.0), EndedJob("vision", None, None)])
    assert [(sample.labels["phase"], sample.value) for sample in family.samples] == [("ran", 3.0), ("ran", 3.0)]
