"""Manifests: what they may say, and that the time to say no to one is bounded."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from aifactory_hub.untrusted.json_text import BadJson
from aifactory_hub.untrusted.manifests import ManifestFile, ManifestLimits, read_manifest

SHA = "0" * 64


def manifest(*names: str, **more: Any) -> bytes:
    return json.dumps({"files": [{"name": name, "sha256": SHA, "size": 1, **more} for name in names]}).encode()


def test_a_manifest_is_read() -> None:
    assert read_manifest(manifest("a", "b/c-ü", executable=True)) == [
        ManifestFile("a", SHA, 1, True),
        ManifestFile("b/c-ü", SHA, 1, True),
    ]
    assert read_manifest(b'{"files": []}') == []


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        (b"", "", "not JSON"),
        (b"[]", "files", "not an object"),
        (b"{}", "files", "list of files"),
        (b'{"files": {}}', "files", "list of files"),
        (b'{"files": [], "more": 1}', "more", "no such field"),
        (b'{"files": [], "files": []}', "files", "twice"),
        (b'{"files": [1]}', "files.0", "not an object"),
        (manifest("a", more=1), "files.0.more", "no such field"),
        (b'{"files": [{"name": "a", "sha256": 1}]}', "files.0.size", "missing"),
        (manifest("a", size=-1), "files.0.size", "bytes"),
        (manifest("a", size=True), "files.0.size", "bytes"),
        (manifest("a", size=1.0), "files.0.size", "bytes"),
        (manifest("a", size=2**50), "files.0.size", "bytes"),
        (manifest("a", sha256="x"), "files.0.sha256", "SHA-256"),
        (manifest("a", sha256=SHA.replace("0", "A")), "files.0.sha256", "SHA-256"),
        (manifest("a", executable=1), "files.0.executable", "true nor false"),
        (manifest("a", name=1), "files.0.name", "not a text"),
        (manifest("a", "../up"), "files.1.name", "below the work folder"),
        (manifest("/etc/passwd"), "files.0.name", "below the work folder"),
        (manifest("a//b"), "files.0.name", "below the work folder"),
        (manifest(""), "files.0.name", "below the work folder"),
        (manifest("."), "files.0.name", "below the work folder"),
        (manifest("x" * 501), "files.0.name", "501 characters"),
        (manifest("/".join("a" * 65)), "files.0.name", "65 folders deep"),
        (manifest("a\nb"), "files.0.name", "U+000A"),
        (manifest("a\x9bb"), "files.0.name", "U+009B"),
        (manifest("a\u202eb"), "files.0.name", "U+202E"),
        (manifest("a\u2028b"), "files.0.name", "U+2028"),
        (manifest("a\0b"), "files.0.name", "NUL"),
        (manifest("\ud800"), "files.0.name", "surrogate"),
        (manifest("a", "b", "a"), "files", "'a' comes twice"),
        (manifest("a/b", "a", "a.b"), "files", "a folder of 'a/b' is also"),
        (manifest("a", "a-b/c", "a/b/c/d"), "files", "a folder of 'a/b/c/d' is also"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, field: str, said: str) -> None:
    with pytest.raises(BadJson) as raised:
        read_manifest(body)
    assert (raised.value.field, said in raised.value.problem) == (field, True), raised.value.problem


def test_one_content_has_one_size() -> None:
    sizes = [{"name": name, "sha256": SHA, "size": size} for name, size in (("a", 1), ("b", 1), ("c", 2))]
    assert len(read_manifest(json.dumps({"files": sizes[:2]}).encode())) == 2
    with pytest.raises(BadJson) as raised:
        read_manifest(json.dumps({"files": sizes}).encode())
    assert raised.value.field == "files.2.size"


def test_names_that_only_begin_alike_do_not_clash() -> None:
    assert len(read_manifest(manifest("a", "a-b", "a.b/c", "a b/c", "a0", "b/a", "b/a-c"))) == 7


def test_more_files_than_allowed_are_refused() -> None:
    with pytest.raises(BadJson, match="at most 2"):
        read_manifest(manifest("a", "b", "c"), ManifestLimits(files=2))
    assert len(read_manifest(manifest("a", "b"), ManifestLimits(files=2))) == 2


def test_the_time_grows_with_the_text_and_not_with_its_folders() -> None:
    # Of the same size in bytes, one flat and one as deep as allowed. Joining every prefix takes many times longer.
    deep, flat = "/".join("a" * 62), "a" * 123
    times = {}
    for name in (flat, deep):
        body = manifest(*(f"{name}/{n:06d}" for n in range(5000)))
        best = 10.0
        for _ in range(3):
            began = time.process_time()
            read_manifest(body)
            best = min(best, time.process_time() - began)
        times[name] = best
    assert times[deep] < 4 * times[flat], times
