"""Server-Sent Events, read as a browser reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from aifactory_hub.service.api import events, reader_access
from aifactory_hub.service.change_feed import ChangeFeed, Changes

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService

JOB = {"command": "true", "profile": "mig-1g.10gb"}


@dataclass
class Heard:
    """What came over one stream."""

    lines: AsyncIterator[str]
    comments: int = 0
    _pending: dict[str, str] = field(default_factory=dict)

    async def next(self) -> tuple[str, Any]:
        """The next event."""
        async with asyncio.timeout(10):
            async for line in self.lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    self._pending[name] = value
                elif "event" in self._pending:
                    heard, self._pending = self._pending, {}
                    return heard["event"], json.loads(heard["data"])
                else:
                    self._pending = {}
        raise EOFError

    async def ended(self) -> bool:
        try:
            await self.next()
        except EOFError:
            return True
        return False


@asynccontextmanager
async def listening(http: httpx.AsyncClient, path: str) -> AsyncIterator[Heard]:
    async with http.stream("GET", path) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        yield Heard(response.aiter_lines())


async def submitted(http: httpx.AsyncClient, key: str = "k") -> str:
    return str((await http.post("/jobs", json={**JOB, "key": key})).json()["id"])


async def test_a_job_is_followed_from_state_to_state_to_its_end(service: RunningService) -> None:
    async with service.http("ada") as http:
        job_id = await submitted(http)
        async with listening(http, f"/jobs/{job_id}/events") as heard:
            assert (await heard.next())[1]["state"] == "PENDING"
            await service.reconciler.settle()
            assert (await heard.next())[1]["state"] == "STARTING"
            service.engine.end("nlp", job_id, 3)
            await service.reconciler.settle()
            seen = [await heard.next(), await heard.next()]
            assert seen[0][0] == "job"
            assert (seen[0][1]["state"], seen[0][1]["exit_code"]) == ("FAILED", 3)
            assert seen[1] == ("end", {"id": job_id, "state": "FAILED", "simulated": True})
            assert await heard.ended()


async def test_all_jobs_of_ones_teams_are_heard_and_no_others(service: RunningService) -> None:
    async with service.http("ada") as http, service.http("eve") as other, service.http() as stranger:
        async with listening(http, "/events") as heard:
            assert await heard.next() == ("reload", {})
            await submitted(other)
            job_id = await submitted(http)
            name, job = await heard.next()
            assert (name, job["id"], job["tenant"]) == ("job", job_id, "nlp")
        refused = await http.get("/events?tenant=vision")
        unknown = await other.get(f"/jobs/{job_id}/events")
        nobody = await stranger.get("/events")
    assert (refused.status_code, unknown.status_code, nobody.status_code) == (403, 404, 401)


async def test_a_stream_in_which_nothing_happens_is_kept_alive(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE", 0.0)
    monkeypatch.setattr(events, "_LOOK_AGAIN", 0.02)
    async with service.http("ada") as http:
        job_id = await submitted(http)
        async with listening(http, f"/jobs/{job_id}/events") as heard:
            await heard.next()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await heard.next()
            assert heard.comments >= 2


async def test_a_token_that_is_taken_back_ends_the_stream_and_a_hub_that_restarts_does_not(
    service: RunningService, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_access, "CHECK_EVERY", 0.0)
    monkeypatch.setattr(reader_access, "CHECK_GRACE", 0.0)
    monkeypatch.setattr(events, "_LOOK_AGAIN", 0.02)
    async with service.http("ada") as http:
        job_id = await submitted(http)
        async with listening(http, f"/jobs/{job_id}/events") as heard:
            await heard.next()
            hub.status = 503
            asked = hub.asked
            async with asyncio.timeout(10):
                while hub.asked < asked + 3:
                    await asyncio.sleep(0.02)
            hub.status = 200
            service.context.jobs.ask_cancel(job_id, by="ada", now=1.0)
            assert (await heard.next())[1]["cancel_asked"] is True
            del hub.models["ada"]
            name, problem = await heard.next()
            assert (name, problem["reason"]) == ("problem", "not-signed-in")
            assert await heard.ended()


async def test_a_listener_that_goes_leaves_nothing_behind(service: RunningService) -> None:
    async with service.http("ada") as http:
        job_id = await submitted(http)
        async with listening(http, f"/jobs/{job_id}/events") as heard:
            await heard.next()
            async with asyncio.timeout(5):
                while not service.context.changes._waiting:
                    await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        while service.context.changes._waiting:
            await asyncio.sleep(0.02)


async def test_news_are_told_to_all_who_wait_once_and_to_nobody_twice() -> None:
    changes = ChangeFeed()
    waiting = [asyncio.create_task(changes.after(0, timeout=5)) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.to_thread(changes.tell, "j1")
    assert [await task for task in waiting] == [Changes(1, {"j1": 1})] * 3
    assert (await changes.after(1, timeout=0.01)).jobs == {}
    assert (await changes.after(0, timeout=0)).jobs == {"j1": 1}
    for n in range(3000):
        changes.tell(f"j{n}")
    assert (await changes.after(1, timeout=0)).jobs is None
    assert not changes._waiting


async def piece(service: RunningService, job_id: str, offset: int, content: bytes) -> None:
    spec = next(spec for spec in service.engine.created if spec.run_id == job_id)
    async with service.http(spec.secret_files["token"]) as runner:
        answer = await runner.post(f"/internal/jobs/{job_id}/log/pieces?offset={offset}", content=content)
    assert answer.status_code == 200, answer.text


async def test_what_a_job_prints_is_heard_as_it_comes_and_once(service: RunningService) -> None:
    async with service.http("ada") as http:
        job_id = await submitted(http)
        await service.reconciler.settle()
        async with listening(http, f"/jobs/{job_id}/events?log=true") as heard:
            await heard.next()
            await piece(service, job_id, 0, b"epoch 1 \xc3")
            assert (await heard.next())[1] == {"attempt": 1, "offset": 0, "skipped": 0, "text": "epoch 1 "}
            await piece(service, job_id, 0, b"epoch 1 \xc3")
            await piece(service, job_id, 9, b"\xa9\xff\n")
            assert (await heard.next())[1] == {"attempt": 1, "offset": 9, "skipped": 0, "text": "é\ufffd\n"}
            await piece(service, job_id, 500, b"later\n")
            assert (await heard.next())[1] == {"attempt": 1, "offset": 500, "skipped": 488, "text": "later\n"}
            assert (await http.get(f"/jobs/{job_id}/logs")).headers["X-AIFactory-Log"] == "live"
            service.engine.end("nlp", job_id, 0)
            await service.reconciler.settle()
            while (last := await heard.next())[0] == "job":
                pass
            assert last[0] == "end"
        async with listening(http, f"/jobs/{job_id}/events?log=true&after=12") as heard:
            assert [(await heard.next())[0] for _ in range(3)] == ["job", "log", "end"]
            assert await heard.ended()


async def test_one_who_comes_back_hears_what_she_missed(service: RunningService) -> None:
    async with service.http("ada") as http:
        job_id = await submitted(http)
        await service.reconciler.settle()
        await piece(service, job_id, 0, b"one\ntwo\n")
        again = {"Last-Event-ID": "1.4"}
        async with http.stream("GET", f"/jobs/{job_id}/events?log=true", headers=again) as response:
            heard = Heard(response.aiter_lines())
            await heard.next()
            assert (await heard.next())[1] == {"attempt": 1, "offset": 4, "skipped": 0, "text": "two\n"}


async def test_one_who_comes_back_in_the_middle_of_a_character_hears_all_of_it(service: RunningService) -> None:
    async with service.http("ada") as http:
        job_id = await submitted(http)
        await service.reconciler.settle()
        await piece(service, job_id, 0, "café".encode()[:-1])
        async with http.stream("GET", f"/jobs/{job_id}/events?log=true") as response:
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    break
        await piece(service, job_id, 4, "café".encode()[-1:])
        again = {"Last-Event-ID": line.removeprefix("id: ")}
        async with http.stream("GET", f"/jobs/{job_id}/events?log=true", headers=again) as response:
            heard = Heard(response.aiter_lines())
            await heard.next()
            assert (await heard.next())[1]["text"] == "é"


async def test_a_log_that_is_not_kept_any_more_ends_who_follows_it(service: RunningService) -> None:
    async with service.http("ada") as http:
        job_id = await submitted(http)
        await service.reconciler.settle()
        await piece(service, job_id, 0, b"once\n")
        service.engine.end("nlp", job_id, 0)
        await service.reconciler.settle()
        service.context.spool.drop(job_id)
        service.context.files.drop(job_id, "log")
        service.context.jobs.mark_dropped(job_id, "log", now=1.0)
        async with listening(http, f"/jobs/{job_id}/events?log=true") as heard:
            assert (await heard.next())[0] == "job"
            name, problem = await heard.next()
            assert (name, problem["status"]) == ("problem", 410)
            assert "log" in problem["detail"]
            assert await heard.ended()


async def test_who_comes_back_a_day_later_goes_on_in_what_is_left_of_a_long_log(service: RunningService) -> None:
    limit = service.context.registry.jobs.max_log
    printed = b"".join(f"{n:07}\n".encode() for n in range((limit + 2**20) // 8))
    async with service.http("ada") as http:
        job_id = await submitted(http)
        await service.reconciler.settle()
        for start in range(0, len(printed), 2**19):
            await piece(service, job_id, start, printed[start : start + 2**19])
        service.engine.end("nlp", job_id, 137)
        await service.reconciler.settle()
        service.context.spool.drop(job_id)
        for place in (len(printed) - 16, 8):
            told = []
            async with listening(http, f"/jobs/{job_id}/events?log=true&after={place}") as heard:
                while (event := await heard.next())[0] != "end":
                    told.append(event[1])
            pieces = [each for each in told if "text" in each]
            first = pieces[0]["offset"]
            assert first == place + pieces[0]["skipped"]
            assert "".join(each["text"] for each in pieces) == printed[first:].decode()
            assert first == max(
                place, len(printed) - limit + len(f"[the first {len(printed) - limit} bytes are not kept]\n")
            )


async def test_the_log_of_a_pod_that_is_gone_is_what_its_runner_sent(service: RunningService) -> None:
    async with service.http("ada") as http:
        job_id = await submitted(http)
        await service.reconciler.settle()
        await piece(service, job_id, 0, b"before the memory was full\n")
        service.engine.end("nlp", job_id, 137, "it used more memory than its profile has (OOMKilled)")
        await service.reconciler.settle()
        log = await http.get(f"/jobs/{job_id}/logs")
    assert (log.text, log.headers["X-AIFactory-Log"]) == ("before the memory was full\n", "stored")
