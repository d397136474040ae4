"""A working directory of 10,000 files, sent by the client as a notebook sends it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aifactory_hub.client import submit
from aifactory_hub.client.session import Account, Session

from ..support.service_thread import ServiceThread, service_in_a_thread

FILES = 10_000
# One question which files are missing, a few packs, the manifest, the job.
_REQUESTS = 6


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ServiceThread]:
    with service_in_a_thread(tmp_path / "service") as running:
        yield running


def test_ten_thousand_files_are_a_few_requests_and_nothing_twice(
    running: ServiceThread, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "work"
    for n in range(FILES):
        file = folder / f"d{n % 100}" / f"f{n}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"value = {n}\n")
    sent: Counter[str] = Counter()
    asked: Counter[str] = Counter()

    class Counting(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            what = request.url.path.partition("/api/v1/")[2].rpartition("/")[0] or "jobs"
            asked[what] += 1
            sent[what] += int(request.headers.get("Content-Length", 0))
            return super().handle_request(request)

    session = Session(Account(running.url.rstrip("/"), "ada"), transport=Counting())
    began = time.perf_counter()
    first = submit("true", profile="cpu-small", files=folder, session=session)
    took, used = time.perf_counter() - began, asked.total()
    assert used <= _REQUESTS, asked
    assert asked["uploads/packs"] >= 1
    for counted in (asked, sent):
        counted.clear()
    (folder / "d0" / "f0.py").write_text("value = 'changed'\n")
    second = submit("true", profile="cpu-small", files=folder, session=session)
    session.close()
    assert asked.total() <= _REQUESTS, asked
    assert sent["uploads/packs"] < 1000
    assert first.data["files"] != second.data["files"]
    assert second.data["files_size"] == first.data["files_size"] + len("'changed'") - len("0")
    with capsys.disabled():
        print(f"\n{FILES} files: {took:.1f} s, {used} requests; one changed: {asked.total()}, {sent.total()} bytes")
