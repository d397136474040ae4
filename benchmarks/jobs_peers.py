"""What takes jobs in: our service, jupyter-scheduler and dask-gateway, each a process of its own with a database file.

The other two come from PyPI into an environment of their own below ``~/.cache/aifactory-hub``, made once.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from tornado.testing import bind_unused_port

PINNED = ("jupyter-scheduler==2.12.1", "dask-gateway-server==2026.3.0")
_CONFIG = Path(__file__).parent / "peers"
_READY = 120.0
_NOTEBOOK = {
    "cells": [],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
_numbers = count()


@dataclass(frozen=True)
class Contender:
    """A running program and how a job is handed to it and its jobs are listed."""

    process: subprocess.Popen[bytes]
    submit_url: str
    headers: Mapping[str, str]
    body: Callable[[], dict[str, Any]]
    list_urls: Mapping[str, str] = field(default_factory=dict)


def environment() -> Path:
    """The folder with the peers' programs; made on the first call, which takes a minute or two."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aifactory-hub"
    folder = cache / "bench-jobs-peers"
    done = folder / "installed.json"
    if not done.exists() or json.loads(done.read_text()) != list(PINNED):
        print(f"installing {', '.join(PINNED)} into {folder}")
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", *PINNED], check=True)
        done.write_text(json.dumps(PINNED))
    return folder / "bin"


@contextmanager
def ours(folder: Path, *options: str, checkout: Path | None = None) -> Iterator[Contender]:
    """The service, or that of another ``checkout``; ``options`` are those of ``benchmarks.jobs_service``."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "benchmarks.jobs_service", str(folder), *options]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=checkout
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        lists = {
            "one team": f"{url}api/v1/jobs?limit=50&tenant=nlp",
            "all of one's teams": f"{url}api/v1/jobs?limit=50",
        }
        yield Contender(process, f"{url}api/v1/jobs", {"Authorization": "token ada"}, _our_body, lists)
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


@contextmanager
def jupyter_scheduler(folder: Path, *, starts: bool = False, jobs: int = 0) -> Iterator[Contender]:
    """A Jupyter server with it. ``starts``: also the process of each job; ``jobs``: how many are there already."""
    programs, database = environment(), f"sqlite:///{folder}/scheduler.sqlite"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.ipynb").write_text(json.dumps(_NOTEBOOK))
    if jobs:
        filling = [str(programs / "python"), str(_CONFIG / "fill_jupyter_scheduler.py"), database, str(jobs)]
        subprocess.run(filling, check=True)
    port = _free_port()
    argv = [str(programs / "jupyter-server"), f"--config={_CONFIG / 'jupyter_server_config.py'}"]
    argv += [f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}", "--log-level=ERROR"]
    variables = {
        "JOBS_DATABASE": database,
        "JOBS_START": "yes" if starts else "no",
        "JUPYTER_TOKEN": "secret",
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    url, headers = f"http://127.0.0.1:{port}/scheduler/jobs", {"Authorization": "token secret"}
    with _program(argv, variables, folder / "log", f"{url}?max_items=1", headers) as process:
        yield Contender(process, url, headers, _notebook_body, {"all jobs": f"{url}?max_items=50"})


@contextmanager
def dask_gateway(folder: Path) -> Iterator[Contender]:
    """A gateway whose clusters are never started."""
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    argv = [str(environment() / "dask-gateway-server"), "-f", str(_CONFIG / "dask_gateway_config.py")]
    variables = {"GATEWAY_ADDRESS": f"127.0.0.1:{port}", "JOBS_DATABASE": f"sqlite:///{folder}/gateway.sqlite"}
    url = f"http://127.0.0.1:{port}/api/v1/clusters/"
    headers = {"Authorization": "Basic " + base64.b64encode(b"ada:any").decode()}
    with _program(argv, variables, folder / "log", url, headers) as process:
        yield Contender(process, url, headers, dict)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, in user and system time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Its memory that is not swapped out."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _our_body() -> dict[str, Any]:
    return {"command": "python train.py", "profile": "cpu-small", "tenant": "nlp", "key": f"k{next(_numbers)}"}


def _notebook_body() -> dict[str, Any]:
    return {
        "name": "train",
        "input_filename": "train.ipynb",
        "input_uri": "train.ipynb",
        "runtime_environment_name": "jupyterlab-env",
        "idempotency_token": f"k{next(_numbers)}",
    }


def _free_port() -> int:
    socket, port = bind_unused_port()
    socket.close()
    return port


@contextmanager
def _program(
    argv: list[str], variables: Mapping[str, str], log: Path, url: str, headers: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A peer that answers, ended with all that it started."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, env={**os.environ, **variables}, stdout=out, stderr=out, cwd=log.parent, start_new_session=True
        )
    try:
        _wait(process, url, headers, log)
        yield process
    finally:
        os.killpg(process.pid, 9)
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], url: str, headers: Mapping[str, str], log: Path) -> None:
    give_up = time.monotonic() + _READY
    while time.monotonic() < give_up and process.poll() is None:
        try:
            answer = httpx.get(url, headers=dict(headers), trust_env=False, timeout=30)
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        if answer.status_code == 200:
            return
        raise RuntimeError(f"{url} answers {answer.status_code}: {answer.text[:500]}")
    raise RuntimeError(f"it does not answer: {log.read_text()[-2000:]}")
