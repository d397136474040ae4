"""A real Prometheus on this machine that has the series of a test and scrapes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from .ports import free_port
from .programs_here import needs

# Seconds between two samples, and how many there are of each series.
EVERY, SAMPLES = 30, 120
# Seconds that it may take to answer.
_READY = 60.0
WITH_PROMETHEUS: pytest.MarkDecorator = needs("prometheus", "prometheus")

# Labels, and the value of the sample of this number.
Sample = tuple[str, Mapping[str, str], Callable[[int], float]]


@contextmanager
def running_prometheus(folder: Path, series: Iterable[Sample], end: int) -> Iterator[str]:
    """The address of one that has these series, an hour of them up to ``end``."""
    folder.mkdir(parents=True)
    (folder / "series.txt").write_text(_open_metrics(series, end))
    (folder / "prometheus.yml").write_text("{}\n")
    backfill = ("promtool", "tsdb", "create-blocks-from", "openmetrics", "series.txt", "data")
    subprocess.run(backfill, cwd=folder, check=True, capture_output=True)
    port = free_port()
    program = shutil.which("prometheus")
    assert program is not None
    argv = [
        program,
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log, env=dict(os.environ))
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, folder / "log.txt")
        yield url
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _READY
    with httpx.Client(trust_env=False) as http:
        while time.monotonic() < until:
            assert process.poll() is None, log.read_text()
            try:
                if http.get(f"{url}/-/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def _open_metrics(series: Iterable[Sample], end: int) -> str:
    lines = []
    for name, labels, value in series:
        said = ",".join(f'{key}="{text}"' for key, text in labels.items())
        for number in range(SAMPLES + 1):
            at = end - (SAMPLES - number) * EVERY
            lines.append(f"{name}{{{said}}} {value(number)} {at}")
    return "\n".join([*lines, "# EOF\n"])
