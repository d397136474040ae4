"""What one attempt keeps is there for the next."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.runner.checkpoints import PREFIX, Checkpoints
from aifactory_hub.runner.reporter import NotDelivered

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, running_service
from .test_runner import Pod, brought, make_pod


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[RunningService]:
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"))
    async with running_service(tmp_path / "service", hub=hub, reconciling=False) as service:
        yield service
    await hub.stop()


async def test_an_attempt_goes_on_from_the_checkpoints_of_the_one_before(
    service: RunningService, tmp_path: Path
) -> None:
    command = (
        'cd "$AIFACTORY_CHECKPOINTS"; if [ -f deep/epoch ]; then echo "from $(cat deep/epoch)"; rm -r deep; '
        "else mkdir deep; echo 3 > deep/epoch; exit 9; fi"
    )
    first = await make_pod(service, tmp_path, command)
    assert (await first.run())[0] == 9
    files, _, _ = await brought(service, first)
    assert files == {f"{PREFIX}deep/epoch": b"3\n"}
    second = Pod(first.job_id, tmp_path / "second", {**first.environment, "AIFACTORY_ATTEMPT": "2"})
    (second.folder / "work").mkdir(parents=True)
    second.environment["AIFACTORY_WORK"] = str(second.folder / "work")
    code, out, said = await second.run()
    assert (code, out) == (0, "from 3\n"), said
    assert (await brought(service, second))[0] == {}  # what the command deleted is not kept any more


class Kept:
    """A reporter that keeps files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.away = False

    def put_artifact(self, name: str, path: Path) -> None:
        if self.away:
            raise NotDelivered("the service is away")
        self.files[name.removeprefix(PREFIX)] = path.read_bytes()

    def delete_artifact(self, name: str) -> None:
        self.files.pop(name.removeprefix(PREFIX))

    def list_artifacts(self, prefix: str) -> list[tuple[str, str]]:
        return [(f"{prefix}{name}", hashlib.sha256(content).hexdigest()) for name, content in self.files.items()]

    def fetch_artifact(self, name: str, target: Path, sha256: str) -> None:
        target.write_bytes(self.files[name.removeprefix(PREFIX)])


def test_only_what_has_come_to_rest_is_sent_and_the_rest_at_the_end(tmp_path: Path) -> None:
    reporter: Any = Kept()
    kept = Checkpoints(tmp_path, reporter)
    (tmp_path / "a").write_text("half")
    kept._send(final=False)
    assert reporter.files == {}
    (tmp_path / "a").write_text("whole, and longer")
    kept._send(final=False)
    assert reporter.files == {}
    kept._send(final=False)
    assert reporter.files == {"a": b"whole, and longer"}
    (tmp_path / "b").write_text("new")
    (tmp_path / "a").unlink()
    kept._send(final=True)
    assert reporter.files == {"b": b"new"}
    other = Checkpoints(tmp_path / "other", reporter)
    assert other.restore() == 1
    reporter.files = {}
    other._send(final=True)
    assert reporter.files == {}  # nothing changed since it was fetched


def test_a_service_that_is_away_is_said_once_and_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter: Any = Kept()
    kept = Checkpoints(tmp_path, reporter)
    (tmp_path / "a").write_text("x")
    os.utime(tmp_path / "a", (1, 1))
    reporter.away = True
    for _ in range(3):
        kept._send(final=False)
    assert capsys.readouterr().err == "[aifactory] checkpoint a is not kept: the service is away\n"
    reporter.away = False
    kept._send(final=False)
    assert reporter.files == {"a": b"x"}
