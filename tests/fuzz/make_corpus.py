"""Writes the corpus of the readers' fuzz targets: ``python -m tests.fuzz.make_corpus``.

Names begin with good or bad.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from pathlib import Path

from ..support.tar_blocks import END, base256, entry, header, packed
from ..support.uploads import manifest_of, pack_of

CORPUS = Path(__file__).parent / "corpus"
X = hashlib.sha256(b"x").hexdigest().encode()
SHA = "0" * 64


def packs() -> dict[str, bytes]:
    """Packs of the client's form, and what was or could be a fault."""
    good = entry(b"x")
    return {
        "good-empty": packed([END]),
        "good-one": pack_of({"a": b"x"}),
        "good-many": pack_of({str(n): b"%d" % n * n for n in range(40)}),
        "bad-negative-size": packed([entry(b""), header(X, base256(-512)), bytes(2048)]),
        "bad-base-256": packed([header(X, base256(2**80)), bytes(2048)]),
        "bad-pax-header": packed([header(b"x", 8**10, kind=b"x"), bytes(4096)]),
        "bad-gnu-long-name": packed([header(b"././@LongLink", 8**10, kind=b"L"), bytes(4096)]),
        "bad-sparse": packed([header(X, 1, kind=b"S"), b"x", bytes(511), END]),
        "bad-link": packed([header(X, 0, kind=b"2", link=b"/etc/passwd"), END]),
        "bad-many-empty": packed([entry(b"")] * 600 + [END]),
        "bad-zeros": packed([good, bytes(2**18)]),
        "bad-two-members": packed([good, END]) * 2,
        "bad-cut": packed([good, END])[:-20],
        "bad-checksum": packed([header(X, 1, checksum=0), b"x", bytes(511), END]),
        "bad-not-gzip": b"\x1f\x8b\x08\x00rubbish",
        "bad-zlib": zlib.compress(good + END),
        "bad-large": gzip.compress(header(X, 2**24) + bytes(2**21), mtime=0),
    }


def manifests() -> dict[str, bytes]:
    """Manifests, and those that were or could be a fault."""

    def named(*names: str) -> bytes:
        return json.dumps({"files": [{"name": name, "sha256": SHA, "size": 1} for name in names]}).encode()

    return {
        "good-none": b'{"files":[]}',
        "good-one": manifest_of({"a": b"x"}),
        "good-many": manifest_of({f"d{n % 5}/f{n}": b"%d" % n for n in range(50)}),
        "good-executable": b'{"files":[{"name":"a","sha256":"' + SHA.encode() + b'","size":1,"executable":true}]}',
        "bad-deep": named(*("/".join("a" * 240) + f"/{n}" for n in range(20))),
        "bad-clash": named("a", "a/b"),
        "bad-twice": named("a", "a"),
        "bad-outside": named("../up"),
        "bad-bidi": named("a\u202eb"),
        "bad-size": b'{"files":[{"name":"a","sha256":"' + SHA.encode() + b'","size":1e400}]}',
        "bad-nothing": b"",
        "bad-list": b"[]",
    }


def bodies() -> dict[str, bytes]:
    """Bodies of the API, and those that were or could be a fault."""
    job = {"command": "true", "profile": "p", "environment": {"A": "1"}, "provenance": {"a": [1, {"b": None}]}}
    return {
        "good-job": json.dumps(job).encode(),
        "good-schedule": json.dumps({"key": "k", "cron": "* * * * *", "job": job}).encode(),
        "good-wanted": json.dumps({"sha256": [SHA] * 10}).encode(),
        "good-progress": b'{"progress": 50, "eta": 1.5, "metrics": {"loss": 0.1}}',
        "good-series": b'{"series": {"loss": {"numbers": [0], "steps": [0], "ages": [0.5], "values": ["NaN"]}}}',
        "good-result": b'{"exit_code": 1, "problem": "it \\u00fc failed", "left": {"a": "too large"}}',
        "good-texts": json.dumps(["é", "💥", "\\", '"', "\n", "[[[", "}"]).encode(),
        "bad-deep-array": b"[" * 20_000,
        "bad-deep-object": b'{"a":' * 500 + b"1" + b"}" * 500,
        "bad-nan": b'{"provenance": {"n": NaN}}',
        "bad-infinity": b'{"provenance": {"n": [1, -Infinity]}}',
        "bad-float": b'{"provenance": {"n": 1e400}}',
        "bad-int": b'{"retries": ' + b"9" * 6000 + b"}",
        "bad-twice": b'{"tenant": "a", "tenant": "b"}',
        "bad-surrogate": b'{"name": "\\ud800"}',
        "bad-nul": b'{"name": "\\u0000"}',
        "bad-utf8": b'{"name": "\xed\xa0\x80"}',
        "bad-open-string": b'"' + b'\\"' * 2000,
        "bad-mark": b"\xef\xbb\xbf{}",
        "bad-nothing": b"",
    }


def main() -> None:
    """Write all; those that were added by hand stay."""
    for kind, inputs in (("packs", packs()), ("manifests", manifests()), ("bodies", bodies())):
        (CORPUS / kind).mkdir(parents=True, exist_ok=True)
        for name, data in inputs.items():
            (CORPUS / kind / name).write_bytes(data)


if __name__ == "__main__":
    main()
