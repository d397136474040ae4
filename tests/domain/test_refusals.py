"""Every reason for a refusal: somebody gives it, and the service and the spawner answer with its status."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import aifactory_hub
import aifactory_spawner
from aifactory_hub.domain import refusals
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.service.errors import from_refusal
from aifactory_spawner.refusals import refused


@pytest.mark.parametrize("reason", RefusalReason)
def test_a_reason_has_one_status_whoever_answers(reason: RefusalReason) -> None:
    refusal = Refusal(reason, "No.")
    assert 400 <= reason.status < 600
    answer = from_refusal(refusal)
    assert (answer.status, answer.body()["status"], answer.body()["reason"]) == (reason.status,) * 2 + (str(reason),)
    start = refused(refusal)
    assert (start.status_code, start.reason) == (reason.status, str(reason))


def named(tree: ast.AST) -> Iterator[str]:
    """The reasons that a module names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "RefusalReason":
            yield node.attr


def test_every_reason_is_given_by_somebody() -> None:
    given: set[str] = set()
    for package in (aifactory_hub, aifactory_spawner):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            if path != Path(refusals.__file__):
                given |= set(named(ast.parse(path.read_text(encoding="utf-8"))))
    assert given == {reason.name for reason in RefusalReason}
