"""From a commit that was fetched to a pipeline and a snapshot of its files. All of it blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...domain.triggers import commit_skip
from ...git import Fetched
from ...git.fetched_commits import TreeFile
from ...pipeline_file import LARGEST, BadPipeline, PipelineFile, read_pipeline
from ...store.triggers import Trigger
from ...untrusted.json_text import BadJson
from ..snapshot_writer import SnapshotWriter, SourceFile, TooMuch

# Of what does not travel, so many are named.
_NAMED = 20


class Skipped(Exception):
    """Why an event starts nothing, though nothing is wrong."""


class Unfit(Exception):
    """Why an event starts nothing: what was pushed can't be run."""


@dataclass(frozen=True, slots=True)
class ReadCommit:
    """What a commit has in it: its pipeline, its files and their ``size`` together in bytes. ``left`` names what does
    not travel."""

    file: PipelineFile
    files: tuple[TreeFile, ...]
    size: int
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptCommit:
    """The pipeline of a commit, and the manifest of its files."""

    file: PipelineFile
    files: str
    left: Sequence[str]


def read_commit(found: Fetched, trigger: Trigger, most: int, *, scheduled: bool = False) -> ReadCommit:
    """Its pipeline and files, of ``most`` bytes at most. What its message says keeps no ``scheduled`` run back.

    Raises Skipped, Unfit, GitRefused, GitFailed.
    """
    why = None if scheduled else commit_skip(trigger.rules, found.facts())
    if why is not None:
        raise Skipped(why)
    tree = found.tree()
    size = sum(each.size for each in tree.files)
    file = next((each for each in tree.files if each.name == trigger.pipeline), None)
    if file is None:
        raise Unfit(f"there is no {trigger.pipeline} in {found.commit[:12]}")
    if file.size > LARGEST:
        raise Unfit(f"{trigger.pipeline} has {file.size} bytes, and at most {LARGEST} are allowed")
    if size > most:
        raise Unfit(f"its files have {size} bytes together, and those of one job may have {most}")
    try:
        pipeline = read_pipeline(b"".join(found.content(file)), name=trigger.name)
    except BadPipeline as error:
        raise Unfit(f"{trigger.pipeline} can't be used: {error}") from error
    return ReadCommit(pipeline, tree.files, size, tuple(f"{name}: {why}" for name, why in tree.left[:_NAMED]))


def keep_commit(
    found: Fetched, read: ReadCommit, trigger: Trigger, writer: SnapshotWriter, *, now: float
) -> KeptCommit:
    """Its files kept as the trigger's owner's. Raises Unfit, GitFailed."""
    sources = [SourceFile(found.manifest_file(each), _content_of(found, each)) for each in read.files]
    try:
        files = writer.keep(trigger.tenant, trigger.owner, sources, now=now)
    except (BadJson, TooMuch) as error:
        raise Unfit(f"its files can't travel: {error}") from error
    return KeptCommit(read.file, files, read.left)


def _content_of(found: Fetched, file: TreeFile) -> Callable[[], Iterator[bytes]]:
    return lambda: found.content(file)
