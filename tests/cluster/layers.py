"""Image layers: plain tars made of folders, kept in the cache under a key of what they were made from."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .console import ClusterError, step
from .settings import Layout


@dataclass(frozen=True, slots=True)
class Layer:
    path: Path
    digest: str
    size: int


def key_of(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_layer(where: Layout, name: str, key: str, make: Callable[[Path], None]) -> Layer:
    """The layer of that key; `make` fills an empty folder when the cache lacks it."""
    folder = where.cache / "layers"
    folder.mkdir(parents=True, exist_ok=True)
    tar, digest = folder / f"{name}-{key}.tar", folder / f"{name}-{key}.sha256"
    if not digest.exists():
        with step(f"layer {name}"):
            root = folder / f".{name}-{os.getpid()}"
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir()
            try:
                make(root)
                _pack(root, tar)
            finally:
                shutil.rmtree(root, ignore_errors=True)
            digest.write_text(file_digest(tar))
        _prune(folder, name, tar)
    return Layer(tar, digest.read_text(), tar.stat().st_size)


def _pack(root: Path, tar: Path) -> None:
    half = tar.with_suffix(".half")
    argv = ["tar", "--sort=name", "--numeric-owner", "--mtime=@0", "-C", str(root), "-cf", str(half), "."]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"tar of {tar.name}: {done.stderr[-500:]}")
    half.rename(tar)


def _prune(folder: Path, name: str, keep: Path) -> None:
    for old in folder.glob(f"{name}-????????????????.*"):
        if old.stem != keep.stem:
            old.unlink()


def program_layer(where: Layout, name: str, files: dict[str, str]) -> Layer:
    """A layer of programs: path in the image -> built program."""

    def make(root: Path) -> None:
        for target, source in files.items():
            path = root / target.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
            path.chmod(0o755)

    return cached_layer(where, name, key_of("1", *sorted(files.items())), make)
