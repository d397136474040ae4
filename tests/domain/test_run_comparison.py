"""Two runs side by side."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.job_spec import JobSpec
from aifactory_hub.domain.pipeline_reader import read
from aifactory_hub.domain.pipeline_runs import PipelineStepState
from aifactory_hub.domain.pipeline_schema import VERSION
from aifactory_hub.domain.pipelines import Pipeline, StepJob, jobs_of
from aifactory_hub.domain.run_comparison import (
    Change,
    MetricPair,
    Parts,
    RunSide,
    StepSide,
    changes,
    compare_runs,
    run_parts,
    step_parts,
)

OK = PipelineStepState.SUCCEEDED
SPEC = JobSpec("train", "python train.py", "mig-1g.10gb", environment={"SEED": "1"}, input_sha256="f" * 64)
TEXTS = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=4)


def job(key: str = "a", **said: Any) -> StepJob:
    steps: dict[str, Any] = {"a": {"command": "true", **said}, "b": {"command": "true", "needs": ["a"]}}
    found = read({"apiVersion": VERSION, "steps": steps})
    assert isinstance(found, Pipeline), found
    return {each.key: each for each in jobs_of(found)}[key]


def test_steps_stand_side_by_side_with_the_differences_of_their_metrics() -> None:
    old = RunSide((StepSide("a", OK, metrics={"loss": 0.5, "gone": 1.0}), StepSide("old", OK)))
    new = RunSide((StepSide("new", OK), StepSide("a", OK, metrics={"loss": 0.25, "nan": None})))
    found = compare_runs(old, new)
    assert [(pair.key, pair.before is None, pair.after is None) for pair in found.steps] == [
        ("new", True, False),
        ("a", False, False),
        ("old", False, True),
    ]
    told = [(each.name, each.before, each.after, each.difference) for each in found.steps[1].metrics]
    assert told == [("loss", 0.5, 0.25, -0.25), ("nan", None, None, None), ("gone", 1.0, None, None)]
    assert MetricPair("zero", 0.0, 1.0).difference == 1.0


def test_a_cost_that_is_not_known_is_not_zero() -> None:
    known = StepSide("a", OK, job="j1", cost=Decimal("0.5"))
    act = StepSide("c", OK)
    assert RunSide((known, StepSide("b", OK, job="j2", cost=Decimal("1.5")), act)).cost == Decimal("2.0")
    assert RunSide((known, StepSide("b", OK, job="j2"), act)).cost is None
    assert RunSide(()).cost == 0


def test_of_variables_only_names_are_told() -> None:
    before, after = step_parts(job(), SPEC), step_parts(job(), replace(SPEC, environment={"SEED": "2", "NEW": "x"}))
    assert changes(before, after) == (
        Change("variable SEED", None, None, hidden=True),
        Change("variable NEW", None, None, hidden=True),
    )
    assert changes(before, before) == ()


def test_a_step_tells_what_it_was_asked_for_and_what_it_got() -> None:
    before = step_parts(job(command="python a.py", profile="small"), SPEC)
    after = step_parts(job(command="python b.py", cache=True, nodes=2), replace(SPEC, input_sha256="e" * 64))
    assert {(each.what, each.before, each.after) for each in changes(before, after)} == {
        ("command", "python a.py", "python b.py"),
        ("cache", None, "true"),
        ("nodes", "1", "2"),
        ("files", "f" * 64, "e" * 64),
    }
    unsubmitted = step_parts(job("b"), None)
    assert unsubmitted.shown["needs"] == "a"
    assert "files" not in unsubmitted.shown
    assert step_parts(job("a.2", matrix={"N": [1, 2]}), None).shown["parameters"] == "N=2"


def test_a_run_tells_where_it_is_from() -> None:
    told = {"commit": "c1", "repository": "r", "by": "ann"}
    before = run_parts(told, name="fraud", owner="ada", files="f1", cache=True)
    after = run_parts({**told, "commit": "c2"}, name="fraud", owner="ada", files=None, cache=False)
    assert [(each.what, each.before, each.after) for each in changes(before, after)] == [
        ("commit", "c1", "c2"),
        ("cache", None, "not used"),
        ("files", "f1", None),
    ]


def test_a_long_text_is_told_by_its_beginning() -> None:
    (change,) = changes(Parts({"command": "a" * 500}), Parts({"command": "b"}))
    assert (change.before or "").endswith("a…")
    assert len(change.before or "") == 400


@given(TEXTS, TEXTS)
def test_what_is_told_is_exactly_what_differs(before: dict[str, str], after: dict[str, str]) -> None:
    found = changes(Parts(before, after), Parts(after, before))
    unlike = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {each.what for each in found if not each.hidden} == unlike
    assert {each.what for each in found if each.hidden} == unlike
    assert all(each.before is None and each.after is None for each in found if each.hidden)
