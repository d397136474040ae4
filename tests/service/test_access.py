"""Who may do what, through the real gate and a hub that answers as JupyterHub does."""

from __future__ import annotations

import asyncio

import pytest

from aifactory_hub import constants
from aifactory_hub.service.auth import hub_auth

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService
from ..support.tenants import SMALL

JOB = {"command": "true", "profile": "mig-1g.10gb"}

# name, token, tenant in the request, status, reason, a part of the message
SUBMITS = [
    ("a member", "ada", None, 201, None, ""),
    ("a member who names her tenant", "ada", "nlp", 201, None, ""),
    ("another tenant", "ada", "vision", 403, "not-a-member", "not for team 'vision'. It is for: nlp"),
    ("a tenant that does not exist", "ada", "ghost", 403, "not-a-member", "not for team 'ghost'. It is for: nlp"),
    ("two tenants, none named", "both", None, 400, "choice-missing", "Choices: nlp, vision"),
    ("two tenants, one named", "both", "vision", 201, None, ""),
    ("unfiltered scopes, none named", "everything", None, 400, "choice-missing", "Choices: nlp, vision"),
    ("only reading", "reader", None, 403, "not-a-member", "for no team"),
    ("no tenant", "stranger", None, 403, "not-a-member", "for no team"),
    ("not for this service", "no-access", None, 403, "forbidden", "not for this service"),
    ("a service", "robot", None, 403, "forbidden", "for people"),
    ("unknown token", "nobody", None, 401, "not-signed-in", "does not know this token"),
    ("no token", None, None, 401, "not-signed-in", "Authorization: Bearer"),
]


@pytest.mark.parametrize(
    ("token", "tenant", "status", "reason", "said"),
    [case[1:] for case in SUBMITS],
    ids=[case[0].replace(" ", "-") for case in SUBMITS],
)
async def test_who_may_submit(
    service: RunningService, token: str | None, tenant: str | None, status: int, reason: str | None, said: str
) -> None:
    async with service.http(token) as http:
        answer = await http.post("/jobs", json={**JOB, "key": "k", "tenant": tenant})
    assert answer.status_code == status, answer.text
    assert answer.json().get("reason") == reason
    if reason is not None:
        assert said in answer.json()["detail"]
        assert service.context.jobs.live() == []


@pytest.mark.parametrize(
    ("token", "status"),
    [("ada", 200), ("bob", 200), ("reader", 200), ("both", 200), ("eve", 404), ("stranger", 404), (None, 401)],
)
@pytest.mark.parametrize("path", ["", "/logs", "/artifacts", "/artifacts/x"])
async def test_who_may_see_a_job(service: RunningService, token: str | None, status: int, path: str) -> None:
    job_id = await submitted(service, "ada")
    async with service.http(token) as http:
        answer = await http.get(f"/jobs/{job_id}{path}")
    if path == "/artifacts/x" and status == 200:
        assert (answer.status_code, answer.json()["reason"]) == (404, "unknown-artifact")
        return
    assert answer.status_code == status, answer.text
    if status == 404:
        assert answer.json()["reason"] == "unknown-job"


@pytest.mark.parametrize(
    ("token", "status"),
    [("ada", 202), ("bob", 403), ("grace", 202), ("reader", 403), ("eve", 404), ("nobody", 401)],
)
async def test_who_may_cancel(service: RunningService, token: str, status: int) -> None:
    job_id = await submitted(service, "ada")
    async with service.http(token) as http:
        answer = await http.delete(f"/jobs/{job_id}")
    assert answer.status_code == status, answer.text
    job = service.context.jobs.get(job_id)
    assert job is not None
    assert job.cancel_asked_by == ({"ada": "ada", "grace": "grace"}.get(token))
    if status == 202:
        assert answer.json()["cancelled_by"] == token


async def test_lists_hold_the_callers_tenants_jobs_only(service: RunningService) -> None:
    mine = await submitted(service, "ada", key="1")
    mates = await submitted(service, "bob", key="1")
    theirs = await submitted(service, "eve", key="1")
    seen = {}
    for token in ("ada", "eve", "both", "reader", "stranger"):
        async with service.http(token) as http:
            seen[token] = [job["id"] for job in (await http.get("/jobs")).json()["jobs"]]
    assert seen["ada"] == seen["reader"] == [mates, mine]
    assert seen["eve"] == [theirs]
    assert seen["both"] == [theirs, mates, mine]
    assert seen["stranger"] == []
    async with service.http("ada") as http:
        assert [j["id"] for j in (await http.get("/jobs?mine=true")).json()["jobs"]] == [mine]
        assert (await http.get("/jobs?tenant=vision")).json()["reason"] == "not-a-member"
        page = (await http.get("/jobs?limit=1")).json()
        assert (page["jobs"][0]["id"], page["next"]) == (mates, mates)
        rest = (await http.get(f"/jobs?limit=1&before={page['next']}")).json()
        assert (rest["jobs"][0]["id"], rest["next"]) == (mine, None)


