"""A real Gitea: built once from its Go module, started anew in a folder, by https on loopback only."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ..cluster.console import ClusterError
from ..cluster.toolchain import go_toolchain
from .certificates import write_server_tls
from .ports import free_port

_SOURCES = Path(__file__).parent / "giteaserver"
_MODULE = "code.gitea.io/gitea"
_FLAGS = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags=-s -w")
_TAGS = "sqlite sqlite_unlock_notify"
_TIMEOUT = 120.0
_SETTINGS = """\
APP_NAME = test
RUN_MODE = prod
WORK_PATH = {folder}/work
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = {root}

[server]
PROTOCOL = https
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = https://127.0.0.1:{port}/
CERT_FILE = {folder}/cert.pem
KEY_FILE = {folder}/key.pem
STATIC_ROOT_PATH = {module}
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = {folder}/work/gitea.db

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}

[webhook]
ALLOWED_HOST_LIST = loopback

[log]
MODE = file
LEVEL = Warn
ROOT_PATH = {folder}/log

[cron]
ENABLED = false

[packages]
ENABLED = false

[actions]
ENABLED = false

[other]
SHOW_FOOTER_VERSION = false
"""


class NoGitea(Exception):
    """The server can't be built on this machine: apt-get install golang-go gcc git."""


def program() -> tuple[Path, Path]:
    """The program, built once for each state of these sources, and the module's own folder with its templates."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_SOURCES.iterdir()))).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aifactory-hub-tests" / "giteaserver"
    built = cache / digest / "gitea"
    try:
        go = str(go_toolchain())
    except ClusterError as error:
        raise NoGitea(str(error)) from error
    environment = {
        **os.environ,
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "1",
    }
    if not built.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as half:
            argv = [go, "build", *_FLAGS, "-tags", _TAGS, "-o", f"{half}/gitea", _MODULE]
            _run_go(argv, environment)
            built.parent.mkdir(exist_ok=True)
            Path(half, "gitea").replace(built)
    _run_go([go, "mod", "download", _MODULE], environment)
    found = _run_go([go, "list", "-m", "-f", "{{.Dir}}", _MODULE], environment)
    return built, Path(found.strip())


def _run_go(argv: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(argv, cwd=_SOURCES, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoGitea(done.stderr[-2000:])
    return done.stdout


@dataclass
class Gitea:
    """A running Gitea. ``ca`` vouches for it."""

    folder: Path
    port: int
    ca: Path
    binary: Path
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def user(self, name: str) -> str:
        """A new account; its token."""
        password = secrets.token_hex(12)
        mail = f"{name}@example.org"
        named = ("--username", name, "--password", password, "--email", mail)
        self._admin("create", *named, "--admin", "--must-change-password=false")
        said = self._admin("generate-access-token", "--username", name, "--scopes", "all", "--raw")
        self.tokens[name] = said.strip().splitlines()[-1]
        return self.tokens[name]

    def api(self, verb: str, path: str, body: Any = None, *, user: str = "ann") -> Any:
        """A call of its API; the answer's JSON."""
        headers = {"Authorization": f"token {self.tokens[user]}"}
        url = f"https://{self.host}/api/v1{path}"
        answer = httpx.request(verb, url, json=body, headers=headers, verify=str(self.ca), trust_env=False, timeout=60)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def repository(self, name: str, *, user: str = "ann", private: bool = False) -> str:
        """A new repository; its address without a credential."""
        self.api("POST", "/user/repos", {"name": name, "private": private, "default_branch": "main"}, user=user)
        return f"https://{self.host}/{user}/{name}.git"

    def push_address(self, url: str, user: str = "ann") -> str:
        """The address that this person pushes to."""
        return url.replace("https://", f"https://{user}:{self.tokens[user]}@")

    def hook(self, path: str, url: str, secret: str) -> None:
        """Have it call ``url`` after pushes, new refs and deletions."""
        config = {"url": url, "content_type": "json", "secret": secret}
        asked = {"type": "gitea", "config": config, "events": ["push", "create", "delete"], "active": True}
        self.api("POST", f"/repos/{path}/hooks", asked)

    def _admin(self, *words: str) -> str:
        argv = [str(self.binary), "--config", f"{self.folder}/app.ini", "admin", "user", *words]
        done = subprocess.run(argv, env=_environment(self.folder), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


@contextmanager
def running_gitea(folder: Path) -> Iterator[Gitea]:
    """Gitea with one administrator, ann. Raises NoGitea."""
    binary, module = program()
    folder.mkdir(parents=True, exist_ok=True)
    port, (_, _, ca) = free_port(), write_server_tls(folder)
    root, secret = str(os.geteuid() == 0).lower(), secrets.token_hex(32)
    text = _SETTINGS.format(folder=folder, port=port, module=module, root=root, secret=secret)
    (folder / "app.ini").write_text(text)
    with (folder / "output").open("ab") as output:
        argv = [str(binary), "--config", f"{folder}/app.ini", "web"]
        process = subprocess.Popen(argv, env=_environment(folder), stdout=output, stderr=output)
    try:
        _wait(process, port, ca, folder / "output")
        gitea = Gitea(folder, port, ca, binary)
        gitea.user("ann")
        yield gitea
    finally:
        process.terminate()
        process.wait(30)


def _environment(folder: Path) -> dict[str, str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "USER": "git"}


def _wait(process: subprocess.Popen[bytes], port: int, ca: Path, log: Path) -> None:
    give_up = time.monotonic() + _TIMEOUT
    while time.monotonic() < give_up and process.poll() is None:
        try:
            httpx.get(f"https://127.0.0.1:{port}/api/healthz", verify=str(ca), trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"Gitea does not answer: {log.read_text()[-3000:]}")
