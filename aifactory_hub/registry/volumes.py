"""The volumes of teams in ``tenants.yaml``, checked against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .problems import Path, Problem

# The name of the volume with a person's home.
HOME = "home"


def volume_problems(data: Mapping[Any, Any]) -> Iterator[Problem]:
    """Two volumes of a team at one place, and names that are taken."""
    for tenant, said in _mapping(data.get("tenants")).items():
        seen: dict[str, str] = {}
        for name, volume in _mapping(_mapping(said).get("volumes")).items():
            place: Path = ("tenants", str(tenant), "volumes", str(name))
            if name == HOME:
                yield Problem(place, "home is the volume with a person's home", "give it another name")
            path = _mapping(volume).get("path")
            if not isinstance(path, str):
                continue
            if path in seen:
                yield Problem((*place, "path"), f"{seen[path]} is at {path} already", "write another folder")
            seen.setdefault(path, str(name))


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}
