"""What rules say to a question, whoever evaluates them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.gates import (
    Answer,
    Bundle,
    Case,
    Outcome,
    Override,
    Rule,
    impact,
    judge,
    new_needs,
    wrong_case,
)
from aifactory_hub.domain.verdicts import Need, Question, Severity, Target, Verb

NOW = 1_800_000_000.0
ASKED = Question(Verb.SUBMIT, Target.JOB, "nlp", "ada", "j1", "digest", {"job": {"engine": "jobset"}})


def rule(name: str = "one", severity: Severity = Severity.HARD, **changes: Any) -> Rule:
    """A rule whose expression is what it answers: "passes", "fails", "silent" or "broken"."""
    given: dict[str, Any] = {"holds": "fails", "message": f"{name} fails", "fix": "Mend it."}
    return Rule(name, name.capitalize(), changes.pop("target", Target.JOB), severity, **{**given, **changes})


def as_written(rule: Rule, view: Mapping[str, Any]) -> Outcome:
    return Outcome(Answer(rule.holds), rule.message)


def override(**changes: Any) -> Override:
    made = Override("o1", "one", "nlp", "ada", "digest", "boss", "because", NOW - 10, NOW + 10)
    return replace(made, **changes)


def findings(*rules: Rule, asked: Question = ASKED, overrides: tuple[Override, ...] = ()) -> list[str]:
    return [found.rule for found in judge(Bundle("b", rules), asked, as_written, NOW, overrides).findings]


def test_what_passes_or_is_silent_says_nothing() -> None:
    assert findings(rule(holds="passes"), rule("two", holds="silent")) == []


def test_the_strictest_is_first() -> None:
    rules = [rule("a", Severity.ADVISORY), rule("b", Severity.HARD), rule("c", Severity.SOFT), rule("d")]
    assert findings(*rules) == ["b", "d", "c", "a"]


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        ({}, True),
        ({"target": Target.SERVER}, False),
        ({"verbs": frozenset({Verb.RETRY})}, False),
        ({"verbs": frozenset({Verb.RETRY, Verb.SUBMIT})}, True),
        ({"teams": frozenset({"vision"})}, False),
        ({"teams": frozenset({"nlp"})}, True),
        ({"engines": frozenset({"kubernetes-job"})}, False),
        ({"engines": frozenset({"jobset"})}, True),
    ],
)
def test_a_rule_is_about_what_its_scope_says(scope: dict[str, Any], asked: bool) -> None:
    assert bool(findings(rule(**scope))) is asked


@pytest.mark.parametrize(
    ("severity", "refuses"), [(Severity.ADVISORY, False), (Severity.SOFT, True), (Severity.HARD, True)]
)
@pytest.mark.parametrize("holds", ["fails", "broken"])
def test_what_can_not_be_evaluated_fails_closed_for_soft_and_hard(
    severity: Severity, refuses: bool, holds: str
) -> None:
    verdict = judge(Bundle("b", (rule(severity=severity, holds=holds),)), ASKED, as_written, NOW)
    assert (verdict.refusal is not None) is refuses
    assert len(verdict.findings) == 1
    if holds == "broken":
        assert verdict.findings[0].message == "The rule could not be evaluated: one fails."


def test_what_is_to_be_approved_and_can_not_be_judged_refuses() -> None:
    held = rule(needs=(Need("admin"),))
    assert judge(Bundle("b", (held,)), ASKED, as_written, NOW).needs == (Need("admin"),)
    broken = judge(Bundle("b", (replace(held, holds="broken"),)), ASKED, as_written, NOW)
    assert broken.refusal is not None and broken.needs == ()


def test_before_its_day_a_rule_is_only_tried() -> None:
    for day, counts in ((NOW + 1, False), (NOW, True), (NOW - 1, True)):
        verdict = judge(Bundle("b", (rule(enforce_from=day),)), ASKED, as_written, NOW)
        assert (verdict.refusal is not None) is counts
        assert len(verdict.findings) == 1


def test_a_soft_rule_is_overridden_for_exactly_what_was_asked() -> None:
    soft = Bundle("b", (rule(severity=Severity.SOFT, overridable_by="admin"),))
    verdict = judge(soft, ASKED, as_written, NOW, (override(),))
    assert verdict.refusal is None
    assert verdict.findings[0].override == "o1"
    for other in (
        {"rule": "two"},
        {"tenant": "vision"},
        {"user": "eve"},
        {"digest": "other"},
        {"by": "ada"},
        {"until": NOW},
        {"made_at": NOW + 1},
    ):
        assert judge(soft, ASKED, as_written, NOW, (override(**other),)).refusal is not None, other


def test_nobody_overrides_a_hard_rule_nor_one_that_holds() -> None:
    assert judge(Bundle("b", (rule(),)), ASKED, as_written, NOW, (override(),)).refusal is not None
    held = rule(severity=Severity.SOFT, needs=(Need("admin"),))
    assert judge(Bundle("b", (held,)), ASKED, as_written, NOW, (override(),)).needs == (Need("admin"),)


_SEVERITIES, _ANSWERS = st.sampled_from(list(Severity)), st.sampled_from(list(Answer))
_RULES = st.lists(st.tuples(_SEVERITIES, _ANSWERS, st.booleans()), max_size=6)


@given(_RULES, _RULES)
def test_one_more_rule_only_refuses_more(some: list[Any], more: list[Any]) -> None:
    def made(each: list[Any], prefix: str) -> tuple[Rule, ...]:
        return tuple(
            rule(f"{prefix}{n}", severity, holds=answer.value, needs=(Need("admin"),) if held else ())
            for n, (severity, answer, held) in enumerate(each)
        )

    few = judge(Bundle("b", made(some, "a")), ASKED, as_written, NOW)
    many = judge(Bundle("b", made(some, "a") + made(more, "b")), ASKED, as_written, NOW)
    assert few.refusal is None or many.refusal is not None
    assert set(few.needs) <= set(many.needs)


def test_only_what_was_not_approved_before_is_needed_anew() -> None:
    before = (Need("admin"), Need("security", 2))
    assert new_needs(before, before) == ()
    now = (Need("admin", 2), Need("security"), Need("privacy"))
    assert new_needs(before, now) == (Need("admin", 2), Need("privacy"))


@pytest.mark.parametrize(
    ("passes", "message", "outcome", "said"),
    [
        (True, None, Outcome(Answer.PASSES), None),
        (True, None, Outcome(Answer.SILENT), None),
        (True, None, Outcome(Answer.FAILS, "no"), "the rule fails"),
        (True, None, Outcome(Answer.BROKEN, "why"), "could not be evaluated: why"),
        (False, None, Outcome(Answer.FAILS, "no"), None),
        (False, "no", Outcome(Answer.FAILS, "no"), None),
        (False, "yes", Outcome(Answer.FAILS, "no"), "the rule says 'no'"),
        (False, None, Outcome(Answer.PASSES), "the rule passes"),
        (False, None, Outcome(Answer.SILENT), "is not met"),
        (False, None, Outcome(Answer.BROKEN, "why"), "could not be evaluated"),
    ],
)
def test_a_case_shows_what_its_rule_does(passes: bool, message: str | None, outcome: Outcome, said: str | None) -> None:
    wrong = wrong_case(rule(), Case("c", passes, {}, message), outcome)
    assert wrong is None if said is None else said in (wrong or "")


def test_impact_counts_what_would_have_failed() -> None:
    def by_view(rule: Rule, view: Mapping[str, Any]) -> Outcome:
        return Outcome(Answer(view["job"]["is"]), "no")

    def asked(tenant: str, answer: str, target: Target = Target.JOB) -> Question:
        return Question(Verb.SUBMIT, target, tenant, "ada", f"j-{tenant}", "d", {"job": {"is": answer}})

    seen = [asked("a", "fails"), asked("a", "passes"), asked("b", "fails"), asked("c", "broken"), asked("d", "silent")]
    found = impact(rule(), [*seen, asked("e", "fails", Target.SERVER)], by_view)
    assert (found.asked, found.failed, found.broken, found.teams) == (5, 2, 1, ("a", "b"))
    assert [(hit.subject, hit.message) for hit in found.hits] == [("j-a", "no"), ("j-b", "no")]
