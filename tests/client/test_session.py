"""How long the client repeats a call, and what it says when there is nothing to wait for."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from aifactory_hub.client import BadToken, NotInNotebook, Refused, ServiceUnavailable, SubmitRefused, UnknownJob
from aifactory_hub.client.session import Account, Session, read_account

Answer = Callable[[httpx.Request], httpx.Response]
HERE = {"JUPYTERHUB_API_TOKEN": "t", "AIFACTORY_SERVICE_URL": "http://hub/services/aifactory/"}


def session(*answers: httpx.Response | Exception, timeout: float = 5.0) -> tuple[Session, list[httpx.Request]]:
    """A session whose service gives these answers, one after the other, the last for ever."""
    seen: list[httpx.Request] = []
    waiting = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        now = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(now, Exception):
            raise now
        return now

    account = Account("http://hub/services/aifactory", "the-token")
    transport = httpx.MockTransport(answer)
    return Session(account, timeout=timeout, sleep=lambda _: None, transport=transport), seen


def test_the_account_is_the_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    account = read_account({**HERE, "AIFACTORY_TENANT": "nlp"})
    assert (account.url, account.tenant, account.profile) == ("http://hub/services/aifactory", "nlp", None)
    assert "'t'" not in repr(account)
    for variable in HERE:
        monkeypatch.delenv(variable, raising=False)
        with pytest.raises(NotInNotebook, match=f"The environment variable {variable} is missing") as error:
            read_account({name: value for name, value in HERE.items() if name != variable})
        assert error.value.variable == variable


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(502),
        httpx.Response(503, json={"reason": "hub-unavailable", "detail": "m"}),
        httpx.Response(504),
        httpx.Response(404, text="<html>the proxy does not know the service yet</html>"),
        httpx.Response(302, headers={"Location": "/hub/login"}),
    ],
    ids=["refused", "slow", "cut", "502", "503", "504", "proxy-404", "redirect"],
)
def test_a_service_that_restarts_is_waited_for(trouble: httpx.Response | Exception) -> None:
    client, seen = session(trouble, trouble, httpx.Response(200, json={"jobs": []}))
    assert client.get("/jobs") == {"jobs": []}
    assert client.post("/jobs", {"key": "k"}) == {"jobs": []}
    assert len(seen) == 4
    client.close()


def test_patience_ends_and_the_error_says_how_it_went() -> None:
    client, seen = session(httpx.ConnectError("refused"), timeout=0.5)
    with pytest.raises(ServiceUnavailable, match=r"did not answer within 0 s.*ConnectError: refused.*go on"):
        client.get("/jobs")
    assert len(seen) >= 2
    client.close()


def test_a_service_that_takes_the_connection_and_says_nothing_is_waited_for_no_longer_than_the_patience() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        client = Session(Account(url, "the-token"), timeout=1.0)
        with closing(client), pytest.raises(ServiceUnavailable, match=r"did not answer within 1 s.*ReadTimeout"):
            client.post("/jobs", {"key": "k"})
        assert time.monotonic() - begun < 10


def test_a_wait_for_the_service_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("aifactory_hub.client.session._SAY_AFTER", 0.0)
    client, seen = session(*[httpx.ConnectError("refused")] * 5, httpx.Response(200, json={}))
    client.get("/jobs/j1")
    assert len(seen) == 6
    assert capsys.readouterr().err == "the job service does not answer; it is asked again for up to 5 s\n"
    client.get("/jobs/j1")
    assert capsys.readouterr().err == ""


def test_a_refusal_is_not_repeated_and_carries_everything() -> None:
    body = {"reason": "never-fits", "detail": "No.", "field": "profile", "asked": 1, "limit": 0}
    client, seen = session(httpx.Response(409, json=body))
    with pytest.raises(SubmitRefused, match=r"^No\.$") as refused:
        client.post("/jobs", {})
    error = refused.value
    assert (error.status, error.reason, error.field) == (409, "never-fits", "profile")
    assert error.numbers == {"asked": 1, "limit": 0}
    assert len(seen) == 1
    client.close()


def test_a_refusal_to_read_is_no_refusal_to_submit() -> None:
    client, _ = session(httpx.Response(403, json={"reason": "forbidden", "detail": "m"}))
    with pytest.raises(Refused) as refused:
        client.get("/jobs")
    assert type(refused.value) is Refused
    client.close()
    client, _ = session(httpx.Response(404, json={"reason": "unknown-job", "detail": "m"}))
    with pytest.raises(UnknownJob):
        client.get("/jobs/x")
    client.close()


def test_an_answer_of_somebody_else_is_named() -> None:
    client, _ = session(httpx.Response(200, text="<html>hello</html>"))
    with pytest.raises(ServiceUnavailable, match="is not the job service"):
        client.get("/jobs")
    client.close()


def test_a_stream_that_breaks_off_goes_on_where_it_was() -> None:
    said = 'retry: 2000\n\n: nothing new\n\nid: 1.5\nevent: log\ndata: {"text": "a\\nb"}\n\n'
    end = "event: end\ndata: {}\n\n"

    def broken() -> Iterator[bytes]:
        yield said.encode()
        raise httpx.ReadTimeout("an hour of silence")

    stream = {"Content-Type": "text/event-stream"}
    client, seen = session(
        httpx.Response(200, headers=stream, content=broken()), httpx.Response(200, headers=stream, text=end)
    )
    heard = []
    for event in client.events("/jobs/j1/events", {"log": "true"}):
        if event.name:
            heard.append((event.name, event.data))
        if event.name == "end":
            break
    assert heard == [("log", {"text": "a\nb"}), ("end", {})]
    assert [request.headers.get("Last-Event-ID") for request in seen] == [None, "1.5"]
    client.close()


def test_a_stream_that_is_refused_on_its_way_raises() -> None:
    body = 'event: problem\ndata: {"status": 401, "reason": "not-signed-in", "detail": "No."}\n\n'
    client, _ = session(httpx.Response(200, text=body))
    with pytest.raises(Refused, match=r"^No\.$"):
        next(client.events("/events"))
    client.close()


def test_times_are_by_the_services_clock() -> None:
    client, _ = session(httpx.Response(200, headers={"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}, json={}))
    client.get("/jobs")
    assert client.now() == pytest.approx(1767225600, abs=30)
    client.close()


def test_the_token_goes_in_the_header_only() -> None:
    client, seen = session(httpx.Response(200, json={}))
    client.get("/jobs")
    assert seen[0].headers["Authorization"] == "Bearer the-token"
    assert "the-token" not in str(seen[0].url)
    client.close()


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "is empty"),
        ("with space", "has the character ' '"),
        ("nön-ascii", r"has the character '\\xf6'"),
        ("a\nb", r"'\\n'"),
    ],
)
def test_a_token_that_can_not_be_one_is_refused_before_anything_is_sent(token: str, why: str) -> None:
    with pytest.raises(BadToken, match=why) as refused:
        Session(Account("http://hub/services/aifactory", token))
    assert "copy it again" in str(refused.value)
    assert not token or token not in str(refused.value), "a token is a secret, also a wrong one"


def test_line_ends_around_a_token_are_left_out() -> None:
    assert read_account({**HERE, "JUPYTERHUB_API_TOKEN": "t\r\n"}).token == "t"
