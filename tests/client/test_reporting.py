"""Reporting from within a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.client import report, reporting
from aifactory_hub.runner.status import StatusServer


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Mapping[str, Any]]]:
    said: list[Mapping[str, Any]] = []
    server = StatusServer(tmp_path, said.append)
    for name, value in server.environment({}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reporting, "_last", 0.0)
    yield said
    server.close()


def test_a_report_is_heard_by_the_runner(heard: list[Mapping[str, Any]]) -> None:
    assert report(40, {"loss": 0.5}, eta=90)
    assert heard == [{"progress": 40.0, "eta": 90.0, "metrics": {"loss": 0.5}}]


def test_many_reports_are_few_but_the_end_is_always_told(heard: list[Mapping[str, Any]]) -> None:
    sent = [report(n / 10) for n in range(1000)] + [report(100)]
    assert sent.count(True) == 2
    assert heard[-1] == {"progress": 100.0}


def test_outside_of_a_job_nothing_happens_and_a_deaf_server_ends_no_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBEFLOW_TRAINER_SERVER_URL", raising=False)
    assert report(50) is False
    (tmp_path / "token").write_text("t")
    monkeypatch.setattr(reporting, "_last", 0.0)
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_URL", "http://127.0.0.1:9/status")
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_TOKEN", str(tmp_path / "token"))
    assert report(100, {"loss": "none"}) is False  # type: ignore[dict-item]
    assert report(100) is False
