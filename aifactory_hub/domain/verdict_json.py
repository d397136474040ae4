"""Verdicts as JSON, for records and answers, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .verdicts import Finding, Need, Severity, Verdict


def severity_word(severity: Severity) -> str:
    """As rule files write it."""
    return severity.name.lower()


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding."""
    return {
        "rule": finding.rule,
        "severity": severity_word(finding.severity),
        "message": finding.message,
        "fix": finding.fix,
        "field": finding.field,
        "enforced": finding.enforced,
        "refuses": finding.refuses,
        "overridable_by": finding.overridable_by,
        "override": finding.override,
        "needs": [{"role": need.role, "count": need.count} for need in finding.needs],
    }


def finding_of(said: Mapping[str, Any]) -> Finding:
    """The other way of ``finding_json``."""
    return Finding(
        rule=said["rule"],
        severity=Severity[said["severity"].upper()],
        message=said["message"],
        fix=said["fix"],
        field=said["field"],
        overridable_by=said["overridable_by"],
        enforced=said["enforced"],
        needs=tuple(Need(each["role"], each["count"]) for each in said["needs"]),
        override=said["override"],
    )


def verdict_of(bundle: str, findings: Sequence[Mapping[str, Any]]) -> Verdict:
    """A verdict of its parts."""
    return Verdict(bundle, tuple(map(finding_of, findings)))


def outcome_word(verdict: Verdict) -> str:
    """What became of what was asked: refused, held or allowed."""
    return "refused" if verdict.refusal is not None else "held" if verdict.needs else "allowed"
