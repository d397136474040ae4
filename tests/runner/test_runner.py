"""The runner as a process, against the real service; the pod is a folder."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.runner.main import NOT_STARTED
from aifactory_hub.runner.reporter import NotDelivered, Reporter
from aifactory_hub.runner.task import BadTask, Task, child_environment, read_task

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, running_service
from ..support.uploads import send_files


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[RunningService]:
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"))
    async with running_service(tmp_path / "service", hub=hub, reconciling=False) as service:
        yield service
    await hub.stop()


@dataclass
class Pod:
    """What the cluster gives a run: secret files, a work folder, an environment."""

    job_id: str
    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None

    def start(self, *, stdout: int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "aifactory_hub.runner"],
            env=self.environment,
            cwd=self.folder,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def end(self) -> tuple[int, str, str]:
        assert self.process is not None
        out, err = await asyncio.to_thread(self.process.communicate, timeout=60)
        return self.process.returncode, out, err

    async def run(self) -> tuple[int, str, str]:
        self.start()
        return await self.end()

    @property
    def job_file(self) -> Path:
        return self.folder / "secrets" / "job.json"

    def change(self, **changes: Any) -> None:
        self.job_file.write_text(json.dumps({**json.loads(self.job_file.read_text()), **changes}))


async def make_pod(service: RunningService, tmp_path: Path, command: str, **asked: Any) -> Pod:
    async with service.http("ada") as http:
        digest = await send_files(http, {"train.py": b"print('trained')\n", "data/in.txt": b"in"})
        body = {"command": command, "profile": "mig-1g.10gb", "key": "k", "files": digest, **asked}
        job_id = (await http.post("/jobs", json=body)).json()["id"]
    await service.reconciler.settle()
    (spec,) = service.engine.created
    pod = Pod(job_id, tmp_path / "pod", {})
    for name in ("secrets", "work"):
        (pod.folder / name).mkdir(parents=True)
    for name, text in spec.secret_files.items():
        (pod.folder / "secrets" / name).write_text(text)
    pod.environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "AIFACTORY_SECRETS": str(pod.folder / "secrets"),
        "AIFACTORY_WORK": str(pod.folder / "work"),
        "HOME": str(pod.folder / "work" / "home"),
        **spec.environment,
    }
    return pod


async def brought(service: RunningService, pod: Pod) -> tuple[dict[str, bytes], str, dict[str, Any]]:
    """The artifacts, the log and the job that the service has."""
    async with service.http("ada") as http:
        listed = (await http.get(f"/jobs/{pod.job_id}/artifacts")).json()["artifacts"]
        files = {a["name"]: (await http.get(f"/jobs/{pod.job_id}/artifacts/{a['name']}")).content for a in listed}
        log = (await http.get(f"/jobs/{pod.job_id}/logs")).text
        job = (await http.get(f"/jobs/{pod.job_id}")).json()
    return files, log, job


async def test_a_run_fetches_works_and_brings_home(service: RunningService, tmp_path: Path) -> None:
    command = "python3 train.py && cat data/in.txt > out.txt && mkdir m && echo w > m/w.bin"
    pod = await make_pod(service, tmp_path, command)
    code, out, err = await pod.run()
    assert (code, out, err) == (0, "trained\n", "")
    files, log, _ = await brought(service, pod)
    assert files == {"out.txt": b"in", "m/w.bin": b"w\n"}
    assert log == "trained\n"
    job = service.context.jobs.get(pod.job_id)
    assert job is not None
    assert job.current.report == {"exit_code": 0, "left": {}, "problem": None}


async def test_a_failing_commands_log_and_files_come_home_too(service: RunningService, tmp_path: Path) -> None:
    pod = await make_pod(service, tmp_path, "echo half > half.txt; echo oops >&2; exit 9")
    code, out, _ = await pod.run()
    assert (code, out) == (9, "oops\n")
    files, log, _ = await brought(service, pod)
    assert (files, log) == ({"half.txt": b"half\n"}, "oops\n")


async def test_only_the_outputs_that_were_asked_for_come_home(service: RunningService, tmp_path: Path) -> None:
    pod = await make_pod(service, tmp_path, "touch a.bin b.txt train.py", outputs=["*.bin"])
    await pod.run()
    assert list((await brought(service, pod))[0]) == ["a.bin"]


async def test_what_is_over_the_limit_stays_and_is_named(service: RunningService, tmp_path: Path) -> None:
    pod = await make_pod(service, tmp_path, "head -c 2000 /dev/zero > big.bin; echo s > small.txt")
    pod.change(max_artifacts=1000)
    code, _, err = await pod.run()
    files, _, job = await brought(service, pod)
    assert (code, list(files)) == (0, ["small.txt"])
    assert job["left"]["big.bin"].startswith("its 2000 bytes are more than")
    assert "[aifactory] big.bin was not kept" in err


async def test_a_long_log_comes_home_as_its_end(service: RunningService, tmp_path: Path) -> None:
    pod = await make_pod(service, tmp_path, "seq 1 5000")
    pod.change(max_log=1000)
    _, out, _ = await pod.run()
    assert out.startswith("1\n2\n")
    log = (await brought(service, pod))[1]
    assert len(log) == 1000
    assert log.startswith("[the first 22893 bytes are not kept]\n")
    assert log.endswith("4999\n5000\n")


async def test_a_stopped_run_stops_its_command_and_still_brings_home(service: RunningService, tmp_path: Path) -> None:
    command = "trap 'echo saving; echo state > checkpoint; exit 3' TERM; echo ready; sleep 60 & wait"
    pod = await make_pod(service, tmp_path, command)
    pod.start()
    assert pod.process is not None
    assert pod.process.stdout is not None
    assert await asyncio.to_thread(pod.process.stdout.readline) == "ready\n"
    pod.process.send_signal(signal.SIGTERM)
    code, out, _ = await pod.end()
    assert (code, out) == (3, "saving\n")
    files, log, _ = await brought(service, pod)
    assert (files, log) == ({"checkpoint": b"state\n"}, "ready\nsaving\n")


async def test_files_that_are_damaged_keep_the_command_from_starting(service: RunningService, tmp_path: Path) -> None:
    pod = await make_pod(service, tmp_path, "touch ran")
    manifest = '{"files": [{"name": "../up", "sha256": "0", "size": 1}]}'
    pod.change(input_sha256=hashlib.sha256(manifest.encode()).hexdigest())
    service.context.snapshots.manifest = lambda *_: (manifest, ())  # type: ignore[method-assign]
    code, _, err = await pod.run()
    assert code == NOT_STARTED
    assert "the job's files can't be fetched" in err
    service.engine.end("nlp", pod.job_id, NOT_STARTED)
    await service.reconciler.settle()
    _, _, job = await brought(service, pod)
    assert (job["state"], job["exit_code"]) == ("FAILED", NOT_STARTED)
    assert job["reason"].startswith(
        "the job's files can't be fetched: their manifest can't be read: files.0.name: '../up'"
    )


async def test_a_wrong_token_keeps_the_command_from_starting(service: RunningService, tmp_path: Path) -> None:
    pod = await make_pod(service, tmp_path, "touch ran")
    (pod.folder / "secrets" / "token").write_text("wrong")
    code, _, err = await pod.run()
    assert code == NOT_STARTED
    assert "403" in err
    assert "wrong" not in err
    assert not (pod.folder / "work" / "files" / "ran").exists()


def test_a_pod_without_its_description_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadTask, match="AIFACTORY_SERVICE_URL is missing"):
        read_task({})
    whole = {"AIFACTORY_SERVICE_URL": "u", "AIFACTORY_SECRETS": str(tmp_path), "AIFACTORY_WORK": "w"}
    with pytest.raises(BadTask, match="can't be read"):
        read_task(whole)
    (tmp_path / "token").write_text("t")
    (tmp_path / "job.json").write_text("{}")
    with pytest.raises(BadTask, match="can't be read"):
        read_task(whole)


def test_the_command_sees_neither_the_token_nor_where_it_is() -> None:
    own = {"PATH": "/bin", "AIFACTORY_SECRETS": "/s", "AIFACTORY_SERVICE_URL": "u", "AIFACTORY_WORK": "w"}
    task = Task("j1", "u", "secret-token", "true", Path("w"), environment={"PATH": "/mine"})
    given = child_environment(own, task)
    assert given == {
        "PATH": "/mine",
        "AIFACTORY_JOB_ID": "j1",
        "AIFACTORY_ATTEMPT": "1",
        "AIFACTORY_CHECKPOINTS": "w/checkpoints",
        "AIFACTORY_MODELS": "w/models",
        "PYTHONUNBUFFERED": "1",
    }
    assert "secret-token" not in repr(task)


def test_a_service_that_stays_away_is_given_up_on_after_the_patience() -> None:
    slept: list[float] = []
    reporter = Reporter("http://127.0.0.1:9", "j1", "t", timeout=3.0, sleep=slept.append)
    with pytest.raises(NotDelivered, match=r"the log: no success within 3 s; last: ConnectError"):
        reporter.put_log(b"x")
    assert slept[:3] == [0.2, 0.4, 0.8]
    reporter.close()


async def test_a_hundred_megabytes_of_output_cost_little_and_the_end_is_kept(
    service: RunningService, tmp_path: Path
) -> None:
    command = "python3 -c 'for n in range(100): print((str(n) + \"x\" * 99 + chr(10)) * 10000, end=str())'; echo done"
    pod = await make_pod(service, tmp_path, command)
    pod.start(stdout=subprocess.DEVNULL)
    code, _, said = await pod.end()
    assert code == 0, said
    _, log, job = await brought(service, pod)
    limit = service.context.registry.jobs.max_log
    assert len(log) <= limit
    assert log.startswith("[the first ") and log.endswith("x\ndone\n")
    assert job["log_size"] == len(log)
    spool = service.context.spool
    assert spool.size(pod.job_id) > 100 * 10**6
    assert len(spool.tail(pod.job_id, most=10**9)) <= limit + 2 * 256 * 1024


async def test_a_name_that_is_not_utf_8_takes_nothing_else_with_it(service: RunningService, tmp_path: Path) -> None:
    command = (
        "printf ok >model.txt; printf x >\"$(printf 'ma\\361ana.csv')\"; printf x >\"$(printf 'a\\tb')\"; "
        "printf x >\"$AIFACTORY_CHECKPOINTS/$(printf 'ma\\361ana.pt')\"; true"
    )
    pod = await make_pod(service, tmp_path, command)
    code, _, _ = await pod.run()
    files, log, _ = await brought(service, pod)
    assert (code, files) == (0, {"model.txt": b"ok"})
    job = service.context.jobs.get(pod.job_id)
    assert job is not None and job.current.report is not None
    assert sorted(job.current.report["left"]) == [".checkpoints/ma\\udcf1ana.pt", "a\\tb", "ma\\udcf1ana.csv"]
    assert (
        "was not kept: it has the character U+0009, which can't be printed: rename it" in log
    )  # where people look, not in the pod's own output alone


async def test_of_very_many_files_the_important_come_home_and_the_rest_is_counted(
    service: RunningService, tmp_path: Path
) -> None:
    command = (
        "mkdir deep; for n in $(seq 1100); do : >deep/$n; done; for n in $(seq 600); do : >deep/x$n; done; "
        "printf result >zz-result.txt"
    )
    pod = await make_pod(service, tmp_path, command)
    pod.change(max_files=5)
    assert (await pod.run())[0] == 0
    files, log, _ = await brought(service, pod)
    assert len(files) == 5 and files["zz-result.txt"] == b"result"
    assert "1676 more were not kept" in log, "the log counts all of them: 1,696, of which it names 20"
    job = service.context.jobs.get(pod.job_id)
    assert job is not None and job.current.report is not None
    assert len(job.current.report["left"]) == 501
    assert job.current.report["left"]["and 1196 more files"] == "only the first are named"


async def test_the_reason_that_a_failing_command_writes_is_the_job_s(service: RunningService, tmp_path: Path) -> None:
    command = 'printf "no data for 2024\\nmore" >"$AIFACTORY_REASON_FILE"; exit 3'
    pod = await make_pod(service, tmp_path, command)
    assert (await pod.run())[0] == 3
    job = service.context.jobs.get(pod.job_id)
    assert job is not None
    assert job.current.report == {"exit_code": 3, "left": {}, "problem": "no data for 2024"}


async def test_a_reason_counts_only_when_the_command_has_failed(service: RunningService, tmp_path: Path) -> None:
    pod = await make_pod(service, tmp_path, 'echo tried >"$AIFACTORY_REASON_FILE"; exit 0')
    assert (await pod.run())[0] == 0
    job = service.context.jobs.get(pod.job_id)
    assert job is not None
    assert job.current.report == {"exit_code": 0, "left": {}, "problem": None}


REPORTS = "from aifactory_hub.client import report\nfor i in range(20): report(metrics={'i': i})\n"


@pytest.mark.parametrize(
    ("end", "code"),
    [("", 0), ("raise SystemExit(3)\n", 3), ("1 / 0\n", 1), ("import os; os._exit(4)\n", 4),
     ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n", 137)],
)  # fmt: skip
async def test_the_last_report_is_kept_however_the_command_ends(
    service: RunningService, tmp_path: Path, end: str, code: int
) -> None:
    pod = await make_pod(
        service, tmp_path, f'exec {sys.executable} -c "$PROGRAM"', environment={"PROGRAM": REPORTS + end}
    )
    assert (await pod.run())[0] == code
    async with service.http("ada") as http:
        job = (await http.get(f"/jobs/{pod.job_id}")).json()
        (series,) = (await http.get(f"/jobs/{pod.job_id}/metrics")).json()["series"]
    assert job["progress"]["metrics"] == {"i": 19.0}
    assert (series["steps"], series["values"]) == (list(range(20)), [float(i) for i in range(20)])


async def test_a_command_that_is_stopped_keeps_what_it_reported(service: RunningService, tmp_path: Path) -> None:
    program = f"{REPORTS}print('reported', flush=True)\nimport time; time.sleep(60)\n"
    pod = await make_pod(service, tmp_path, f'exec {sys.executable} -c "$PROGRAM"', environment={"PROGRAM": program})
    pod.start()
    assert pod.process is not None
    assert pod.process.stdout is not None
    assert await asyncio.to_thread(pod.process.stdout.readline) == "reported\n"
    pod.process.send_signal(signal.SIGTERM)
    assert (await pod.end())[0] == 143
    async with service.http("ada") as http:
        job = (await http.get(f"/jobs/{pod.job_id}")).json()
    assert job["progress"]["metrics"] == {"i": 19.0}
