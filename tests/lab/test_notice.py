"""What the hub is about to do to a server, as its panel hears of it."""

from __future__ import annotations

import httpx
import pytest

from aifactory_hub.lab.notice import FRESH, Notices

HERE = {
    "JUPYTERHUB_API_URL": "http://hub:8081/hub/api",
    "JUPYTERHUB_API_TOKEN": "t",
    "JUPYTERHUB_USER": "ada@example.org",
    "JUPYTERHUB_SERVER_NAME": "big one",
}
NOTICE = {"why": "Vision asks for its own", "until": "2026-05-05T12:01:00+00:00"}


class Hub:
    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: httpx.Response | None = httpx.Response(200, json={"notice": NOTICE})
        self.now = 0.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.answer is None:
            raise httpx.ConnectError("away")
        return self.answer

    def notices(self, environment: dict[str, str] = HERE) -> Notices:
        return Notices(environment, transport=httpx.MockTransport(self), clock=lambda: self.now)


async def test_the_hub_is_asked_for_this_server_with_its_own_token_and_not_often() -> None:
    hub = Hub()
    notices = hub.notices()
    assert await notices.now() == await notices.now() == NOTICE
    (request,) = hub.asked
    assert request.url.raw_path == b"/hub/aifactory/notice/ada%40example.org/big%20one"
    assert request.headers["Authorization"] == "Bearer t"
    hub.now += FRESH
    hub.answer = httpx.Response(200, json={"notice": None})
    assert await notices.now() is None
    await notices.close()


@pytest.mark.parametrize("later", [None, httpx.Response(200, text="<html>"), httpx.Response(200, json=[])])
async def test_a_hub_that_does_not_answer_has_changed_nothing(later: httpx.Response | None) -> None:
    hub = Hub()
    notices = hub.notices()
    await notices.now()
    hub.answer, hub.now = later, FRESH
    assert await notices.now() == NOTICE
    await notices.close()


async def test_an_older_hub_and_none_at_all_announce_nothing() -> None:
    hub = Hub()
    hub.answer = httpx.Response(404, json={"message": "Not Found"})
    assert await hub.notices().now() is None
    assert await hub.notices({"JUPYTERHUB_USER": "ada"}).now() is None
    assert len(hub.asked) == 1
