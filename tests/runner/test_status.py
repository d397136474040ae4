"""Kubeflow Trainer's status protocol, as the programs that speak it speak it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from aifactory_hub.runner.status import BadStatus, StatusServer, read_status


@pytest.fixture
def heard() -> list[Mapping[str, Any]]:
    return []


@pytest.fixture
def environment(tmp_path: Path, heard: list[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    server = StatusServer(tmp_path, heard.append)
    yield server.environment({"NO_PROXY": "example.org"})
    server.close()


def post(environment: Mapping[str, str], body: Any, token: str | None = None) -> tuple[int, Any]:
    """As Hugging Face's callback does it: urllib, a bearer from a file, no certificate."""
    token = token or Path(environment["KUBEFLOW_TRAINER_SERVER_TOKEN"]).read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = environment["KUBEFLOW_TRAINER_SERVER_URL"]
    request = urllib.request.Request(url, data=content, headers=headers, method="POST")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_a_status_is_heard(environment: dict[str, str], heard: list[Mapping[str, Any]]) -> None:
    status = {
        "lastUpdatedTime": "2026-06-12T03:00:00+00:00",
        "progressPercentage": 45,
        "estimatedRemainingSeconds": 3600,
        "metrics": [{"name": "loss", "value": "0.2347"}, {"name": "current_step", "value": "17"}],
    }
    assert post(environment, {"trainerStatus": status})[0] == 200
    metrics = {"loss": 0.2347, "current_step": 17.0}
    assert heard == [{"progress": 45.0, "eta": 3600.0, "metrics": metrics, "steps": {"loss": 17, "current_step": 17}}]


def test_only_the_command_of_this_job_is_heard(environment: dict[str, str], heard: list[Mapping[str, Any]]) -> None:
    assert post(environment, {"trainerStatus": {"progressPercentage": 1}}, token="guess")[0] == 401
    assert post(environment, b"{")[0] == 400
    assert post(environment, b"x" * 70_000)[0] == 413
    assert heard == []


def test_the_token_is_the_owners_alone_and_no_proxy_is_asked(environment: dict[str, str]) -> None:
    assert Path(environment["KUBEFLOW_TRAINER_SERVER_TOKEN"]).stat().st_mode & 0o077 == 0
    assert environment["NO_PROXY"] == environment["no_proxy"] == "example.org,127.0.0.1"
    assert environment["KUBEFLOW_TRAINER_SERVER_URL"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({}, {}),
        ({"progressPercentage": 140}, {"progress": 100.0}),
        ({"progressPercentage": 0}, {"progress": 0.0}),
        ({"estimatedRemainingSeconds": -3}, {"eta": 0.0}),
        ({"metrics": [{"name": "a", "value": "1"}]}, {"metrics": {"a": 1.0}}),
        ({"metrics": [{"name": "a", "value": "-inf"}]}, {"metrics": {"a": float("-inf")}}),
        ({"metrics": [{"name": "a", "value": 1, "step": 7}]}, {"metrics": {"a": 1.0}, "steps": {"a": 7}}),
        ({"metrics": [{"name": "a\x1b[1m\n", "value": 1}]}, {"metrics": {"a\\x1b[1m\\n": 1.0}}),
        ({"metrics": [{"name": "n" * 101, "value": 1}]}, {"metrics": {"n" * 100: 1.0}}),
        ({"metrics": []}, {}),
    ],
)
def test_what_a_status_says(status: dict[str, Any], found: dict[str, Any]) -> None:
    assert read_status(json.dumps({"trainerStatus": status}).encode()) == found


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"trainerStatus": 1}',
        b'{"trainerStatus": {"metrics": [{"value": "x"}]}}',
        b'{"trainerStatus": {"metrics": [{"name": "x", "value": 1, "step": 1e300}]}}',
        b'{"trainerStatus": {"metrics": [{"name": "x", "value": 1, "step": Infinity}]}}',
        b"\xff",
    ],
)
def test_what_is_no_status(body: bytes) -> None:
    with pytest.raises(BadStatus):
        read_status(body)
