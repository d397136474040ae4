"""A browser's session: sign-in at the hub, what a request with the cookie may do, and what ends it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from aifactory_hub.service.auth import hub_auth
from aifactory_hub.service.auth.browser_session import Asking, page_refusal, proof_of, refusal

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import PREFIX, SCRIPT, RunningService

HTML = {"Accept": "text/html,*/*;q=0.8"}
JOB = {"command": "python train.py", "profile": "mig-1g.10gb", "key": "k"}
SESSION = "aifactory-session"


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's answers are shared for no time."""
    monkeypatch.setattr(hub_auth, "SHARED", -1.0)


def browser(service: RunningService) -> httpx.AsyncClient:
    """A browser without cookies."""
    address = service.url.removesuffix(PREFIX)
    return httpx.AsyncClient(base_url=address, headers=HTML, timeout=10, trust_env=False)


async def begun(http: httpx.AsyncClient, path: str = PREFIX) -> str:
    """Go to a page without a session; the state that goes to the hub."""
    answer = await http.get(path)
    assert answer.status_code == 302, answer.text
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"{PREFIX}oauth_callback"]
    return asked["state"][0]


async def come_back(http: httpx.AsyncClient, code: str, state: str) -> httpx.Response:
    return await http.get(f"{PREFIX}oauth_callback", params={"code": code, "state": state})


async def sign_in(http: httpx.AsyncClient, token: str) -> dict[str, str]:
    """Get a session and its page; what proves a request of the page."""
    answer = await come_back(http, token, await begun(http))
    assert (answer.status_code, answer.headers["Location"]) == (302, PREFIX), answer.text
    assert (await http.get(PREFIX)).status_code == 200
    return {"X-XSRFToken": http.cookies["_xsrf"], "Accept": "*/*"}


async def test_who_has_no_session_is_sent_to_the_hub_and_comes_back(service: RunningService) -> None:
    async with browser(service) as http:
        first = await http.get(f"{PREFIX}jobs?state=FAILED&text=a%2Fb")
        assert urlsplit(first.headers["Location"]).path == "/hub/api/oauth2/authorize"
        state = parse_qs(urlsplit(first.headers["Location"]).query)["state"][0]
        back = await come_back(http, "ada", state)
        assert back.headers["Location"] == f"{PREFIX}jobs?state=FAILED&text=a%2Fb"
        flags = next(value for value in back.headers.get_list("Set-Cookie") if value.startswith(SESSION))
        assert re.search(r"HttpOnly; Path=/services/aifactory/; SameSite=Lax", flags)
        assert "expires" not in flags.lower()
        page = await http.get(back.headers["Location"])
    assert page.status_code == 200
    assert 'data-user="ada"' in page.text
    assert f'src="{PREFIX}static/{SCRIPT}"' in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy


async def test_behind_https_no_cookie_goes_over_http(service: RunningService) -> None:
    async with browser(service) as http:
        for protocol, wanted in (("http", False), ("https", True)):
            answer = await http.get(PREFIX, headers={"X-Forwarded-Proto": protocol})
            assert ("Secure" in answer.headers["Set-Cookie"]) == wanted


@pytest.mark.parametrize("given", ["", "-", "ä", "x" * 43, "../" * 20])
async def test_a_state_that_did_not_begin_here_is_refused(service: RunningService, given: str) -> None:
    async with browser(service) as http:
        await begun(http)
        answer = await come_back(http, "ada", given)
        assert (answer.status_code, SESSION in http.cookies) == (400, False)
        assert "did not begin in this browser" in answer.text


async def test_a_state_is_of_one_browser_and_serves_once(service: RunningService) -> None:
    async with browser(service) as http, browser(service) as other:
        state = await begun(other)
        assert (await come_back(http, "ada", state)).status_code == 400
        assert (await come_back(other, "ada", state)).status_code == 302
        assert (await come_back(other, "ada", state)).status_code == 400


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [("no-such-code", 400, "did not complete"), ("no-access", 403, "not for this service"), ("robot", 403, "people")],
)
async def test_who_may_not_use_the_service_gets_no_session(
    service: RunningService, code: str, status: int, words: str
) -> None:
    async with browser(service) as http:
        answer = await come_back(http, code, await begun(http))
        assert (answer.status_code, SESSION in http.cookies) == (status, False)
        assert words in answer.text and "<a href=" in answer.text


async def test_a_session_may_what_its_token_may(service: RunningService) -> None:
    async with browser(service) as http, service.http("ada") as program:
        proof = await sign_in(http, "ada")
        made = await http.post(f"{PREFIX}api/v1/jobs", json=JOB, headers=proof)
        assert made.status_code == 201, made.text
        for path in ("jobs", f"jobs/{made.json()['id']}", "quota", "jobs?tenant=vision", "schedules"):
            mine = await http.get(f"{PREFIX}api/v1/{path}", headers=proof)
            same = await program.get(f"/{path}")
            assert (mine.status_code, mine.json()) == (same.status_code, same.json()), path


