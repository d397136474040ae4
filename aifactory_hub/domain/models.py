"""Models, their versions and aliases: what may be registered, and how a version is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..signing.manifest import FileEntry, FileSet
from .jobs import JobState
from .refusals import Refusal, RefusalReason

MOST_FILES = 1000
# What the client keeps of its own among a job's files.
_OWN_FOLDER = ".aifactory/"
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_ALIAS = re.compile(r"[a-z]([a-z0-9._-]{0,30}[a-z0-9])?")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class VersionState(StrEnum):
    """REGISTERED may be promoted. QUARANTINED: a byte was found wrong, so nothing reads it any more."""

    REGISTERED = "REGISTERED"
    QUARANTINED = "QUARANTINED"


class MoveKind(StrEnum):
    """What happened to an alias. FREEZE and THAW leave it where it is."""

    PROMOTE = "promote"
    ROLL_BACK = "rollback"
    REMOVE = "remove"
    FREEZE = "freeze"
    THAW = "thaw"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model of a team: a name for its versions."""

    id: str
    tenant: str
    name: str
    created_at: float
    created_by: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version: files that a job gave back. All but its state never changes.

    ``folder`` is what the job's names of the files begin with and the version's don't. ``formats`` says how many files
    there are of each format, and ``runs_code`` names some whose readers run code that is in them.
    """

    id: str
    model: str
    number: int
    digest: str
    root: str
    size: int
    count: int
    job: str
    attempt: int
    folder: str
    by: str
    at: float
    note: str = ""
    state: VersionState = VersionState.REGISTERED
    why: str = ""
    formats: Mapping[str, int] = field(default_factory=dict)
    runs_code: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AliasMove:
    """One thing that happened to an alias. ``number`` is that of its statement in the chain, and so its order.

    ``before`` and ``after`` are ids of versions; None: the alias led nowhere. ``bundle`` is the digest of the rules
    that were asked, ``approval`` the id of the approval that was used.
    """

    number: int
    model: str
    alias: str
    kind: MoveKind
    before: str | None
    after: str | None
    by: str
    at: float
    reason: str = ""
    approval: str | None = None
    bundle: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """Where an alias leads, as its moves say. ``frozen`` is the move that froze it, None where it is not frozen."""

    name: str
    version: str | None = None
    since: float | None = None
    frozen: AliasMove | None = None
    held: tuple[str, ...] = ()
    earlier: str | None = None


def alias_after(name: str, moves: Iterable[AliasMove]) -> Alias:
    """What a model's moves of this alias come to, in their order.

    ``held`` are the versions that it has led to, ``earlier`` is the one that it led to before the present one came for
    the first time: so one rollback after the other goes back step by step.
    """
    version, since, frozen, held = None, None, None, []
    earlier: dict[str, str | None] = {}
    for move in sorted(moves, key=lambda move: move.number):
        if move.kind is MoveKind.THAW:
            frozen = None
        elif move.kind in (MoveKind.FREEZE, MoveKind.ROLL_BACK):
            frozen = move
        if move.kind not in (MoveKind.FREEZE, MoveKind.THAW):
            version, since = move.after, move.at
        if version is not None and version not in held:
            held.append(version)
            earlier[version] = move.before
    return Alias(name, version, since, frozen, tuple(held), None if version is None else earlier[version])


def name_problem(text: str) -> str | None:
    """Why this can't be the name of a model or dataset; None when it can."""
    if _NAME.fullmatch(text):
        return None
    return "write 1 to 63 lower-case letters, digits, '.', '_' and '-', with a letter or digit at both ends"


def alias_problem(text: str) -> str | None:
    """Why this can't be the name of an alias; None when it can. A number is a version's."""
    if _ALIAS.fullmatch(text) and text != "latest":
        return None
    return "write up to 32 lower-case letters, digits, '.', '_' and '-' that begin with a letter; 'latest' is no alias"


def number_of(text: str) -> int | None:
    """The version's number that the text is; None when it is none, such as an alias."""
    return int(text) if _NUMBER.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files of a version to be: ``folder`` is left out of their names."""

    files: FileSet
    folder: str


def check_job(state: JobState, job: str) -> Refusal | None:
    """Why nothing of a job in this state can be registered; None when it can."""
    if state is JobState.SUCCEEDED:
        return None
    words = "has not ended" if not state.final else "did not succeed"
    message = f"Job {job} {words}: it is {state.value}. Register files of a job that is SUCCEEDED."
    return Refusal(RefusalReason.NOT_REGISTRABLE, message, field="job")


def choose_files(asked: str, there: Iterable[FileEntry], job: str) -> Chosen | Refusal:
    """The files that ``asked`` names among those that the job gave back: all below a folder, one file, or all of them.

    A folder ends in a slash or has files below it; "" and "." mean all files.
    """
    files = [file for file in there if not file.name.startswith(_OWN_FOLDER)]
    wanted = "" if asked in ("", ".", "./") else asked.removeprefix("./")
    one = [file for file in files if file.name == wanted]
    folder = wanted.rpartition("/")[0] + "/" if one else wanted and wanted.rstrip("/") + "/"
    found = one or [file for file in files if file.name.startswith(folder)]
    if not found:
        known = ", ".join(sorted(file.name for file in files)[:10]) or "none"
        message = f"files is {asked!r}: job {job} gave back no such file or folder. Its files: {known}."
        return Refusal(RefusalReason.BAD_FIELD, message, field="files")
    if len(found) > MOST_FILES:
        message = f"files is {asked!r}: it has {len(found)} files, and a version has at most {MOST_FILES}."
        return Refusal(RefusalReason.BAD_FIELD, message, field="files")
    folder = "" if folder == "/" else folder
    entries = [FileEntry(file.name.removeprefix(folder), file.size, file.sha256) for file in found]
    return Chosen(FileSet.of(entries), folder)
