"""Takes a version in: what a job gave back, with two signed statements about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...domain.file_formats import HEAD, Formats, formats
from ...domain.models import Chosen, ModelFacts, ModelVersion, check_job, choose_files
from ...domain.refusals import Refusal, RefusalReason
from ...domain.statements import PROVENANCE, BuildFacts, provenance
from ...domain.tenants import Role
from ...signing.manifest import FileEntry, FileSet
from ...signing.oms import files_statement, statement
from ...store import BlobMissing, FileStore, JobRecord, Jobs
from ...store.model_registry import FilesGone, ModelRegistry, new_model_id, new_version_id
from ...store.statements import FILES, Draft
from ...store.statements import PROVENANCE as PROVENANCE_KIND
from .signatures import Signatures


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks to be registered: some of a job's files as a version of a model. ``role`` is what they are in
    the team, None where nobody knows."""

    job: JobRecord
    name: str
    files: str
    note: str
    by: str
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Draught:
    """A version that could be added: nothing is signed or stored yet."""

    model: ModelFacts
    version: ModelVersion
    chosen: Chosen


class Registrar:
    """Registers versions. Methods block."""

    def __init__(
        self,
        registry: ModelRegistry,
        jobs: Jobs,
        files: FileStore,
        signatures: Signatures,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._jobs = jobs
        self._files = files
        self._signatures = signatures
        self._clock = clock

    def plan(self, wish: Wish) -> Draught | Refusal:
        """The version as it would be, or why not. Raises BlobsUnavailable."""
        job, now = wish.job, self._clock()
        against = check_job(job.state, job.id)
        if against is not None:
            return against
        if job.artifacts_dropped_at is not None:
            return _gone(job)
        there = [FileEntry(file.name, file.size, file.sha256) for file in self._jobs.artifacts(job.id)]
        chosen = choose_files(wish.files, there, job.id)
        if isinstance(chosen, Refusal):
            return chosen
        try:
            looked = self._formats(job.id, chosen)
        except BlobMissing:
            return _gone(job)
        model = self._registry.find(job.tenant, wish.name)
        model = model or ModelFacts(new_model_id(), job.tenant, wish.name, now, wish.by)
        return Draught(model, _version(wish, model, chosen, looked, now), chosen)

    def register(self, draught: Draught, facts: BuildFacts) -> tuple[ModelVersion, bool] | Refusal:
        """Add the version; whether it is new. Raises CustodyError."""
        model, version, files = draught.model, draught.version, draught.chosen.files
        drafts = signed_statements(self._signatures, model, version, files, facts)
        try:
            return self._registry.add(model, version, files, drafts)
        except FilesGone:
            return _gone_words(version.job)

    def _formats(self, job: str, chosen: Chosen) -> Formats:
        heads = []
        for file in chosen.files.files:
            key = self._files.artifact(job, f"{chosen.folder}{file.name}")
            if self._files.size(key) != file.size:
                raise BlobMissing(key)
            heads.append((file.name, self._files.read(key, most=HEAD)))
        return formats(heads)


def signed_statements(
    signatures: Signatures, model: ModelFacts, version: ModelVersion, files: FileSet, facts: BuildFacts
) -> list[Draft]:
    """The signed statements of a version's files and of where it comes from. Raises CustodyError."""
    name = signed_name(model)
    statements = (
        (FILES, files_statement(name, files)),
        (PROVENANCE_KIND, statement(name, files, PROVENANCE, provenance(facts))),
    )
    return [signatures.draft(kind, files.digest, version.id, told) for kind, told in statements]


def signed_name(model: ModelFacts) -> str:
    """How statements name a model: with its team, so that no team's statement is another's."""
    return f"{model.tenant}/{model.name}"


def _version(wish: Wish, model: ModelFacts, chosen: Chosen, looked: Formats, now: float) -> ModelVersion:
    return ModelVersion(
        id=new_version_id(),
        model=model.id,
        number=0,
        digest=chosen.files.digest,
        root=chosen.files.root,
        size=chosen.files.size,
        count=len(chosen.files.files),
        job=wish.job.id,
        attempt=wish.job.attempt,
        folder=chosen.folder,
        by=wish.by,
        at=now,
        note=wish.note,
        formats=looked.counts,
        runs_code=looked.runs_code,
    )


def _gone(job: JobRecord) -> Refusal:
    return _gone_words(job.id)


def _gone_words(job: str) -> Refusal:
    message = f"The files of job {job} are not kept any more: run it again, and register what it gives back."
    return Refusal(RefusalReason.NOT_REGISTRABLE, message, field="job")
