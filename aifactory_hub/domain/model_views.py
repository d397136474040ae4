"""What the site's rules see of a model before it is registered, promoted or rolled back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .gate_views import MOST_ENTRIES, Person, common_view
from .models import ModelVersion
from .statements import BuildFacts
from .tenants import Tenant


@dataclass(frozen=True, slots=True)
class AskedModel:
    """A version that shall be registered, or that ``alias`` shall lead to.

    ``before`` is the number of the version that the alias leads to now, None where it leads nowhere.
    """

    tenant: Tenant
    person: Person
    name: str
    version: ModelVersion
    facts: BuildFacts
    alias: str = ""
    before: int | None = None


def model_view(asked: AskedModel, verb: str, now: float) -> dict[str, Any]:
    """The view of the target ``model``: the version, the alias that it shall have, and the job that made it.

    No values of the environment, no command, no contents of files. What a rule may ask for is always there, empty where
    it is not known.
    """
    version, facts = asked.version, asked.facts
    parameters = facts.parameters
    return {
        **common_view(asked.tenant, asked.person, verb, now),
        "model": {
            "name": asked.name,
            "version": version.number,
            "alias": asked.alias,
            "before": asked.before or 0,
            "digest": version.digest,
            "size": version.size,
            "files": version.count,
            "formats": sorted(version.formats)[:MOST_ENTRIES],
            "runs_code": bool(version.runs_code),
            "registered_by": version.by,
            "job": {
                "id": facts.job,
                "owner": facts.owner,
                "profile": str(parameters.get("profile", "")),
                "nodes": int(parameters.get("nodes", 1)),
                "template": str(parameters.get("template") or ""),
                **_sources(facts),
            },
        },
    }


def _sources(facts: BuildFacts) -> dict[str, Any]:
    """Image, commit and data. ``commit_evidence`` and a dataset's ``known`` say who says so: statements.Material."""
    found: dict[str, Any] = {"image": "", "image_digest": "", "commit": "", "commit_known": False, "dirty": False}
    found["commit_evidence"] = "missing"
    data: list[Mapping[str, Any]] = []
    for material in facts.materials:
        if material.kind == "image":
            found |= {"image": material.name, "image_digest": material.digest.get("sha256", "")}
        elif material.kind == "commit":
            commit = material.digest.get("gitCommit", "")
            found |= {"commit": commit, "dirty": bool(material.about.get("dirty"))}
            found |= {"commit_known": commit != "", "commit_evidence": material.known}
        elif material.kind == "data":
            data.append({"name": material.name, "class": material.about.get("class", ""), "known": material.known})
    return {**found, "data": data[:MOST_ENTRIES]}
