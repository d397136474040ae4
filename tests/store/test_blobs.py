"""One contract for files under keys, on a folder and on a real S3 server."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from aifactory_hub.store import BlobMissing, Blobs, BlobsUnavailable, DigestMismatch, FileStore, FolderBlobs, S3Blobs
from aifactory_hub.store import blobs as module

from ..support.s3 import S3Server


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "kept")
    server: S3Server = request.getfixturevalue("s3")
    return S3Blobs(server.store(server.new_bucket(), prefix="hub/one"))


def put(blobs: Blobs, tmp_path: Path, key: str, content: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)
    blobs.put(key, source)
    assert not source.exists()


def whole(blobs: Blobs, key: str) -> bytes:
    reading = blobs.open(key)
    pieces = list(iter(reading.next, b""))
    reading.close()
    assert sum(map(len, pieces)) == reading.size
    return b"".join(pieces)


def test_what_is_put_is_there_until_it_is_deleted(blobs: Blobs, tmp_path: Path) -> None:
    put(blobs, tmp_path, "jobs/j1/log-1", b"first")
    put(blobs, tmp_path, "jobs/j1/log-1", b"second")
    assert (blobs.size("jobs/j1/log-1"), whole(blobs, "jobs/j1/log-1")) == (6, b"second")
    blobs.delete(["jobs/j1/log-1", "jobs/j1/never"])
    blobs.delete([])
    assert blobs.size("jobs/j1/log-1") is None
    assert list(blobs.list("jobs/")) == []


def test_a_part_is_read_without_the_rest(blobs: Blobs, tmp_path: Path) -> None:
    put(blobs, tmp_path, "jobs/j1/log-1", b"0123456789")
    parts = [(0, None), (3, None), (3, 4), (8, 10), (10, 5), (50, 5), (0, 0)]
    read = [blobs.read("jobs/j1/log-1", start, most) for start, most in parts]
    assert read == [b"0123456789", b"3456789", b"3456", b"89", b"", b"", b""]


def test_nothing_is_said_as_such(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(BlobMissing):
        blobs.read("jobs/j1/log-1")
    with pytest.raises(BlobMissing):
        blobs.open("jobs/j1/log-1")
    put(blobs, tmp_path, "jobs/j1/empty", b"")
    assert (whole(blobs, "jobs/j1/empty"), blobs.read("jobs/j1/empty")) == (b"", b"")


def test_a_list_is_of_its_prefix_only(blobs: Blobs, tmp_path: Path) -> None:
    for key in ("jobs/j1/log-1", "jobs/j1/artifacts/a", "jobs/j10/log-1", "packs/x"):
        put(blobs, tmp_path, key, key.encode())
    found = {blob.key: blob for blob in blobs.list("jobs/j1/")}
    assert sorted(found) == ["jobs/j1/artifacts/a", "jobs/j1/log-1"]
    assert found["jobs/j1/log-1"].size == 13
    assert abs(found["jobs/j1/log-1"].modified - tmp_path.stat().st_mtime) < 3600
    assert len(list(blobs.list("jobs/"))) == 3


def test_a_large_file_goes_and_comes_in_parts(blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART", 5 * 2**20)
    content = os.urandom(2**20) * 13
    put(blobs, tmp_path, "packs/large", content)
    assert hashlib.sha256(whole(blobs, "packs/large")).digest() == hashlib.sha256(content).digest()


def test_the_file_store_works_on_either(blobs: Blobs, tmp_path: Path) -> None:
    files = FileStore(tmp_path / "own", blobs)
    for key in (files.log("jabcdef", 1), files.log("jabcdef", 2), files.artifact("jabcdef", "model")):
        with files.incoming(10) as incoming:
            incoming.write(b"hello")
            incoming.keep(key, announced=hashlib.sha256(b"hello").hexdigest())
    assert files.read(files.log("jabcdef", 2)) == b"hello"
    assert files.job_ids(older_than=2e9 * 2) == ["jabcdef"]
    files.drop("jabcdef", "log")
    assert files.size(files.log("jabcdef", 1)) is None
    assert files.size(files.artifact("jabcdef", "model")) == 5
    files.drop_job("jabcdef")
    assert files.job_ids(older_than=2e9 * 2) == []
    files.journal_write(7, b"{}\n")
    files.journal_write(8, b"{}\n")
    assert (files.journal_numbers(), files.journal_read(7)) == ([7, 8], b"{}\n")
    assert files.journal_drop(older_than=2e9 * 2) == 1
    with pytest.raises(DigestMismatch), files.incoming(10) as incoming:
        incoming.write(b"hello")
        incoming.keep(files.log("jabcdef", 1), announced="0" * 64)
    assert files.size(files.log("jabcdef", 1)) is None
    assert files.secret("tokens") == files.secret("tokens")
    assert [path.name for path in (tmp_path / "own").iterdir() if path.is_file()] == ["tokens.secret"]


def test_a_bucket_is_named_by_its_address_and_reached_as_the_environment_says(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3.new_bucket()
    kept = S3Blobs.at(f"s3://{bucket}/hub/two")
    kept.check()
    put(kept, tmp_path, "packs/x", b"x")
    assert (s3.folder / "data" / bucket / "hub" / "two" / "packs" / "x").read_bytes() == b"x"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-one")
    with pytest.raises(BlobsUnavailable) as refused:
        S3Blobs.at(f"s3://{bucket}").check()
    assert "wrong-one" not in str(refused.value)
    with pytest.raises(BlobsUnavailable):
        S3Blobs.at("s3://no-such-bucket").check()


def test_storage_that_does_not_answer_is_no_missing_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_RETRIES", 0)
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    away = S3Blobs.at("s3://bucket")
    source = tmp_path / "source"
    source.write_bytes(b"x")
    for call in (
        lambda: away.size("a"),
        lambda: away.open("a"),
        lambda: away.put("a", source),
        lambda: list(away.list("a/")),
        lambda: away.delete(["a"]),
    ):
        with pytest.raises(BlobsUnavailable):
            call()
    assert source.exists()
