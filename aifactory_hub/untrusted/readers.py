"""Reads packs and manifests: small ones here, others in a process of their own. The calls block; use a thread.

A reader that runs here can delay whoever shares the interpreter, so it is given so little that the delay is a few
milliseconds. What is larger goes to a process (see ``worker``), which is ended when its time is over.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .json_text import BadJson
from .manifests import ManifestLimits, read_manifest
from .packs import BadPack, PackLimits, PackOverLimit, pack_entries

# What is read here: packs up to so many bytes of content and entries, manifests up to so many bytes.
_HERE = PackLimits(content=2**20, entries=200)
_PACK_HERE = 2**20
_MANIFEST_HERE = 32 * 1024
# Of a process that reads, in bytes of address space. A manifest at its limits takes 300 MiB at most.
_MEMORY = 512 * 2**20
# How slowly a machine may read, in bytes of content a second, and what any process may take beside that.
_SLOWEST = 8 * 2**20
_SECONDS = 30
# The process takes what others leave of the processors, so by the clock it may take so many times as long.
_CLOCK_FACTOR = 4
# How a process ends that the kernel ends because of its limits.
_OVER_TIME = frozenset({-signal.SIGXCPU, -signal.SIGKILL})


class ReadingFailed(Exception):
    """The process that reads ended without an answer. ``theirs``: because of what it read, not of this machine."""

    def __init__(self, message: str, *, theirs: bool = False) -> None:
        super().__init__(message)
        self.theirs = theirs


@dataclass(frozen=True, slots=True)
class ManifestContent:
    """What a manifest names: each content's size by its digest, and the sum of all files' sizes, in bytes."""

    sizes: Mapping[str, int]
    size: int


def seconds_for(content: int) -> int:
    """How much processor time reading a pack of so many bytes of content may take, in seconds."""
    return _SECONDS + content // _SLOWEST


def read_pack_file(path: Path, limits: PackLimits) -> dict[str, int]:
    """Size of each entry of the pack, by digest. Raises BadPack, ReadingFailed."""
    if path.stat().st_size <= _PACK_HERE:
        here = PackLimits(min(limits.content, _HERE.content), min(limits.entries, _HERE.entries))
        try:
            with path.open("rb") as file:
                return {entry.sha256: entry.size for entry in pack_entries(file.read, here)}
        except PackOverLimit:
            if here == limits:
                raise
    return dict(_in_process("pack", path, limits, seconds_for(limits.content)))


def read_manifest_file(path: Path, limits: ManifestLimits | None = None) -> ManifestContent:
    """What the manifest names. Raises BadJson, ReadingFailed."""
    limits = limits or ManifestLimits()
    if path.stat().st_size <= _MANIFEST_HERE:
        found = [(file.sha256, file.size) for file in read_manifest(path.read_bytes(), limits)]
    else:
        found = list(_in_process("manifest", path, limits, _SECONDS))
    return ManifestContent(dict(found), sum(size for _, size in found))


def _in_process(kind: str, path: Path, limits: PackLimits | ManifestLimits, seconds: int) -> Iterator[tuple[str, int]]:
    task = {"kind": kind, "path": str(path), "limits": asdict(limits), "memory": _MEMORY, "seconds": seconds}
    # -I: nothing of the environment or of a home folder changes what is run.
    command = [sys.executable, "-I", "-m", "aifactory_hub.untrusted.worker", json.dumps(task)]
    try:
        timeout = _CLOCK_FACTOR * seconds
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise ReadingFailed(f"this machine had no time for it: it was not read after {timeout} s") from error
    if done.returncode in _OVER_TIME:
        raise ReadingFailed(f"reading it took longer than {seconds} s of processor time", theirs=True)
    if done.returncode != 0:
        raise ReadingFailed(f"the process that reads it ended with {done.returncode}: {done.stderr[-300:]!r}")
    return _found(done.stdout)


def _found(output: bytes) -> Iterator[tuple[str, int]]:
    first, *lines = output.split(b"\n")
    answer = json.loads(first)
    if "bad_pack" in answer:
        raise BadPack(answer["bad_pack"])
    if "bad_json" in answer:
        raise BadJson(*answer["bad_json"])
    if "memory" in answer:
        raise ReadingFailed("reading it takes too much memory", theirs=True)
    for line in lines:
        sha256, _, size = line.partition(b" ")
        yield sha256.decode(), int(size)
