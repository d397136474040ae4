"""Whether a version is what was registered, and whether an alias may lead to it: decided from gathered facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..signing.dsse import BadEnvelope, Envelope
from ..signing.keys import KeyFacts, check
from ..signing.manifest import FileSet
from ..signing.oms import MANIFEST_DIGEST, PREDICATE_TYPE, files_of
from .models import Alias, ModelVersion, VersionState
from .refusals import Refusal, RefusalReason
from .statements import PROVENANCE, differences

# As many problems are named; the first ones are what somebody looks for.
_MOST = 20


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it is in the chain: its number and its envelope."""

    number: int
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class VersionEvidence:
    """All that is known of a version now.

    ``read`` are the SHA-256 digests of the bytes that were read, by the file's name; None where there is no such file
    any more. ``files_statement`` and ``provenance`` are the newest signed statements, None where there are none.
    ``rows`` is the provenance that follows from the service's records of now, None where the job's record is gone.
    """

    version: ModelVersion
    name: str
    files: FileSet
    read: Mapping[str, str | None]
    files_statement: Signed | None
    provenance: Signed | None
    keys: Mapping[str, KeyFacts]
    rows: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: the file or field, and a sentence for a person. ``revoked``: a signature is good but for
    its key, which was revoked."""

    field: str
    message: str
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found of a version: nothing is wrong when ``troubles`` is empty. ``key`` is the id of the key that
    signed its files. ``damaged``: bytes are not those that were registered, so nobody may use them."""

    troubles: tuple[Trouble, ...] = ()
    key: str = ""
    damaged: bool = False

    @property
    def ok(self) -> bool:
        """Whether the version is what was registered, with nothing wrong."""
        return not self.troubles


def verify(evidence: VersionEvidence) -> Verification:
    """Whether every byte, both signatures and the provenance are as they were when the version was registered."""
    wrong_bytes = _wrong_bytes(evidence)
    troubles = [
        *wrong_bytes,
        *_wrong_row(evidence),
        *_wrong_statement("files", PREDICATE_TYPE, evidence.files_statement, evidence),
        *_wrong_statement("provenance", PROVENANCE, evidence.provenance, evidence),
    ]
    if not troubles:
        troubles = [*_wrong_files(evidence), *_wrong_provenance(evidence)]
    key = "" if evidence.files_statement is None else evidence.files_statement.envelope.key
    return Verification(tuple(troubles[:_MOST]), key, damaged=bool(wrong_bytes))


def may_move(
    verification: Verification, version: ModelVersion, alias: Alias, model: str, *, back: bool
) -> Refusal | None:
    """Why the alias may not lead to this version; None when it may. ``back``: it is a rollback.

    A frozen alias is not promoted until somebody thaws it, and is rolled back all the same.
    """
    place = f"{model}@{alias.name}"
    if version.state is VersionState.QUARANTINED:
        message = f"Version {version.number} of {model} is quarantined: {version.why}. Register the files anew, or "
        message += "put them back and have an administrator release it."
        return Refusal(RefusalReason.QUARANTINED, message, field="version")
    if alias.frozen is not None and not back:
        who = f"{alias.frozen.by} froze it: {alias.frozen.reason}" if alias.frozen.reason else alias.frozen.by
        return Refusal(RefusalReason.ALIAS_FROZEN, f"{place} is frozen ({who}). Thaw it first.", field="alias")
    if back and version.id not in alias.held:
        message = f"Version {version.number} has never been {place}: roll back to one that has, or promote this one."
        return Refusal(RefusalReason.NEVER_HELD, message, field="version")
    if back and version.id == alias.version:
        message = f"{place} is version {version.number} already: name an earlier one."
        return Refusal(RefusalReason.NEVER_HELD, message, field="version")
    return refused(verification, version, model)


def refused(verification: Verification, version: ModelVersion, model: str) -> Refusal | None:
    """Why a version that was looked at may not be used; None when it may."""
    if verification.ok:
        return None
    first, more = verification.troubles[0], len(verification.troubles) - 1
    rest = f" {more} more things are wrong with it." if more else ""
    message = f"Version {version.number} of {model} does not pass: {first.message}.{rest}"
    return Refusal(RefusalReason.NOT_VERIFIED, message, field=first.field)


def only_revoked(verification: Verification) -> bool:
    """Whether nothing is wrong but that the key of its signatures was revoked."""
    return not verification.ok and all(trouble.revoked for trouble in verification.troubles)


def _wrong_bytes(evidence: VersionEvidence) -> list[Trouble]:
    found = []
    for file in evidence.files.files:
        read = evidence.read.get(file.name)
        if read is None:
            found.append(Trouble(f"files.{file.name}", f"the file {file.name!r} is not there any more"))
        elif read != file.sha256:
            message = f"the file {file.name!r} is not what was registered: its SHA-256 is {read[:16]}"
            found.append(Trouble(f"files.{file.name}", f"{message} and not {file.sha256[:16]}"))
    return found


def _wrong_row(evidence: VersionEvidence) -> list[Trouble]:
    files, version = evidence.files, evidence.version
    if (files.digest, files.root) == (version.digest, version.root):
        return []
    return [Trouble("files", "its list of files is not the one that was registered")]


def _wrong_statement(field: str, kind: str, signed: Signed | None, evidence: VersionEvidence) -> list[Trouble]:
    if signed is None:
        return [Trouble(f"signature.{field}", f"there is no signed statement of its {field}")]
    found = check(signed.envelope, evidence.keys, number=signed.number)
    if found.problem is not None:
        message = f"of the statement of its {field}, {found.problem}"
        return [Trouble(f"signature.{field}", message, revoked=found.revoked)]
    try:
        told = signed.envelope.statement()
        (about,) = told["subject"]
        digest, name = about["digest"], about["name"]
    except (BadEnvelope, KeyError, TypeError, ValueError) as error:
        return [Trouble(f"signature.{field}", f"the statement of its {field} can't be read: {error}")]
    if told.get("predicateType") != kind:
        return [Trouble(f"signature.{field}", f"the statement of its {field} is one of {told.get('predicateType')!r}")]
    wanted = {"sha256": evidence.files.root, MANIFEST_DIGEST: evidence.files.digest}
    if digest != wanted or name != evidence.name:
        return [Trouble(f"signature.{field}", f"the statement of its {field} is about other files or another model")]
    return []


def _wrong_files(evidence: VersionEvidence) -> list[Trouble]:
    """The set of files has to be exactly the signed one."""
    assert evidence.files_statement is not None  # looked at before
    try:
        signed = files_of(evidence.files_statement.envelope.statement())
    except BadEnvelope as error:
        return [Trouble("signature.files", str(error))]
    if signed == evidence.files:
        return []
    names = {file.name for file in signed.files} ^ {file.name for file in evidence.files.files}
    return [Trouble("files", f"its files are not those that were signed: {', '.join(sorted(names)[:5]) or 'sizes'}")]


def _wrong_provenance(evidence: VersionEvidence) -> list[Trouble]:
    assert evidence.provenance is not None  # looked at before
    if evidence.rows is None:
        return [Trouble("provenance.job", f"there is no record of job {evidence.version.job} any more")]
    predicate = evidence.provenance.envelope.statement().get("predicate")
    if not isinstance(predicate, Mapping):
        return [Trouble("provenance", "its provenance has no predicate")]
    wrong: Sequence[str] = differences(predicate, evidence.rows)
    return [
        Trouble(f"provenance.{field}", f"its provenance is not what the service's records say in {field}")
        for field in wrong
    ]
