"""Makes answers about deployments: from values to JSON, without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ...domain.deployment_held import ReleaseHeld
from ...domain.deployment_usage import Minute, all_of, by_steps, quantile
from ...domain.deployments import Deployment, Release, deployment_state, release_before, serving_of
from ...domain.formatting import iso_millis
from .. import deployment_answer_types as types
from .usage_answers import money, number


def release_answer(release: Release, numbers: Mapping[str, int]) -> types.ReleaseAnswer:
    """A release; ``numbers`` are those of versions, by id."""
    return {
        "number": release.number,
        "version": numbers[release.version],
        "digest": release.digest,
        "state": release.state,
        "reason": release.reason,
        "cause": release.cause,
        "by": release.by,
        "why": release.why,
        "profile": release.plan.profile,
        "replicas": release.plan.replicas,
        "framework": release.plan.framework,
        "created_at": iso_millis(release.created_at),
        "serving_at": None if release.serving_at is None else iso_millis(release.serving_at),
        "ended_at": None if release.ended_at is None else iso_millis(release.ended_at),
    }


def deployment_answer(
    deployment: Deployment, model: str, releases: Sequence[Release], numbers: Mapping[str, int]
) -> types.DeploymentAnswer:
    """A deployment; ``releases`` are all of it."""
    serving = serving_of(releases)
    newest = max(releases, key=lambda each: each.number, default=None)
    back = release_before(releases)
    plan = deployment.plan
    return {
        "tenant": deployment.tenant,
        "name": deployment.name,
        "state": deployment_state(deployment, releases),
        "reason": deployment.problem or _reason(serving, newest),
        "model": model,
        "at": deployment.at,
        "profile": plan.profile,
        "replicas": plan.replicas,
        "framework": plan.framework,
        "recreate": plan.recreate,
        "example": None if plan.example is None else dict(plan.example),
        "by": deployment.by,
        "created_at": iso_millis(deployment.created_at),
        "changed_at": iso_millis(deployment.changed_at),
        "serving": None if serving is None else release_answer(serving, numbers),
        "newest": None if newest is None else release_answer(newest, numbers),
        "back": None if back is None else back.number,
    }


def usage_answer(
    minutes: Iterable[Minute], step: int, held: Iterable[ReleaseHeld], *, as_of: int, currency: str, simulated: bool
) -> types.DeploymentUsageAnswer:
    """What was asked, in rows of ``step`` minutes, and held."""
    told = by_steps(minutes, step)
    total = all_of(told)
    return {
        "minutes": [
            {
                "at": iso_millis(each.minute * 60.0),
                "asked": each.asked,
                "failed": each.failed,
                "p50": quantile(each.buckets, 0.5),
                "p95": quantile(each.buckets, 0.95),
            }
            for each in told
        ],
        "asked": total.asked,
        "failed": total.failed,
        "p50": quantile(total.buckets, 0.5),
        "p95": quantile(total.buckets, 0.95),
        "held": [
            {
                "release": each.release,
                "seconds": each.seconds,
                "gpu_seconds": number(each.gpu_seconds),
                "pods": each.pods,
                "uncertain_seconds": each.uncertain,
                "amount": money(each.amount),
            }
            for each in held
        ],
        "as_of": as_of,
        "currency": currency or None,
        "simulated": simulated,
    }


def _reason(serving: Release | None, newest: Release | None) -> str:
    """Of the one that serves; else, or beside it, why the newest does not."""
    told = [each.reason for each in (serving, newest) if each is not None and each.reason]
    if newest is not None and newest is not serving and newest.reason:
        told = [*told[:-1], f"release {newest.number}: {newest.reason}"]
    return "; ".join(dict.fromkeys(told))
