"""What each engine creates, whole: a change of it is seen in a diff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aifactory_hub.engines.argo_workflow.translate import render_workflow
from aifactory_hub.engines.base import RunSpec
from aifactory_hub.engines.jobset.translate import render_jobset
from aifactory_hub.engines.kubernetes_job.translate import render_job
from aifactory_hub.engines.objects import render_secret
from aifactory_hub.engines.trainjob.translate import render_trainjob
from aifactory_hub.registry.output import yaml_documents

from ..conftest import Golden
from .runs import HUB, SPEC, TEMPLATED, WIDE

Render = Callable[[RunSpec, str], dict[str, Any]]
RENDERED: list[tuple[str, Render, RunSpec]] = [
    ("secret", render_secret, SPEC),
    ("kubernetes-job", render_job, SPEC),
    ("argo-workflow", render_workflow, TEMPLATED),
    ("jobset", render_jobset, WIDE),
    ("trainjob", render_trainjob, TEMPLATED),
]


@pytest.mark.parametrize(("name", "render", "spec"), RENDERED, ids=[case[0] for case in RENDERED])
def test_what_is_created_for_a_run_is_what_was_reviewed(
    name: str, render: Render, spec: RunSpec, golden: Golden
) -> None:
    golden.check(f"engines/{name}.yaml", yaml_documents([render(spec, HUB)]))
