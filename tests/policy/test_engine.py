"""The one evaluator: only a plain true passes, and nothing that it meets stops the service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aifactory_hub.domain.gates import Answer, Outcome, Rule
from aifactory_hub.domain.verdicts import Severity, Target
from aifactory_hub.policy.engine import Engine
from aifactory_hub.policy.samples import largest, sample


def ask(holds: str, *, message: str = "'no'", view: Any = None, target: Target = Target.JOB, **given: Any) -> Outcome:
    engine = Engine()
    rule = Rule("one", "One", target, Severity.HARD, holds, message, **given)
    engine.add(rule)
    return engine.evaluate(rule, sample(target) if view is None else view)


@pytest.mark.parametrize(
    ("holds", "answer"),
    [
        ("true", Answer.PASSES),
        ("false", Answer.FAILS),
        ("job.nodes == 1", Answer.PASSES),
        ("job.nodes == 1.0", Answer.PASSES),
        ("now > timestamp('2027-01-01T00:00:00Z')", Answer.PASSES),
        ("now.getHours('Europe/Berlin') == 13", Answer.PASSES),
        ("job.image.name.matches('^images[.]example[.]org/')", Answer.PASSES),
        ("job.?nowhere.orValue(true)", Answer.PASSES),
        # Errors are values whose truth is True, or exceptions.
        ("job.nowhere", Answer.BROKEN),
        ("job.nowhere == 1", Answer.BROKEN),
        ("job.name.matches('(' + job.name)", Answer.BROKEN),
        ("job.nodes / 0 == 1", Answer.BROKEN),
        ("[1, 2][7] == 1", Answer.BROKEN),
        ("job.name > 1", Answer.BROKEN),
        # What is no truth value is none.
        ("job.name", Answer.BROKEN),
        ("job", Answer.BROKEN),
        ("dyn(null)", Answer.BROKEN),
        # Short circuits are the language's own.
        ("true || job.nowhere", Answer.PASSES),
        ("false && job.nowhere", Answer.FAILS),
    ],
)
def test_only_true_passes(holds: str, answer: Answer) -> None:
    assert ask(holds).answer is answer


def test_a_condition_that_can_not_be_evaluated_breaks_the_rule() -> None:
    assert ask("true", condition="job.nowhere").answer is Answer.BROKEN
    assert ask("false", condition="false").answer is Answer.SILENT
    assert ask("false", condition="true").answer is Answer.FAILS


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("'  trimmed '", "trimmed"),
        ("job.nowhere", "One."),
        ("dyn(1)", "One."),
        ("''", "One."),
        ("'two\\nlines'", "One."),
        ("'a' + job.labels.long", "One."),
        ("'turned \\u202e round'", "turned \\u202e round"),
    ],
)
def test_a_message_that_the_api_server_would_not_take_is_not_said(message: str, said: str) -> None:
    view = sample(Target.JOB)
    view["job"]["labels"] = {"long": "x" * 6000}
    assert ask("false", message=message, view=view) == Outcome(Answer.FAILS, said)


def test_variables_know_those_before_and_fail_only_those_who_use_them() -> None:
    given = {"one": "job.nodes", "two": "variables.one + 1", "bad": "job.nowhere"}
    assert ask("variables.two == 2", variables=given).answer is Answer.PASSES
    assert ask("variables.bad == 2", variables=given).answer is Answer.BROKEN


def test_what_is_no_value_of_the_language_breaks_the_rule() -> None:
    view = sample(Target.JOB)
    for odd in (object(), 2**70, "\ud800"):
        assert ask("job.odd == 1", view={**view, "job": {"odd": odd}}).answer is Answer.BROKEN


def test_a_loop_over_a_view_that_is_too_large_breaks_the_rule() -> None:
    view = {**sample(Target.JOB), "job": {"many": list(range(10_001))}}
    assert ask("job.many.all(each, each >= 0)", view=view).answer is Answer.BROKEN


def test_two_loops_over_the_longest_lists_are_within_the_limit() -> None:
    holds = "job.environment.all(a, job.outputs.all(b, a != '' && b != ''))"
    assert ask(holds, view=largest(Target.JOB)).answer is Answer.PASSES


@pytest.mark.parametrize(
    "holds",
    [
        "quantity('1Gi').isGreaterThan(quantity('900Mi'))",
        "quantity('500m').isLessThan(quantity('1'))",
        "quantity('1000m').compareTo(quantity('1')) == 0",
        "quantity('2').add(quantity('1')) == quantity('3')",
        "isQuantity('1.5Gi') && !isQuantity('many')",
        "quantity(object.spec.containers[0].resources.limits['memory']).isGreaterThan(quantity('2Gi'))",
    ],
)
def test_quantities_are_kubernetes_own(holds: str) -> None:
    assert ask(holds, target=Target.POD).answer is Answer.PASSES


def test_what_is_no_quantity_breaks_the_rule() -> None:
    assert ask("quantity('many') == quantity('1')", target=Target.POD).answer is Answer.BROKEN


def test_several_threads_get_their_own_answers() -> None:
    engine = Engine()
    rule = Rule("one", "One", Target.JOB, Severity.HARD, "job.nodes == 1", "string(job.nodes)")
    engine.add(rule)
    views = [{**sample(Target.JOB), "job": {"nodes": number}} for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: engine.evaluate(rule, views[number]), list(range(40)) * 50))
    assert [each.message or "1" for each in answers[:40]] == [str(number) for number in range(40)]
    assert answers == answers[:40] * 50


def test_a_rule_of_one_target_does_not_see_the_view_of_another() -> None:
    engine = Engine()
    of_jobs = Rule("jobs", "Jobs", Target.JOB, Severity.HARD, "job.nodes == 1", "'no'")
    of_pods = Rule("pods", "Pods", Target.POD, Severity.HARD, "object.spec.containers.size() == 1", "'no'")
    for rule in (of_jobs, of_pods):
        engine.add(rule)
    assert engine.evaluate(of_jobs, sample(Target.JOB)).answer is Answer.PASSES
    assert engine.evaluate(of_pods, sample(Target.POD)).answer is Answer.PASSES
    assert engine.evaluate(of_pods, sample(Target.JOB)).answer is Answer.BROKEN
