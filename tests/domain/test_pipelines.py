"""Pipeline files, conditions, and what is next in a run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.pipeline_conditions import BadExpression, judge, read_condition, read_reference
from aifactory_hub.domain.pipeline_reader import read
from aifactory_hub.domain.pipeline_runs import (
    PipelineStepState,
    RunState,
    Standing,
    decide_run,
    kept_for_retry,
)
from aifactory_hub.domain.pipeline_schema import VERSION
from aifactory_hub.domain.pipelines import Pipeline, after, in_order, jobs_of

OK = PipelineStepState.SUCCEEDED


def data(**steps: Any) -> dict[str, Any]:
    """A file with these steps."""
    return {"apiVersion": VERSION, "steps": steps}


def pipeline(**steps: Any) -> Pipeline:
    """A pipeline; a step without work of its own runs ``true``."""
    found = read(data(**{name: {"command": "true", **said} for name, said in steps.items()}))
    assert isinstance(found, Pipeline), found
    return found


def faults(**steps: Any) -> list[str]:
    found = read(data(**steps))
    assert not isinstance(found, Pipeline)
    return [str(fault) for fault in found]


def stands(**states: PipelineStepState | Standing) -> dict[str, Standing]:
    """How steps stand; ``_1`` at the end of a name is the first job of a matrix."""
    found = {name.replace("_", "."): each for name, each in states.items()}
    return {key: each if isinstance(each, Standing) else Standing(key, each) for key, each in found.items()}


def test_defaults_hold_for_steps_that_say_nothing_else() -> None:
    said = data(a={"command": "x"}, b={"command": "y", "profile": "big", "environment": {"A": 2, "C": True}})
    found = read({**said, "defaults": {"profile": "small", "environment": {"A": "1", "B": "1"}, "retries": 2}})
    assert isinstance(found, Pipeline)
    assert [(s.profile, dict(s.environment), s.retries) for s in found.steps] == [
        ("small", {"A": "1", "B": "1"}, 2),
        ("big", {"A": "2", "B": "1", "C": "true"}, 2),
    ]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ({"a": {}}, "steps.a: a step has one of command, notebook, template, register, promote, deploy"),
        ({"a": {"command": "x", "notebook": "y.ipynb"}}, "steps.a: a step has one of command, notebook, template"),
        ({"a": {"command": "x", "needs": ["b"]}}, "steps.a.needs.0: there is no step 'b'. Steps: a"),
        ({"a": {"command": "x", "needs": ["a"]}}, "steps: these need each other in a circle: a"),
        ({"a": {"command": "x", "files": {"b": []}}}, "steps.a.files.b: it is not among the steps that a needs"),
        ({"a": {"command": "x", "when": "b.m > 1"}}, "steps.a.when: b.m is of a step that a does not need"),
        ({"a": {"command": "x", "when": "b > 1"}}, "steps.a.when: 'b' names no metric"),
        ({"a": {"command": "x", "metrics": {"M": "b"}}}, "steps.a.metrics.M: 'b' names no metric"),
        ({"A": {"command": "x"}}, "steps.A: 'A' is not a name"),
        ({"a": {"command": "x", "profle": "s"}}, "steps.a.profle: there is no such field. Fields: command"),
        ({"a": {"command": "x", "retries": "2"}}, "steps.a.retries: '2' is not a whole number"),
        ({"a": {"command": "x", "retries": 101}}, "steps.a.retries: 101 is not between 0 and 100"),
        ({"a": {"command": "x", "nodes": True}}, "steps.a.nodes: True is not a whole number"),
        ({"a": {"command": "x", "register": "m"}}, "steps.a.command: a step that has register runs no job"),
        ({"a": {"register": "m"}}, "steps.a.needs: it is missing: register takes what another step made"),
        ({"a": {"register": "M", "needs": ["b"]}}, "steps.a.register: the model is 'M': write 1 to 63"),
        ({"a": {"promote": "7", "needs": ["b"]}}, "steps.a.promote: the alias is '7': write up to 32"),
        ({"a": {"promote": "p", "register": "m", "needs": ["b"]}}, "this one has register and promote"),
        ({"a": {"register": {"model": "m", "best": "x"}, "needs": ["b"]}}, "steps.a.register.best: 'x' names no"),
        ({"a": {"register": {"alias": "m"}, "needs": ["b"]}}, "steps.a.register: 'model' is missing"),
        ({"a": {"command": "x"}, "b": {"promote": "p", "needs": ["a"]}}, "b.promote: step a registers no model"),
        (
            {"a": {"command": "x"}, "c": {"command": "x"}, "b": {"register": "m", "needs": ["a", "c"]}},
            "steps.b.register: it needs several steps: say which of them is meant, as step: a",
        ),
        (
            {"a": {"command": "x"}, "b": {"register": {"model": "m", "step": "c"}, "needs": ["a"]}},
            "steps.b.register.step: 'c' is not among the steps that b needs",
        ),
        (
            {"a": {"command": "x", "matrix": {"n": [1]}}, "b": {"register": "m", "needs": ["a"]}},
            "steps.b.register.best: a has several jobs: say which, as best: max(a.accuracy)",
        ),
        (
            {"a": {"command": "x"}, "b": {"register": {"model": "m", "best": "max(a.n)"}, "needs": ["a"]}},
            "steps.b.register.best: a has one job: leave best out",
        ),
        (
            {"a": {"command": "x"}, "b": {"register": "m", "needs": ["a"]}, "c": {"register": "m", "needs": ["b"]}},
            "steps.c.register: step b runs no job, so it gives no files back",
        ),
        (
            {"a": {"command": "x"}, "b": {"register": "m", "needs": ["a"]}}
            | {"c": {"command": "x", "needs": ["b"], "when": "b.m > 1"}},
            "steps.c.when: b runs no job, so it has no metrics",
        ),
        ({"a": {"deploy": "x"}}, "steps.a.deploy: 'x' is not a mapping"),
        ({"a": {"deploy": {"name": "x"}}}, "steps.a.deploy: 'profile' is missing"),
        ({"a": {"deploy": {"name": "X", "profile": "p"}, "needs": ["b"]}}, "steps.a.deploy.name: the name is 'X'"),
        (
            {"a": {"deploy": {"name": "x", "profile": "p", "framework": "command"}, "needs": ["b"]}},
            "steps.a.deploy.command: framework is 'command'",
        ),
        (
            {"a": {"deploy": {"name": "x", "profile": "p", "example": {"inputs": 1}}, "needs": ["b"]}},
            "steps.a.deploy.example: write a request",
        ),
        (
            {"a": {"command": "x"}, "b": {"deploy": {"name": "x", "profile": "p"}, "needs": ["a"]}},
            "b.deploy: step a registers no model: deploy takes what a step with promote or register made",
        ),
        ({"a": {"command": "x", "cache": "yes"}}, "steps.a.cache: 'yes' is not true or false or a mapping"),
        ({"a": {"command": "x", "cache": {}}}, "steps.a.cache: 'inputs' is missing"),
        ({"a": {"command": "x", "cache": {"inputs": []}}}, "steps.a.cache.inputs: it has 0 entries, and 1 to 32"),
        ({"a": {"command": "x", "cache": {"inputs": [""]}}}, "steps.a.cache.inputs.0: it is empty"),
        ({"a": {"command": "x", "cache": {"files": ["a"]}}}, "steps.a.cache.files: there is no such field. Fields: in"),
        ({"a": {"command": "x", "data": "claims@3"}}, "steps.a.data: 'claims@3' is not a list"),
        (
            {"a": {"command": "x", "data": ["claims@3", "claims"]}},
            "steps.a.data.1: 'claims' names no version: write <dataset>@<number>, <dataset>@latest or model:<model>@",
        ),
        ({"a": {"command": "x", "data": ["s3://x@1"]}}, "steps.a.data.0: 's3://x@1' names no version"),
        ({"a": {"command": "x", "data": ["a@1", "a@1"]}}, "steps.a.data.1: 'a@1' comes twice"),
        (
            {"a": {"command": "x"}, "b": {"register": "m", "needs": ["a"], "data": ["claims@3"]}},
            "steps.b.data: a step that has register runs no job, so it has no data",
        ),
        (
            {"a": {"command": "x"}, "b": {"register": "m", "needs": ["a"], "cache": True}},
            "steps.b.cache: a step that has register runs no job, so it has no cache",
        ),
        ({"a": {"command": "x", "environment": {"AIFACTORY_X": "1"}}}, "names that begin with AIFACTORY_"),
        ({"a": {"command": "x", "matrix": {"n": list(range(9)), "m": list(range(9))}}}, "it makes 81 jobs"),
        ({"a": {"command": "x", "parameters": {"n": 1}}}, "they are for a notebook or template"),
        ({"a": {"command": ""}}, "steps.a.command: it is empty"),
    ],
)
def test_a_fault_names_its_place_and_what_to_do(steps: dict[str, Any], said: str) -> None:
    assert any(said in fault for fault in faults(**steps)), faults(**steps)


def test_a_metric_of_several_jobs_says_which() -> None:
    several = {"command": "x", "matrix": {"n": [1, 2]}}
    assert (
        "it has several jobs: write max(...)"
        in faults(a=several, b={"command": "x", "needs": ["a"], "when": "a.m > 1"})[0]
    )
    one = faults(a={"command": "x"}, b={"command": "x", "needs": ["a"], "when": "max(a.m) > 1"})
    assert "it has one job: leave max and min out" in one[0]


@pytest.mark.parametrize("said", [None, [], "text", {}, {"apiVersion": "v2", "steps": {}}, {"steps": {"a": 1}}, 3])
def test_what_is_no_pipeline_has_faults(said: Any) -> None:
    found = read(said)
    assert isinstance(found, list)
    assert found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["a", "b-1", "train"]),
        st.dictionaries(
            st.sampled_from(["command", "needs", "when", "matrix", "metrics", "files", "notebook", "retries", "x"]),
            json_values | st.sampled_from([["a"], "a.m > 1", {"N": [1]}, "true"]),
            max_size=4,
        ),
        max_size=3,
    )
)
def test_any_data_is_a_pipeline_or_has_faults(steps: Any) -> None:
    found = read(data(**steps))
    assert found
    if isinstance(found, Pipeline):
        assert {step.name for step in in_order(found)} == set(steps)


def test_a_matrix_makes_a_job_of_each_combination() -> None:
    found = pipeline(a={"matrix": {"n": [1, 2], "s": ["x"]}}, b={"needs": ["a"]})
    assert [(job.key, dict(job.values)) for job in jobs_of(found)] == [
        ("a.1", {"n": 1, "s": "x"}),
        ("a.2", {"n": 2, "s": "x"}),
        ("b", {}),
    ]


@pytest.mark.parametrize("text", ["", "a", "a.", ".m", "A.m", "max(a)", "max a.m", "a.m b", "sum(a.m)"])
def test_what_names_no_metric(text: str) -> None:
    with pytest.raises(BadExpression):
        read_reference(text)


@pytest.mark.parametrize("text", ["a.m", "a.m >", "a.m => 1", "a.m > x", "a.m > 1.2.3", "a.m > nan", "1 > 2"])
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(BadExpression):
        read_condition(text)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("a.acc >= 0.9", True),
        ("a.acc > 0.9", False),
        ("a.acc == 9e-1", True),
        ("a.acc != 0.9", False),
        ("a.acc < 1", True),
        ("a.acc <= .5", False),
        ("max(b.val/acc) > 2", True),
        ("min(b.val/acc) > 2", False),
        ("a.missing > 0", None),
        ("a.nan > 0", None),
        ("max(c.partly) > 0", None),
    ],
)
def test_conditions(text: str, met: bool | None) -> None:
    values: dict[str, list[dict[str, float | None]]] = {
        "a": [{"acc": 0.9, "nan": float("nan"), "null": None}],
        "b": [{"val/acc": 1.0}, {"val/acc": 3.0}],
        "c": [{"partly": 1.0}, {}],
    }
    assert judge([read_condition(text)], values).met is met


def test_a_step_begins_once_all_that_it_needs_has_succeeded() -> None:
    found = pipeline(a={}, b={}, c={"needs": ["a", "b"]})
    assert decide_run(found, {}).start == ("a", "b")
    assert decide_run(found, stands(a=OK, b=PipelineStepState.RUNNING)).start == ()
    assert decide_run(found, stands(a=OK, b=OK)).start == ("c",)
    last = decide_run(found, stands(a=OK, b=OK, c=OK))
    assert (last.end, last.start) == (RunState.SUCCEEDED, ())


def test_what_needs_a_failed_step_is_left_out_and_the_rest_goes_on() -> None:
    found = pipeline(a={}, b={}, c={"needs": ["a"]}, d={"needs": ["c"]}, e={"needs": ["b"]})
    decision = decide_run(found, stands(a=Standing("a", PipelineStepState.FAILED, "exit code 1"), b=OK))
    assert decision.start == ("e",)
    assert {key: s.reason for key, s in decision.settled.items()} == {
        "c": "it needs a, and a failed",
        "d": "it needs c, and c was left out",
    }
    decision = decide_run(
        found, {**stands(a=Standing("a", PipelineStepState.FAILED, "exit code 1"), b=OK, e=OK), **decision.settled}
    )
    assert (decision.end, decision.reason) == (RunState.FAILED, "a: exit code 1")


def test_a_condition_that_is_not_met_stops_the_run_and_one_that_is_open_fails_it() -> None:
    found = pipeline(a={}, b={"needs": ["a"], "when": "a.acc >= 0.9"}, c={"needs": ["b"]})
    decision = decide_run(found, stands(a=Standing("a", OK, metrics={"acc": 0.85})))
    assert decision.end is RunState.STOPPED
    assert decision.reason == "b: a.acc is 0.85, and >= 0.9 was asked"
    decision = decide_run(found, stands(a=OK))
    assert (decision.end, decision.settled["b"].state) == (RunState.FAILED, PipelineStepState.FAILED)
    assert "reported no number for acc" in str(decision.reason)
    assert decide_run(found, stands(a=Standing("a", OK, metrics={"acc": 0.95}))).start == ("b",)


def test_a_metric_that_is_passed_on_has_to_be_there() -> None:
    found = pipeline(a={}, b={"needs": ["a"], "metrics": {"M": "a.loss"}})
    assert decide_run(found, stands(a=OK)).settled["b"].reason == "a reported no number for loss"


def test_a_cancelled_run_begins_nothing_and_ends_once_what_runs_has_ended() -> None:
    found = pipeline(a={}, b={}, c={"needs": ["a"]})
    decision = decide_run(found, stands(a=PipelineStepState.RUNNING, b=OK), cancel_asked=True)
    assert (decision.start, decision.end, set(decision.settled)) == ((), None, {"c"})
    decision = decide_run(
        found, stands(a=PipelineStepState.CANCELLED, b=OK, c=PipelineStepState.CANCELLED), cancel_asked=True
    )
    assert decision.end is RunState.CANCELLED


def test_retry_keeps_what_succeeded_before_the_step() -> None:
    found = pipeline(a={}, b={"needs": ["a"]}, c={"needs": ["b"]}, d={"needs": ["a"]})
    assert after(found, "b") == {"b", "c"}
    stood = stands(a=OK, b=OK, c=PipelineStepState.FAILED, d=OK)
    assert set(kept_for_retry(found, stood, after(found, "b"))) == {"a", "d"}


states = st.sampled_from(list(PipelineStepState))


@given(st.data())
def test_decisions_settle_and_never_contradict_themselves(draws: st.DataObject) -> None:
    """Whatever the steps: nothing begins before what it needs, everything ends, and an end is not taken back."""
    names = ["a", "b", "c", "d", "e"]
    steps = {
        n: {"needs": draws.draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else []}
        for i, n in enumerate(names)
    }
    found, now = pipeline(**steps), dict[str, Standing]()
    cancelled = False
    for _ in range(30):
        decision = decide_run(found, now, cancel_asked=cancelled)
        assert decide_run(found, {**now, **decision.settled}, cancel_asked=cancelled).settled == {}
        assert all(not now.get(key, Standing(key)).state.final for key in decision.settled)
        for key in decision.start:
            assert all(now[need].state is OK for need in steps[key]["needs"])
            now[key] = Standing(key, PipelineStepState.RUNNING)
        now |= decision.settled
        if decision.end is not None:
            assert all(now[name].state.final for name in names)
            return
        going = [key for key, each in now.items() if each.state is PipelineStepState.RUNNING]
        key = draws.draw(st.sampled_from(going))
        now[key] = Standing(
            key, draws.draw(st.sampled_from([OK, PipelineStepState.FAILED, PipelineStepState.CANCELLED]))
        )
        cancelled = cancelled or draws.draw(st.booleans())
    raise AssertionError("the run did not end")
