"""Makes answers about models: from values to JSON, without I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...domain.formatting import iso_millis
from ...domain.models import Alias, AliasMove, ModelFacts, ModelVersion
from ...domain.promotions import Verification
from ...signing.dsse import BadEnvelope, read_envelope
from ...signing.keys import KeyFacts
from ...signing.manifest import FileSet
from ...signing.oms import bundle
from ...store.model_registry import ModelSummary
from ...store.statements import FILES, PROVENANCE
from .. import model_answer_types as types
from ..models.aliases import Moved


def version_answer(model: ModelFacts, version: ModelVersion, aliases: Iterable[Alias]) -> types.VersionAnswer:
    """A version."""
    return {
        "id": version.id,
        "tenant": model.tenant,
        "model": model.name,
        "version": version.number,
        "state": version.state,
        "why": version.why,
        "digest": version.digest,
        "root": version.root,
        "size": version.size,
        "files": version.count,
        "formats": dict(version.formats),
        "runs_code": list(version.runs_code),
        "job": version.job,
        "attempt": version.attempt,
        "registered_by": version.by,
        "registered_at": iso_millis(version.at),
        "note": version.note,
        "aliases": [alias.name for alias in aliases if alias.version == version.id],
    }


def alias_answer(alias: Alias, numbers: Mapping[str, int]) -> types.AliasAnswer:
    """An alias; ``numbers`` are those of the versions that it names, by id."""
    frozen = alias.frozen
    return {
        "name": alias.name,
        "version": None if alias.version is None else numbers[alias.version],
        "since": None if alias.since is None else iso_millis(alias.since),
        "frozen": None if frozen is None else {"by": frozen.by, "at": iso_millis(frozen.at), "reason": frozen.reason},
        "back": None if alias.earlier is None else numbers[alias.earlier],
    }


def model_answer(summary: ModelSummary) -> types.ModelAnswer:
    """A model."""
    model, aliases = summary.model, summary.aliases
    return {
        "tenant": model.tenant,
        "name": model.name,
        "created_at": iso_millis(model.created_at),
        "created_by": model.created_by,
        "aliases": [alias_answer(alias, summary.numbers) for alias in aliases],
        "versions": summary.count,
        "newest": None if summary.newest is None else version_answer(model, summary.newest, aliases),
    }


def version_detail(
    summary: ModelSummary, version: ModelVersion, files: FileSet, rows: Sequence[Mapping[str, Any]], *, simulated: bool
) -> types.VersionDetail:
    """A version with its files and all that was signed of it."""
    told = _predicate(rows, PROVENANCE)
    return {
        "version": version_answer(summary.model, version, summary.aliases),
        "files": [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in files.files],
        "provenance": told,
        "bundle": files_bundle(rows),
        "statements": [
            {
                "number": row["number"],
                "kind": row["kind"],
                "key": row["key"],
                "at": iso_millis(row["at"]),
                "envelope": json.loads(row["envelope"]),
            }
            for row in rows
        ],
        "simulated": simulated,
    }


def files_bundle(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The newest signature of the files, as a bundle; None where there is none that can be read."""
    found = [row["envelope"] for row in rows if row["kind"] == FILES]
    try:
        return bundle(read_envelope(found[-1])) if found else None
    except BadEnvelope:
        return None


def _predicate(rows: Sequence[Mapping[str, Any]], kind: str) -> dict[str, Any] | None:
    found = [row["envelope"] for row in rows if row["kind"] == kind]
    try:
        return dict(read_envelope(found[-1]).statement()["predicate"]) if found else None
    except (BadEnvelope, KeyError, TypeError):
        return None


def verification_answer(
    summary: ModelSummary, version: ModelVersion, found: Verification, now: float
) -> types.VerificationAnswer:
    """What looking at a version has shown."""
    return {
        "ok": found.ok,
        "version": version_answer(summary.model, version, summary.aliases),
        "troubles": [{"field": trouble.field, "message": trouble.message} for trouble in found.troubles],
        "key": found.key,
        "at": iso_millis(now),
    }


def move_facts(move: AliasMove, numbers: Mapping[str, int]) -> types.MoveFacts:
    """One thing that happened to an alias."""
    return {
        "number": move.number,
        "alias": move.alias,
        "kind": move.kind,
        "before": None if move.before is None else numbers[move.before],
        "after": None if move.after is None else numbers[move.after],
        "by": move.by,
        "at": iso_millis(move.at),
        "reason": move.reason,
        "approval": move.approval,
    }


def moved_answer(moved: Moved, numbers: Mapping[str, int]) -> types.MoveAnswer:
    """The outcome of a request about an alias."""
    return {
        "alias": alias_answer(moved.alias, numbers),
        "move": None if moved.move is None else move_facts(moved.move, numbers),
        "held": bool(moved.needs),
        "needs": [{"role": need.role, "count": need.count} for need in moved.needs],
        "warnings": [{"rule": each.rule, "message": each.message, "fix": each.fix} for each in moved.warnings],
    }


def key_answer(key: KeyFacts) -> types.KeyAnswer:
    """A key's public part."""
    revoked = None if key.revoked is None else iso_millis(key.revoked)
    return {
        "id": key.id,
        "public": key.public,
        "first": key.first,
        "last": key.last,
        "revoked": revoked,
        "why": key.why,
    }
