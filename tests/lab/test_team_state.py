"""Approvals and budgets in the panel: asked seldom, and what is not known is null."""

from __future__ import annotations

from typing import Any

import httpx

from aifactory_hub.client.session import Account
from aifactory_hub.lab.team_state import FRESH, TeamState
from aifactory_hub.lab.upstream import Upstream

STEPS = [{"share": 80, "action": "warn", "reached": True}, {"share": 100, "action": "hold", "reached": False}]
NEAR = {"name": "month", "words": "84 of 100 GPU-hours are used", "steps": STEPS}
FAR = {"name": "each", "words": "4 of 100 GPU-hours are used", "steps": [{**STEPS[0], "reached": False}]}


class Service:
    """Answers, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting = 2
        self.away = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.away:
            raise httpx.ConnectError("away")
        if request.url.path.endswith("/approvals"):
            assert request.url.params["state"] == "OPEN"
            return httpx.Response(200, json={"approvals": [], "waiting": self.waiting})
        return httpx.Response(200, json={"budgets": [NEAR, FAR]})


def state(service: Service, tenant: str | None = "nlp") -> tuple[TeamState, list[float]]:
    now = [1000.0]
    account = Account("http://hub.test/services/aifactory", "a-token", tenant=tenant)
    return TeamState(Upstream(account, transport=httpx.MockTransport(service)), clock=lambda: now[0]), now


async def test_approvals_and_budgets_that_reached_a_step_are_told_with_the_page() -> None:
    team, _ = state(Service())
    found = await team.now()
    assert found == {
        "approvals": 2,
        "budgets": ["Budget month: 84 of 100 GPU-hours are used"],
        "page": "/services/aifactory/approvals",
    }


async def test_the_service_is_asked_once_a_minute() -> None:
    service = Service()
    team, now = state(service)
    await team.now()
    service.waiting = 0
    now[0] += FRESH - 1
    assert (await team.now())["approvals"] == 2 and len(service.asked) == 2
    now[0] += 2
    assert (await team.now())["approvals"] == 0 and len(service.asked) == 4


async def test_a_service_that_is_away_has_changed_nothing_and_at_first_nothing_is_known() -> None:
    service = Service()
    team, now = state(service)
    service.away = True
    found: Any = await team.now()
    assert (found["approvals"], found["budgets"]) == (None, None)
    service.away = False
    now[0] += FRESH
    await team.now()
    service.away = True
    now[0] += FRESH
    assert (await team.now())["approvals"] == 2


async def test_outside_a_team_no_budget_is_asked_for() -> None:
    service = Service()
    team, _ = state(service, tenant=None)
    found = await team.now()
    assert service.asked == ["/services/aifactory/api/v1/approvals"] and found["budgets"] is None
