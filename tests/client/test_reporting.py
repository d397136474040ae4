"""Reporting from within a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.client import report
from aifactory_hub.runner.status import StatusServer


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Mapping[str, Any]]]:
    said: list[Mapping[str, Any]] = []
    server = StatusServer(tmp_path, said.append)
    for name, value in server.environment({}).items():
        monkeypatch.setenv(name, value)
    yield said
    server.close()


def test_a_report_is_heard_by_the_runner(heard: list[Mapping[str, Any]]) -> None:
    assert report(40, {"loss": 0.5}, eta=90)
    assert heard == [{"progress": 40.0, "eta": 90.0, "metrics": {"loss": 0.5}}]


def test_every_report_is_heard_at_once_with_its_step(heard: list[Mapping[str, Any]]) -> None:
    assert all(report(metrics={"i": i}, step=i * 100) for i in range(20))
    assert heard == [{"metrics": {"i": float(i)}, "steps": {"i": i * 100}} for i in range(20)]


def test_a_loss_that_is_no_number_any_more_is_heard(heard: list[Mapping[str, Any]]) -> None:
    assert report(metrics={"loss": float("nan")})
    assert str(heard) == "[{'metrics': {'loss': nan}}]"


def test_outside_of_a_job_nothing_happens_and_a_deaf_server_ends_no_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBEFLOW_TRAINER_SERVER_URL", raising=False)
    assert report(50) is False
    (tmp_path / "token").write_text("t")
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_URL", "http://127.0.0.1:9/status")
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_TOKEN", str(tmp_path / "token"))
    assert report(100, {"loss": "none"}) is False  # type: ignore[dict-item]
    assert report(100) is False
