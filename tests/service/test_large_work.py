"""A working directory of 10,000 files: what a submit of it takes, the first time and after one file has changed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from aifactory_hub.client import Job, submit
from aifactory_hub.client.session import Account, Session

from ..support.job_service import RunningService

FILES = 10_000
STEPS = ["GET limits", "POST uploads/missing", "PUT uploads/packs", "PUT uploads/manifests", "POST jobs"]
# So that something quadratic is noticed, and a busy machine is not. In seconds.
_TIMEOUT = 120.0


@dataclass
class Sent(httpx.HTTPTransport):
    """The requests that went out, and how many bytes of body with each."""

    requests: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.split("/api/v1/")[1]
        what = "/".join(part for part in path.split("/") if len(part) != 64)
        self.requests.append((f"{request.method} {what}", int(request.headers.get("Content-Length", 0))))
        return super().handle_request(request)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "notebook"
    for n in range(FILES):
        file = folder / f"part-{n // 100}" / f"module_{n}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# module {n}\n" + f"VALUE = {n}\n" * 50)
    return folder


async def test_ten_thousand_files_travel_in_a_few_requests_and_once(
    working: RunningService, work: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    sent = Sent()
    session = Session(Account(working.url.rstrip("/"), "ada", tenant="nlp"), transport=sent)
    request.addfinalizer(session.close)

    def submitted(command: str) -> tuple[Job, float, list[tuple[str, int]]]:
        sent.requests.clear()
        began = time.monotonic()
        job = submit(command, profile="cpu-small", files=work, outputs=[], session=session)
        return job, time.monotonic() - began, list(sent.requests)

    def day() -> None:
        first, took, requests = submitted("find . -name '*.py' | wc -l; cat part-99/module_9999.py | tail -1")
        assert took < _TIMEOUT
        assert [what for what, _ in requests] == STEPS
        assert first.wait(_TIMEOUT, progress=False, poll=0.1) == "SUCCEEDED"
        assert first.logs().split() == ["10000", "VALUE", "=", "9999"]
        whole = dict(requests)["PUT uploads/packs"]
        (work / "part-3" / "module_333.py").write_text("VALUE = 'new'\n")
        second, again, requests = submitted("cat part-3/module_333.py")
        assert again < _TIMEOUT
        assert [what for what, _ in requests] == STEPS
        assert dict(requests)["PUT uploads/packs"] < whole / 100
        assert second.wait(_TIMEOUT, progress=False, poll=0.1) == "SUCCEEDED"
        assert second.logs() == "VALUE = 'new'\n"
        third, _, requests = submitted("true")
        assert "PUT uploads/packs" not in dict(requests), "nothing changed, so no file is sent"
        third.wait(_TIMEOUT, progress=False, poll=0.1)
        with capsys.disabled():
            print(f"\n10,000 files: {took:.1f} s, one changed: {again:.1f} s, {whole} bytes the first time")

    await asyncio.to_thread(day)
    assert len(list(working.context.files.job_ids(older_than=2e9 * 2))) == 3
