"""A release's pod: listen, fetch, check, read, answer. What is wrong is told to the service, and nothing gets ready."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..runner.models import BadModel, fetch_models
from ..runner.reporter import NotDelivered, Reporter
from .command import CommandServer
from .loaders import BadModelFiles, load
from .server import InferenceServer, Served

# Files may be large, and the service may be restarted meanwhile. In seconds.
_TIMEOUT = 600.0
_FAILED = 1
# Where it says on which port it listens, in its work folder, when any port was asked for.
ADDRESS = "address"


class BadSetup(Exception):
    """The pod was set up wrongly; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What this pod serves. ``port`` 0 means any."""

    url: str
    release: str
    token: str = field(repr=False)
    work: Path
    model: str
    version: str
    framework: str
    command: str
    host: str
    port: int


def read_setup(environment: Mapping[str, str]) -> Setup:
    """What ``environment`` and the folder of secrets that it names say. Raises BadSetup."""
    try:
        secrets = Path(environment["AIFACTORY_SECRETS"])
        told = json.loads((secrets / "release.json").read_text())
        return Setup(
            url=environment["AIFACTORY_SERVICE_URL"].rstrip("/"),
            release=told["id"],
            token=(secrets / "token").read_text().strip(),
            work=Path(environment["AIFACTORY_WORK"]),
            model=told["model"],
            version=str(told["version"]),
            framework=told["framework"],
            command=told["command"],
            host=environment.get("AIFACTORY_HOST", "127.0.0.1"),
            port=int(environment.get("AIFACTORY_PORT", "0")),
        )
    except (KeyError, OSError, ValueError, TypeError) as error:
        raise BadSetup(f"the description of the release can't be read: {error!r}") from error


def main() -> int:
    """Serve until told to stop; the exit code."""
    try:
        setup = read_setup(os.environ)
    except BadSetup as error:
        _say(str(error))
        return _FAILED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    served = Served(setup.model, setup.version)
    server = InferenceServer(setup.host, setup.port, served)
    threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
    (setup.work / ADDRESS).write_text(f"{setup.host}:{server.port}")
    reporter = Reporter(setup.url, setup.release, setup.token, timeout=_TIMEOUT, of="releases")
    try:
        return _serve(setup, served, reporter)
    finally:
        reporter.close()


def _serve(setup: Setup, served: Served, reporter: Reporter) -> int:
    folder = setup.work / "models" / setup.model
    try:
        if fetch_models(reporter, setup.work / "models") != 1:
            raise BadModel("the service gave no model for this release")
        _say(f"{setup.model} {setup.version}: signature and files are in order")
        if setup.framework == "command":
            return _run_command(setup, served, reporter, folder)
        served.loaded = load(setup.framework, folder)
    except (BadModel, BadModelFiles, NotDelivered, OSError) as error:
        return _fail(reporter, str(error))
    _say(f"{setup.model} {setup.version} is ready, read as {served.loaded.framework}")
    threading.Event().wait()
    return 0


def _run_command(setup: Setup, served: Served, reporter: Reporter, folder: Path) -> int:
    """The program gets neither the token nor the folder that it is in."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIFACTORY_")}
    program = CommandServer(setup.command, folder, environment)

    def stop(*_: object) -> None:
        program.stop()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    served.behind = program
    code = program.wait()
    return _fail(reporter, f"the command ended with exit code {code}")


def _fail(reporter: Reporter, problem: str) -> int:
    _say(f"it can't be served: {problem}")
    try:
        reporter.post_problem(problem)
    except NotDelivered as error:
        _say(f"not told: {error}")
    return _FAILED


def _say(text: str) -> None:
    print(f"[aifactory] {text}", file=sys.stderr, flush=True)
