"""A team's overview over REST."""

from __future__ import annotations

import pytest

from ..support.job_service import RunningService


@pytest.mark.parametrize(
    ("token", "tenant", "status"),
    [("ada", "nlp", 200), ("reader", "nlp", 200), ("ada", "vision", 403), ("ada", "ghost", 403), (None, "nlp", 401)],
)
async def test_who_may_see_an_overview(service: RunningService, token: str | None, tenant: str, status: int) -> None:
    async with service.http(token) as http:
        answer = await http.get(f"/tenants/{tenant}/overview")
    assert answer.status_code == status, answer.text


async def test_it_says_who_holds_what(service: RunningService) -> None:
    async with service.http("ada") as http:
        asked = {"command": "true", "profile": "mig-1g.10gb", "key": "k"}
        job = (await http.post("/jobs", json=asked)).json()["id"]
        await service.reconciler.settle()
        answer = (await http.get("/tenants/nlp/overview")).json()
    assert (answer["tenant"], answer["role"], answer["known"], answer["waiting"]) == ("nlp", "member", True, [])
    (held,) = answer["holding"]
    assert (held["kind"], held["owner"], held["user"], held["since"] is None) == ("job", job, "ada", False)
