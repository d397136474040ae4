"""What the service says of a model and signs: where it comes from, and what was decided about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .formatting import iso_millis
from .models import AliasMove

PROVENANCE = "https://slsa.dev/provenance/v1"
DECISION = "urn:aifactory-hub:model-decision:v1"
BUILD_TYPE = "urn:aifactory-hub:job:v1"
# Parts of a provenance that the service's records have too.
_COMPARED = (
    ("buildDefinition", "buildType"),
    ("buildDefinition", "externalParameters"),
    ("buildDefinition", "internalParameters"),
    ("buildDefinition", "resolvedDependencies"),
    ("runDetails", "metadata"),
    ("runDetails", "byproducts"),
)
_MAY_CHANGE = frozenset({"buildDefinition.internalParameters.owner", "buildDefinition.internalParameters.gpu"})


@dataclass(frozen=True, slots=True)
class Material:
    """Something that a job was made from. ``known`` is verified (the service or the runner has hashed it), declared
    (whoever submitted the job says so) or missing (nobody knows its digest)."""

    kind: str
    name: str
    digest: Mapping[str, str] = field(default_factory=dict)
    known: str = "verified"
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """All that the service's records have of the attempt that made a model. ``claims`` is what the job says of itself.

    Times are epoch seconds. ``parameters`` is what was asked, without values of the environment, which may be secrets.
    """

    job: str
    attempt: int
    tenant: str
    owner: str
    parameters: Mapping[str, Any]
    place: Mapping[str, Any]
    materials: Sequence[Material]
    builder: str
    builder_version: str
    started: float | None
    finished: float | None
    log: str | None
    claims: Mapping[str, Any]


def provenance(facts: BuildFacts) -> dict[str, Any]:
    """The predicate of SLSA provenance, version 1."""
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": dict(facts.parameters),
            "internalParameters": {"tenant": facts.tenant, "owner": facts.owner, **facts.place},
            "resolvedDependencies": [_dependency(material) for material in facts.materials],
        },
        "runDetails": {
            "builder": {"id": facts.builder, "version": {"aifactory-hub": facts.builder_version}},
            "metadata": _metadata(facts),
            "byproducts": [] if facts.log is None else [{"name": "log", "digest": {"sha256": facts.log}}],
        },
        "claimedByJob": dict(facts.claims),
    }


def differences(signed: Mapping[str, Any], rows: Mapping[str, Any]) -> list[str]:
    """Where a signed provenance says something else than the service's records: the fields' names.

    What may change is left out: the builder, the name of the owner's account, the name of the GPU behind a profile; and
    what the job claims.
    """
    wrong: list[str] = []
    for part, name in _COMPARED:
        said, known = _at(signed, part, name), _at(rows, part, name)
        if said != known:
            wrong += _inner(f"{part}.{name}", said, known)
    return [field for field in wrong if field not in _MAY_CHANGE]


def materials_in(predicate: Any) -> list[Material]:
    """What a signed provenance says that the version was made from; what is not of this form is passed over."""
    told = _at(predicate, "buildDefinition", "resolvedDependencies") if isinstance(predicate, Mapping) else None
    found = []
    for each in told if isinstance(told, list) else ():
        if not isinstance(each, Mapping) or not isinstance(each.get("digest"), Mapping):
            continue
        kind, colon, name = str(each.get("name", "")).partition(":")
        about = each.get("annotations")
        known = about.get("known") if isinstance(about, Mapping) else None
        if colon:
            digest = {str(algorithm): str(value) for algorithm, value in each["digest"].items()}
            found.append(Material(kind, name, digest, str(known or "missing")))
    return found


def decision(model: str, move: AliasMove, versions: Mapping[str, int], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The predicate of what was decided about an alias; ``versions`` are the numbers of the versions by id."""
    return {
        "kind": move.kind.value,
        "model": model,
        "alias": move.alias,
        "from": None if move.before is None else versions.get(move.before),
        "to": None if move.after is None else versions.get(move.after),
        "by": move.by,
        "at": iso_millis(move.at),
        "reason": move.reason,
        "approval": move.approval,
        "rules": move.bundle,
        **extra,
    }


def _metadata(facts: BuildFacts) -> dict[str, Any]:
    return {
        "invocationId": f"{facts.job}/{facts.attempt}",
        "startedOn": None if facts.started is None else iso_millis(facts.started),
        "finishedOn": None if facts.finished is None else iso_millis(facts.finished),
    }


def _dependency(material: Material) -> dict[str, Any]:
    return {
        "name": f"{material.kind}:{material.name}",
        "digest": dict(material.digest),
        "annotations": {"known": material.known, **material.about},
    }


def _at(told: Mapping[str, Any], part: str, name: str) -> Any:
    found = told.get(part)
    return found.get(name) if isinstance(found, Mapping) else None


def _inner(place: str, said: Any, known: Any) -> list[str]:
    if not isinstance(said, Mapping) or not isinstance(known, Mapping):
        return [place]
    return [f"{place}.{name}" for name in sorted({*said, *known}) if said.get(name) != known.get(name)]
