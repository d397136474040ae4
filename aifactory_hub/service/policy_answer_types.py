"""The forms of answers about the site's rules; see answer_types."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from .answer_types import FindingAnswer, Moment, NeedAnswer


class RuleSummary(TypedDict):
    """One rule in words."""

    id: str
    title: str
    target: str
    verbs: Annotated[list[str], Field(description="What it is asked at; empty: always.")]
    teams: Annotated[list[str], Field(description="Whose requests it is about; empty: all teams'.")]
    engines: Annotated[list[str], Field(description="By which engines; empty: by all.")]
    severity: Annotated[str, Field(pattern="^(advisory|soft|hard)$")]
    effect: Annotated[str, Field(description="What follows where it is not met, as a sentence.")]
    fix: Annotated[str, Field(description="How to mend what it refuses.")]
    field: str | None
    overridable_by: str | None
    enforce_from: Annotated[Moment | None, Field(description="Before that it is only tried.")]
    enforced: bool
    needs: list[NeedAnswer]
    owner: Annotated[str | None, Field(description="The team whose own rule it is; null for the site's.")]


class RulesAnswer(TypedDict):
    """The rules in use. ``trouble`` says to the hub's administrators why they are not those of the folder."""

    bundle: Annotated[str, Field(description="The digest of all files; empty where there are no rules.")]
    rules: list[RuleSummary]
    trouble: str | None


class CaseAnswer(TypedDict):
    """An example of a rule."""

    name: str
    expect: Annotated[str, Field(pattern="^(pass|fail)$")]
    message: str | None


class RuleAnswer(RuleSummary):
    """One rule with its expressions, as its file has them."""

    bundle: str
    when: str | None
    holds: Annotated[str, Field(description="The expression `assert`.")]
    message: str
    variables: dict[str, str]
    cases: list[CaseAnswer]
    source: Annotated[str, Field(description="Its file and line.")]


class HitAnswer(TypedDict):
    """One request that the rule would have stopped."""

    job: Annotated[str | None, Field(description="Null for what was no job.")]
    tenant: str
    user: str
    message: str


class ImpactAnswer(TypedDict):
    """What a rule would have said to what was asked in the last days, in the caller's teams.

    ``unjudged`` are those that it could not be asked about: what it needs is not known of them. ``hits`` has the first
    of those that failed.
    """

    rule: str
    days: int
    asked: int
    failed: int
    unjudged: int
    teams: list[str]
    words: Annotated[str, Field(description="The same as a sentence.")]
    hits: list[HitAnswer]


class PolicyVerdict(TypedDict):
    """What the rules said to one request. ``view`` is what they saw of it."""

    id: str
    at: Moment
    tenant: str
    user: str
    verb: str
    target: str
    subject: str
    digest: str
    bundle: str
    outcome: Annotated[str, Field(pattern="^(allowed|held|refused)$")]
    findings: list[FindingAnswer]
    view: dict[str, Any]


class PolicyVerdictPage(TypedDict):
    """The newest first; ``next`` is the ``before`` of the next page."""

    verdicts: list[PolicyVerdict]
    next: str | None


class OverrideAnswer(TypedDict):
    """Somebody let one soft rule pass for exactly what was asked."""

    id: str
    verdict: str
    rule: str
    tenant: str
    user: Annotated[str, Field(description="Whose request it is for.")]
    digest: str
    by: str
    reason: str
    made: Moment
    until: Moment
    counts: Annotated[bool, Field(description="Whether it counts now.")]


class OverridesAnswer(TypedDict):
    """A team's, the newest first."""

    overrides: list[OverrideAnswer]
