"""Tells people of a release that failed, where the job that made its version was to tell of its end."""

from __future__ import annotations

from ...domain.deployments import Deployment, Release
from ...store import Deliveries, Jobs
from ...store.model_registry import ModelRegistry

EVENT = "release.failed"


def tell_of_failure(
    jobs: Jobs,
    registry: ModelRegistry,
    deliveries: Deliveries,
    deployment: Deployment,
    release: Release,
    why: str,
    back: Release | None,
    now: float,
) -> None:
    """File a message to each address that the job named; ``back`` is the release that serves in its place."""
    version = registry.version(release.version)
    job = None if version is None else jobs.get(version.job)
    if version is None or job is None or not job.spec.notify:
        return
    told = {
        "deployment": deployment.name,
        "release": release.number,
        "version": version.number,
        "reason": why,
        "serves": None if back is None else back.number,
    }
    deliveries.add(job, EVENT, now, {"release": told})
