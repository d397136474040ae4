"""Looks whether a version is what was registered: reads every byte, and all that was signed and written of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

from ...domain.models import ModelFacts, ModelVersion, VersionState
from ...domain.promotions import Signed, Verification, VersionEvidence, verify
from ...domain.statements import DECISION, BuildFacts, provenance
from ...signing.dsse import BadEnvelope, read_envelope
from ...signing.manifest import FileSet
from ...signing.oms import statement
from ...store import BlobMissing, FileStore
from ...store.model_registry import ModelRegistry
from ...store.statements import DECISION as DECISION_KIND
from ...store.statements import FILES, PROVENANCE, Draft, statements_of
from .registrar import signed_name
from .signatures import Signatures

log = logging.getLogger(__name__)


class Checks:
    """Verifies versions. Methods block, for about a second a gigabyte."""

    def __init__(
        self,
        registry: ModelRegistry,
        files: FileStore,
        signatures: Signatures,
        facts_of: Callable[[ModelVersion], BuildFacts | None],
        tell: Callable[[ModelFacts, ModelVersion, str], None],
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._files = files
        self._signatures = signatures
        self._facts_of = facts_of
        self._tell = tell
        self._clock = clock

    def facts(self, version: ModelVersion) -> BuildFacts | None:
        """What the records have of the version's job; None when there is no record of it any more."""
        return self._facts_of(version)

    def look(self, model: ModelFacts, version: ModelVersion) -> Verification:
        """What is wrong with the version. One whose bytes are wrong is quarantined, and people are told.

        Raises BlobsUnavailable when the files can't be read now: then nothing is known, and nothing is concluded.
        """
        found = verify(self._evidence(model, version))
        if found.damaged and version.state is not VersionState.QUARANTINED:
            self._quarantine(model, version, found.troubles[0].message)
        return found

    def statement(self, version: str, kind: str) -> Signed | None:
        """The newest signed statement of this kind about a version."""
        return _newest(statements_of(self._registry.db, version), kind)

    def decision(self, kind: str, model: ModelFacts, version: ModelVersion, reason: str, **more: str) -> Draft:
        """The signed statement of what was decided about a version itself. Raises CustodyError."""
        told = {"kind": kind, "model": model.name, "version": version.number, "reason": reason, **more}
        about = statement(signed_name(model), self._registry.files(version.id), DECISION, told)
        return self._signatures.draft(DECISION_KIND, version.digest, version.id, about)

    def _evidence(self, model: ModelFacts, version: ModelVersion) -> VersionEvidence:
        files, told = self._registry.files(version.id), statements_of(self._registry.db, version.id)
        facts = self._facts_of(version)
        return VersionEvidence(
            version=version,
            name=signed_name(model),
            files=files,
            read=self._read(version, files),
            files_statement=_newest(told, FILES),
            provenance=_newest(told, PROVENANCE),
            keys=self._registry.keys(),
            rows=None if facts is None else provenance(facts),
        )

    def _read(self, version: ModelVersion, files: FileSet) -> dict[str, str | None]:
        keys = {file.name: self._files.artifact(version.job, f"{version.folder}{file.name}") for file in files.files}
        return {name: digest_of(self._files, key) for name, key in keys.items()}

    def _quarantine(self, model: ModelFacts, version: ModelVersion, why: str) -> None:
        now, draft = self._clock(), self.decision("quarantine", model, version, why)
        self._registry.set_state(version.id, VersionState.QUARANTINED, why, draft, now)
        log.error("version %d of model %s of %s is quarantined: %s", version.number, model.name, model.tenant, why)
        self._tell(model, version, why)


def digest_of(files: FileStore, key: str) -> str | None:
    """The SHA-256 of what is kept under a key; None where nothing is. Raises BlobsUnavailable."""
    try:
        reading = files.open(key)
    except BlobMissing:
        return None
    try:
        found = hashlib.sha256()
        while chunk := reading.next():
            found.update(chunk)
        return found.hexdigest()
    finally:
        reading.close()


def _newest(rows: Iterable[dict[str, Any]], kind: str) -> Signed | None:
    found = [row for row in rows if row["kind"] == kind]
    if not found:
        return None
    try:
        return Signed(found[-1]["number"], read_envelope(found[-1]["envelope"]))
    except BadEnvelope:
        return None
