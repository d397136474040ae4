"""Fetches commits into a folder of their own, and reads them: trees, files, messages. Nothing is checked out."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..domain.git_refs import OBJECT_ID
from ..domain.triggers import CommitFacts
from ..untrusted.manifests import MOST_FILES, ManifestFile, path_problem
from .errors import CommitMissing, GitFailed, GitRefused
from .process import GitLimits, end, run, scratch, start
from .remote import Remote

_CHUNK = 256 * 1024
_FILES = {"100644": False, "100755": True}
_OTHERS = {"120000": "a symbolic link", "160000": "a submodule"}
# How many commits are looked through for the one before.
_HISTORY = 200


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a commit."""

    object_id: str
    name: str
    size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a commit, and what else is in it and does not travel, each with why."""

    files: tuple[TreeFile, ...]
    left: tuple[tuple[str, str], ...]


@contextmanager
def fetched(remote: Remote, commit: str, limits: GitLimits) -> Iterator[Fetched]:
    """A commit with its files, without its history. Raises GitRefused, GitFailed; blocks."""
    with scratch() as folder:
        _init(folder, limits, commit)
        _fetch(folder, limits, remote, [commit], "--depth=1")
        reading = Fetched(folder, limits, commit)
        try:
            yield reading
        finally:
            reading.close()


def changed_paths(remote: Remote, old: str, new: str, limits: GitLimits) -> frozenset[str] | None:
    """The files that differ between two commits, exactly, by their trees; None when the old one can't be had any more.

    Raises GitRefused, GitFailed; blocks.
    """
    with scratch() as folder:
        _init(folder, limits, new)
        _fetch(folder, limits, remote, [new], "--depth=1", "--filter=blob:none")
        try:
            _fetch(folder, limits, remote, [old], "--depth=1", "--filter=blob:none")
        except CommitMissing:
            return None
        words = ["diff-tree", "-r", "-z", "--no-renames", "--name-only", "--no-ext-diff", old, new]
        output = run([*_IN, *words], folder, limits)
    return frozenset(name.decode("utf-8", "replace") for name in output.split(b"\0") if name)


def is_forced(remote: Remote, old: str, new: str, limits: GitLimits) -> bool | None:
    """Whether ``old`` is not among the commits before ``new``; None when that is not known. Raises nothing; blocks."""
    try:
        with scratch() as folder:
            _init(folder, limits, new)
            _fetch(folder, limits, remote, [new], f"--depth={_HISTORY}", "--filter=tree:0")
            found = run([*_IN, "rev-list", f"--max-count={_HISTORY * 10}", new], folder, limits).decode().split()
            whole = not (folder / "repository" / "shallow").exists()
    except (GitFailed, GitRefused):
        return None
    return False if old in found else True if whole else None


_IN = ("--git-dir=repository",)


def _init(folder: Path, limits: GitLimits, commit: str) -> None:
    if OBJECT_ID.fullmatch(commit) is None:
        raise GitRefused(f"{ascii(commit)[:80]} is not the id of a commit")
    kind = "sha256" if len(commit) == 64 else "sha1"
    run(["init", "--quiet", "--bare", "--template=", f"--object-format={kind}", "repository"], folder, limits)


def _fetch(folder: Path, limits: GitLimits, remote: Remote, commits: Sequence[str], *options: str) -> None:
    words = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", *options, "--", remote.url]
    run([*_IN, *words, *commits], folder, limits, remote)


class Fetched:
    """Reads a commit that was fetched. One thread at a time."""

    def __init__(self, folder: Path, limits: GitLimits, commit: str) -> None:
        self._folder = folder
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self.commit = commit

    def facts(self) -> CommitFacts:
        """The author's mail address and the message."""
        words = ["show", "--no-patch", "--no-show-signature", "--format=%ae%x00%B", self.commit]
        author, _, message = run([*_IN, *words], self._folder, self._limits).partition(b"\0")
        return CommitFacts(author.decode("utf-8", "replace")[:255], message.decode("utf-8", "replace")[:65_536])

    def tree(self) -> Tree:
        """All files of the commit. Raises GitRefused when there are too many."""
        output = run([*_IN, "ls-tree", "-r", "-z", "-l", "--full-tree", self.commit], self._folder, self._limits)
        files: list[TreeFile] = []
        left: list[tuple[str, str]] = []
        for line in output.split(b"\0")[:-1]:
            about, _, raw = line.partition(b"\t")
            mode, _, object_id, size = about.decode().split()
            name = raw.decode("utf-8", "backslashreplace")
            problem = _OTHERS.get(mode) or path_problem(name)
            if mode in _FILES and problem is None:
                files.append(TreeFile(object_id, name, int(size), _FILES[mode]))
            else:
                left.append((ascii(name)[1:-1][:255], problem or f"of the kind {mode}"))
        if len(files) > MOST_FILES:
            raise GitRefused(f"it has {len(files)} files, and at most {MOST_FILES} may travel")
        return Tree(tuple(files), tuple(left))

    def manifest_file(self, file: TreeFile) -> ManifestFile:
        """As a snapshot has it: with the SHA-256 of the content."""
        digest = hashlib.sha256()
        for chunk in self.content(file):
            digest.update(chunk)
        return ManifestFile(file.name, digest.hexdigest(), file.size, file.executable)

    def content(self, file: TreeFile) -> Iterator[bytes]:
        """The content of a file, in pieces, which are to be taken to the end."""
        process = self._reader()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{file.object_id}\n".encode())
        process.stdin.flush()
        answer = process.stdout.readline().split()[1:]
        if answer != [b"blob", str(file.size).encode()]:
            raise GitFailed(f"the content of {ascii(file.name)[:80]} did not come with the commit")
        if file.size == 0:
            process.stdout.read(1)
        yield from _exactly(process.stdout, file.size)

    def _reader(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = start([*_IN, "cat-file", "--batch"], self._folder, self._limits)
        return self._process

    def close(self) -> None:
        """Let go of the process that reads."""
        if self._process is not None:
            end(self._process)
            self._process = None


def _exactly(source: IO[bytes], size: int) -> Iterator[bytes]:
    """The next bytes and the line end behind them, which is read with the last piece: a reader who has all bytes asks
    for no more."""
    while size > 0:
        chunk = source.read(min(_CHUNK, size))
        if not chunk:
            raise GitFailed("git ended in the middle of a file")
        size -= len(chunk)
        if size == 0:
            source.read(1)
        yield chunk
