"""How files would run as jobs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.lab.subjects import NotASubject, Parameter, inspect, parameters_of
from aifactory_hub.lab.submitting import BadForm, read_form


def notebook(source: str | list[str], *, tags: tuple[str, ...] = ("parameters",)) -> dict[str, Any]:
    cell = {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source}
    first = {"cell_type": "markdown", "metadata": {}, "source": "# words"}
    return {"nbformat": 4, "cells": [first, cell]}


def test_parameters_are_the_plain_assignments_with_their_comments() -> None:
    source = ["rate = 1e-3  # how fast\n", "epochs: int = 5\n", "name = 'é'  # ü\n", "n = len(name)\n", "a, b = 1, 2\n"]
    assert parameters_of(notebook(source)) == [
        Parameter("rate", 0.001, "how fast"),
        Parameter("epochs", 5, ""),
        Parameter("name", "é", "ü"),
    ]


@pytest.mark.parametrize("source", ["x = (", "", "%matplotlib inline\nx = 1", "x = {1, 2}"])
def test_a_cell_that_is_not_plain_python_has_no_parameters(source: str) -> None:
    assert parameters_of(notebook(source)) == []


def test_only_the_tagged_cell_counts() -> None:
    assert parameters_of(notebook("x = 1", tags=())) == []


def test_what_can_run(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/a b.ipynb").write_text(json.dumps(notebook("x = 1")))
    (tmp_path / "work/train.py").write_text("")
    found = inspect(tmp_path, "work/a b.ipynb")
    assert (found.kind, found.folder, found.parameters[0].name) == ("notebook", "work", "x")
    assert found.command == "python3 -P -m aifactory_hub.runner.notebook 'a b.ipynb'"
    assert inspect(tmp_path, "work/train.py").command == "python3 train.py"
    assert inspect(tmp_path, "work").command == "python3 train.py"
    assert inspect(tmp_path, "").command == ""


@pytest.mark.parametrize("path", ["../secret.py", "a/../../secret.py", "/../secret.py", "gone.py", "picture.png"])
def test_what_can_not_run_is_told_in_words(tmp_path: Path, path: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/picture.png").write_text("")
    (tmp_path / "secret.py").write_text("")
    with pytest.raises(NotASubject):
        inspect(tmp_path / "home", path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": 1}', "\x00"])
def test_a_broken_notebook_is_told_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ipynb").write_text(text)
    with pytest.raises(NotASubject, match=r"a\.ipynb"):
        inspect(tmp_path, "a.ipynb")


def test_the_parameters_that_were_filled_in_survive_the_shell() -> None:
    value = {"text": "it's $HOME; `x`", "rate": 0.1}
    form = read_form({"fields": {}, "folder": "", "notebook": "n.ipynb", "parameters": value})
    words = shlex.split(form.fields["command"])
    assert json.loads(words[words.index("--parameters") + 1]) == value


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fields": []},
        {"fields": {}, "folder": 1},
        {"fields": {}, "notebook": 1},
        {"fields": {}, "notebook": "n", "parameters": {"a b": 1}},
        {"fields": {}, "else": 1},
    ],
)
def test_a_form_that_the_page_does_not_send_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadForm):
        read_form(body)
