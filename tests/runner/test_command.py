"""The command's process: output, exit codes, signals, what it leaves behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from aifactory_hub.runner import command
from aifactory_hub.runner.command import Command, LogTail


def run(script: str, folder: Path, **environment: str) -> tuple[int, str]:
    chunks: list[bytes] = []
    started = Command(script, folder=folder, environment={"PATH": os.environ["PATH"], **environment})
    return started.wait(chunks.append), b"".join(chunks).decode()


@pytest.mark.parametrize(
    ("script", "code", "output"),
    [
        ("echo out; echo err >&2", 0, "out\nerr\n"),
        ("exit 7", 7, ""),
        ("kill -9 $$", 137, ""),
        ("kill -TERM $$", 143, ""),
        ("echo $COLOR; pwd | xargs basename", 0, "red\nwork\n"),
        ("printf 'no newline'", 0, "no newline"),
        ("no-such-command-at-all", 127, None),
        ("cat", 0, ""),
    ],
)
def test_how_a_command_ends(tmp_path: Path, script: str, code: int, output: str | None) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    ended, said = run(script, folder, COLOR="red")
    assert ended == code
    assert output is None or said == output


def test_a_stop_reaches_everything_that_the_command_started(tmp_path: Path) -> None:
    script = "trap 'echo stopping; exit 5' TERM; sleep 30 & echo $!; wait"
    chunks: list[bytes] = []
    started = Command(script, folder=tmp_path, environment={"PATH": os.environ["PATH"]})
    threading.Timer(0.3, started.stop, (signal.SIGTERM,)).start()
    began = time.monotonic()
    assert started.wait(chunks.append) == 5
    assert time.monotonic() - began < 5
    child, said = b"".join(chunks).decode().splitlines()
    assert said == "stopping"
    assert _ends(int(child))


def test_a_command_that_ignores_the_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_GRACE", 0.3)
    script = "trap '' TERM; while true; do sleep 0.1; done"
    started = Command(script, folder=tmp_path, environment={"PATH": os.environ["PATH"]})
    threading.Timer(0.2, started.stop, (signal.SIGTERM,)).start()
    assert started.wait(lambda _: None) == 137


def test_what_the_command_leaves_running_ends_with_it(tmp_path: Path) -> None:
    began = time.monotonic()
    code, said = run("sleep 30 & echo $!", tmp_path)
    assert code == 0
    assert time.monotonic() - began < 6
    assert _ends(int(said))


def test_a_log_keeps_its_end_and_says_what_is_missing(tmp_path: Path) -> None:
    log = LogTail(tmp_path / "log", 100)
    for n in range(1000):
        log.write(f"line {n:03}\n".encode())
    text = log.read().decode()
    assert len(text) == 100
    assert text.startswith("[the first 8900 bytes are not kept]\n")
    assert text.endswith("line 998\nline 999\n")
    assert (tmp_path / "log").stat().st_size <= 300
    log.close()


def test_a_short_log_is_kept_whole_and_may_go_on_after_it_was_read(tmp_path: Path) -> None:
    log = LogTail(tmp_path / "log", 100)
    log.write(b"one\n")
    assert log.read() == b"one\n"
    log.write(b"two\n")
    assert log.read() == b"one\ntwo\n"
    log.close()


def _ends(pid: int) -> bool:
    """Whether the process ends soon: one that was killed still has a state until the kernel is done with it."""
    deadline = time.monotonic() + 10  # far below the half minute for which the commands here sleep
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
