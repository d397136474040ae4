"""Where a job comes from: the commit, what was changed since, and the packages of this environment."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..domain.addresses import BadAddress, check_git_remote
from .errors import ClientError
from .notices import tell
from .printable import line

# A diff that is longer than this, in bytes, is cut: it is a note of what ran, and the files travel anyway.
_LONGEST_DIFF = 128 * 1024
_TIMEOUT = 10.0
# How git writes where another repository is: an URL with a path, a host and a path, or a helper and what it takes.
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//[^/]*/.+|:.+)|([\w.-]+@)?[\w.-]+:(?!//)[^{].*")
_PATHS = ("/", "~/", "./", "../")  # no name in git begins so
_SUBMODULE = "160000 "
# Nothing is left out, filled in or converted.
_NO_ATTRIBUTES = "* -export-ignore -export-subst -text -eol -crlf -ident -filter -working-tree-encoding\n"
# How a file begins that Git LFS keeps elsewhere, and how large such a one is at most, in bytes.
_POINTER = b"version https://git-lfs.github.com/spec/"
_LARGEST_POINTER = 1024
_NAMED = 3


def provenance(folder: Path | None) -> dict[str, Any]:
    """What is known, for the record; nothing here stops a submission."""
    found: dict[str, Any] = {"python": ".".join(map(str, sys.version_info[:3])), "packages": list(packages())}
    if folder is None or (commit := _git(folder, "rev-parse", "HEAD")) is None:
        return found
    diff = _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv", "--", ".") or ""
    status = _git(folder, "status", "--porcelain", "--", ".") or ""
    return {
        **found,
        "commit": commit.strip(),
        "branch": (_git(folder, "rev-parse", "--abbrev-ref", "HEAD") or "").strip(),
        "dirty": bool(status.strip()),
        "diff": diff.encode()[:_LONGEST_DIFF].decode(errors="ignore"),
        "diff_cut": len(diff.encode()) > _LONGEST_DIFF,
    }


@functools.cache
def packages() -> tuple[str, ...]:
    """The distributions of this environment and their versions, as pip freeze has them."""
    from importlib.metadata import distributions

    found = {(d.metadata["Name"] or "").lower(): f"{d.metadata['Name']}=={d.version}" for d in distributions()}
    return tuple(line for name, line in sorted(found.items()) if name)


def export(source: str, folder: Path, target: Path) -> str:
    """Put a commit's files into ``target``; its full name. Says which commit that is, and what of it is left out.

    ``source`` is a commit of the repository around ``folder``, or ``<address>@<commit>`` of another one, which is
    cloned here, with this notebook's right to read it: the job needs none. Raises ClientError.
    """
    address, commit = _split(source)
    repository = folder
    if address is not None:
        repository = target.parent / "clone"
        _clone(address, repository)
    name = _must(
        repository, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", said=f"git={without_secrets(source)!r}"
    ).strip()
    target.mkdir()
    _extract(repository, name, target)
    _say_what(repository, name, own=address is None)
    if pointers := sorted(_lfs_pointers(target)):
        tell(f"Git LFS keeps these elsewhere, so pointers travel in their place: {_some(pointers)}")
    return name


def _extract(repository: Path, commit: str, target: Path) -> None:
    """The commit's files of this folder, byte for byte as git has them. Raises ClientError.

    ``git archive`` leaves out and rewrites what .gitattributes names. The attributes of the repository that it runs in
    go before those of the commit, so it runs in an empty one of our own that borrows the objects.
    """
    import tarfile

    place = _must(repository, "rev-parse", "--show-prefix").strip("\n").rstrip("/")
    objects = _must(repository, "rev-parse", "--path-format=absolute", "--git-path", "objects").rstrip("\n")
    form = _must(repository, "rev-parse", "--show-object-format").strip()
    empty, archive = target.parent / "plain.git", target.parent / "commit.tar"
    _must(target.parent, "init", "--quiet", "--bare", f"--object-format={form}", str(empty))
    (empty / "objects" / "info" / "alternates").write_text(f"{objects}\n")
    (empty / "info").mkdir(exist_ok=True)
    (empty / "info" / "attributes").write_text(_NO_ATTRIBUTES)
    _must(empty, "archive", "--format=tar", f"--output={archive}", f"{commit}:{place}" if place else commit)
    with tarfile.open(archive) as tar:
        # Python has the filter since 3.11.4; git's own archives have nothing that it would refuse.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        tar.extractall(target)  # noqa: S202


def _lfs_pointers(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_POINTER:
            with path.open("rb") as file:
                if file.read(len(_POINTER)) == _POINTER:
                    yield path.relative_to(folder).as_posix()


def _clone(address: str, repository: Path) -> None:
    """Clone an https or ssh address, or a folder. Raises ClientError."""
    local = Path(address).is_absolute()
    if not local:
        try:
            check_git_remote(address)
        except BadAddress as error:
            raise ClientError(f"git={without_secrets(address)!r} can't be cloned: {error}.") from error
    words = ("clone", "--quiet", "--no-checkout", "--", address, str(repository))
    _must(repository.parent, *words, **({"protocols": "file"} if local else {}))


def _split(source: str) -> tuple[str | None, str]:
    """The address of another repository, if there is one, and the commit. Raises ClientError.

    An address may hold an "@" itself, and so may a commit: "HEAD@{1}".
    """
    address, _, commit = source.rpartition("@")
    remote, path = bool(_REMOTE.match(source)), source.startswith(_PATHS)
    if (remote and not _REMOTE.fullmatch(address)) or (path and not address):
        named = without_secrets(source)
        raise ClientError(f"git={named!r} names a repository and no commit: write {named}@<commit>.")
    folder = Path(address).expanduser()
    elsewhere = bool(address) and (remote or path or (not commit.startswith("{") and folder.is_dir()))
    if not elsewhere:
        commit = source
    if not commit or commit.startswith("-"):
        raise ClientError(f"git={source!r} names no commit.")
    if not elsewhere:
        return None, commit
    return (address if remote else str(folder.resolve())), commit


def _say_what(repository: Path, name: str, *, own: bool) -> None:
    """For the person who submits: what does not travel is told now, not by a job that lacks it."""
    about = (_git(repository, "log", "-1", "--format=%h %s", name) or name).strip()
    tell(f"commit {about}")
    if own and (changed := _changed(_git(repository, "status", "--porcelain", "-z", "--", ".") or "")):
        tell(f"what is not committed stays here: {_some(changed)}")
    listed = (_git(repository, "ls-tree", "-r", "-z", name) or "").split("\0")
    if modules := [line.partition("\t")[2] for line in listed if line.startswith(_SUBMODULE)]:
        tell(f"submodules are not sent: {_some(modules)}")


def _changed(status: str) -> list[str]:
    """The paths of ``git status -z``. A path that was renamed comes with the one that it had."""
    entries = iter(status.split("\0"))
    found = []
    for entry in entries:
        if entry:
            found.append(entry[3:])
            if entry[0] in "RC":
                next(entries, None)
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def without_secrets(address: str) -> str:
    """A repository's address without the name and password that it may carry."""
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else address


def _must(folder: Path, *words: str, said: str = "", protocols: str = "https:ssh") -> str:
    """What git answers; it may use these ``protocols`` only, whatever its configuration says. Raises ClientError."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=600,
            env={**os.environ, "GIT_ALLOW_PROTOCOL": protocols},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClientError(f"git could not be run: {error}") from error
    if done.returncode != 0:
        why = done.stderr.strip() or "there is no such commit here"
        if "not a git repository" in why:
            why = (
                f"{line(str(folder))} is in no git repository. Work in a clone of one, or name one: "
                "git='<address>@<commit>'. Without git the folder's files travel as they are."
            )
        raise ClientError(f"{said or 'git ' + words[0]}: {why}")
    return done.stdout


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None without git, without a repository, or when it takes long."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
