"""The reader of Prometheus against a small server that answers as Prometheus does, and as it should not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from aifactory_hub.domain.pod_samples import PodPlace
from aifactory_hub.registry.model import TelemetryConfig
from aifactory_hub.telemetry import prometheus
from aifactory_hub.telemetry.base import TelemetryUnavailable
from aifactory_hub.telemetry.prometheus import Prometheus, expected_samples, questions, read_answer

PODS = {"u1": PodPlace("vc-nlp", "nb-ada-x-notebooks-x-nlp")}
LABELS = {
    "UUID": "GPU-1",
    "instance": "node-1:9400",
    "GPU_I_ID": "7",
    "exported_namespace": "vc-nlp",
    "exported_pod": "nb-ada-x-notebooks-x-nlp",
}


@dataclass
class FakePrometheus:
    """Answers a question by the first text of ``answers`` that is in it; nothing else has a series."""

    answers: dict[str, list[tuple[dict[str, str], str]]] = field(default_factory=dict)
    whole: bytes | None = None
    status: int = 200
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, question: str) -> bytes:
        self.asked.append(question)
        if self.whole is not None:
            return self.whole
        found = next((series for text, series in self.answers.items() if text in question), [])
        result = [{"metric": labels, "value": [1.0, value]} for labels, value in found]
        return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


@asynccontextmanager
async def fake_prometheus() -> AsyncIterator[FakePrometheus]:
    fake = FakePrometheus()

    class Query(RequestHandler):
        def post(self) -> None:
            self.set_status(fake.status)
            self.write(fake.answer(self.get_body_argument("query")))

    socket, port = bind_unused_port()
    server = HTTPServer(Application([("/prom/api/v1/query", Query)]))
    server.add_socket(socket)
    fake.url = f"http://127.0.0.1:{port}/prom/"
    try:
        yield fake
    finally:
        server.stop()
        await server.close_all_connections()


def reader(fake: FakePrometheus, **config: Any) -> Prometheus:
    return Prometheus(lambda: TelemetryConfig(prometheus=fake.url, **config))


async def test_samples_of_both_generations_are_read() -> None:
    async with fake_prometheus() as fake:
        fake.answers = {
            "count_over_time(DCGM_FI_PROF_GR_ENGINE_ACTIVE{job": [(LABELS, "60")],
            "count_over_time(DCGM_FI_PROF_GR_ENGINE_ACTIVE_RATIO{job": [(LABELS, "30")],
            "max_over_time(DCGM_FI_DEV_FB_USED{": [(LABELS, "12")],
            "max_over_time(DCGM_FI_DEV_FB_USED_BYTES{": [(LABELS, "8589934592")],
            "max_over_time(DCGM_FI_PROF_DRAM_ACTIVE_RATIO{": [(LABELS, "0.25")],
            "max_over_time(DCGM_FI_PROF_GR_ENGINE_ACTIVE{": [(LABELS, "NaN")],
            "max_over_time(DCGM_FI_DEV_XID_ERRORS{": [({"UUID": "GPU-1"}, "31")],
        }
        telemetry = reader(fake)
        gpu = (await telemetry.read(PODS, 2700))["u1"].gpu
        await telemetry.close()
    assert (gpu.samples, gpu.expected, gpu.memory, gpu.dram, gpu.xid) == (90, 92, 8 * 2**30, 0.25, 31)
    assert gpu.engine is None, "NaN is no sample"


async def test_a_prometheus_without_samples_makes_everything_unknown_and_nothing_zero() -> None:
    async with fake_prometheus() as fake:
        telemetry = reader(fake)
        gpu = (await telemetry.read(PODS, 2700))["u1"].gpu
        await telemetry.close()
    assert (gpu.samples, gpu.engine, gpu.dram, gpu.memory, gpu.xid) == (0, None, None, None, None)
    assert gpu.expected == 92


async def test_only_the_jobs_of_the_site_are_asked_for_and_names_are_quoted() -> None:
    async with fake_prometheus() as fake:
        telemetry = reader(fake, gpu_job='a"} or vector(1) or {b="', node_job="nodes", names={"engine": "site:engine"})
        await telemetry.read(PODS, 600)
        await telemetry.close()
    assert all('job="a\\"} or vector(1) or {b=\\""' in each or 'job="nodes"' in each for each in fake.asked)
    assert any("max_over_time(site:engine{job=" in each for each in fake.asked)


@pytest.mark.parametrize(
    ("status", "whole"),
    [
        (503, b'{"status":"error","error":"too busy"}'),
        (200, b"<html>sign in</html>"),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}'),
        (200, b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}'),
        (200, b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]}}'),
        (302, b""),
    ],
)
async def test_what_is_no_answer_is_unavailable(status: int, whole: bytes) -> None:
    async with fake_prometheus() as fake:
        fake.status, fake.whole = status, whole
        telemetry = reader(fake)
        with pytest.raises(TelemetryUnavailable):
            await telemetry.read(PODS, 2700)
        await telemetry.close()


async def test_one_that_is_away_and_one_that_is_not_set_are_unavailable() -> None:
    socket, port = bind_unused_port()
    socket.close()
    for address in (None, f"http://127.0.0.1:{port}"):
        telemetry = Prometheus(lambda address=address: TelemetryConfig(prometheus=address))  # type: ignore[misc]
        with pytest.raises(TelemetryUnavailable):
            await telemetry.read(PODS, 2700)
        await telemetry.close()


async def test_an_answer_that_is_too_large_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_prometheus() as fake:
        fake.whole = b" " * 2000
        monkeypatch.setattr(prometheus, "LARGEST", 1000)
        telemetry = reader(fake)
        with pytest.raises(TelemetryUnavailable, match="more than"):
            await telemetry.read(PODS, 2700)
        await telemetry.close()
    monkeypatch.setattr(prometheus, "MOST_SERIES", 1)
    many = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}] * 2}}
    with pytest.raises(TelemetryUnavailable, match="1 at most"):
        read_answer(200, json.dumps(many).encode())


def test_a_little_more_than_the_time_is_looked_at() -> None:
    config = TelemetryConfig(prometheus="http://p", scrape=30)
    asked = questions(config, 2700)
    assert asked["engine"][1][0][1].endswith("[2760s])")
    assert "[3300s]" in asked["xid"][1][0][1] and "offset 3300s" in asked["cut_known"][1][0][1]
    assert expected_samples(config, 2700) == 92


async def test_slices_are_read_held_and_free_of_both_generations() -> None:
    free = {"UUID": "GPU-1", "GPU_I_ID": "8", "GPU_I_PROFILE": "1g.10gb"}
    async with fake_prometheus() as fake:
        fake.answers = {
            "count_over_time(DCGM_FI_DEV_FB_USED{job": [(LABELS, "4")],
            "count_over_time(DCGM_FI_DEV_FB_USED_BYTES{job": [(free, "4")],
        }
        source = reader(fake, scrape=45, gpu_job='gpus"x')
        found = await source.slices()
        await source.close()
    assert [each.labels for each in found] == [LABELS, free]
    assert all(question.endswith('{job="gpus\\"x"}[180s])') for question in fake.asked), fake.asked


async def test_without_prometheus_no_slice_is_known() -> None:
    with pytest.raises(TelemetryUnavailable, match=r"telemetry\.prometheus is not set"):
        await Prometheus(TelemetryConfig).slices()
