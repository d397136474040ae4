"""Whether a step of a pipeline may take an earlier job's result: the key that stands for all that decides it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .datasets import GivenVersion
from .job_spec import JobSpec

# Another one makes every key another: for a version of the service in which the same request runs something else.
_FORM = 1
_BY_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
# What an earlier job gave back has to be kept for so many seconds more: steps that follow read it.
_LEFT_AT_LEAST = 86400.0
# Of a digest that tells two values apart, and is no secret's.
_SHORT = 16


@dataclass(frozen=True, slots=True)
class Deciding:
    """All that decides what a job gives back; how often and how long it is tried decides nothing.

    ``image`` is what it would run in now, ``template`` the version of the published template. ``files`` is the digest
    of the files that decide: of those of the run only what fits ``inputs``, unless there are none. ``data`` are the
    versions that the job is given.
    """

    tenant: str
    spec: JobSpec
    image: str
    template: str | None = None
    files: str | None = None
    inputs: tuple[str, ...] = ()
    data: tuple[GivenVersion, ...] = ()


def cache_key(deciding: Deciding) -> str:
    """The SHA-256 of all that decides a job's result."""
    return _digest({"form": _FORM, "tenant": deciding.tenant, **_decides(deciding)})


def parts(deciding: Deciding) -> Mapping[str, str]:
    """What decides, part by part, so that two keys that differ can be told apart: a readable value where it is short
    and no secret, otherwise a digest of it. Variables and parameters are parts of their own."""
    decides = _decides(deciding)
    named = (("variable", decides.pop("environment")), ("parameter", decides.pop("parameters")))
    found = {f"{word} {name}": _digest(value)[:_SHORT] for word, values in named for name, value in values.items()}
    decides.pop("data")
    for name in ("command", "inputs", "outputs", "template"):
        if decides.get(name):
            decides[name] = _digest(decides[name])[:_SHORT]
    found |= {name: str(value) for name, value in decides.items() if value}
    for version in sorted(deciding.data, key=lambda each: (each.name, each.number)):
        name = f"data {version.name}"
        found[name] = ", ".join(filter(None, (found.get(name), str(version.number))))
    return found


def _decides(deciding: Deciding) -> dict[str, Any]:
    spec = deciding.spec
    narrowed = {"inputs": sorted(deciding.inputs)} if deciding.inputs else {}
    return {
        "command": spec.command,
        "files": deciding.files,
        "data": ", ".join(sorted(f"{each.reference} {each.digest}" for each in deciding.data)),
        "image": deciding.image,
        "profile": spec.profile,
        "nodes": spec.nodes,
        "engine": spec.backend,
        "environment": dict(spec.environment),
        "secrets": sorted(spec.secrets),
        "parameters": dict(spec.parameters),
        "template": None if spec.template is None else [spec.template, deciding.template],
        "outputs": None if spec.outputs is None else list(spec.outputs),
        **narrowed,
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


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
