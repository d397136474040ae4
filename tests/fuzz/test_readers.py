"""Whatever bytes come, a reader answers or refuses: within bounded memory and time, by its own exception alone.

Inputs are mutations of those in ``corpus``, where what once was a fault stays. Each target runs for
AIFACTORY_FUZZ_SECONDS (3 when left out); the seed is AIFACTORY_FUZZ_SEED, or printed.
``python -m tests.fuzz.make_corpus`` writes the corpus.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.service.errors import ServiceError
from aifactory_hub.service.report_types import RunnerProgress, RunnerResult
from aifactory_hub.service.request_types import Planned, ScheduleRequest, Wanted, parse
from aifactory_hub.untrusted.json_text import BadJson, read_json
from aifactory_hub.untrusted.manifests import read_manifest
from aifactory_hub.untrusted.packs import BadPack, PackLimits, pack_entries

CORPUS = Path(__file__).parent / "corpus"
SECONDS = float(os.environ.get("AIFACTORY_FUZZ_SECONDS", "3"))
SEED = os.environ.get("AIFACTORY_FUZZ_SEED") or str(random.SystemRandom().randrange(2**32))
# For one input: what a pack of 200 kB may take, which unpacks to a few MiB at most.
MEMORY = 24 * 2**20
LONGEST = 2.0
_TOKENS = [
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"NaN",
    b"1e400",
    b"9" * 30,
    b",",
    b":",
    b"\xff",
]
_ODD = [0, 1, 0x7F, 0x80, 0xFF, 0x20, 0x30, 0x37, 0x38]


def read_pack(data: bytes) -> object:
    source = io.BytesIO(data)
    limits = PackLimits(content=2**20, entries=500)
    found = list(pack_entries(source.read, limits))
    assert sum(entry.size for entry in found) <= limits.content
    assert len(found) <= limits.entries
    return found


def read_body(data: bytes) -> object:
    value = read_json(data)
    assert_plain(value, 64)
    for model in (Planned, Wanted, ScheduleRequest, RunnerProgress, RunnerResult):
        try:
            parse(model, data)
        except ServiceError as error:
            assert error.status == 400
            assert error.field
            assert str(error.detail).encode()
    return value


def assert_plain(value: Any, depth: int) -> None:
    """A value that every database and every strict reader of JSON takes."""
    assert depth >= 0
    if isinstance(value, str):
        assert "\0" not in value
        assert value.encode().decode() == value
    elif isinstance(value, float):
        assert abs(value) < float("inf")
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**63
    elif isinstance(value, list):
        for each in value:
            assert_plain(each, depth - 1)
    elif isinstance(value, dict):
        for name, each in value.items():
            assert_plain(name, depth)
            assert_plain(each, depth - 1)
    else:
        assert value is None


TARGETS: dict[str, tuple[Callable[[bytes], object], type[Exception]]] = {
    "packs": (read_pack, BadPack),
    "manifests": (read_manifest, BadJson),
    "bodies": (read_body, BadJson),
}


def mutated(dice: random.Random, data: bytes, kind: str, corpus: list[bytes]) -> bytes:
    """Another input of the same kind; of a pack mostly what is in the archive is changed, and packed again."""
    if kind != "packs" or dice.random() < 0.2:
        return changed(dice, data, corpus, 1)
    try:
        inside = zlib.decompressobj(31).decompress(data, 2**22)
    except zlib.error:
        return changed(dice, data, corpus, 1)
    archives = [inside[:4096]]
    return gzip.compress(sealed(dice, changed(dice, inside, archives, 512)), 1, mtime=0)


def changed(dice: random.Random, data: bytes, corpus: list[bytes], block: int) -> bytes:
    made = bytearray(data[: 2**18])
    for _ in range(dice.choice([1, 1, 2, 5, 20])):
        place = dice.randrange(len(made) + 1)
        aligned = place - place % block
        match dice.randrange(7):
            case 0 if made:
                made[place % len(made)] = dice.choice([*_ODD, dice.randrange(256)])
            case 1:
                made[place:place] = dice.choice(_TOKENS) * dice.choice([1, 1, 2, 100])
            case 2:
                del made[place : place + dice.choice([1, 10, block])]
            case 3:
                made[aligned:aligned] = made[aligned : aligned + block * dice.choice([1, 2, 8])]
            case 4:
                other = dice.choice(corpus)
                made[place:] = other[dice.randrange(len(other) + 1) :]
            case 5:
                made[place:] = b""
            case _:
                # The field of a size, where there is a header.
                made[aligned + 124 : aligned + 136] = dice.randbytes(12)
    return bytes(made[: 2**18])


def sealed(dice: random.Random, archive: bytes) -> bytes:
    """With right checksums, mostly, so that what comes after them is tried as well."""
    blocks = [archive[begin : begin + 512] for begin in range(0, len(archive), 512)]
    for number, block in enumerate(blocks):
        if len(block) == 512 and block[257:262] == b"ustar" and dice.random() < 0.9:
            total = sum(block) - sum(block[148:156]) + 256
            blocks[number] = block[:148] + b"%06o\0 " % total + block[156:]
    return b"".join(blocks)


def attempt(kind: str, data: bytes) -> bool:
    """Whether the input was read. Anything but an answer or the reader's own exception fails the test."""
    read, refusal = TARGETS[kind]
    began = time.process_time()
    try:
        read(data)
    except refusal as error:
        assert str(error)
        return False
    finally:
        assert time.process_time() - began < LONGEST
    return True


def corpus_of(kind: str) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted((CORPUS / kind).iterdir())]


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in TARGETS for name, _ in corpus_of(kind)])
def test_the_corpus_is_answered_as_its_names_say(kind: str, name: str) -> None:
    assert attempt(kind, (CORPUS / kind / name).read_bytes()) == name.startswith("good")


@pytest.mark.parametrize("kind", TARGETS)
def test_no_input_is_too_odd(kind: str) -> None:
    print(f"AIFACTORY_FUZZ_SEED={SEED}")
    dice = random.Random(f"{kind}{SEED}")
    corpus = [data for _, data in corpus_of(kind)]
    read = tried = 0
    tracemalloc.start()
    try:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            data = mutated(dice, dice.choice(corpus), kind, corpus)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                read += attempt(kind, data)
            except BaseException:
                failed = Path(os.environ.get("AIFACTORY_FUZZ_FAILED", ".")) / f"fuzz-{kind}-failed"
                failed.write_bytes(data)
                print(f"the input is in {failed.resolve()}: add it to the corpus")
                raise
            assert tracemalloc.get_traced_memory()[1] - before < MEMORY
            tried += 1
    finally:
        tracemalloc.stop()
    print(f"{kind}: {tried} inputs, {read} of them read")
    assert tried
