"""The runner's day: fetch, run, bring home, report, and end as the command ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..domain.metrics import MOST_NAMES
from .archive import BadArchive, Choice, Stamp, choose, stamps
from .checkpoints import PREFIX, Checkpoints
from .command import Command, LogTail
from .follower import reporter_class
from .layout import Layout, read_manifest
from .models import BadModel, fetch_models
from .reason import VARIABLE, read_reason
from .redaction import Redactor
from .reporter import NotDelivered, Reporter
from .shipping import Shipper
from .status import StatusServer
from .task import BadTask, Task, child_environment, read_task

# The exit code for "the command was never started", as shells use it for "found but not runnable".
NOT_STARTED = 126
# The service may be restarted, or updated, while a job ends; its results are worth waiting for. In seconds.
_TIMEOUT = 600.0
# Once the pod is told to stop, it will soon be killed.
_TIMEOUT_WHEN_STOPPED = 20.0
# For the end of the live log: the whole log is brought home after it anyway. In seconds.
_LAST_WORDS = 15.0
_LAST_WORDS_WHEN_STOPPED = 3.0
# Files that are named as not kept, and characters of each name and of each reason: the service takes 1 MiB.
_MOST_LEFT = 500
_MOST_SAID = 20
_LONGEST_LEFT = 500


def main() -> int:
    """Run this pod's job; the command's exit code."""
    try:
        task = read_task(os.environ)
    except BadTask as error:
        _say(f"the job can't be run: {error}")
        return NOT_STARTED
    reporter = reporter_class(os.environ)(task.url, task.job_id, task.token, timeout=_TIMEOUT)
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
        if count := fetch_models(reporter, task.work / "models"):
            _say(f"{count} models were fetched and checked")
        if os.environ.get("AIFACTORY_ATTEMPT", "1") != "1":
            _say(f"{checkpoints.restore()} checkpoint files of the attempts before this one")
    except (NotDelivered, BadArchive, BadModel, OSError) as error:
        _say(f"the job's files can't be fetched: {error}")
        result = {"exit_code": NOT_STARTED, "problem": f"the job's files can't be fetched: {error}"}
        _deliver(lambda: reporter.post_result(result))
        return NOT_STARTED
    with tempfile.TemporaryDirectory(prefix="aifactory-") as scratch:
        log = LogTail(Path(scratch) / "log", task.max_log)
        shipper = Shipper(reporter)
        status = StatusServer(Path(scratch), shipper.progress)
        reason = Path(scratch) / "reason"
        checkpoints.start()
        code, stopped = _run_command(task, folder, log, shipper, status, reason)
        status.close()
        try:
            if stopped:
                reporter.timeout = _TIMEOUT_WHEN_STOPPED
            # Before all else: the next attempt goes on from them.
            checkpoints.close()
            shipper.close(_LAST_WORDS_WHEN_STOPPED if stopped else _LAST_WORDS)
            if shipper.left_out:
                _say(f"metrics of more than {MOST_NAMES} names were reported: those of the first are kept", log)
            problem = read_reason(reason) if code else None
            missing = {f"{PREFIX}{name}": why for name, why in checkpoints.refused.items()}
            result = {"exit_code": code, "problem": problem, "left": missing}
            _bring_home(task, reporter, folder, before, log, result)
        except Exception as error:
            # Nothing that goes wrong here changes how the job ended.
            _say(f"not everything could be brought home: {type(error).__name__}: {error}")
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


def _run_command(
    task: Task, folder: Path, log: LogTail, shipper: Shipper, status: StatusServer, reason: Path
) -> tuple[int, bool]:
    environment = child_environment(os.environ, task)
    environment = {**environment, **status.environment(environment), VARIABLE: str(reason)}
    command = Command(task.command, folder=folder, environment=environment)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda received, _: command.stop(received))

    redactor = Redactor(task.secrets.values())

    def sink(printed: bytes) -> None:
        show(redactor.pass_on(printed))

    def show(chunk: bytes) -> None:
        shipper.add(chunk)
        # A full disk must not stop the reading: the command would then block on its output for ever.
        with contextlib.suppress(OSError):
            log.write(chunk)
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    code = command.wait(sink)
    if rest := redactor.rest():
        show(rest)
    return code, command.told_to_stop


def _bring_home(
    task: Task, reporter: Reporter, folder: Path, before: dict[str, Stamp], log: LogTail, result: dict[str, Any]
) -> None:
    """The log first, because a pod that is stopped may not have the time for more; then files; then the result."""
    _deliver(lambda: reporter.put_log(log.read()))
    choice = choose(
        before, stamps(folder), outputs=task.outputs, max_bytes=task.max_artifacts, max_files=task.max_files
    )
    left = {**result["left"], **choice.left, **_deliver_files(reporter, folder, choice)}
    if left:
        for name, why in list(left.items())[:_MOST_SAID]:
            _say(f"{name} was not kept: {why}", log)
        if len(left) > _MOST_SAID:
            named = f"the job's list of what was left names the first {min(len(left), _MOST_LEFT)}"
            _say(f"{len(left) - _MOST_SAID} more were not kept: {named}", log)
        _deliver(lambda: reporter.put_log(log.read()))
    _deliver(lambda: reporter.post_result({**result, "left": _shortened(left)}))


def _deliver_files(reporter: Reporter, folder: Path, choice: Choice) -> dict[str, str]:
    left: dict[str, str] = {}
    for name in choice.kept:
        try:
            reporter.put_artifact(name, folder / name)
        except (NotDelivered, OSError, ValueError) as error:
            left[name] = str(error)
    return left


def _shortened(left: dict[str, str]) -> dict[str, str]:
    """What a result may hold: a report that is too long is cut, never dropped."""
    kept = {name[:_LONGEST_LEFT]: why[:_LONGEST_LEFT] for name, why in list(left.items())[:_MOST_LEFT]}
    more = len(left) - _MOST_LEFT
    return {**kept, f"and {more} more files": "only the first are named"} if more > 0 else kept


def _deliver(call: Any) -> None:
    """What can't be delivered is said, and changes nothing about how the job ended."""
    try:
        call()
    except NotDelivered as error:
        _say(f"not delivered: {error}")


def _say(text: str, log: LogTail | None = None) -> None:
    """To the pod's own output, and to the job's log where there is one."""
    line = f"[aifactory] {text}"
    print(line, file=sys.stderr, flush=True)
    if log is not None:
        with contextlib.suppress(OSError):
            log.write(f"{line}\n".encode(errors="backslashreplace"))
