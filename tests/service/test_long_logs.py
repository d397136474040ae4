"""Output that is hard to follow: silence for long, a flood, bytes that are no text. Real runner, service and client."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aifactory_hub.client import Job, submit
from aifactory_hub.client.session import Account, Session
from aifactory_hub.engines.base import RunSpec
from aifactory_hub.service.api import events

from ..support.hub_proxy import hub_proxy
from ..support.job_service import RunningService
from ..support.local_runs import LocalRuns

MIG = "mig-1g.10gb"
# What a load balancer allows a silent connection is usually a minute; here one second stands for it.
_SILENCE = 1.0


class OwnLog(LocalRuns):
    """Runs whose pods' own logs are gone: what there is of their output is what their runners sent."""

    def _follow(self, spec: RunSpec, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout:
            while process.stdout.read(2**20):
                pass
        self.engine.end(spec.tenant, spec.run_id, process.wait())


class Counting(httpx.HTTPTransport):
    """Counts requests whose path ends in ``end``, with where they wanted to go on."""

    def __init__(self, end: str) -> None:
        super().__init__()
        self._end = end
        self.went_on_from: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(self._end):
            self.went_on_from.append(request.headers.get("Last-Event-ID"))
        return super().handle_request(request)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[OwnLog]:
    runs = OwnLog(tmp_path / "node")
    yield runs
    runs.close()


@pytest.fixture
def session(working: RunningService) -> Iterator[Session]:
    session = Session(Account(working.url.rstrip("/"), "ada", tenant="nlp"))
    yield session
    session.close()


def _followed(job: Job) -> list[str]:
    return list(job.follow())


def _follow_into(heard: list[str], job: Job) -> None:
    for text in job.follow():
        heard.append(text)


@pytest.mark.parametrize("kept_alive", [True, False], ids=["kept alive", "cut"])
async def test_a_silent_job_is_followed_through_the_hubs_proxy_to_its_end(
    working: RunningService, monkeypatch: pytest.MonkeyPatch, kept_alive: bool
) -> None:
    """Kept alive, one connection lasts six times what the proxy allows; cut each time, nothing is lost or doubled."""
    monkeypatch.setattr(events, "KEEP_ALIVE", _SILENCE / 4 if kept_alive else 1e9)
    monkeypatch.setattr(events, "_LOOK_AGAIN", _SILENCE / 10)
    counting = Counting("/events")
    with hub_proxy(working.url, silence=_SILENCE) as proxy:
        session = Session(Account(proxy.url.rstrip("/"), "ada", tenant="nlp"), transport=counting)
        command = f"echo begin; sleep {6 * _SILENCE:g}; echo end"
        job = await asyncio.to_thread(submit, command, profile=MIG, files=None, session=session)
        said = await asyncio.to_thread(_followed, job)
        assert "".join(said) == "begin\nend\n"
        assert job.state == "SUCCEEDED"
        session.close()
    if kept_alive:
        assert counting.went_on_from == [None]
    else:
        assert len(counting.went_on_from) > 2
        assert counting.went_on_from[-1] == "1.6"


async def test_a_proxy_that_is_started_again_is_waited_for_and_nothing_is_heard_twice(
    working: RunningService, tmp_path: Path
) -> None:
    counting, go = Counting("/events"), tmp_path / "go"
    heard: list[str] = []
    command = f"echo begin; until [ -e {go} ]; do sleep 0.05; done; echo end"
    with hub_proxy(working.url, silence=60.0) as proxy:
        session = Session(Account(proxy.url.rstrip("/"), "ada", tenant="nlp"), transport=counting)
        job = await asyncio.to_thread(submit, command, profile=MIG, files=None, session=session)
        following = asyncio.create_task(asyncio.to_thread(_follow_into, heard, job))
        async with asyncio.timeout(60):
            while not heard:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(proxy.stop)
        go.touch()
        await asyncio.sleep(_SILENCE)
        assert not following.done()
        await asyncio.to_thread(proxy.start)
        async with asyncio.timeout(60):
            await following
        session.close()
    assert "".join(heard) == "begin\nend\n"
    assert counting.went_on_from[0] is None
    assert counting.went_on_from[-1] == "1.6"


async def test_a_flood_is_kept_to_its_limit_and_its_end_is_whole(
    working: RunningService, session: Session, runs: OwnLog
) -> None:
    size, limit = 100 * 2**20, working.context.registry.jobs.max_log
    command = f"seq 100000000 | head -c {size}"

    def day() -> tuple[Job, list[dict[str, int]], str]:
        job = submit(command, profile=MIG, files=None, session=session)
        heard = []
        for event in session.events(f"/jobs/{job.id}/events", {"log": "true"}):
            if event.name == "log":
                heard.append({**event.data, "text": len(event.data["text"])})
            elif event.name == "end":
                break
        return job.refresh(), heard, job.logs()

    job, heard, log = await asyncio.to_thread(day)
    assert job.state == "SUCCEEDED"
    printed = await asyncio.to_thread(subprocess.check_output, ["sh", "-c", command])
    first, _, rest = log.partition("\n")
    assert first == f"[the first {size - limit} bytes are not kept]"
    assert (len(log), rest.encode()) == (limit, printed[-len(rest) :])
    places = [(piece["offset"], piece["skipped"], piece["text"]) for piece in heard]
    at = 0
    for offset, skipped, length in places:
        assert (offset, skipped) == (at + skipped, offset - at)
        at = offset + length
    assert at == size
    spool = sum(file.stat().st_size for file in (working.context.spool._root / job.id).iterdir())
    assert spool < limit + 2**20


async def test_output_that_is_no_text_comes_back_byte_for_byte_and_is_shown_as_text(
    working: RunningService, session: Session
) -> None:
    octal = "".join(f"\\{n:03o}" for n in range(256))
    command = f"for n in 1 2 3 4 5 6 7 8 9; do printf '{octal}\u00e9'; done"
    printed = (bytes(range(256)) + "é".encode()) * 9

    def day() -> tuple[Job, str]:
        job = submit(command, profile=MIG, files=None, session=session)
        return job, "".join(job.follow())

    job, shown = await asyncio.to_thread(day)
    assert job.state == "SUCCEEDED"
    async with working.http("ada") as http:
        answer = await http.get(f"/jobs/{job.id}/logs")
    assert answer.content == printed
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert shown == printed.decode("utf-8", "replace") == await asyncio.to_thread(job.logs)
