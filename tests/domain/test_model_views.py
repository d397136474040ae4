"""What rules see of a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.domain.gate_views import Person
from aifactory_hub.domain.model_views import AskedModel, model_view
from aifactory_hub.domain.statements import Material

from ..support.tenants import make_tenant
from .test_lineage_exports import FACTS, VERSION

COMMIT = "c" * 40


@pytest.mark.parametrize(
    ("materials", "known", "evidence"),
    [
        ([], False, "missing"),
        ([Material("commit", COMMIT[:12], {"gitCommit": COMMIT}, "declared")], True, "declared"),
        ([Material("commit", COMMIT[:12], {"gitCommit": COMMIT})], True, "verified"),
    ],
)
def test_a_commit_is_known_or_not_and_who_says_so_is_a_word(
    materials: list[Material], known: bool, evidence: str
) -> None:
    facts = replace(FACTS, materials=materials)
    asked = AskedModel(make_tenant("nlp"), Person("ada", None), "fraud", VERSION, facts)
    job: dict[str, Any] = model_view(asked, "promote", 0)["model"]["job"]
    assert (job["commit_known"], job["commit_evidence"]) == (known, evidence)
    assert (job["commit"] != "") is known
