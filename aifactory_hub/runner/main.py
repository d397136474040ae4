"""The runner's day: fetch, run, bring home, report, and end as the command ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from .archive import BadArchive, Choice, Stamp, choose, stamps
from .checkpoints import Checkpoints
from .command import Command, LogTail
from .follower import reporter_class
from .layout import Layout, read_manifest
from .reporter import NotDelivered, Reporter
from .shipping import Shipper
from .status import StatusServer
from .task import BadTask, Task, child_environment, read_task

# The exit code for "the command was never started", as shells use it for "found but not runnable".
NOT_STARTED = 126
# The service may be restarted, or updated, while a job ends; its results are worth waiting for. In seconds.
_PATIENCE = 600.0
# Once the pod is told to stop, it will soon be killed.
_PATIENCE_WHEN_STOPPED = 20.0
# For the end of the live log: the whole log is brought home after it anyway. In seconds.
_LAST_WORDS = 15.0
_LAST_WORDS_WHEN_STOPPED = 3.0


def main() -> int:
    """Run this pod's job; the command's exit code."""
    try:
        task = read_task(os.environ)
    except BadTask as error:
        _say(f"the job can't be run: {error}")
        return NOT_STARTED
    reporter = reporter_class(os.environ)(task.url, task.job_id, task.token, patience=_PATIENCE)
    try:
        return _run(task, reporter)
    finally:
        reporter.close()


def _run(task: Task, reporter: Reporter) -> int:
    # A shell as process 1 ignores signals that it has no handler for; until there is a command, ending is right.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = task.work / "files"
    checkpoints = Checkpoints(task.work / "checkpoints", reporter)
    try:
        before = _prepare(task, reporter, folder)
        if os.environ.get("AIFACTORY_ATTEMPT", "1") != "1":
            _say(f"{checkpoints.restore()} checkpoint files of the attempts before this one")
    except (NotDelivered, BadArchive, OSError) as error:
        _say(f"the job's files can't be fetched: {error}")
        result = {"exit_code": NOT_STARTED, "problem": f"the job's files can't be fetched: {error}"}
        _deliver(lambda: reporter.post_result(result))
        return NOT_STARTED
    with tempfile.TemporaryDirectory(prefix="aifactory-") as scratch:
        log = LogTail(Path(scratch) / "log", task.max_log)
        shipper = Shipper(reporter)
        status = StatusServer(Path(scratch), shipper.progress)
        checkpoints.start()
        code, stopped = _run_command(task, folder, log, shipper, status)
        status.close()
        try:
            if stopped:
                reporter.patience = _PATIENCE_WHEN_STOPPED
            # Before all else: the next attempt goes on from them.
            checkpoints.close()
            shipper.close(_LAST_WORDS_WHEN_STOPPED if stopped else _LAST_WORDS)
            _bring_home(task, reporter, folder, before, log, code)
        except OSError as error:
            _say(f"not everything could be brought home: {error}")
        finally:
            log.close()
    return code


def _prepare(task: Task, reporter: Reporter, folder: Path) -> dict[str, Stamp]:
    folder.mkdir(parents=True, exist_ok=False)
    (task.work / "home").mkdir(exist_ok=True)
    if task.input_sha256 is None:
        return {}
    manifest, packs = reporter.fetch_manifest(task.input_sha256)
    layout = Layout(read_manifest(manifest), folder)
    pack = task.work / "pack.tar.gz"
    for digest in packs:
        reporter.fetch_pack(digest, pack)
        layout.unpack(pack)
        pack.unlink()
    layout.finish()
    return stamps(folder)


def _run_command(task: Task, folder: Path, log: LogTail, shipper: Shipper, status: StatusServer) -> tuple[int, bool]:
    environment = child_environment(os.environ, task)
    environment = {**environment, **status.environment(environment)}
    command = Command(task.command, folder=folder, environment=environment)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda received, _: command.stop(received))

    def sink(chunk: bytes) -> None:
        shipper.add(chunk)
        # A full disk must not stop the reading: the command would then block on its output for ever.
        with contextlib.suppress(OSError):
            log.write(chunk)
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    code = command.wait(sink)
    return code, command.told_to_stop


def _bring_home(
    task: Task, reporter: Reporter, folder: Path, before: dict[str, Stamp], log: LogTail, code: int
) -> None:
    choice = choose(before, stamps(folder), outputs=task.outputs, max_bytes=task.max_artifacts)
    _deliver(lambda: reporter.put_log(log.read()))
    left = {**choice.left, **_deliver_files(reporter, folder, choice)}
    for name, why in left.items():
        _say(f"{name} was not kept: {why}")
    result: dict[str, Any] = {"exit_code": code, "left": left}
    _deliver(lambda: reporter.post_result(result))


def _deliver_files(reporter: Reporter, folder: Path, choice: Choice) -> dict[str, str]:
    left: dict[str, str] = {}
    for name in choice.kept:
        try:
            reporter.put_artifact(name, folder / name)
        except (NotDelivered, OSError) as error:
            left[name] = str(error)
    return left


def _deliver(call: Any) -> None:
    """What can't be delivered is said, and changes nothing about how the job ended."""
    try:
        call()
    except NotDelivered as error:
        _say(f"not delivered: {error}")


def _say(text: str) -> None:
    print(f"[aifactory] {text}", file=sys.stderr, flush=True)
