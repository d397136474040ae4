"""A demo that was killed leaves processes; the next one ends these, and no others."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory_hub.demo.orphan_processes import end_leftovers, record
from aifactory_hub.engines.process_tree import family, processes


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_what_was_recorded_and_still_runs_is_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    record(tmp_path / "processes.json", family(sleeper.pid, processes()))
    assert end_leftovers(tmp_path / "processes.json") == 1
    assert sleeper.wait(5) == -9
    assert end_leftovers(tmp_path / "processes.json") == 0


def test_another_process_under_a_recorded_id_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (found,) = family(sleeper.pid, processes())
    record(tmp_path / "processes.json", [replace(found, began="another time")])
    assert end_leftovers(tmp_path / "processes.json") == 0
    assert sleeper.poll() is None
