"""The pack reader: every pack of the client is read, and nothing else."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import tracemalloc
import zlib
from pathlib import Path

import pytest

from aifactory_hub.client.packing import Item, packs
from aifactory_hub.untrusted.packs import BadPack, PackLimits, PackOverLimit, pack_entries

from ..support.tar_blocks import END, base256, entry, header, packed
from ..support.uploads import pack_of

LIMITS = PackLimits(content=10_000, entries=20)
X, EMPTY = (hashlib.sha256(content).hexdigest().encode() for content in (b"x", b""))


def read(pack: bytes, limits: PackLimits = LIMITS, at_once: int = 10**6) -> dict[str, int]:
    source = io.BytesIO(pack)
    return {e.sha256: e.size for e in pack_entries(lambda most: source.read(min(most, at_once)), limits)}


@pytest.mark.parametrize("count", [0, 1, 17])
def test_what_the_client_writes_is_read(tmp_path: Path, count: int) -> None:
    contents = [bytes([n]) * n * 37 for n in range(count)]
    items = [Item(f"f{n}", hashlib.sha256(c).hexdigest(), len(c), c) for n, c in enumerate(contents)]
    found: dict[str, int] = {}
    for path in packs(items, tmp_path):
        found |= read(path.read_bytes())
    assert found == {item.sha256: item.size for item in items}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("at_once", [1, 7, 512, 10**6])
def test_packs_of_any_plain_writer_are_read_in_pieces_of_any_size(form: int, at_once: int) -> None:
    raw = io.BytesIO()
    contents = [b"", b"x", b"y" * 511, b"z" * 512, b"w" * 5000]
    with tarfile.open(fileobj=raw, mode="w", format=form) as tar:
        for content in contents:
            info = tarfile.TarInfo(hashlib.sha256(content).hexdigest())
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    assert list(read(gzip.compress(raw.getvalue()), at_once=at_once).values()) == [0, 1, 511, 512, 5000]


def test_content_goes_where_it_is_wanted() -> None:
    got: dict[str, bytes] = {}

    def sink(found: object) -> object:
        name = found.sha256  # type: ignore[attr-defined]
        return None if name == X.decode() else lambda piece: got.__setitem__(name, got.get(name, b"") + piece)

    large = bytes(range(256)) * 4000
    pack = packed([entry(b"x"), entry(large), END])
    list(pack_entries(io.BytesIO(pack).read, PackLimits(2**21), sink=sink))  # type: ignore[arg-type]
    assert got == {hashlib.sha256(large).hexdigest(): large}


GOOD = entry(b"x")
BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "cut short"),
    "no gzip": (b"x" * 100, "can't be unpacked"),
    "no tar": (gzip.compress(b"x" * 1024), "not a ustar archive"),
    "no end": (packed([GOOD]), "cut short"),
    "one block of zeros": (packed([GOOD, END[:512]]), "cut short"),
    "a cut gzip member": (packed([GOOD, END])[:-1], "cut short"),
    "a cut header": (packed([GOOD[:100]]), "cut short"),
    "cut content": (packed([header(X, 600), b"x"]), "cut short"),
    "an end that is no whole block": (packed([GOOD, END, b"\0"]), "cut short"),
    "a wrong gzip checksum": (packed([GOOD, END])[:-8] + bytes(8), "can't be unpacked"),
    "two gzip members": (packed([GOOD, END]) + packed([entry(b"y"), END]), "follows its end"),
    "rubbish after the member": (packed([GOOD, END]) + b"rubbish", "follows its end"),
    "an entry after the end": (packed([GOOD, END, entry(b"y"), END]), "follows its end"),
    "zeros without end": (packed([GOOD, bytes(10**6)]), "follows its end"),
    "a wrong checksum": (packed([header(X, 1, checksum=1), b"x", bytes(511), END]), "checksum"),
    "a checksum of other digits": (packed([GOOD[:148] + b"9" * 8 + GOOD[156:], END]), "checksum"),
    "an entry twice": (packed([GOOD, GOOD, END]), "comes twice"),
    "other content": (packed([header(EMPTY, 1), b"x", bytes(511), END]), "has the SHA-256"),
    "padding that is not zero": (packed([header(X, 1), b"x" * 512, END]), "padding"),
    "a short name": (packed([header(b"a", 0), END]), "not named by"),
    "a name in capitals": (packed([header(X.upper(), 1), b"x", bytes(511), END]), "not named by"),
    "a longer name": (packed([header(X + b"/x", 1), b"x", bytes(511), END]), "not named by"),
    "a name and a prefix": (packed([header(X, 1, prefix=b"p"), b"x", bytes(511), END]), "not named by"),
    "a link": (packed([header(X, 1, link=b"/etc"), b"x", bytes(511), END]), "not named by"),
    "GNU tar's magic": (packed([header(X, 1, magic=b"ustar  \0"), b"x", bytes(511), END]), "not a ustar"),
    "an old magic": (packed([header(X, 1, magic=bytes(8)), b"x", bytes(511), END]), "not a ustar"),
    "too much content": (packed([entry(b"x" * 10_001), END]), "more than 10000 bytes"),
    "too many entries": (packed([*(entry(bytes(n)) for n in range(21)), END]), "more than 20 entries"),
    "an entry that only says that it is large": (packed([header(X, 8**11 - 1), END]), "more than 10000 bytes"),
}
KINDS = {kind: b"%c" % kind for kind in b"\x0012345678xgLKSVMDANX"}
SIZES = {
    "negative": base256(-512),
    "very negative": base256(-(2**80)),
    "base-256": base256(1),
    "largest base-256": base256(2**87),
    "with a minus": b"-0000000001\0",
    "with spaces": b"          1\0",
    "of other digits": b"00000000009\0",
    "of eight digits": b"00000001\0\0\0\0",
    "without an end": b"000000000001",
    "empty": bytes(12),
    "hexadecimal": b"0x000000001\0",
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("at_once", [100, 10**6])
def test_what_is_no_pack_is_refused(name: str, at_once: int) -> None:
    pack, said = BAD[name]
    with pytest.raises(BadPack, match=said):
        read(pack, at_once=at_once)


@pytest.mark.parametrize("kind", KINDS.values(), ids=map(str, KINDS))
def test_every_other_kind_of_entry_is_refused(kind: bytes) -> None:
    with pytest.raises(BadPack, match="not a plain file"):
        read(packed([header(X, 1, kind=kind), b"x", bytes(511), END]))


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_other_form_of_a_size_is_refused(size: bytes) -> None:
    # The one that made tarfile read the same header for ever (CVE-2025-8194) is among them.
    with pytest.raises(BadPack, match="octal"):
        read(packed([entry(b""), header(X, size), bytes(4096), END]))


def test_over_a_limit_is_told_apart() -> None:
    for name in ("too much content", "too many entries", "an entry that only says that it is large"):
        with pytest.raises(PackOverLimit):
            read(BAD[name][0])


@pytest.mark.parametrize("kind", [b"0", b"x", b"g", b"L", b"K"])
def test_memory_is_bounded_whatever_a_header_announces(kind: bytes) -> None:
    deflate = zlib.compressobj(9, wbits=31)
    size = 64 * 2**20
    parts = [deflate.compress(header(X, size, kind=kind)), *(deflate.compress(bytes(2**20)) for _ in range(64))]
    pack = b"".join([*parts, deflate.compress(END), deflate.flush()])
    tracemalloc.start()
    with pytest.raises(BadPack):
        read(pack, PackLimits(2**30))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_a_check_that_raises_ends_the_reading() -> None:
    pack = pack_of({str(n): bytes([n]) * 2**18 for n in range(16)})
    pieces = []

    def check() -> None:
        pieces.append(1)
        if len(pieces) > 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        list(pack_entries(io.BytesIO(pack).read, PackLimits(2**30), check=check))
    assert len(pieces) == 4
