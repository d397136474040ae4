"""Reading files of members: small ones in this process, others in one that can be ended."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.untrusted import readers
from aifactory_hub.untrusted.json_text import BadJson
from aifactory_hub.untrusted.manifests import ManifestLimits
from aifactory_hub.untrusted.packs import BadPack, PackLimits, PackOverLimit
from aifactory_hub.untrusted.readers import ManifestContent, ReadingFailed, read_manifest_file, read_pack_file

from ..support.tar_blocks import END, entry, header, packed
from ..support.uploads import manifest_of, pack_of, sha256

LIMITS = PackLimits(content=2**30)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went to a process of its own."""
    seen: list[str] = []
    begin = readers._in_process

    def noted(kind: str, *rest: Any) -> Any:
        seen.append(kind)
        return begin(kind, *rest)

    monkeypatch.setattr(readers, "_in_process", noted)
    return seen


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "file"
    path.write_bytes(content)
    return path


def test_a_small_pack_is_read_here(tmp_path: Path, processes: list[str]) -> None:
    files = {str(n): f"{n}".encode() for n in range(200)}
    found = read_pack_file(write(tmp_path, pack_of(files)), LIMITS)
    assert found == {sha256(content): len(content) for content in files.values()}
    assert processes == []


@pytest.mark.parametrize(
    "files",
    [
        {str(n): f"{n}".encode() for n in range(201)},
        {"large": b"x" * (2**20 + 1)},
        {"incompressible": os.urandom(2**20 + 1)},
    ],
    ids=["many", "large", "large and packed"],
)
def test_a_larger_pack_is_read_in_a_process(tmp_path: Path, processes: list[str], files: dict[str, bytes]) -> None:
    found = read_pack_file(write(tmp_path, pack_of(files)), LIMITS)
    assert found == {sha256(content): len(content) for content in files.values()}
    assert processes == ["pack"]


def test_what_is_over_a_limit_is_refused_by_either(tmp_path: Path, processes: list[str]) -> None:
    path = write(tmp_path, pack_of({"a": b"x" * 5000}))
    with pytest.raises(PackOverLimit, match="more than 4999"):
        read_pack_file(path, PackLimits(4999, 10))
    assert processes == []
    with pytest.raises(BadPack, match="more than 3000000"):
        read_pack_file(write(tmp_path, pack_of({"a": b"x" * 3_000_001})), PackLimits(3_000_000))
    with pytest.raises(BadPack, match="cut short"):
        read_pack_file(write(tmp_path, packed([*(entry(bytes(n)) for n in range(300))])), LIMITS)
    assert processes == ["pack", "pack"]


def test_a_header_that_announces_gibibytes_takes_no_memory_and_little_time(tmp_path: Path) -> None:
    announced = packed([header(hashlib.sha256(b"x").hexdigest().encode(), 8**11 - 1), bytes(4096)])
    with pytest.raises(BadPack, match="more than"):
        read_pack_file(write(tmp_path, announced), LIMITS)
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as out:
        out.write(header(b"x", 2**28, kind=b"x"))
        for _ in range(256):
            out.write(bytes(2**20))
    began = time.monotonic()
    with pytest.raises(BadPack, match="not a plain file"):
        read_pack_file(write(tmp_path, raw.getvalue() + END), LIMITS)
    assert time.monotonic() - began < 10


def test_manifests_are_read_here_or_in_a_process(tmp_path: Path, processes: list[str]) -> None:
    for count in (100, 400):
        files = {f"f{n}": bytes([n % 7]) * (n % 7) for n in range(count)}
        found = read_manifest_file(write(tmp_path, manifest_of(files)))
        sizes = {sha256(content): len(content) for content in files.values()}
        assert found == ManifestContent(sizes, sum(map(len, files.values())))
    assert processes == ["manifest"]
    with pytest.raises(BadJson) as raised:
        read_manifest_file(write(tmp_path, manifest_of({f"f{n}": b"" for n in range(1000)}) + b"x"))
    assert raised.value.field == ""
    deep = [{"name": "/".join("a" * 70) + str(n), "sha256": "0" * 64, "size": 1} for n in range(1000)]
    with pytest.raises(BadJson, match="70 folders deep"):
        read_manifest_file(write(tmp_path, json.dumps({"files": deep}).encode()))


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "seconds_for", lambda content: 1)
    # By the clock it may take longer on a busy machine: the process has the lowest priority.
    monkeypatch.setattr(readers, "_CLOCK_FACTOR", 60)
    # Zeros are read at a few hundred MiB a second: this would take long.
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=1) as out:
        out.write(header(hashlib.sha256(b"x").hexdigest().encode(), 2**32))
        for _ in range(2**10):
            out.write(bytes(2**22))
    path = write(tmp_path, raw.getvalue())
    with pytest.raises(ReadingFailed, match="1 s of processor time") as raised:
        read_pack_file(path, PackLimits(2**33))
    assert raised.value.theirs


def test_a_machine_without_time_is_not_the_senders_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps = tmp_path / "python"
    sleeps.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeps.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(sleeps))
    monkeypatch.setattr(readers, "seconds_for", lambda content: 0.1)
    with pytest.raises(ReadingFailed, match="had no time") as raised:
        read_pack_file(write(tmp_path, pack_of({"large": b"x" * (2**20 + 1)})), LIMITS)
    assert not raised.value.theirs


def test_a_process_that_takes_too_much_memory_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_MEMORY", 100 * 2**20)
    files = {f"f{n}-{'x' * 200}": b"" for n in range(100_000)}
    with pytest.raises(ReadingFailed) as raised:
        read_manifest_file(write(tmp_path, manifest_of(files)), ManifestLimits())
    assert raised.value.theirs


def test_a_process_that_breaks_is_not_the_senders_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ReadingFailed) as raised:
        read_pack_file(write(tmp_path, pack_of({"large": b"x" * (2**20 + 1)})), LIMITS)
    assert not raised.value.theirs
