"""Budgets on the command line and from Python, against the real service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_hub.client import budget, grant_budget
from aifactory_hub.client.session import Session
from aifactory_hub.domain.budgets import Action, Budget, Step, Unit
from aifactory_hub.registry.model import Registry

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, make_registry, running_service

EACH = Budget("each", Unit.GPU_HOURS, Fraction(4 * 3600), (Step(100, Action.HOLD),), person=True)


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    hub.add("ada-token", "ada", scopes_for("nlp"), groups=["tenant-nlp", "tenant-nlp-admin"])

    def registry(url: str) -> Registry:
        known = make_registry(service=url)
        budgets = (replace(EACH, name="month", person=False), EACH)
        return replace(known, tenants={**known.tenants, "nlp": replace(known.tenants["nlp"], budgets=budgets)})

    async with running_service(tmp_path / "service", hub=hub, registry=registry, reconciling=False) as service:
        yield service


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["budget", *arguments])


@pytest.mark.usefixtures("here")
async def test_the_command_shows_budgets_and_grants_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIFACTORY_TENANT", "nlp")
    shown = await run()
    assert shown.exit_code == 0, shown.output
    assert "month" in shown.output and "0.00 of 4.00 GPU-hours" in shown.output
    asked = ("each", "2.5", "--user", "bob", "--for", "2d", "--reason", "one more run")
    granted = await run("grant", *asked)
    assert granted.exit_code == 0, granted.output
    assert "2.50 more of each of bob until" in granted.output
    refused = await run("grant", "month", "2", "--for", "2d", "--reason", "more")
    assert (refused.exit_code, "administrators of the hub" in refused.output) == (1, True)


async def test_from_python(session: Session) -> None:
    told: dict[str, Any] = await asyncio.to_thread(budget, session=session)
    assert [each["name"] for each in told["budgets"]] == ["month", "each"]
    until = int(session.now()) + 3600

    def grant() -> dict[str, Any]:
        return grant_budget("each", 1, reason="more", until=until, user="ada", session=session)

    assert (await asyncio.to_thread(grant))["budgets"][1]["limit"] == "5.00"
    assert (await asyncio.to_thread(grant))["budgets"][1]["limit"] == "5.00"  # the same grant once more
