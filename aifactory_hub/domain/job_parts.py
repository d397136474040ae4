"""All that decides what a job runs, by name: what an approval of it covers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from .job_spec import JobSpec

# A text up to so many characters is shown as it is; a longer one by its digest.
_SHOWN = 400


def job_parts(spec: JobSpec, *, image: str, template: str | None, data: str = "") -> Mapping[str, str]:
    """The parts as text. ``image`` is what it would run in now, ``template`` the version of the published template,
    ``data`` the versions of datasets and models that it is given, each with its digest.

    Values of environment variables and of parameters may be secret, so they are covered by a digest and not shown.
    """
    parts = {
        "command": spec.command,
        "files": spec.input_sha256 or "",
        "data": data,
        "image": image,
        "profile": spec.profile,
        "nodes": str(spec.nodes),
        "engine": spec.backend or "",
        "priority": spec.priority,
        "max_seconds": "" if spec.max_seconds is None else str(spec.max_seconds),
        "retries": str(spec.max_retries) if spec.max_retries else "",
        "environment": _digest(spec.environment) if spec.environment else "",
        "secrets": ", ".join(sorted(spec.secrets)),
        "parameters": _digest(spec.parameters) if spec.parameters else "",
        "template": "" if spec.template is None else f"{spec.template} {template or '(version not known)'}",
    }
    return {name: _shown(text) for name, text in parts.items() if text}


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _digest(values: Mapping[str, str]) -> str:
    return f"sha256:{hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()}"