@pytest.mark.parametrize(
    "change",
    [
        {"X-XSRFToken": ""},
        {"X-XSRFToken": "0" * 64},
        {"X-XSRFToken": "ä".encode().decode("latin-1")},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
async def test_a_request_that_our_page_did_not_send_changes_nothing(
    service: RunningService, change: Mapping[str, str]
) -> None:
    async with browser(service) as http:
        proof = await sign_in(http, "ada")
        headers: dict[str, Any] = {k: v.encode("latin-1") for k, v in {**proof, **change}.items()}
        answer = await http.post(f"{PREFIX}api/v1/jobs", json=JOB, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden")
        assert (await http.get(f"{PREFIX}api/v1/jobs", headers=proof)).json()["jobs"] == []


async def test_the_proof_is_of_one_session_and_a_header_goes_first(service: RunningService) -> None:
    async with browser(service) as http, browser(service) as other:
        theirs, own = await sign_in(other, "bob"), await sign_in(http, "ada")
        assert (await http.get(f"{PREFIX}api/v1/jobs", headers=theirs)).status_code == 403
        eve = await http.get(f"{PREFIX}api/v1/quota", headers={"Authorization": "token eve"})
        assert eve.json()["tenant"] == "vision"
        in_the_address = await http.get(f"{PREFIX}api/v1/quota?_xsrf={own['X-XSRFToken']}")
        assert in_the_address.json()["tenant"] == "nlp"


async def test_a_forged_cookie_is_no_session(service: RunningService) -> None:
    async with browser(service) as http:
        http.cookies.set(SESSION, "2|1:0|10:1800000000|17:aifactory-session|4:YWRh|" + "0" * 64, path=PREFIX)
        assert (await http.get(f"{PREFIX}api/v1/jobs", headers={"Accept": "*/*"})).status_code == 401
        await begun(http)


async def test_a_token_that_the_hub_took_back_ends_the_session(service: RunningService, hub: FakeHub) -> None:
    async with browser(service) as http:
        proof = await sign_in(http, "ada")
        del hub.models["ada"]
        await begun(http)
        assert (await http.post(f"{PREFIX}api/v1/jobs", json=JOB, headers=proof)).status_code == 401


async def test_who_left_the_team_or_was_signed_out_sees_nothing_of_it(service: RunningService, hub: FakeHub) -> None:
    async with browser(service) as http:
        proof = await sign_in(http, "ada")
        job = (await http.post(f"{PREFIX}api/v1/jobs", json=JOB, headers=proof)).json()["id"]
        assert (await http.get(f"{PREFIX}jobs/{job}")).status_code == 200
        hub.memberships["ada"] = {"standing": "known", "tenants": {}, "resolved_at": 0}
        gone = await http.get(f"{PREFIX}jobs/{job}")
        assert (gone.status_code, "There is no job" in gone.text) == (404, True)
        hub.memberships["ada"] = {"standing": "ended", "tenants": {}, "resolved_at": 0}
        ended = await http.get(PREFIX)
        assert (ended.status_code, "Sign in again at the hub" in ended.text) == (403, True)


async def test_people_get_pages_and_programs_get_json(service: RunningService, hub: FakeHub) -> None:
    async with browser(service) as http:
        await sign_in(http, "ada")
        for path in ("nowhere", "jobs/j0123456789ab", "static/page.js", "api/v1/nowhere"):
            page = await http.get(f"{PREFIX}{path}")
            assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
            assert f'<a href="{PREFIX}">Jobs</a>' in page.text and '<a href="/hub/home">' in page.text
            program = await http.get(f"{PREFIX}{path}", headers={"Accept": "*/*"})
            assert program.headers["Content-Type"].startswith("application/problem+json")
        framed = await http.get(PREFIX, headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"})
        assert framed.status_code == 403
        hub.status = 502
        away = await http.get(PREFIX)
        assert (away.status_code, "The hub does not answer now" in away.text) == (503, True)


async def test_what_people_are_called_is_shown_as_text(service: RunningService, hub: FakeHub) -> None:
    hub.add("odd", '"><script>alert(1)</script>', scopes_for("nlp"), groups=["tenant-nlp"])
    async with browser(service) as http:
        await sign_in(http, "odd")
        page = (await http.get(PREFIX)).text
        lost = (await http.get(f"{PREFIX}jobs/%3Cscript%3Ealert(1)%3C%2Fscript%3E")).text
    assert "<script>alert" not in page + lost
    assert "&lt;script&gt;alert" in page and "&lt;script&gt;alert" in lost


async def test_the_built_files_are_for_everybody_and_never_change(service: RunningService) -> None:
    async with browser(service) as http:
        answer = await http.get(f"{PREFIX}static/{SCRIPT}")
    assert (answer.status_code, answer.text) == (200, "// script")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["Cache-Control"]


PROOF = proof_of(b"key", "token")


@pytest.mark.parametrize(
    ("method", "headers", "good"),
    [
        ("GET", {"X-XSRFToken": PROOF}, True),
        ("POST", {"X-XSRFToken": PROOF, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, True),
        ("POST", {"X-XSRFToken": PROOF, "Origin": "http://hub:8000"}, True),
        ("POST", {"X-XSRFToken": PROOF, "Origin": "http://hub:9000"}, False),
        ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}, True),
        ("GET", {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, False),
        ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, False),
        ("POST", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}, False),
        ("GET", {}, False),
    ],
)
def test_which_requests_may_use_the_session(method: str, headers: Mapping[str, str], good: bool) -> None:
    said = refusal(Asking.of(method, "hub:8000", headers, None), PROOF)
    assert (said is None) == good


@pytest.mark.parametrize(
    ("mode", "destination", "good"),
    [(None, None, True), ("navigate", "document", True), ("navigate", "iframe", False), ("cors", "empty", False)],
)
def test_the_page_is_only_opened_as_a_page(mode: str | None, destination: str | None, good: bool) -> None:
    headers = {} if mode is None else {"Sec-Fetch-Mode": mode}
    assert (page_refusal(Asking.of("GET", "hub", headers, None), destination) is None) == good
