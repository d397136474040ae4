"""Usage and bills over HTTP: sums that add up, and who sees what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.months import Span, month
from aifactory_hub.domain.prices import PriceVersion
from aifactory_hub.domain.usage import Attribution, FactKind, Possession, Source, UsageFact
from aifactory_hub.registry.model import BillingConfig, Registry

from ..support.fake_hub import ACCESS, FakeHub, scopes_for
from ..support.job_service import Clock, RunningService, make_registry, running_service

BILLING = BillingConfig("EUR", "Europe/Amsterdam")
OCTOBER: Span = month("2026-10", BILLING.zone)
NOVEMBER: Span = month("2026-11", BILLING.zone)
HOUR = 3600
# The fifth of November, when all tests ask.
NOW = NOVEMBER.start + 4 * 24 * HOUR


def whose(tenant: str, user: str, profile: str = "small", *, kind: str = "server", **more: Any) -> Possession:
    one = Possession(tenant, user, profile, kind, user, f"nb-{user}", "node-1", {"h100/gpu": 1}, Fraction(1, 7))
    return replace(one, attribution=Attribution.TICKET, **more)


def life(pod: str, possession: Possession, start: int, end: int | None) -> list[UsageFact]:
    bound = UsageFact.exact(pod, FactKind.BOUND, Source.WATCH, start, start, possession=possession)
    ended = [] if end is None else [UsageFact.exact(pod, FactKind.ENDED, Source.WATCH, end, end)]
    return [bound, *ended]


# In nlp ada and bob, and a pod that nobody knows; eve in vision. ada's second goes on.
FACTS = [
    *life("a1", whose("nlp", "ada"), NOVEMBER.start + HOUR, NOVEMBER.start + 3 * HOUR),
    *life("a2", whose("nlp", "ada", "free-of-price", kind="job"), NOW - HOUR, None),
    *life("b1", whose("nlp", "bob"), NOVEMBER.start - HOUR, NOVEMBER.start + HOUR),
    *life("x1", whose("nlp", "", kind="pod"), NOVEMBER.start, NOVEMBER.start + 100),
    *life("e1", whose("vision", "eve", simulated=True), NOVEMBER.start, NOVEMBER.start + HOUR),
]


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    hub.add("viewer", "vera", scopes_for("nlp", names=["custom:aifactory:jobs:read"]))
    hub.add("platform", "rene", [ACCESS, "admin-ui"])
    hub.add("rene-notebook", "rene", scopes_for("nlp"))
    hub.add("pretender", "pia", [*scopes_for("nlp"), "admin-ui"])
    hub.administrators.add("rene")

    def registry(url: str) -> Registry:
        return replace(make_registry(service=url), billing=BILLING)

    clock = Clock(float(NOW))
    async with running_service(tmp_path, hub=hub, registry=registry, reconciling=False, clock=clock) as service:
        service.context.ledger.append(FACTS)
        service.context.billing.add_price(PriceVersion("small", 0, Decimal("1.50"), "EUR"))
        yield service


async def get(service: RunningService, token: str, path: str, status: int = 200) -> Any:
    async with service.http(token) as http:
        answer = await http.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_ones_own_month_is_told_by_team_profile_and_kind(service: RunningService) -> None:
    mine = await get(service, "ada", "/usage/me")
    assert (mine["month"], mine["start"], mine["end"], mine["as_of"]) == ("2026-11", NOVEMBER.start, NOVEMBER.end, NOW)
    assert (mine["seconds"], mine["pods"], mine["amount"], mine["currency"]) == (3 * HOUR, 2, "3.00", "EUR")
    assert mine["gpu_seconds"] == round(3 * HOUR / 7, 3)
    by_profile = {line["profile"]: line for line in mine["lines"]}
    assert (by_profile["small"]["per_hour"], by_profile["small"]["amount"]) == ("1.50", "3.00")
    assert (by_profile["free-of-price"]["per_hour"], by_profile["free-of-price"]["amount"]) == (None, None)
    assert by_profile["free-of-price"]["seconds"] == HOUR


async def test_of_the_month_before_only_its_own_seconds_count(service: RunningService) -> None:
    assert (await get(service, "bob", "/usage/me?month=2026-10"))["seconds"] == HOUR
    assert (await get(service, "bob", "/usage/me"))["seconds"] == HOUR
    assert (await get(service, "bob", "/usage/me?month=2026-12"))["amount"] is None


@pytest.mark.parametrize("by", ["user", "profile", "kind", "day", "hour"])
async def test_rows_of_a_team_sum_to_its_total_whatever_they_are_added_up_by(service: RunningService, by: str) -> None:
    told = await get(service, "grace", f"/tenants/nlp/usage?by={by}")
    assert told["scope"] == "team"
    assert sum(row["seconds"] for row in told["rows"]) == told["total"]["seconds"] == 4 * HOUR + 100
    assert told["total"]["amount"] == "4.54"
    assert sum(Decimal(row["amount"] or 0) for row in told["rows"]) == Decimal("4.54")
    assert told["total"]["unpriced_seconds"] == HOUR
    assert told["total"]["pods"] == 4
