"""Gathers what the service's records have of the job that made a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ... import __version__
from ...domain.attempts import Attempt
from ...domain.statements import BuildFacts, Material
from ...registry import Registry
from ...store import JobRecord

_BY_DIGEST = re.compile(r"(?P<name>[^@]+)@sha256:(?P<digest>[0-9a-f]{64})")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Of what a job claims: as many of each, so that a statement stays small.
_MOST_CLAIMS = 100


def build_facts(job: JobRecord, number: int, registry: Registry, data: Iterable[Material] = ()) -> BuildFacts:
    """The facts of this attempt of the job; ``data`` are the versions of datasets and models that it was given."""
    attempt = job.of_number(number) or Attempt(number)
    return BuildFacts(
        job=job.id,
        attempt=number,
        tenant=job.tenant,
        owner=job.owner,
        parameters=_parameters(job),
        place=_place(job, attempt, registry),
        materials=[*_materials(job), *data],
        builder=registry.addresses.service,
        builder_version=__version__,
        started=attempt.running_at,
        finished=attempt.ended_at,
        log=attempt.log_sha256,
        claims=_claims(job, attempt),
    )


def _parameters(job: JobRecord) -> dict[str, Any]:
    spec = job.spec
    return {
        "name": spec.name,
        "command": spec.command,
        "parameters": dict(spec.parameters),
        "environment": sorted(spec.environment),
        "outputs": None if spec.outputs is None else list(spec.outputs),
        "profile": spec.profile,
        "nodes": spec.nodes,
        "engine": spec.backend,
        "template": spec.template,
        "priority": spec.priority,
    }


def _place(job: JobRecord, attempt: Attempt, registry: Registry) -> dict[str, Any]:
    """Where it ran. ``gpu`` is what the profile is called today."""
    devices = [
        {"flavor": device.flavor, "resource": device.resource, "count": count}
        for device, count in sorted(attempt.devices.items())
    ]
    profile = registry.catalogue.profiles.get(job.spec.profile)
    gpu = None if profile is None else {"model": profile.gpu_model, "slice": profile.slice}
    return {"devices": devices, "nodes": list(attempt.nodes), "gpu": gpu, "simulated": registry.cluster.simulated}


def _materials(job: JobRecord) -> list[Material]:
    spec, found = job.spec, []
    if spec.input_sha256 is not None:
        found.append(Material("files", "snapshot", {"sha256": spec.input_sha256}))
    found.append(_image(spec.image))
    told = spec.provenance or {}
    if (commit := _commit(told)) is not None:
        found.append(commit)
    if spec.template is not None:
        found.append(Material("template", spec.template, known="missing"))
    return found


def _image(name: str | None) -> Material:
    if name is None:
        return Material("image", "the site's", known="missing")
    told = _BY_DIGEST.fullmatch(name)
    if told is None:
        return Material("image", name, known="missing")
    return Material("image", told["name"], {"sha256": told["digest"]})


def _commit(told: Mapping[str, Any]) -> Material | None:
    """The commit, as whoever submitted the job says."""
    commit = told.get("commit")
    if not isinstance(commit, str) or _COMMIT.fullmatch(commit) is None:
        return None
    about = {name: told[name] for name in ("repository", "branch", "dirty") if isinstance(told.get(name), str | bool)}
    return Material("commit", commit[:12], {"gitCommit": commit}, "declared", about)


def _claims(job: JobRecord, attempt: Attempt) -> dict[str, Any]:
    metrics = dict(list((attempt.metrics or {}).items())[:_MOST_CLAIMS])
    packages = (job.spec.provenance or {}).get("packages")
    return {
        "metrics": {name: value if _is_finite(value) else str(value) for name, value in metrics.items()},
        "sweepParameters": {name: str(value) for name, value in job.spec.sweep_parameters.items()},
        "packages": [str(each) for each in packages[:1000]] if isinstance(packages, list) else [],
    }


def _is_finite(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value - value == 0)
