"""The clocks of the service, of a job's pod and of a notebook differ by hours: nothing is counted from two of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from aifactory_hub.client import session as client
from aifactory_hub.client.job import Job
from aifactory_hub.client.job_display import job_html
from aifactory_hub.client.session import Account, Session

from ..support.job_service import RunningService
from ..support.local_runs import LocalRuns
from .world import World

HOURS = 2 * 3600.0
# Python imports it by itself in each process of the run; the command prints what its clock says.
SHIFTED = """\
import time
_time, _time_ns, _gmtime = time.time, time.time_ns, time.gmtime
time.time = lambda: _time() + {shift}
time.time_ns = lambda: _time_ns() + int({shift} * 1e9)
time.gmtime = lambda seconds=None: _gmtime(time.time() if seconds is None else seconds)
"""
COMMAND = """\
python3 -c 'import time; print("clock", int(time.time()))
from aifactory_hub.client import report
report(50, {{"loss": 0.25}}, eta=600)'
echo checkpoint > "$AIFACTORY_CHECKPOINTS/last"; echo made > model.bin
while [ ! -e {go} ]; do sleep 0.1; done
"""


@pytest.fixture(params=[HOURS, -HOURS], ids=["ahead", "behind"])
def shift(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture
def runs(tmp_path: Path, shift: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalRuns]:
    """Runs whose clocks are wrong."""
    folder = tmp_path / "shifted"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SHIFTED.format(shift=shift))
    monkeypatch.syspath_prepend(str(folder))
    runs = LocalRuns(tmp_path / "node")
    yield runs
    runs.close()


@pytest.fixture
def notebook(working: RunningService, shift: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A client whose clock is wrong the other way round."""
    wrong = SimpleNamespace(time=lambda: time.time() - shift, monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr(client, "time", wrong)
    session = Session(Account(working.url.rstrip("/"), "ada"))
    yield session
    session.close()


async def test_tokens_progress_and_times_are_right_though_every_clock_is_another(
    working: RunningService, notebook: Session, shift: float, tmp_path: Path
) -> None:
    go, began = tmp_path / "go", time.time()
    body = {"command": COMMAND.format(go=go), "profile": "mig-1g.10gb", "key": "k", "max_seconds": 3600}
    job = Job(notebook, await asyncio.to_thread(notebook.post, "/jobs", body))
    async with asyncio.timeout(60):
        while (await asyncio.to_thread(job.refresh)).progress is None:
            await asyncio.sleep(0.1)
    assert job.state == "RUNNING"
    assert job.metrics == {"loss": 0.25}
    assert job.eta is not None and 540 < job.eta <= 600
    said = datetime.fromisoformat(job.data["progress"]["at"]).timestamp()
    assert began <= said + 1 and said <= time.time()
    assert "ran 2 h" not in job_html(job) and "120 min" not in job_html(job)
    go.touch()
    assert await asyncio.to_thread(job.wait, 60, progress=False, poll=0.1) == "SUCCEEDED"
    # The run's clock was wrong indeed, and its token was good all the same.
    clock = int((await asyncio.to_thread(job.logs)).split()[1])
    assert abs(clock - (time.time() + shift)) < 120
    files = {a["name"] for a in (await asyncio.to_thread(notebook.get, f"/jobs/{job.id}/artifacts"))["artifacts"]}
    assert "model.bin" in files and any(name.endswith("last") for name in files)
    times = [datetime.fromisoformat(at).timestamp() for at in job.data["times"].values() if at]
    assert times == sorted(times)
    assert began <= times[0] + 1 and times[-1] <= time.time() + 1


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


async def running(world: World, key: str) -> str:
    job_id = await world.submit(key)
    await world.settle()
    world.engine.start("nlp", job_id)
    assert await world.state(job_id) == ("RUNNING", None)
    return job_id


async def test_a_service_whose_clock_is_set_back_goes_on_and_no_job_ends_before_it_began(world: World) -> None:
    first = await running(world, "first")
    world.clock.pass_by(-HOURS)
    world.engine.end("nlp", first, 0)
    assert (await world.state(first))[0] == "SUCCEEDED"
    job = world.job(first)
    assert job.finished_at is not None and job.current.running_at is not None
    assert job.submitted_at <= job.current.running_at <= job.finished_at
    assert not job.live
    second = await running(world, "second")
    await world.service.scheduler.tick()
    await world.service.periodic_tasks.calls["retention"][1]()
    world.engine.end("nlp", second, 0)
    assert (await world.state(second))[0] == "SUCCEEDED"
    assert world.job(first).log_dropped_at is None
