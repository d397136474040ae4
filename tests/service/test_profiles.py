"""A team's menu over REST."""

from __future__ import annotations

import pytest

from ..support.job_service import RunningService
from ..support.tenants import SMALL


@pytest.mark.parametrize(
    ("token", "tenant", "status"),
    [("ada", "nlp", 200), ("reader", "nlp", 200), ("ada", "vision", 403), ("ada", "ghost", 403), (None, "nlp", 401)],
)
async def test_who_may_see_a_menu(service: RunningService, token: str | None, tenant: str, status: int) -> None:
    async with service.http(token) as http:
        answer = await http.get(f"/tenants/{tenant}/profiles")
    assert answer.status_code == status, answer.text


async def test_the_numbers_of_a_menu(service: RunningService) -> None:
    async with service.http("ada") as http:
        answer = (await http.get("/tenants/nlp/profiles")).json()
    assert (answer["tenant"], answer["known"], answer["simulated"]) == ("nlp", True, True)
    small = next(profile for profile in answer["profiles"] if profile["profile"] == "mig-1g.10gb")
    assert small["devices"] == {SMALL.resource: 1}
    assert (small["availability"], small["free_now"]) == ("free", 2)
    assert small["team"] == {"free": 2, "total": 2}
    assert small["cluster"] == {"free": 7, "total": 7}
    large = next(profile for profile in answer["profiles"] if profile["profile"] == "mig-3g.40gb")
    assert (large["availability"], large["reason"]) == ("never", "nlp has no quota for 3g.40gb")
