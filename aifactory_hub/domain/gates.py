"""The site's rules, and what they say to a question: pure, whoever evaluates an expression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .verdicts import Finding, Need, Question, Severity, Target, Verb, Verdict

# Who may override a soft rule: one of the team's admins, or an administrator of the hub.
OVERRIDERS = ("admin", "platform")


@dataclass(frozen=True, slots=True)
class Case:
    """An example of a rule: what it has to say to ``view``. ``message`` None: any. ``line`` is where it stands."""

    name: str
    passes: bool
    view: Mapping[str, Any]
    message: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``condition`` says whether it is about what is asked, ``holds`` what must be true, ``message`` what is
    said where it is not: expressions, which may use ``variables``.

    Empty ``verbs``, ``teams`` and ``engines``: all. ``enforce_from`` is in epoch seconds; before that the rule is only
    tried. One with ``needs`` holds what is asked until they are met. ``owner`` is the team whose rule it is; empty for
    the site's.
    """

    id: str
    title: str
    target: Target
    severity: Severity
    holds: str
    message: str
    condition: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    fix: str = ""
    field: str | None = None
    verbs: frozenset[Verb] = frozenset()
    teams: frozenset[str] = frozenset()
    engines: frozenset[str] = frozenset()
    overridable_by: str | None = None
    enforce_from: float | None = None
    needs: tuple[Need, ...] = ()
    cases: tuple[Case, ...] = ()
    owner: str = ""
    source: str = ""
    line: int = 0

    def asked_by(self, question: Question) -> bool:
        """Whether the rule is about this target, verb, team and engine at all."""
        engine = question.view.get("job", {}).get("engine", "")
        return (
            self.target is question.target
            and (not self.verbs or question.verb in self.verbs)
            and (not self.teams or question.tenant in self.teams)
            and (not self.engines or engine in self.engines)
        )

    def enforced_at(self, now: float) -> bool:
        """Whether it counts, and is not only tried."""
        return self.enforce_from is None or now >= self.enforce_from


class Answer(StrEnum):
    """SILENT: its condition is not met. BROKEN: an expression could not be evaluated, which is no yes."""

    SILENT = "silent"
    PASSES = "passes"
    FAILS = "fails"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule says to one view; ``message`` of one that fails, or why one is broken."""

    answer: Answer
    message: str = ""


Evaluate = Callable[[Rule, Mapping[str, Any]], Outcome]


@dataclass(frozen=True, slots=True)
class Bundle:
    """All rules of a site. ``digest`` covers all of their files; empty where there are none."""

    digest: str = ""
    rules: tuple[Rule, ...] = ()

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of this id."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def of(self, target: Target) -> tuple[Rule, ...]:
        """The rules of a target."""
        return tuple(rule for rule in self.rules if rule.target is target)


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody lets one soft rule pass for exactly what was asked, until ``until`` (epoch seconds)."""

    id: str
    rule: str
    tenant: str
    user: str
    digest: str
    by: str
    reason: str
    made_at: float
    until: float
    verdict: str = ""

    def covers(self, rule: Rule, question: Question, now: float) -> bool:
        """Whether it counts for this rule and question now: never for a hard rule, never by who asks."""
        return (
            rule.severity is Severity.SOFT
            and not rule.needs
            and (self.rule, self.tenant, self.user, self.digest)
            == (rule.id, question.tenant, question.user, question.digest)
            and self.by != question.user
            and self.made_at <= now < self.until
        )


def judge(
    bundle: Bundle, question: Question, evaluate: Evaluate, now: float, overrides: Iterable[Override] = ()
) -> Verdict:
    """What the rules say, the strictest first. Rules are joined by "and": one more can only refuse more."""
    overrides = tuple(overrides)
    found = []
    for rule in bundle.rules:
        if rule.asked_by(question):
            finding = _finding(rule, evaluate(rule, question.view), now)
            if finding is not None:
                found.append(_overridden(finding, rule, question, now, overrides))
    return Verdict(bundle.digest, tuple(sorted(found, key=lambda each: (-each.severity, each.rule))))


def _finding(rule: Rule, outcome: Outcome, now: float) -> Finding | None:
    if outcome.answer in (Answer.SILENT, Answer.PASSES):
        return None
    broken = outcome.answer is Answer.BROKEN
    message = f"The rule could not be evaluated: {outcome.message}." if broken else outcome.message
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message=message,
        fix="Tell the site's administrators: the rule is to be corrected." if broken else rule.fix,
        field=rule.field,
        overridable_by=None if rule.needs else rule.overridable_by,
        enforced=rule.enforced_at(now),
        # What nobody could judge can't be approved either: it refuses.
        needs=() if broken else rule.needs,
    )


def _overridden(finding: Finding, rule: Rule, question: Question, now: float, overrides: Sequence[Override]) -> Finding:
    for override in overrides:
        if override.covers(rule, question, now):
            return finding.overridden_by(override.id)
    return finding


def new_needs(before: Sequence[Need], now: Sequence[Need]) -> tuple[Need, ...]:
    """Those of ``now`` that ``before`` did not ask for: what was approved once is not approved again."""
    met = {need.role: need.count for need in before}
    return tuple(need for need in now if met.get(need.role, 0) < need.count)


def wrong_case(rule: Rule, case: Case, outcome: Outcome) -> str | None:
    """Why the outcome is not the case's; None when it is."""
    match outcome.answer:
        case Answer.BROKEN:
            return f"the rule could not be evaluated: {outcome.message}"
        case Answer.FAILS if case.passes:
            return f"the rule fails, and the case says that it passes: {outcome.message}"
        case Answer.FAILS:
            if case.message is not None and case.message != outcome.message:
                return f"the rule says {outcome.message!r}, and the case says {case.message!r}"
        case Answer.SILENT if not case.passes:
            return f"the condition of rule {rule.id} is not met, and the case says that the rule fails"
        case Answer.PASSES if not case.passes:
            return "the rule passes, and the case says that it fails"
    return None


@dataclass(frozen=True, slots=True)
class Hit:
    """One request that the rule would have stopped."""

    subject: str
    tenant: str
    user: str
    message: str


@dataclass(frozen=True, slots=True)
class Impact:
    """Of ``asked`` requests ``failed`` would have failed, and ``broken`` could not be judged."""

    asked: int
    failed: int
    broken: int
    teams: tuple[str, ...]
    hits: tuple[Hit, ...]


def impact(rule: Rule, questions: Iterable[Question], evaluate: Evaluate) -> Impact:
    """What the rule would have said to these questions."""
    asked, broken = 0, 0
    hits: list[Hit] = []
    for question in questions:
        if not rule.asked_by(question):
            continue
        asked += 1
        outcome = evaluate(rule, question.view)
        if outcome.answer is Answer.BROKEN:
            broken += 1
        elif outcome.answer is Answer.FAILS:
            hits.append(Hit(question.subject, question.tenant, question.user, outcome.message))
    return Impact(asked, len(hits), broken, tuple(sorted({hit.tenant for hit in hits})), tuple(hits))
