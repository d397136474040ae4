"""Starts what a server's environment says: hooks first, then the program, with reports of whether it is used."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from ..client.errors import NotInNotebook
from ..domain.environments import Kind
from .activity_reporter import EVERY, NOTE_VARIABLE, Reporter
from .hooks import run_hooks
from .plan import BadPlan, Plan, Programs, command_line, read_plan
from .vscode_settings import prepare

# Where code-server is, where its name alone does not lead to it: a command line.
CODE_SERVER_VARIABLE = "AIFACTORY_CODE_SERVER"


def main(arguments: list[str]) -> int:
    """Run until the program ends; its exit code."""
    try:
        plan = read_plan(os.environ)
    except BadPlan as error:
        say(str(error))
        return 2
    run_hooks(plan.hooks, say)
    if plan.kind is Kind.LAB:
        command = command_line(plan, Programs((), Path()), arguments)
        os.execv(command[0], command)  # noqa: S606 - it takes this process's place, with its signals
    with tempfile.TemporaryDirectory(prefix="aifactory-") as folder:
        return _run(plan, Path(folder))


def say(text: str) -> None:
    """Into the server's log."""
    print(f"aifactory: {text}", file=sys.stderr, flush=True)


def _run(plan: Plan, folder: Path) -> int:
    note = folder / "activity.json"
    code_server = shlex.split(os.environ.get(CODE_SERVER_VARIABLE) or "code-server")
    variables = {**os.environ, NOTE_VARIABLE: str(note), "AIFACTORY_PYTHON": sys.executable}
    if plan.kind is Kind.CODE:
        variables |= prepare(code_server, folder, variables, say)
    program = subprocess.Popen(command_line(plan, Programs(code_server, folder)), env=variables)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _: program.send_signal(number))
    ended = threading.Event()
    if plan.reports and plan.kind in (Kind.CODE, Kind.MARIMO):
        threading.Thread(target=_report, args=(plan.kind, note, ended), daemon=True).start()
    try:
        return program.wait()
    finally:
        ended.set()


def _report(kind: Kind, note: Path, ended: threading.Event) -> None:
    try:
        reporter = Reporter(kind, note, os.getpid())
    except NotInNotebook as error:
        say(str(error))
        return
    while not ended.wait(EVERY):
        reporter.report()
    reporter.close()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
