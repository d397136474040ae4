"""What the person in front of the terminal sees: one line a step, with its name and its time."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

HEARTBEAT = 15.0
_lock = threading.Lock()
_began = time.monotonic()


class ClusterError(Exception):
    """Something that the person has to know; its text is the whole message."""


class NotReady(ClusterError, TimeoutError):
    """Waited for in vain."""


def say(text: str) -> None:
    with _lock:
        print(f"[{time.monotonic() - _began:6.1f}s] {text}", file=sys.stderr, flush=True)


def elapsed() -> float:
    return time.monotonic() - _began


@contextmanager
def step(name: str, detail: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Say how long the block took; while it runs, say every now and then that it still does."""
    began, done = time.monotonic(), threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT):
            say(f"{name}: {time.monotonic() - began:.0f} s so far {detail()}".rstrip())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        say(f"{name}: FAILED after {time.monotonic() - began:.1f} s")
        raise
    finally:
        done.set()
    say(f"{name}: {time.monotonic() - began:.1f} s")


def together(jobs: Iterable[Callable[[], object]]) -> None:
    """Run all at once; wait for all; raise the first failure."""
    jobs = list(jobs)
    with ThreadPoolExecutor(max_workers=max(1, len(jobs))) as pool:
        for result in [pool.submit(job) for job in jobs]:
            result.result()


def wait_until(what: str, ready: Callable[[], bool], seconds: float, pause: float = 0.25) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise NotReady(f"{what}: not ready after {seconds:.0f} s")
        time.sleep(pause)
