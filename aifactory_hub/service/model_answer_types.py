"""The forms of answers about models. As in ``answer_types``, which has the others."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from ..domain.datasets import DataClass
from ..domain.lineage import NodeKind
from ..domain.models import MoveKind, VersionState
from .answer_types import Bytes, Moment, Sha256, Simulated

Number = Annotated[int, Field(ge=1, description="Counted from 1 for each model.")]


class VersionAnswer(TypedDict):
    """A version of a model. ``digest`` covers names, sizes and contents of its files; ``root`` is the digest that
    OpenSSF model signing gives them. ``runs_code`` names files whose readers run code that is in them."""

    id: str
    tenant: str
    model: str
    version: Number
    state: VersionState
    why: Annotated[str, Field(description="Why it is quarantined; empty while it is not.")]
    digest: Sha256
    root: Sha256
    size: Bytes
    files: Annotated[int, Field(ge=1, description="How many files it has.")]
    formats: Annotated[dict[str, int], Field(description="How many files there are of each format.")]
    runs_code: list[str]
    job: str
    attempt: int
    registered_by: str
    registered_at: Moment
    note: str
    aliases: Annotated[list[str], Field(description="The aliases that lead to it now.")]


class FrozenAnswer(TypedDict):
    """Who froze an alias, when and why."""

    by: str
    at: Moment
    reason: str


class AliasAnswer(TypedDict):
    """Where an alias leads. ``back`` is the version that a rollback would lead to."""

    name: str
    version: Number | None
    since: Moment | None
    frozen: FrozenAnswer | None
    back: Number | None


class ModelAnswer(TypedDict):
    """A model of a team."""

    tenant: str
    name: str
    created_at: Moment
    created_by: str
    aliases: list[AliasAnswer]
    versions: Annotated[int, Field(ge=0, description="How many there are.")]
    newest: VersionAnswer | None


class ModelList(TypedDict):
    """The models of one team, or of all of the caller's."""

    models: list[ModelAnswer]
    simulated: Simulated


class ModelDetail(TypedDict):
    """A model and its versions, the newest first. ``next`` is where the next page goes on; null at the end."""

    model: ModelAnswer
    versions: list[VersionAnswer]
    next: int | None
    simulated: Simulated


class FileAnswer(TypedDict):
    """A file of a version: its path below the model's folder."""

    name: str
    size: Bytes
    sha256: Sha256


class StatementAnswer(TypedDict):
    """A signed statement about a version: its number in the service's chain, what it says, and which key signed it."""

    number: int
    kind: str
    key: str
    at: Moment
    envelope: Annotated[dict[str, Any], Field(description="As DSSE has it.")]


class VersionDetail(TypedDict):
    """A version with its files and where it comes from. ``provenance`` is SLSA's, version 1, as it was signed."""

    version: VersionAnswer
    files: list[FileAnswer]
    provenance: dict[str, Any] | None
    bundle: Annotated[
        dict[str, Any] | None, Field(description="The files' signature as `model_signing verify` takes it.")
    ]
    statements: list[StatementAnswer]
    simulated: Simulated


class TroubleAnswer(TypedDict):
    """One thing that is wrong: the file or field, and a sentence for a person."""

    field: str
    message: str


class VerificationAnswer(TypedDict):
    """What was found when a version was looked at anew: every byte, both signatures, and its provenance."""

    ok: bool
    version: VersionAnswer
    troubles: list[TroubleAnswer]
    key: Annotated[str, Field(description="The id of the key that signed its files.")]
    at: Moment


class MoveFacts(TypedDict):
    """One thing that happened to an alias. ``number`` is that of its signed statement."""

    number: int
    alias: str
    kind: MoveKind
    before: Number | None
    after: Number | None
    by: str
    at: Moment
    reason: str
    approval: str | None


class NeedAnswer(TypedDict):
    """So many people of a role have to approve."""

    role: str
    count: int


class WarningAnswer(TypedDict):
    """What a rule says against it that does not stop it."""

    rule: str
    message: str
    fix: str


class MoveAnswer(TypedDict):
    """What came of it. ``held``: people have to approve it first, then it is to be asked again; nothing has moved."""

    alias: AliasAnswer
    move: MoveFacts | None
    held: bool
    needs: list[NeedAnswer]
    warnings: list[WarningAnswer]


class AliasHistory(TypedDict):
    """All that happened to an alias, the newest first."""

    alias: AliasAnswer
    moves: list[MoveFacts]


class DatasetVersionAnswer(TypedDict):
    """A dataset as it was. ``count`` (files) and ``size`` are null where nobody said so."""

    version: Number
    kind: Annotated[str, Field(description="What the digest is of: content, listing, dvc or lakefs.")]
    digest: str
    count: int | None
    size: Bytes | None
    by: str
    at: Moment


class DatasetAnswer(TypedDict):
    """A name for data of a team."""

    tenant: str
    name: str
    uri: str
    data_class: DataClass
    description: str
    created_by: str
    created_at: Moment
    newest: DatasetVersionAnswer | None


class DatasetList(TypedDict):
    """The datasets of one team, or of all of the caller's."""

    datasets: list[DatasetAnswer]


class DatasetDetail(TypedDict):
    """A dataset and its versions, the newest first."""

    dataset: DatasetAnswer
    versions: list[DatasetVersionAnswer]


class NodeAnswer(TypedDict):
    """One thing of a lineage. ``known``: verified (the service or the runner hashed it), declared (somebody says so) or
    missing. Of another team's there is the digest alone."""

    id: str
    kind: NodeKind
    label: str
    digest: str
    known: str
    tenant: str | None
    foreign: bool
    about: dict[str, Any]


class EdgeAnswer(TypedDict):
    """``after`` came from ``before``; both are ids of nodes."""

    before: str
    after: str
    how: str
    known: str


class LineageAnswer(TypedDict):
    """A graph. ``cut``: there is more than was shown."""

    of: str
    nodes: list[NodeAnswer]
    edges: list[EdgeAnswer]
    cut: bool


# A list of events of OpenLineage, or a document of CycloneDX: their own specifications say what is in them.
LineageExportAnswer = list[dict[str, JsonValue]] | dict[str, JsonValue]


class KeyAnswer(TypedDict):
    """A key's public part. It may have signed statements ``first`` to ``last``; null while it is in use."""

    id: str
    public: Annotated[str, Field(description="As PEM.")]
    first: int
    last: int | None
    revoked: Moment | None
    why: str


class GivenModel(TypedDict):
    """A version of a model that a job was submitted with, with the signature of its files."""

    version: VersionAnswer
    bundle: dict[str, Any] | None


class GivenModels(TypedDict):
    """For a job's runner: its models, and the keys to believe."""

    models: list[GivenModel]
    keys: list[KeyAnswer]


class KeyList(TypedDict):
    """All keys that ever signed, the oldest first."""

    keys: list[KeyAnswer]


class ChainAnswer(TypedDict):
    """What reading all of the chain of statements has shown."""

    ok: bool
    statements: int
    head: Annotated[str, Field(description="The hash of the last one: keep it elsewhere, and compare it later.")]
    problem: str | None
