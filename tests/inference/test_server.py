"""The inference server over real HTTP: what it reads, what it answers, what it refuses."""

from __future__ import annotations

import http.client
import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy
import pytest
from sklearn.linear_model import LinearRegression

from aifactory_hub.inference.command import CommandServer
from aifactory_hub.inference.loaders import BadModelFiles, Loaded, load
from aifactory_hub.inference.protocol import MOST_BYTES
from aifactory_hub.inference.server import InferenceServer, Served

ASK = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [2, 1], "data": [1, 2]}]}
INFER = "/v2/models/fraud/infer"
PYTHON = """
from helper import TWICE
def load(folder):
    return Model()
class Model:
    def predict(self, inputs):
        return {"twice": [[TWICE * value for value in row] for row in inputs["x"]]}
"""
ECHO = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201); self.send_header("Content-Type", "text/plain"); self.end_headers()
        self.wfile.write(self.path.encode() + b" " + body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["AIFACTORY_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def serve() -> Iterator[Callable[[Served], httpx.Client]]:
    servers: list[InferenceServer] = []
    clients: list[httpx.Client] = []

    def started(served: Served) -> httpx.Client:
        servers.append(InferenceServer("127.0.0.1", 0, served))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        clients.append(httpx.Client(base_url=f"http://127.0.0.1:{servers[-1].port}", trust_env=False, timeout=30))
        return clients[-1]

    yield started
    for client in clients:
        client.close()
    for server in servers:
        server.shutdown()
        server.server_close()


def of_sklearn(folder: Path) -> Loaded:
    model = LinearRegression().fit(numpy.array([[0.0], [1.0]]), numpy.array([0.0, 2.0]))
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    return load("auto", folder)


Serve = Callable[[Served], httpx.Client]


def test_a_pickle_of_scikit_learn_answers(serve: Serve, tmp_path: Path) -> None:
    http = serve(Served("fraud", "3", of_sklearn(tmp_path)))
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").status_code == 200
    assert http.get("/v2/models/fraud").json()["platform"] == "sklearn"
    assert http.get("/v2/models/fraud/ready").status_code == 200
    answer = http.post(INFER, json=ASK)
    assert answer.status_code == 200, answer.text
    [output] = answer.json()["outputs"]
    assert (output["datatype"], output["shape"]) == ("FP64", [2])
    assert output["data"] == pytest.approx([2.0, 4.0])
    assert http.post("/v2/models/fraud/versions/3/infer", json=ASK).status_code == 200


def test_plain_python_answers_with_what_lies_beside_it(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "model.py").write_text(PYTHON)
    (tmp_path / "helper.py").write_text("TWICE = 2\n")
    http = serve(Served("fraud", "3", load("auto", tmp_path)))
    [output] = http.post(INFER, json=ASK).json()["outputs"]
    assert (output["name"], output["shape"], output["data"]) == ("twice", [2, 1], [2, 4])


def test_onnx_is_read_with_its_runtime(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a runtime of the same interface: the real one is not among the packages that tests install."""
    (tmp_path / "model.onnx").write_bytes(b"onnx")

    class Session:
        def __init__(self, path: str) -> None:
            assert Path(path).read_bytes() == b"onnx"

        def get_outputs(self) -> list[Any]:
            return [type("Output", (), {"name": "y"})]

        def run(self, names: list[str], given: dict[str, Any]) -> list[Any]:
            assert names == ["y"]
            return [given["x"] * 3]

    runtime = ModuleType("onnxruntime")
    runtime.InferenceSession = Session  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    http = serve(Served("fraud", "3", load("auto", tmp_path)))
    [output] = http.post(INFER, json=ASK).json()["outputs"]
    assert (output["name"], output["data"]) == ("y", [3.0, 6.0])


def test_any_command_that_listens_answers_in_its_own_way(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(ECHO)
    program = CommandServer(f"{sys.executable} echo.py", tmp_path, {"PATH": os.environ["PATH"]})
    try:
        http = serve(Served("fraud", "3", behind=program))
        while http.get("/v2/health/ready").status_code != 200:
            assert program._process.poll() is None
        answer = http.post("/generate", content=b"hello")
        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
            201,
            "/generate hello",
            "text/plain",
        )
    finally:
        program.stop()
    program.wait()
    assert http.get("/v2/health/ready").status_code == 503
    assert http.post("/generate", content=b"hello").status_code == 503


def test_before_its_model_is_there_nothing_is_ready(serve: Serve) -> None:
    http = serve(Served("fraud", "3"))
    assert http.get("/v2/health/live").status_code == 200
    assert http.get("/v2/health/ready").status_code == 503
    assert http.get("/v2/models/fraud/ready").status_code == 503
    assert http.post(INFER, json=ASK).status_code == 503


def test_faults_are_the_callers_or_the_models_own(serve: Serve, tmp_path: Path) -> None:
    http = serve(Served("fraud", "3", of_sklearn(tmp_path)))
    assert http.post(INFER, content=b"{").status_code == 400
    wide = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}]}
    failed = http.post(INFER, json=wide)
    assert (failed.status_code, "the model failed" in failed.json()["error"]) == (500, True)
    assert http.post(INFER, json=ASK).status_code == 200
    assert http.get("/v2/other").status_code == http.post("/other", json={}).status_code == 404
    assert http.post("/v2/models/other/infer", json=ASK).status_code == 404


def test_bodies_are_bounded_before_they_are_read(serve: Serve, tmp_path: Path) -> None:
    http_client = serve(Served("fraud", "3", of_sklearn(tmp_path)))
    port = http_client.base_url.port
    assert port is not None
    for headers, status in (
        ({"Content-Length": str(MOST_BYTES + 1)}, 413),
        ({"Transfer-Encoding": "chunked"}, 411),
        ({"Content-Length": "-1"}, 411),
        ({}, 411),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.putrequest("POST", INFER)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == status, headers
        connection.close()


def test_a_caller_who_says_nothing_holds_up_nobody(serve: Serve, tmp_path: Path) -> None:
    http = serve(Served("fraud", "3", of_sklearn(tmp_path)))
    with socket.create_connection(("127.0.0.1", int(http.base_url.port or 0))) as silent:
        silent.sendall(b"POST /v2/models/fraud/infer HTTP/1.1\r\nContent-Length: 100\r\n\r\n")
        assert http.post(INFER, json=ASK).status_code == 200


@pytest.mark.parametrize(
    ("files", "framework", "words"),
    [
        ({"notes.txt": b""}, "auto", "no model that is known"),
        ({"a.pkl": b"", "b.pkl": b""}, "sklearn", "it takes one file"),
        ({"a.pkl": pickle.dumps(3)}, "sklearn", "no predict"),
        ({"a.pkl": b"not a pickle"}, "sklearn", "can't be read as sklearn"),
        ({"model.py": b"x = 1"}, "python", "no load"),
        ({"model.py": b"def load(folder): return 1"}, "python", "no predict"),
        ({"model.py": b"def load(folder): return 1/0"}, "python", "ZeroDivisionError"),
        ({"a.bin": b""}, "python", "no model.py"),
        ({"a.onnx": b""}, "onnx", "lacks"),
    ],
)
def test_what_can_t_be_served_says_why(
    files: dict[str, bytes], framework: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadModelFiles, match=words):
        load(framework, tmp_path)
