"""Makes answers of what the site's rules say, without I/O."""

from __future__ import annotations

from typing import cast

from ...domain.verdict_json import finding_json
from ...domain.verdicts import Finding, Verdict
from .. import answer_types


def findings_answer(said: Verdict) -> list[answer_types.FindingAnswer]:
    """What the rules say."""
    return [cast("answer_types.FindingAnswer", finding_json(finding)) for finding in said.findings]


def checks_answer(said: Verdict) -> list[answer_types.Verdict]:
    """The same in the list of all checks."""
    return [_check(finding) for finding in said.findings]


def _check(finding: Finding) -> answer_types.Verdict:
    tried = "" if finding.enforced else " It is only tried so far."
    words = f"{finding.message} (rule {finding.rule}) {finding.fix}".rstrip()
    return {"check": finding.field or f"rule {finding.rule}", "ok": not finding.refuses, "detail": f"{words}{tried}"}
