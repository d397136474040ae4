"""Tells people of a version that was quarantined, where the job that made it was to tell of its end."""

from __future__ import annotations

from ...domain.models import ModelFacts, ModelVersion
from ...store import Deliveries, Jobs

EVENT = "model.quarantined"


def tell_of_damage(
    jobs: Jobs, deliveries: Deliveries, model: ModelFacts, version: ModelVersion, why: str, now: float
) -> None:
    """File a message to each address that the job named."""
    job = jobs.get(version.job)
    if job is not None and job.spec.notify:
        deliveries.add(job, EVENT, now, {"model": {"name": model.name, "version": version.number, "reason": why}})
