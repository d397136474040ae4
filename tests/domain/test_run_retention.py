"""Which runs are removed once their time is over."""

from __future__ import annotations

from dataclasses import fields

import pytest

from aifactory_hub.domain.run_retention import RunReferences, removable

KINDS = [field.name for field in fields(RunReferences) if field.name != "run"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_something_refers_to_is_kept(kind: str) -> None:
    assert removable([RunReferences("p1", **{kind: True}), RunReferences("p2"), RunReferences("p3")]) == ("p2", "p3")
