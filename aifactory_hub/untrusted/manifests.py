"""Manifests: which content lies under which name in a job's work folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .json_text import BadJson, JsonLimits, read_json
from .texts import unprintable

MOST_FILES = 100_000
MOST_FOLDERS_DEEP = 64
LONGEST_NAME = 500
LARGEST_MANIFEST = 32 * 2**20
_LARGEST_FILE = 2**50
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIELDS = {"name", "sha256", "size", "executable"}
_VALUES_OF_A_FILE = 4


@dataclass(frozen=True, slots=True)
class ManifestLimits:
    """``files``: most files. ``depth``: most parts of a name. ``name``: most characters of a name."""

    files: int = MOST_FILES
    depth: int = MOST_FOLDERS_DEEP
    name: int = LONGEST_NAME


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A file: its path below the work folder, its content's SHA-256 and its size in bytes."""

    name: str
    sha256: str
    size: int
    executable: bool = False


def read_manifest(text: bytes, limits: ManifestLimits | None = None) -> list[ManifestFile]:
    """The files of a manifest: ``{"files": [{"name", "sha256", "size", "executable"}]}``.

    Raises BadJson, which names the field. No name leads outside of the work folder, comes twice, or is a folder of
    another one; the same content has the same size everywhere. The time is in proportion to the text, but for one sort.
    """
    limits = limits or ManifestLimits()
    body = read_json(text, JsonLimits(depth=3, values=limits.files * (_VALUES_OF_A_FILE + 1) + 10))
    if not isinstance(body, dict) or not isinstance(body.get("files"), list):
        raise BadJson("files", "the manifest is not an object with a list of files")
    if len(body) > 1:
        raise BadJson(next(name for name in body if name != "files")[:80], "there is no such field. Fields: files")
    if len(body["files"]) > limits.files:
        raise BadJson("files", f"it has {len(body['files'])} files, and at most {limits.files} may be in a manifest")
    files = [_file(each, f"files.{number}", limits) for number, each in enumerate(body["files"])]
    _check_clashes(files)
    _check_sizes(files)
    return files


def path_problem(name: str, limits: ManifestLimits | None = None) -> str | None:
    """Why ``name`` can't be the path of a file below a work folder; None when it can."""
    limits = limits or ManifestLimits()
    if len(name) > limits.name:
        return f"it has {len(name)} characters, and at most {limits.name} are allowed"
    if found := unprintable(name):
        return f"it has the character {found}, which can't be printed"
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "it is not the path of a file below the work folder"
    if len(parts) > limits.depth:
        return f"it is {len(parts)} folders deep, and at most {limits.depth} are allowed"
    return None


def _file(given: Any, place: str, limits: ManifestLimits) -> ManifestFile:
    if not isinstance(given, dict):
        raise BadJson(place, "it is not an object")
    for name in given:
        if name not in _FIELDS:
            raise BadJson(
                f"{place}.{ascii(name)[1:-1][:80]}", f"there is no such field. Fields: {', '.join(sorted(_FIELDS))}"
            )
    for name in ("name", "sha256", "size"):
        if name not in given:
            raise BadJson(f"{place}.{name}", "the field is missing")
    _check_values(given, place, limits)
    return ManifestFile(given["name"], given["sha256"], given["size"], given.get("executable", False))


def _check_values(given: Mapping[str, Any], place: str, limits: ManifestLimits) -> None:
    name, sha256, size = given["name"], given["sha256"], given["size"]
    if not isinstance(name, str):
        raise BadJson(f"{place}.name", "it is not a text")
    if problem := path_problem(name, limits):
        raise BadJson(f"{place}.name", f"{ascii(name)[:80]}: {problem}")
    if not isinstance(sha256, str) or _SHA256.fullmatch(sha256) is None:
        raise BadJson(f"{place}.sha256", "it is not a SHA-256 in hexadecimal digits")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _LARGEST_FILE:
        raise BadJson(f"{place}.size", "it is not a number of bytes")
    if not isinstance(given.get("executable", False), bool):
        raise BadJson(f"{place}.executable", "it is neither true nor false")


def _check_clashes(files: Sequence[ManifestFile]) -> None:
    """With NUL for the slash, which is in no name and sorts first, a folder comes right before what is in it."""
    names = sorted(file.name.replace("/", "\0") for file in files)
    for before, name in pairwise(names):
        if name == before:
            raise BadJson("files", f"the name {_shown(name)} comes twice")
        if name.startswith(f"{before}\0"):
            raise BadJson("files", f"a folder of {_shown(name)} is also the name of a file")


def _check_sizes(files: Sequence[ManifestFile]) -> None:
    sizes: dict[str, int] = {}
    for number, file in enumerate(files):
        if sizes.setdefault(file.sha256, file.size) != file.size:
            raise BadJson(f"files.{number}.size", "another file with the same SHA-256 has another size")


def _shown(name: str) -> str:
    return ascii(name.replace("\0", "/"))[:120]
