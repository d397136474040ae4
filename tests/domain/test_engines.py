"""Which engine a request means, and whether it can do what is asked."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.engines import (
    EngineChoice,
    EngineFacts,
    Parameter,
    Published,
    check_template,
    choose_engine,
)
from aifactory_hub.domain.refusals import Refusal

PLAIN = EngineFacts("kubernetes-job", "one node")
ARGO = EngineFacts("argo-workflow", "steps", publishes="WorkflowTemplate", runs_commands=False, most_nodes=10)
WIDE = EngineFacts("jobset", "nodes", most_nodes=8)
ENGINES = {engine.name: engine for engine in (PLAIN, ARGO, WIDE)}
TRAIN = Published(
    "argo-workflow",
    "train",
    parameters=(Parameter("data"), Parameter("epochs", "3"), Parameter("size", "small", choices=("small", "large"))),
)


@pytest.mark.parametrize(
    ("choice", "engine"),
    [
        pytest.param(EngineChoice(command="make"), PLAIN, id="none named: the first"),
        pytest.param(EngineChoice("jobset", nodes=8, command="make", files=True), WIDE, id="as many as it can"),
        pytest.param(EngineChoice("argo-workflow", template="train", parameters={"a": "b"}), ARGO, id="a template"),
    ],
)
def test_a_request_that_an_engine_can_do_gets_it(choice: EngineChoice, engine: EngineFacts) -> None:
    assert choose_engine(choice, ENGINES) == engine


@pytest.mark.parametrize(
    ("choice", "field", "said"),
    [
        pytest.param(EngineChoice("spark"), "engine", "kubernetes-job, argo-workflow, jobset", id="unknown"),
        pytest.param(EngineChoice(nodes=2), "nodes", "Engines that run on more: argo-workflow, jobset", id="wide"),
        pytest.param(EngineChoice("jobset", nodes=9), "nodes", "8 nodes at most", id="too wide"),
        pytest.param(EngineChoice(template="train"), "template", "has no templates", id="template of a plain one"),
        pytest.param(EngineChoice(parameters={"a": "b"}), "parameters", "has no templates", id="parameters alone"),
        pytest.param(EngineChoice("argo-workflow"), "template", "name a WorkflowTemplate", id="no template"),
        pytest.param(
            EngineChoice("argo-workflow", template="train", command="make"),
            "command",
            "leave command out",
            id="command",
        ),
        pytest.param(
            EngineChoice("argo-workflow", template="train", files=True), "files", "leave files out", id="files"
        ),
    ],
)
def test_a_request_that_no_engine_can_do_is_refused_by_field(choice: EngineChoice, field: str, said: str) -> None:
    verdict = choose_engine(choice, ENGINES)
    assert isinstance(verdict, Refusal)
    assert verdict.field == field
    assert said in verdict.message


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("train", {"data": "s3://b"}, None),
        ("train", {"data": "s3://b", "epochs": "5", "size": "large"}, None),
        ("tran", {}, "It has: train."),
        ("train", {}, "'data' of train has no default"),
        ("train", {"data": "x", "epoch": "5"}, "no parameter 'epoch'; train has: data, epochs, size"),
        ("train", {"data": "x", "size": "huge"}, "choose one of small, large"),
    ],
)
def test_a_template_is_run_with_its_own_parameters(name: str, given: dict[str, str], said: str | None) -> None:
    verdict = check_template(ARGO, name, given, [TRAIN])
    assert (verdict is None) if said is None else (verdict is not None and said in verdict.message)


def test_a_team_that_has_published_nothing_is_told_so() -> None:
    verdict = check_template(ARGO, "train", {}, [])
    assert verdict is not None
    assert verdict.message == "The team has published no WorkflowTemplate 'train'. It has none."
