"""What is passed on of Prometheus' answers, against a small server that answers as it should not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from aifactory_hub.registry.model import TelemetryConfig
from aifactory_hub.telemetry import relay
from aifactory_hub.telemetry.base import TelemetryUnavailable
from aifactory_hub.telemetry.relay import (
    AnswerTooLarge,
    ForeignSeries,
    NoPrometheus,
    NotAnswered,
    PrometheusRelay,
    passed_on,
)

OWN: dict[str, str] = {"__name__": "x", "tenant": "nlp"}
OTHER = {**OWN, "tenant": "vision"}


def answer(data: Any, **rest: Any) -> bytes:
    return json.dumps({"status": "success", "data": data, **rest}).encode()


def vector(*metrics: dict[str, str], kind: str = "vector") -> Any:
    return {"resultType": kind, "result": [{"metric": each, "value": [1, "1"]} for each in metrics]}


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("query", vector()),
        ("query", vector(OWN, {})),
        ("query_range", vector(OWN, kind="matrix")),
        ("query", {"resultType": "scalar", "result": [1, "1"]}),
        ("series", [OWN]),
        ("labels", ["__name__", "tenant"]),
        ("label/tenant/values", ["nlp"]),
        ("label/job/values", ["a", "vision"]),
    ],
)
def test_own_series_are_passed_on_as_they_are(path: str, data: Any) -> None:
    assert json.loads(passed_on(200, answer(data), path, "nlp")) == {"status": "success", "data": data, "warnings": []}


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("query", vector(OWN, OTHER)),
        ("query_range", vector(OTHER, kind="matrix")),
        ("query", {"resultType": "streams", "result": []}),
        ("series", [OWN, OTHER]),
        ("series", [{"__name__": "raw"}]),
        ("label/tenant/values", ["nlp", "vision"]),
    ],
)
def test_nothing_of_an_answer_with_other_teams_series_is_passed_on(path: str, data: Any) -> None:
    with pytest.raises(ForeignSeries):
        passed_on(200, answer(data), path, "nlp")


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b"<html>sign in</html>"),
        (200, b"\xff"),
        (200, b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1}}]}}'),
        (200, b'{"status":"success","data":[1]}'),
        (200, b'{"status":"error","error":"broken"}'),
        (503, b'{"status":"error","error":"storage of 10.0.0.7 is away"}'),
        (302, b"{}"),
    ],
)
def test_what_is_no_answer_is_unavailable_and_nothing_of_it_is_told(status: int, content: bytes) -> None:
    with pytest.raises(TelemetryUnavailable) as found:
        passed_on(status, content, "query", "nlp")
    assert "10.0.0.7" not in str(found.value) and "broken" not in str(found.value)


def test_a_question_that_can_t_be_answered_is_said_and_cut_short() -> None:
    said = json.dumps({"status": "error", "errorType": "execution", "error": "many-to-many" + "!" * 9999}).encode()
    with pytest.raises(NotAnswered, match="many-to-many") as found:
        passed_on(422, said, "query", "nlp")
    assert len(str(found.value)) == 500


def test_warnings_are_told_without_what_they_name() -> None:
    told = passed_on(200, answer(vector(), warnings=["store 10.0.0.7:10901 is away"]), "query", "nlp")
    assert b"10.0.0.7" not in told and b"may not be whole" in told


@dataclass
class Fake:
    """Answers with ``body`` after ``wait`` seconds, and keeps what it was sent."""

    status: int = 200
    body: bytes = b"{}"
    wait: float = 0.0
    asked: list[tuple[str, str, dict[str, list[bytes]], dict[str, str]]] = field(default_factory=list)
    url: str = ""


@asynccontextmanager
async def fake() -> AsyncIterator[Fake]:
    made = Fake()

    class Everything(RequestHandler):
        async def get(self) -> None:
            request = self.request
            made.asked.append((request.method or "", request.path, request.arguments, dict(request.headers.get_all())))
            await asyncio.sleep(made.wait)
            self.set_status(made.status)
            if made.status == 302:
                self.set_header("Location", "/elsewhere")
            self.write(made.body)

        post = get

    socket, port = bind_unused_port()
    server = HTTPServer(Application([("/.*", Everything)]))
    server.add_socket(socket)
    made.url = f"http://127.0.0.1:{port}/prom/"
    try:
        yield made
    finally:
        server.stop()
        await server.close_all_connections()


async def test_parameters_are_sent_and_nothing_else() -> None:
    async with fake() as made:
        asking = PrometheusRelay(lambda: TelemetryConfig(prometheus=made.url))
        await asking.ask("query", [("query", "a&b=c"), ("time", "1")])
        await asking.ask("label/x/values", [("match[]", "a"), ("match[]", "b")])
    (verb, path, sent, headers), (verb2, path2, sent2, _) = made.asked
    assert (verb, path, sent) == ("POST", "/prom/api/v1/query", {"query": [b"a&b=c"], "time": [b"1"]})
    assert (verb2, path2, sent2) == ("GET", "/prom/api/v1/label/x/values", {"match[]": [b"a", b"b"]})
    assert {"Authorization", "Cookie"}.isdisjoint(headers)


async def test_no_redirect_is_followed_no_large_answer_taken_and_no_slow_one_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with fake() as made:
        asking = PrometheusRelay(lambda: TelemetryConfig(prometheus=made.url))
        made.status = 302
        assert (await asking.ask("query", []))[0] == 302
        assert len(made.asked) == 1
        made.status, made.body = 200, b" " * 2000
        monkeypatch.setattr(relay, "LARGEST", 1000)
        with pytest.raises(AnswerTooLarge):
            await asking.ask("query", [])
        monkeypatch.setattr(relay, "GIVEN_UP", 0.05)
        made.wait, made.body = 0.5, b"{}"
        with pytest.raises(TelemetryUnavailable, match="TimeoutError"):
            await asking.ask("query", [])


async def test_one_that_is_away_and_one_that_is_not_set() -> None:
    socket, port = bind_unused_port()
    socket.close()
    with pytest.raises(TelemetryUnavailable):
        await PrometheusRelay(lambda: TelemetryConfig(prometheus=f"http://127.0.0.1:{port}")).ask("query", [])
    with pytest.raises(NoPrometheus):
        await PrometheusRelay(TelemetryConfig).ask("query", [])
