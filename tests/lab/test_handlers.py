"""What the panel's handlers let through, and whom they let in."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.web import RequestHandler

from aifactory_hub.lab.handlers import routes

from .conftest import CHECKOUT, HUB_TOKEN, LOGIN, JupyterServer, account, running_hub_side, running_jupyter

pytestmark = pytest.mark.asyncio(loop_scope="package")

METHODS = ("get", "head", "post", "put", "patch", "delete")


def handled() -> list[tuple[str, str]]:
    """Every method that a handler of ours has, with a path that leads to it."""
    nothing: Any = None
    return [
        (method, path.replace("(.+)", "jobs"))
        for path, handler, _ in routes(nothing, nothing, nothing, nothing, nothing)
        for method in METHODS
        if getattr(handler, method) is not getattr(RequestHandler, method) and method != "head"
    ]


async def test_there_are_handlers_to_test() -> None:
    assert len(handled()) >= 5


async def test_no_handler_answers_a_stranger(jupyter: JupyterServer) -> None:
    for method, path in handled():
        answer = await jupyter.stranger.request(method, jupyter.url + path, headers={"X-XSRFToken": "guessed"})
        assert answer.status_code in (302, 403), (method, path, answer.status_code, answer.text)
        assert "nlp" not in answer.text


async def test_what_changes_something_wants_the_page_s_own_token_too(jupyter: JupyterServer) -> None:
    # With the cookie of a login alone, as another site's page would have it sent.
    page = await jupyter.stranger.get(f"{jupyter.url}/api/status", params={"token": LOGIN})
    assert page.status_code == 200
    assert jupyter.stranger.cookies
    for method, path in handled():
        if method != "get":
            answer = await jupyter.stranger.request(method, jupyter.url + path)
            assert answer.status_code == 403, (method, path, answer.status_code)
            assert "_xsrf" in answer.text


async def test_where_i_am_and_what_is_left(jupyter: JupyterServer) -> None:
    answer = await jupyter.client.get(f"{jupyter.url}/aifactory-hub/overview", params={"page": "true"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["service"] == {"reachable": True, "message": None}
    assert found["here"]["tenant"] == "nlp"
    assert found["here"]["profile"] == "mig-1g.10gb"
    assert found["here"]["idle"]["stops_after"] is None
    assert found["quota"]["devices"][0]["limit"] == 2
    assert found["mine"] == []
    assert found["page"] == {"jobs": [], "next": None}
    assert HUB_TOKEN not in answer.text


async def test_a_job_from_submit_to_its_file(jupyter: JupyterServer) -> None:
    body = {"command": "echo hello; echo kept >out.txt", "profile": "mig-1g.10gb", "key": "k1", "outputs": ["out.txt"]}
    base = f"{jupyter.url}/aifactory-hub/api"
    taken = await jupyter.client.post(f"{base}/jobs", json=body)
    assert taken.status_code == 201, taken.text
    job = f"{base}/jobs/{taken.json()['id']}"
    async with asyncio.timeout(30):
        while not (await jupyter.client.get(job)).json()["final"]:
            await asyncio.sleep(0.1)
    assert (await jupyter.client.get(job)).json()["state"] == "SUCCEEDED"
    log = await jupyter.client.get(f"{job}/logs")
    assert "hello" in log.text
    assert log.headers["content-type"].startswith("text/plain")
    file = await jupyter.client.get(f"{job}/artifacts/out.txt")
    assert file.content == b"kept\n"
    assert file.headers["content-disposition"] == "attachment"
    assert "sandbox" in file.headers["content-security-policy"]
    assert file.headers["x-content-type-options"] == "nosniff"


async def test_a_refusal_comes_in_the_service_s_own_words(jupyter: JupyterServer) -> None:
    body = {"command": "true", "profile": "mig-9g.900gb", "key": "k2"}
    answer = await jupyter.client.post(f"{jupyter.url}/aifactory-hub/api/jobs", json=body)
    assert answer.status_code == 403
    said = answer.json()
    assert said["reason"] == "profile-not-allowed"
    assert "mig-9g.900gb" in (said.get("detail") or said["message"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "health"),
        ("GET", "internal/jobs/abc/files"),
        ("GET", "jobs/../internal/jobs/abc/files"),
        ("GET", "jobs/%2e%2e/internal/jobs/abc/files"),
        ("GET", "jobs/abc/artifacts/..%2f..%2fx"),
        ("POST", "uploads/abc"),
        ("DELETE", "jobs"),
        ("POST", "schedules"),
        ("PATCH", "jobs/abc"),
    ],
)
async def test_nothing_else_of_the_service_can_be_asked(jupyter: JupyterServer, method: str, path: str) -> None:
    answer = await jupyter.client.request(method, f"{jupyter.url}/aifactory-hub/api/{path}")
    assert answer.status_code == 404, answer.text


async def test_polling_is_no_activity_and_saying_i_am_here_is(jupyter: JupyterServer) -> None:
    async def last() -> str:
        return str((await jupyter.client.get(f"{jupyter.url}/aifactory-hub/overview")).json()["here"]["idle"])

    before = await last()
    await asyncio.sleep(1.1)
    assert await last() == before
    assert (await jupyter.client.post(f"{jupyter.url}/aifactory-hub/presence", json={})).status_code == 200
    assert await last() != before


async def test_a_service_that_is_away_is_told_as_such(tmp_path: Path) -> None:
    async with running_jupyter(tmp_path, account("http://127.0.0.1:9/services/aifactory")) as jupyter:
        overview = await jupyter.client.get(f"{jupyter.url}/aifactory-hub/overview")
        assert overview.status_code == 200
        assert overview.json()["service"]["reachable"] is False
        assert overview.json()["quota"] is None
        answer = await jupyter.client.get(f"{jupyter.url}/aifactory-hub/api/quota")
        assert answer.status_code == 503
        assert answer.json()["reason"] == "service-unreachable"
        assert "127.0.0.1" not in answer.text


async def test_outside_a_hub_it_is_not_there_and_says_so_once(tmp_path: Path) -> None:
    async with running_jupyter(tmp_path, {}) as jupyter:
        answer = await jupyter.client.get(f"{jupyter.url}/aifactory-hub/overview")
        assert answer.status_code == 404
        assert jupyter.log.read_text().count("AI Factory's panel is off") == 1


async def test_a_script_from_its_context_menu_to_its_file(jupyter: JupyterServer) -> None:
    base = f"{jupyter.url}/aifactory-hub"
    work = jupyter.root / "digits"
    await asyncio.to_thread(work.mkdir)
    (work / "train.py").write_text("print('trained')\nopen('model.txt', 'w').write('weights')\n")
    subject = (await jupyter.client.post(f"{base}/inspect", json={"path": "digits/train.py"})).json()
    assert subject["command"] == "python3 train.py"
    fields = {"command": subject["command"], "profile": "mig-1g.10gb", "name": "Digits 1"}
    form = {"folder": subject["folder"], "fields": fields}
    checked = (await jupyter.client.post(f"{base}/check", json=form)).json()
    assert checked["verdict"]["accepted"] is True
    assert checked["size"] > 0
    taken = [await jupyter.client.post(f"{base}/submit", json={**form, "key": "once"}) for _ in range(2)]
    assert {answer.json()["id"] for answer in taken} == {taken[0].json()["id"]}
    job = taken[0].json()["id"]
    async with asyncio.timeout(30):
        while not (await jupyter.client.get(f"{base}/api/jobs/{job}")).json()["final"]:
            await asyncio.sleep(0.1)
    saved = (await jupyter.client.post(f"{base}/save", json={"job": job, "name": "model.txt"})).json()
    assert saved["path"].startswith("jobs/Digits-1-")
    assert (jupyter.root / saved["path"]).read_text() == "weights"
    missing = await jupyter.client.post(f"{base}/save", json={"job": job, "name": "../../x"})
    assert missing.status_code == 400


async def test_a_form_that_is_refused_says_why(jupyter: JupyterServer) -> None:
    base = f"{jupyter.url}/aifactory-hub"
    form = {"folder": None, "fields": {"command": "true", "profile": "mig-9g.900gb"}, "key": "refused"}
    answer = await jupyter.client.post(f"{base}/submit", json=form)
    assert answer.status_code == 403
    assert answer.json()["reason"] == "profile-not-allowed"
    for path in ("inspect", "check", "submit", "save"):
        bodies: tuple[object, ...] = ([], {"path": "../.."})
        for body in bodies:
            answer = await jupyter.client.post(f"{base}/{path}", json=body)
            assert answer.status_code in (400, 404), (path, body, answer.text)
            assert answer.json()["detail"]


async def test_a_job_s_events_come_as_they_happen(jupyter: JupyterServer) -> None:
    base = f"{jupyter.url}/aifactory-hub/api"
    body = {"command": "echo told; sleep 1", "profile": "mig-1g.10gb", "key": "events"}
    job = (await jupyter.client.post(f"{base}/jobs", json=body)).json()["id"]
    states, over = [], False
    # The proof of origin is for this server; the service knows no such field.
    address = f"{base}/jobs/{job}/events?log=true&_xsrf=2%7Cproof"
    async with asyncio.timeout(30), jupyter.client.stream("GET", address) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            if line.startswith("data:") and '"state"' in line:
                states.append(line)
            over = over or line == "event: end"
            if over and line == "":
                break
    assert len(states) >= 2


LEAVING = """
import os
from jupyter_server.auth import IdentityProvider
from tornado.web import HTTPError

