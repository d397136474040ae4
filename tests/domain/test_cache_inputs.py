"""Which files of a run decide whether an earlier result counts."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.cache_inputs import MOST_WORK, chosen, inputs_problem
from aifactory_hub.domain.pipeline_reader import read
from aifactory_hub.domain.pipeline_schema import VERSION
from aifactory_hub.domain.pipelines import Pipeline

FILES = ["README.md", "requirements.txt", "src/train.py", "src/model/net.py", "train.ipynb"]


def pipeline(**steps: Any) -> Pipeline:
    found = read({"apiVersion": VERSION, "steps": steps})
    assert isinstance(found, Pipeline), found
    return found


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ({"command": "x", "cache": True}, set(FILES)),
        ({"command": "x", "cache": {"inputs": ["src/**"]}}, {"src/train.py", "src/model/net.py"}),
        ({"command": "x", "cache": {"inputs": ["src"]}}, {"src/train.py", "src/model/net.py"}),
        ({"command": "x", "cache": {"inputs": ["src/*.py", "*.txt"]}}, {"src/train.py", "requirements.txt"}),
        ({"notebook": "./train.ipynb", "cache": {"inputs": ["*.txt"]}}, {"train.ipynb", "requirements.txt"}),
    ],
)
def test_only_what_fits_decides_and_a_notebook_always_does(said: dict[str, Any], left: set[str]) -> None:
    step = pipeline(a=said).step("a")
    assert step.cache
    assert set(chosen(FILES, step)) == left


def test_a_pattern_that_fits_nothing_is_named_with_its_step() -> None:
    good, bad = (
        {"command": "x", "cache": {"inputs": ["src/**"]}},
        {"command": "x", "cache": {"inputs": ["src", "scr/*"]}},
    )
    assert inputs_problem(pipeline(a=good), FILES) is None
    found = inputs_problem(pipeline(a=good, b=bad), FILES)
    assert found is not None
    assert (found[0], "cache.inputs has 'scr/*', which fits none of the run's 5 files" in found[1]) == ("b", True)
    nothing = inputs_problem(pipeline(a=good), [])
    assert nothing is not None
    assert "none of the run's 0 files" in nothing[1]


def test_more_than_can_be_compared_in_a_moment_is_refused() -> None:
    cached = pipeline(a={"command": "x", "cache": {"inputs": ["x" * 200]}})
    found = inputs_problem(cached, ["y" * 500] * (MOST_WORK // 100_000 + 1))
    assert found is not None
    assert "1001 files, too many for 1 patterns of cache.inputs" in found[1]
    uncached = pipeline(a={"command": "x", "cache": True})
    assert inputs_problem(uncached, ["y" * 500] * 2000) is None
