"""A real S3 server for tests: versitygw's gateway over a temporary folder, on loopback only, built once from Go."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from obstore.store import S3Store

from ..cluster.console import ClusterError
from ..cluster.toolchain import go_toolchain
from .ports import free_port

_SOURCES = Path(__file__).parent / "s3server"
_TIMEOUT = 60.0


class NoS3(Exception):
    """The server can't be built on this machine: apt-get install golang-go."""


@dataclass
class S3Server:
    """A running server. Each bucket is a folder below ``folder``."""

    program: Path
    port: int
    folder: Path
    keys: dict[str, str]
    _numbers: Any = field(default_factory=lambda: count(1))
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Answer, with what was kept before."""
        log = self.folder / "log"
        with log.open("ab") as output:
            argv = [str(self.program), str(self.folder), f"127.0.0.1:{self.port}"]
            environment = {**self.keys, "PATH": os.defpath, "HOME": str(self.folder)}
            self._process = subprocess.Popen(argv, env=environment, stdout=output, stderr=output, cwd=self.folder)
        _wait(self._process, self.port, log)

    def stop(self) -> None:
        """Be away: connections are refused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to reach it."""
        return {**self.keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "AWS_REGION": "us-east-1"}

    def new_bucket(self) -> str:
        """An empty one; its name."""
        name = f"bucket-{next(self._numbers)}"
        (self.folder / "data" / name).mkdir()
        return name

    def store(self, bucket: str, **options: Any) -> S3Store:
        """A client of it."""
        return S3Store(
            bucket,
            endpoint=self.environment["AWS_ENDPOINT_URL"],
            region="us-east-1",
            access_key_id=self.keys["AWS_ACCESS_KEY_ID"],
            secret_access_key=self.keys["AWS_SECRET_ACCESS_KEY"],
            client_options={"allow_http": True},
            **options,
        )


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Raises NoS3."""
    program = _program()
    folder = Path(tempfile.mkdtemp(prefix="aifactory-s3-"))
    port = free_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16)}
    for name in ("data", "meta"):
        (folder / name).mkdir()
    server = S3Server(program, port, folder, keys)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + _TIMEOUT
    while time.monotonic() < give_up and process.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the S3 server does not answer: {log.read_text()}")


def _program() -> Path:
    """Built from these sources, once for each of their states."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_SOURCES.iterdir()))).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aifactory-hub-tests" / "s3server"
    program = cache / digest / "s3server"
    if program.exists():
        return program
    try:
        go = go_toolchain()
    except ClusterError as error:
        raise NoS3(str(error)) from error
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as half:
        flags = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags=-s -w"]
        argv = [str(go), "build", *flags, "-o", f"{half}/s3server", "."]
        environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
        done = subprocess.run(argv, cwd=_SOURCES, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise NoS3(done.stderr[-2000:])
        program.parent.mkdir(exist_ok=True)
        Path(half, "s3server").replace(program)
    return program


if __name__ == "__main__":
    # Built where there is a network: inside the test cluster's there is none.
    print(_program())
