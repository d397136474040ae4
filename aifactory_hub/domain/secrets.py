"""Secrets of people and teams: their names, and what may be one. Values are kept elsewhere. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Characters of a name, bytes of a value.
LONGEST_NAME, LARGEST_VALUE = 64, 32 * 1024
# What is shorter would be found in logs where it is no secret.
SHORTEST_VALUE = 6
# Of one person, or of one team.
MOST = 50
MOST_OF_A_JOB = 20
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
# Variables that decide what programs run, or whom they believe. A team's secret must not be able to change that.
_TAKEN = frozenset({"PATH", "HOME", "USER", "SHELL", "ENV", "BASH_ENV", "IFS", "CDPATH", "TMPDIR", "PWD", "OLDPWD"})
_TAKEN_HEADS = ("AIFACTORY_", "JUPYTER", "LD_", "PYTHON", "GIT_", "NVIDIA_", "CUDA_", "KUBERNETES_", "SSL_", "CURL_")


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """All that is told of a secret. ``team`` is False for one person's own; times are epoch seconds."""

    name: str
    team: bool
    changed_at: float
    changed_by: str
    revision: int
    used_at: float | None = None


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A job was given a secret as it was at ``revision``."""

    name: str
    team: bool
    revision: int
    user: str
    job: str
    attempt: int
    at: float


def name_problem(name: str) -> str | None:
    """Why a secret can't be called so; None if it can."""
    if len(name) > LONGEST_NAME or _NAME.fullmatch(name) is None:
        return f"use capital letters, digits and _, at most {LONGEST_NAME}, such as HF_TOKEN"
    if name in _TAKEN or name.startswith(_TAKEN_HEADS):
        return "programs are steered by a variable of that name: take another one"
    return None


def value_problem(value: str) -> str | None:
    """Why this can't be a secret's value; None if it can. Says nothing of the value but its length."""
    size = len(value.encode("utf-8", "surrogatepass"))
    if "\x00" in value:
        return "it has a NUL character"
    if len(value.strip()) < SHORTEST_VALUE:
        return f"it has fewer than {SHORTEST_VALUE} characters, which could not be kept out of logs"
    if size > LARGEST_VALUE:
        return f"it has {size} bytes, and {LARGEST_VALUE} are allowed"
    return None
