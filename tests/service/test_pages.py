"""The pages outside JupyterLab, served: who gets which, and what the hub asks for Home."""

from __future__ import annotations

import httpx
import pytest

from aifactory_hub.constants import SCOPE_PLATFORM
from aifactory_hub.service.auth.runner_tokens import token_hash

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import PREFIX, RunningService
from .test_access import submitted
from .test_sessions import begun, browser, come_back


async def page(service: RunningService, token: str, path: str) -> httpx.Response:
    """A page as the person with this token gets it after the sign-in."""
    async with browser(service) as http:
        back = await come_back(http, token, await begun(http, f"{PREFIX}{path}"))
        assert back.headers["Location"] == f"{PREFIX}{path}"
        return await http.get(back.headers["Location"])


@pytest.mark.parametrize(
    ("token", "tenant", "status", "said"),
    [
        ("ada", "nlp", 200, "<title>Team</title>"),
        ("reader", "nlp", 200, "<title>Team</title>"),
        ("ada", "vision", 403, "You are in no team &#x27;vision&#x27;"),
        ("ada", "ghost", 403, "You are in no team &#x27;ghost&#x27;"),
        ("stranger", "nlp", 403, "You are in no team &#x27;nlp&#x27;"),
    ],
)
async def test_a_teams_page_is_for_its_people(
    service: RunningService, token: str, tenant: str, status: int, said: str
) -> None:
    answer = await page(service, token, f"team/{tenant}")
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


async def test_the_platforms_page_tells_others_that_it_is_not_for_them(service: RunningService, hub: FakeHub) -> None:
    hub.administrators.add("rene")
    hub.add("rene", "rene", [*scopes_for(), SCOPE_PLATFORM])
    hub.add("notebook", "rene", scopes_for())
    for token, status in (("rene", 200), ("notebook", 403), ("ada", 403)):
        answer = await page(service, token, "platform")
        assert answer.status_code == status
        assert f'data-administrator="{status == 200}"' in answer.text
        async with service.http(token) as http:
            overview = await http.get("/platform/overview")
        assert overview.status_code == status
    async with service.http("rene") as http:
        teams = (await http.get("/platform/overview")).json()["teams"]
    assert [(team["tenant"], team["servers"]) for team in teams] == [("nlp", 0), ("vision", 0)]


async def test_a_page_that_another_page_asks_for_is_not_given(service: RunningService) -> None:
    async with browser(service) as http:
        await come_back(http, "ada", await begun(http))
        for path in ("", "team/nlp", "platform", "approvals", "approvals/a1", "notifications"):
            answer = await http.get(f"{PREFIX}{path}", headers={"Sec-Fetch-Mode": "cors"})
            assert answer.status_code == 403, path


async def test_the_hub_asks_for_a_persons_jobs_with_the_sites_token_alone(service: RunningService) -> None:
    mine = await submitted(service, "ada", key="1")
    await submitted(service, "bob", key="1")
    object.__setattr__(service.context, "site_token_hash", token_hash("shared"))
    address = f"{service.url}api/v1/site/jobs"
    async with httpx.AsyncClient(trust_env=False) as http:

        async def asked(token: str, **of: str) -> httpx.Response:
            return await http.get(address, params=of, headers={"Authorization": f"Bearer {token}"})

        found = await asked("shared", user="ada", tenant="nlp")
        assert [job["id"] for job in found.json()["jobs"]] == [mine]
        assert (await asked("shared", user="ada", tenant="vision")).json() == {"jobs": []}
        assert (await asked("shared", user="ada")).json() == {"jobs": []}
        assert (await asked("ada", user="ada", tenant="nlp")).status_code == 403
        assert (await asked("shared", tenant="nlp")).status_code == 400


async def test_a_word_to_the_owner_comes_with_the_end_of_their_job(service: RunningService) -> None:
    job = await submitted(service, "ada")
    async with service.http("grace") as http:
        assert (await http.delete(f"/jobs/{job}", params={"reason": "x" * 501})).status_code == 400
        first = await http.delete(f"/jobs/{job}", params={"reason": " the demo   needs it "})
        assert (first.status_code, first.json()["cancel_word"]) == (202, "the demo needs it")
        await http.delete(f"/jobs/{job}", params={"reason": "no, another reason"})
    await service.reconciler.settle()
    async with service.http("ada") as http:
        told = (await http.get(f"/jobs/{job}")).json()
    assert (told["state"], told["cancelled_by"], told["cancel_word"]) == ("CANCELLED", "grace", "the demo needs it")
    assert told["reason"] == "cancelled by grace: the demo needs it"
