"""Who says which step of a run is next: one interface, whatever engine has the order of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ...domain.pipeline_runs import Decision, Standing, decide_run
from ...domain.pipelines import Pipeline


class StepOrder(Protocol):
    """Says what is next in a run. It is asked again and again, so what it says must not depend on being carried out."""

    async def decide(
        self, run_id: str, pipeline: Pipeline, standings: Mapping[str, Standing], *, cancel_asked: bool
    ) -> Decision:
        """What to start, what to leave out, and whether the run is over."""


class EmbeddedOrder:
    """The service's own order: nothing but ``domain.pipeline_runs``."""

    async def decide(
        self, run_id: str, pipeline: Pipeline, standings: Mapping[str, Standing], *, cancel_asked: bool
    ) -> Decision:
        """See StepOrder."""
        return decide_run(pipeline, standings, cancel_asked=cancel_asked)
