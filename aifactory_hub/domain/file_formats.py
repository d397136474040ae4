"""Formats of a model's files, and whether reading one runs code that is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

# How much of a file's beginning is looked at, in bytes.
HEAD = 512
UNKNOWN = "unknown"
# Readers of these run what is in the file: whoever made it can do all that the reader's process may.
RUNS_CODE = frozenset({"pickle", "python", "keras", "hdf5", "torch-archive"})
_BY_ENDING = {
    ".safetensors": "safetensors",
    ".onnx": "onnx",
    ".gguf": "gguf",
    ".json": "json",
    ".txt": "text",
    ".md": "text",
    ".csv": "text",
    ".yaml": "text",
    ".yml": "text",
    ".parquet": "parquet",
    ".npy": "numpy",
    ".npz": "numpy",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".joblib": "pickle",
    ".pt": "torch-archive",
    ".pth": "torch-archive",
    ".ckpt": "torch-archive",
    ".py": "python",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".keras": "keras",
}
_NAMED = 20
# A pickle of protocol 2 to 5 begins with these two bytes.
_PICKLE = tuple(bytes([0x80, protocol]) for protocol in (2, 3, 4, 5))
# What joblib writes around a pickle that it compresses: zlib, gzip, bz2, xz, lzma, lz4.
_COMPRESSED = (
    b"\x78\x01",
    b"\x78\x9c",
    b"\x78\xda",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x5d\x00\x00",
    b"\x04\x22\x4d\x18",
)


@dataclass(frozen=True, slots=True)
class Formats:
    """How many files there are of each format, and some of those whose readers run code."""

    counts: dict[str, int]
    runs_code: tuple[str, ...]


def format_of(name: str, head: bytes) -> str:
    """The format of a file by its first bytes, and by the ending of its name where these say nothing.

    The bytes go first: a pickle is one whatever it is called.
    """
    by_name = _BY_ENDING.get(PurePosixPath(name.lower()).suffix, UNKNOWN)
    if head.startswith(_PICKLE):
        return "pickle"
    if head.startswith(b"PK\x03\x04") and b"/data.pkl" in head:
        return "torch-archive"
    if head.startswith(b"\x89HDF\r\n"):
        return "hdf5"
    if head.startswith(_COMPRESSED) and by_name not in ("pickle", "torch-archive"):
        return UNKNOWN
    return by_name


def formats(files: Iterable[tuple[str, bytes]]) -> Formats:
    """The formats of these files, each a name with the bytes that it begins with."""
    counts: Counter[str] = Counter()
    running: list[str] = []
    for name, head in files:
        found = format_of(name, head)
        counts[found] += 1
        if found in RUNS_CODE:
            running.append(name)
    return Formats(dict(sorted(counts.items())), tuple(running[:_NAMED]))