async def test_the_same_key_of_two_people_is_two_jobs(service: RunningService) -> None:
    assert await submitted(service, "ada", key="k") != await submitted(service, "bob", key="k")
    assert await submitted(service, "ada", key="k") == await submitted(service, "ada", key="k")


async def test_a_hub_that_is_not_well_is_said_and_can_be_tried_again(service: RunningService, hub: FakeHub) -> None:
    for status in (500, 502, 503, 429):
        hub.status = status
        async with service.http("ada") as http:
            answer = await http.post("/jobs", json={**JOB, "key": "k"})
        assert (answer.status_code, answer.json()["reason"]) == (503, "hub-unavailable"), status
        assert answer.headers["Retry-After"] == "3"
    await hub.stop()
    async with service.http("bob") as http:
        answer = await http.get("/jobs")
    assert (answer.status_code, answer.json()["reason"]) == (503, "hub-unavailable")
    assert service.context.jobs.live() == []


async def test_changes_of_one_token_at_once_share_one_question(service: RunningService, hub: FakeHub) -> None:
    async with service.http("ada") as http:
        bodies = [{**JOB, "key": f"k{n}"} for n in range(10)]
        answers = await asyncio.gather(*(http.post("/jobs", json=body) for body in bodies))
        assert [answer.status_code for answer in answers] == [201] * 10
        assert hub.asked < 10
        hub.status = 500
        await asyncio.sleep(hub_auth.SHARED)
        assert (await http.post("/jobs", json=JOB)).status_code == 503
        hub.status = 200  # a failure is nobody else's
        assert (await http.post("/jobs", json={**JOB, "key": "after"})).status_code == 201


async def test_reading_asks_the_hub_seldom_and_changing_asks_it_always(
    service: RunningService, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_auth, "SHARED", 0.0)
    async with service.http("ada") as http:
        for _ in range(5):
            await http.get("/jobs")
        assert hub.asked == 1
        job_id = (await http.post("/jobs", json={**JOB, "key": "k"})).json()["id"]
        assert hub.asked == 2
        del hub.models["ada"]
        assert (await http.delete(f"/jobs/{job_id}")).status_code == 401
        assert (await http.post("/jobs", json={**JOB, "key": "k2"})).status_code == 401


async def test_quota_says_what_is_held_by_whom_and_what_fits(service: RunningService) -> None:
    await submitted(service, "ada")
    await service.reconciler.settle()
    async with service.http("bob") as http:
        quota = (await http.get("/quota")).json()
        assert (await http.get("/quota?tenant=vision")).status_code == 403
    assert quota["tenant"] == "nlp"
    assert quota["devices"] == [{**SMALL._asdict(), "nominal": 2, "borrowing": 0, "limit": 2, "used": 1}]
    assert [(h["kind"], h["user"]) for h in quota["holders"]] == [("job", "ada")]
    menu = {line["profile"]: line["room"] for line in quota["menu"]}
    assert menu == {"cpu-small": None, "mig-1g.10gb": 1, "mig-3g.40gb": 0}
    assert quota["menu"][1]["price_per_hour"] == "0.40"
    assert (quota["known"], quota["simulated"]) == (True, True)


async def test_what_needs_no_token_names_no_tenant(service: RunningService) -> None:
    async with service.http() as http:
        health = await http.get("/health")
        limits = await http.get("/limits")
    assert health.json()["status"] == "ok"
    assert limits.json()["max_upload"] == 256 * 2**20
    for answer in (health, limits):
        assert answer.status_code == 200
        assert "nlp" not in answer.text
        assert "Server" not in answer.headers


async def submitted(service: RunningService, token: str, *, key: str = "key") -> str:
    async with service.http(token) as http:
        answer = await http.post("/jobs", json={**JOB, "key": key})
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


def test_the_scopes_that_are_asked_for_are_the_published_ones() -> None:
    assert constants.JOB_SCOPES == (
        constants.SCOPE_SUBMIT,
        constants.SCOPE_READ,
        constants.SCOPE_CANCEL,
        constants.SCOPE_PREDICT,
    )
