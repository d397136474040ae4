"""What the job service says of its rules and of the key that it signs models with."""

from __future__ import annotations

from typing import Any

from ..domain.doctor import Finding, Stage, Verdict

_RULES, _SIGNING = "the job service's rules", "the key of the models' statements"


def rules_url(service: str) -> str:
    """Where the job service says it, by its address."""
    return f"{service.rstrip('/')}/api/v1/site/rules"


def signing_url(service: str) -> str:
    """Where the job service says it, by its address."""
    return f"{service.rstrip('/')}/api/v1/site/signing"


def rules_finding(found: dict[str, Any] | str) -> Finding:
    """Whether the rules in use are those of the folder. A site without rules is well."""
    if isinstance(found, str):
        return _not_known(_RULES, found)
    if found.get("trouble"):
        todo = "correct the folder, and try it with: aifactory-hub policy test FOLDER"
        seen = f"the folder can't be used, and the last good rules are: {found['trouble']}"
        return Finding(Stage.PLATFORM, _RULES, Verdict.BAD, seen, todo)
    if not found.get("folder"):
        return Finding(Stage.PLATFORM, _RULES, Verdict.GOOD, "tenants.yaml names no folder of rules")
    seen = f"{found.get('rules')} of {found['folder']}, SHA-256 {str(found.get('digest'))[:12]}"
    return Finding(Stage.PLATFORM, _RULES, Verdict.GOOD, seen)


def signing_finding(found: dict[str, Any] | str) -> Finding:
    """Whether a version of a model could be registered now."""
    if isinstance(found, str):
        return _not_known(_SIGNING, found)
    if found.get("trouble"):
        todo = "put back the folder model-keys of the service's files, or make a new key: POST model-keys"
        return Finding(Stage.PLATFORM, _SIGNING, Verdict.BAD, f"nothing can be signed: {found['trouble']}", todo)
    key = found.get("key")
    seen = "there is none yet: the first statement makes one" if key is None else f"{str(key)[:12]} signs"
    return Finding(Stage.PLATFORM, _SIGNING, Verdict.GOOD, seen)


def _not_known(check: str, why: str) -> Finding:
    todo = "look at the job service's log; an older version of it has no such answer"
    return Finding(Stage.PLATFORM, check, Verdict.WARNING, f"not known: {why}", todo)
