"""Which parameters a notebook declares."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.notebook_parameters import declared, read, undeclared

PYTHON: dict[str, Any] = {"kernelspec": {"name": "python3", "language": "python"}}


def notebook(source: Any, metadata: Any = PYTHON, tags: Any = ("parameters",)) -> dict[str, Any]:
    return {"metadata": metadata, "cells": [{"source": source, "metadata": {"tags": list(tags)}}]}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("rate = 1", {"rate"}),
        (["rate: float = 1\n", "%matplotlib inline\n", "!ls\n", "a, (b, c) = 1, (2, 3)"], {"rate", "a", "b", "c"}),
        ("import os\nos.environ['X'] = '1'\nx = y = 0", {"x", "y"}),
        ("", set()),
        ({"not": "text"}, set()),
    ],
)
def test_assignments_of_the_tagged_cell_are_declared(source: Any, names: set[str]) -> None:
    assert declared(notebook(source)) == frozenset(names)


@pytest.mark.parametrize("found", [notebook("x <- 1", {"kernelspec": {"language": "R"}}), notebook("x = = 1")])
def test_what_can_not_be_told_is_not_refused(found: dict[str, Any]) -> None:
    assert declared(found) is None
    assert undeclared(found, ["anything"]) is None


@pytest.mark.parametrize("odd", [{}, {"cells": 3}, {"cells": [None, {}]}, {"metadata": [], "cells": [{"metadata": 1}]}])
def test_odd_notebooks_declare_nothing(odd: dict[str, Any]) -> None:
    assert declared(odd) == frozenset()


def test_the_nearest_name_is_offered() -> None:
    assert undeclared(notebook("rate = 1\nepochs = 2"), {"epoch": 1}) == (
        "The notebook declares no parameter 'epoch'. Did you mean 'epochs'? It declares: epochs, rate."
    )
    assert undeclared(notebook("rate = 1"), {"rate": 1}) is None
    assert undeclared(notebook("rate = 1", tags=[]), {"rate": 1}) == (
        "The notebook declares no parameters, so 'rate' would change nothing: give the cell that sets it the tag "
        "'parameters'."
    )


def test_what_is_no_json_is_left_to_what_runs_it() -> None:
    assert read(b"\xff") is None and read(b"[]") is None and read(b"[" * 100_000) is None
    assert read(b'\xef\xbb\xbf{"cells": []}') == {"cells": []}
