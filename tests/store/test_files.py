"""The file store: whole or not at all, and never outside of its folder."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from aifactory_hub.store import DigestMismatch, FileStore, TooLarge


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


def test_a_file_is_there_whole_with_its_digest(files: FileStore) -> None:
    with files.incoming(10) as incoming:
        incoming.write(b"hello")
        assert files.size(files.log("jabcdef", 1)) is None
        kept = incoming.keep(files.log("jabcdef", 1), announced=hashlib.sha256(b"hello").hexdigest())
    assert (kept.size, files.read(kept.key)) == (5, b"hello")


def test_a_damaged_or_too_large_file_leaves_nothing(files: FileStore, tmp_path: Path) -> None:
    with pytest.raises(DigestMismatch), files.incoming(10) as incoming:
        incoming.write(b"hello")
        incoming.keep(files.log("jabcdef", 1), announced="0" * 64)
    with pytest.raises(TooLarge, match="more than 3 bytes"), files.incoming(3) as incoming:
        incoming.write(b"hello")
    assert [p for p in (tmp_path / "files").rglob("*") if p.is_file()] == []


def test_what_was_half_received_at_a_kill_is_gone_after_the_restart(tmp_path: Path) -> None:
    files = FileStore(tmp_path / "files")
    incoming = files.incoming(10)
    incoming.write(b"half")
    FileStore(tmp_path / "files")
    assert [p for p in (tmp_path / "files").rglob("*") if p.is_file()] == []
    incoming.drop()


def test_uploads_of_two_people_or_tenants_never_meet(files: FileStore) -> None:
    digest = "0" * 64
    places = [files.pack(t, o, digest) for t, o in (("a", "bc"), ("ab", "c"), ("a", "b/../c"), ("a", "é"))]
    assert len(set(places)) == 4


@pytest.mark.parametrize("bad", ["../up", "j/../..", "", "J123456", "j" * 50])
def test_what_is_no_job_id_never_names_a_file(files: FileStore, bad: str) -> None:
    with pytest.raises(ValueError, match="not a job's id"):
        files.log(bad, 1)


def test_an_artifacts_file_is_inside_whatever_its_name(files: FileStore) -> None:
    place = files.artifact("jabcdef", "../../../etc/passwd")
    assert re.fullmatch("jobs/jabcdef/artifacts/[0-9a-f]{64}", place)


def test_a_secret_is_made_once_and_for_the_owner_only(files: FileStore, tmp_path: Path) -> None:
    first = files.secret("job-tokens")
    assert first == FileStore(tmp_path / "files").secret("job-tokens")
    assert len(first) == 32
    path = tmp_path / "files" / "job-tokens.secret"
    assert path.stat().st_mode & 0o777 == 0o600
