"""Whether a step of a pipeline may take an earlier job's result: the key that stands for all that decides it."""

from __future__ import annotations

import hashlib
import json
import re

from .job_spec import JobSpec

# Another one makes every key another: for a version of the service in which the same request runs something else.
_FORM = 1
_BY_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
# What an earlier job gave back has to be kept for so many seconds more: steps that follow read it.
_LEFT_AT_LEAST = 86400.0


def cache_key(tenant: str, spec: JobSpec, *, image: str, template: str | None, data: str = "") -> str:
    """The SHA-256 of all that decides what a job gives back; how often and how long it is tried decides nothing.

    ``image`` is what it would run in now, ``template`` the version of the published template, ``data`` the versions of
    data that it is given, each with its digest.
    """
    decides = {
        "form": _FORM,
        "tenant": tenant,
        "command": spec.command,
        "files": spec.input_sha256,
        "data": data,
        "image": image,
        "profile": spec.profile,
        "nodes": spec.nodes,
        "engine": spec.backend,
        "environment": dict(spec.environment),
        "secrets": sorted(spec.secrets),
        "parameters": dict(spec.parameters),
        "template": None if spec.template is None else [spec.template, template],
        "outputs": None if spec.outputs is None else list(spec.outputs),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def why_never_taken(spec: JobSpec, *, image: str, simulated: bool) -> str | None:
    """Why no earlier job's result can count for this one, however alike; None when it can.

    On a ``simulated`` cluster nothing runs in an image.
    """
    if spec.secrets:
        return "it is given secrets, whose values may change"
    if not simulated and _BY_DIGEST.fullmatch(image) is None:
        return f"its image {image} has no digest, so what is in it may change"
    return None


def kept_since(now: float, keep: float) -> float:
    """When a job must have ended at the earliest, so that what it gave back is kept long enough for what follows.

    Files are kept for ``keep`` seconds: a day of it has to be left, or half of it where it is short.
    """
    return now - keep + min(_LEFT_AT_LEAST, keep / 2)