from aifactory_hub.lab import handlers

handlers.CHECK_EVERY = 0.0


class Leaving(IdentityProvider):
    # What the file says the hub answers about the person in the browser.
    async def get_user(self, handler):
        with open(os.environ["SAID"]) as file:
            said = file.read()
        if said == "away":
            raise HTTPError(502)
        return None if said == "left" else self.generate_anonymous_user(handler)
"""


async def test_an_open_stream_ends_when_the_person_in_the_browser_may_not_be_here_any_more(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text(LEAVING)
    said = tmp_path / "said"
    said.write_text("here")
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{CHECKOUT}", "SAID": str(said)}
    provider = "--ServerApp.identity_provider_class=leaving.Leaving"
    async with (
        running_hub_side(tmp_path) as service,
        running_jupyter(tmp_path / "jupyter", {**account(service.url), **environment}, provider) as jupyter,
    ):
        base = f"{jupyter.url}/aifactory-hub/api"
        async with service.http(HUB_TOKEN) as ada:
            body = {"command": "sleep 60", "profile": "mig-1g.10gb", "key": "open"}
            job_id = (await ada.post("/jobs", json=body)).json()["id"]
        job = service.context.jobs.get(job_id)
        assert job is not None

        def prints(text: bytes) -> None:
            service.context.spool.append(job.run_id, service.context.spool.size(job.run_id), text)
            service.context.log_news.tell(job_id)

        got = ""
        with pytest.raises(httpx.RemoteProtocolError):
            async with (
                asyncio.timeout(30),
                jupyter.client.stream("GET", f"{base}/jobs/{job_id}/events?log=true") as stream,
            ):
                async for text in stream.aiter_text():
                    got += text
                    if "first" not in got:
                        prints(b"first")
                    elif "second" not in got:
                        said.write_text("away")
                        prints(b"second")
                    else:
                        said.write_text("left")
                        prints(b"third")
        assert "second" in got
        assert "third" not in got


async def test_a_schedule_is_made_with_its_files_paused_run_and_deleted(jupyter: JupyterServer) -> None:
    base = f"{jupyter.url}/aifactory-hub"
    fields = {"command": "true", "profile": "mig-1g.10gb", "name": "nightly"}
    form = {"folder": None, "fields": fields, "cron": "0 3 * * *", "time_zone": "Europe/Amsterdam", "key": "nightly"}
    seen = await jupyter.client.get(f"{base}/api/schedules/preview", params={"cron": "0 3 * * *"})
    assert seen.json()["words"] == "At 03:00 every day"
    taken = [await jupyter.client.post(f"{base}/schedule", json=form) for _ in range(2)]
    assert [answer.status_code for answer in taken] == [200, 200], taken[0].text
    made = taken[0].json()
    assert taken[1].json()["id"] == made["id"]
    assert (made["name"], made["cron"], made["time_zone"]) == ("nightly", "0 3 * * *", "Europe/Amsterdam")
    path = f"{base}/api/schedules/{made['id']}"
    assert (await jupyter.client.patch(path, json={"paused": True})).json()["paused"] is True
    assert (await jupyter.client.post(f"{path}/runs", json={"key": "now"})).json()["name"] == "nightly"
    assert [one["id"] for one in (await jupyter.client.get(f"{base}/api/schedules")).json()["schedules"]] == [
        made["id"]
    ]
    assert (await jupyter.client.delete(path)).status_code == 200
    assert (await jupyter.client.get(f"{base}/api/schedules")).json()["schedules"] == []


async def test_a_typo_in_a_schedule_is_refused_with_its_field(jupyter: JupyterServer) -> None:
    form = {"folder": None, "fields": {"command": "true"}, "cron": "0 25 * * *", "key": "typo"}
    refused = await jupyter.client.post(f"{jupyter.url}/aifactory-hub/schedule", json=form)
    assert (refused.status_code, refused.json()["field"]) == (400, "cron")
    assert "write minute, hour, day, month, weekday" in refused.json()["detail"]
