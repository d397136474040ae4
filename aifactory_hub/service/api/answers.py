"""Makes answers: from records and facts to JSON, without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from aifactory_profiles import Device, Profile

from ...domain.attempts import Attempt, held_seconds, most_seconds
from ...domain.forecasts import Forecast, cost, forecast
from ...domain.formatting import iso_millis
from ...domain.images import JobImage
from ...domain.job_costs import HeldCost
from ...domain.jobs import JobPlan, JobState, Priority, StepState
from ...domain.menu import TeamLoad
from ...domain.menu_json import WaitAnswer, wait_answer
from ...domain.quota import Usage, check_quota, quota_left, room_for
from ...domain.refusals import Refusal
from ...domain.spawns import menu
from ...domain.tenants import Tenant
from ...domain.verdicts import Verdict
from ...registry.model import Registry
from ...store import Artifact, Delivery, JobRecord, Schedule
from .. import answer_types
from ..errors import ServiceError
from ..run_spec import longest
from ..schedule_answer_types import MessagesAnswer, ScheduleAnswer
from .policy_answers import checks_answer, findings_answer


def job_answer(
    job: JobRecord,
    registry: Registry,
    *,
    now: float,
    seen: Forecast = Forecast(),  # noqa: B008 - frozen
    held: HeldCost | None = None,
) -> answer_types.JobAnswer:
    """A job as its team mates may see it: of its environment the names only, because values may be secrets.

    ``held`` is what the ledger knows of its cost.
    """
    spec, current, ended = job.spec, job.current, job.state.final
    return {
        "id": job.id,
        "name": spec.name,
        "tenant": job.tenant,
        "owner": job.owner,
        "command": spec.command,
        "profile": spec.profile,
        "environment": sorted(spec.environment),
        "outputs": None if spec.outputs is None else list(spec.outputs),
        "files": spec.input_sha256,
        "files_size": spec.input_size,
        "state": job.state,
        "final": ended,
        "reason": job.reason if job.unreachable is None else job.unreachable,
        "exit_code": job.exit_code,
        "position": seen.position,
        "expected_wait": _wait(seen),
        "cost": job_cost(job, registry, now, held),
        "cancel_asked": job.cancel_asked_at is not None,
        "cancelled_by": None if ended and job.state is not JobState.CANCELLED else job.cancel_asked_by,
        "cancel_word": None if ended and job.state is not JobState.CANCELLED else job.cancel_word,
        "suspend_asked": job.suspend_asked_at is not None,
        "unreachable": _unreachable(job),
        "attempt": job.attempt,
        "retries": {"used": job.retries_used, "most": spec.max_retries},
        "preemptions": job.preemptions,
        "history": [_earlier(attempt) for attempt in job.earlier],
        "attempts": [_attempt(attempt) for attempt in job.attempts],
        "priority": Priority(spec.priority),
        "max_seconds": longest(job, registry),
        "progress": _progress(current),
        "retry_of": job.retry_of,
        "schedule": job.schedule,
        "sweep": spec.sweep,
        "sweep_parameters": dict(spec.sweep_parameters),
        "engine": spec.backend or registry.jobs.engines[0],
        "nodes": spec.nodes,
        "image": spec.image or registry.jobs.image,
        "own_image": spec.image is not None,
        "secrets": list(spec.secrets),
        "template": spec.template,
        "parameters": dict(spec.parameters),
        "steps": [_step(step) for step in current.steps],
        "times": {
            "submitted": iso_millis(job.submitted_at),
            "queued": _iso(current.queued_at),
            "starting": _iso(current.starting_at),
            "running": _iso(current.running_at),
            "finished": _iso(job.finished_at),
        },
        "log_size": current.log_size,
        "left": dict((current.report or {}).get("left") or {}),
        "simulated": registry.cluster.simulated,
    }


def cost_answer(profile: Profile, *, at_most: float, so_far: float, nodes: int = 1) -> answer_types.Cost:
    """What a job of this profile costs; ``at_most`` and ``so_far`` are seconds in which it has its devices."""
    price = None if profile.price_per_hour is None else profile.price_per_hour * nodes
    return {
        "per_hour": _money(price),
        "currency": profile.currency or None,
        "hours": at_most / 3600,
        "at_most": _money(cost(price, at_most)),
        "so_far": _money(cost(price, so_far)),
    }


def job_cost(job: JobRecord, registry: Registry, now: float, held: HeldCost | None) -> answer_types.Cost | None:
    """What all its attempts cost; null when its profile is not known any more."""
    if job.spec.profile not in registry.catalogue.names:
        return None
    profile, so_far = registry.catalogue.profile(job.spec.profile), held_seconds(job.attempts, now)
    at_most = so_far if job.state.final else _most(job, registry, now)
    answer = cost_answer(profile, at_most=at_most, so_far=so_far, nodes=job.spec.nodes)
    return answer if held is None else _billed(answer, job, profile, held, now)


def _billed(
    answer: answer_types.Cost, job: JobRecord, profile: Profile, held: HeldCost, now: float
) -> answer_types.Cost:
    """The answer with what the ledger knows in place of what follows from the job's own times."""
    older = held_seconds((each for each in job.attempts if each.number < held.first), now)
    before = cost_answer(profile, at_most=older, so_far=older, nodes=job.spec.nodes)["so_far"] if older else None
    parts = [amount for amount in (held.amount, None if before is None else Decimal(before)) if amount is not None]
    so_far = sum(parts, Decimal(0)) if parts else None
    at_most = None if answer["at_most"] is None else Decimal(answer["at_most"])
    if so_far is not None and (job.state.final or (at_most is not None and at_most < so_far)):
        at_most = so_far
    return {**answer, "so_far": _money(so_far), "at_most": _money(at_most)}


def _most(job: JobRecord, registry: Registry, now: float) -> float:
    retries = job.spec.max_retries - job.retries_used
    return most_seconds(job.attempts, longest=longest(job, registry), retries_left=retries, now=now)


def dry_run_answer(
    plan: JobPlan,
    job: JobRecord,
    image: JobImage,
    team_load: TeamLoad,
    manifest: list[dict[str, Any]],
    registry: Registry,
    said: Verdict,
    budgets: Sequence[answer_types.Verdict] = (),
) -> answer_types.DryRun:
    """What would happen to a job that would be taken."""
    profile, tenant = plan.profile, plan.tenant
    seen = forecast(tenant, profile, team_load)
    left = None if team_load.usage is None else quota_left(tenant.quota, team_load.usage)
    return {
        "accepted": True,
        "refusal": None,
        "verdicts": [
            _profile_verdict(plan),
            _quota_verdict(plan, team_load.usage, registry),
            *budgets,
            *([_image_verdict(image)] if plan.engine.runs_commands else []),
            *checks_answer(said),
        ],
        "findings": findings_answer(said),
        "profile": profile.name,
        "devices": {name: count * plan.nodes for name, count in profile.devices.items()},
        "manifest": manifest,
        "cost": cost_answer(profile, at_most=_most(job, registry, 0.0), so_far=0.0, nodes=plan.nodes),
        "quota_left": None if left is None else _counted(left),
        "position": seen.position,
        "expected_wait": _wait(seen),
        "simulated": registry.cluster.simulated,
    }


def refused_answer(error: ServiceError, said: Verdict | None = None, *, simulated: bool) -> answer_types.DryRun:
    """What would happen to a job that would be refused: the refusal, as ``submit`` would say it, and what the site's
    rules say besides."""
    found = said or Verdict()
    first: answer_types.Verdict = {"check": error.field or "request", "ok": False, "detail": error.detail}
    return {
        "accepted": False,
        "refusal": error.body(),
        "verdicts": checks_answer(found) or [first],
        "findings": findings_answer(found),
        "profile": None,
        "devices": {},
        "manifest": [],
        "cost": None,
        "quota_left": None,
        "position": None,
        "expected_wait": None,
        "simulated": simulated,
    }


def _image_verdict(image: JobImage) -> answer_types.Verdict:
    """Either will do, so this is a note."""
    which = "notebook's own" if image.why is None else "site's"
    why = "" if image.why is None else f", because {image.why}"
    return {"check": "image", "ok": True, "detail": f"It runs in the {which} image, {image.name}{why}."}


def _unreachable(job: JobRecord) -> answer_types.Unreachable | None:
    if job.unreachable_since is None:
        return None
    return {"since": iso_millis(job.unreachable_since), "reason": job.unreachable or ""}


def _progress(said: Attempt) -> answer_types.Progress | None:
    if said.progress_at is None:
        return None
    return {
        "percent": said.progress_percent,
        "eta_seconds": said.eta_seconds,
        "metrics": dict(said.metrics or {}),
        "at": iso_millis(said.progress_at),
    }


def _step(step: Mapping[str, Any]) -> answer_types.StepAnswer:
    return {
        "name": step["name"],
        "state": StepState(step["state"]),
        "reason": step["reason"],
        "started": step["started"],
        "finished": step["finished"],
    }


def _earlier(attempt: Attempt) -> answer_types.EarlierAttempt:
    if attempt.kind is None or attempt.ended_at is None:
        raise ValueError(f"attempt {attempt.number} is followed by another one and has not ended")
    return {
        "attempt": attempt.number,
        "kind": attempt.kind,
        "reason": attempt.reason,
        "exit_code": attempt.exit_code,
        "running": _iso(attempt.running_at),
        "ended": iso_millis(attempt.ended_at),
        "log_size": attempt.log_size,
    }


def _attempt(attempt: Attempt) -> answer_types.AttemptAnswer:
    ended = attempt.ended_at
    return {
        "attempt": attempt.number,
        "kind": attempt.kind,
        "reason": attempt.reason,
        "exit_code": attempt.exit_code,
        "queued": _iso(attempt.queued_at),
        "starting": _iso(attempt.starting_at),
        "running": _iso(attempt.running_at),
        "ended": _iso(attempt.ended_at),
        # Null while it grows: each change of an answer is an event for those who follow the job.
        "held_seconds": None if ended is None else round(attempt.held_seconds(ended), 3),
        "nodes": list(attempt.nodes),
        "devices": _counted(attempt.devices),
        "log_size": attempt.log_size,
    }


def schedule_answer(schedule: Schedule, states: Mapping[str, JobState]) -> ScheduleAnswer:
    """A schedule as its team mates may see it: without the environment of its jobs. ``states`` are those of jobs."""
    request = schedule.request
    return {
        "id": schedule.id,
        "tenant": schedule.tenant,
        "owner": schedule.owner,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "overlap": "allow" if schedule.overlap == "allow" else "skip",
        "paused": schedule.paused,
        "name": request.get("name"),
        "command": request["command"],
        "profile": request.get("profile"),
        "created": iso_millis(schedule.created_at),
        "next": _iso(schedule.next_at),
        "last": _iso(schedule.last_at),
        "last_job": schedule.last_job,
        "last_state": states.get(schedule.last_job or ""),
        "problem": schedule.problem,
    }


def messages_answer(deliveries: Sequence[Delivery]) -> MessagesAnswer:
    """What was told of a job."""
    return {
        "messages": [
            {
                "id": delivery.id,
                "event": delivery.event,
                "url": delivery.url,
                "created": iso_millis(delivery.created_at),
                "tries": delivery.tries,
                "delivered": _iso(delivery.delivered_at),
                "next_try": _iso(delivery.next_at),
                "problem": delivery.problem,
            }
            for delivery in deliveries
        ]
    }


def _wait(seen: Forecast) -> WaitAnswer | None:
    return None if seen.position is None else wait_answer(seen.wait)


def _profile_verdict(plan: JobPlan) -> answer_types.Verdict:
    asked = ((count * plan.nodes, resource) for resource, count in plan.profile.devices.items())
    devices = ", ".join(f"{count} of {resource}" for count, resource in asked) or "no device"
    on = f" on {plan.nodes} nodes" if plan.nodes > 1 else ""
    return {"check": "profile", "ok": True, "detail": f"Profile {plan.profile.name}{on} takes {devices}."}


def _quota_verdict(plan: JobPlan, usage: Usage | None, registry: Registry) -> answer_types.Verdict:
    if usage is None:
        return {"check": "quota", "ok": False, "detail": "The quota engine does not answer now: the job would wait."}
    fits = check_quota(plan.tenant.quota, usage, plan.profile, menu(plan.tenant, registry.catalogue))
    if isinstance(fits, Refusal):
        return {"check": "quota", "ok": False, "detail": f"The job would wait. {fits.message}"}
    return {"check": "quota", "ok": True, "detail": "It fits into what the team has left now."}


def artifact_answer(artifact: Artifact) -> answer_types.ArtifactAnswer:
    """One file of a job's."""
    return {
        "name": artifact.name,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "created": iso_millis(artifact.created_at),
    }


def artifacts_answer(artifacts: Sequence[Artifact], *, simulated: bool) -> answer_types.ArtifactsAnswer:
    """All files of a job's."""
    return {"artifacts": [artifact_answer(a) for a in artifacts], "simulated": simulated}


def quota_answer(tenant: Tenant, usage: Usage | None, registry: Registry) -> answer_types.QuotaAnswer:
    """What the tenant may hold, holds, and what fits now. ``usage`` None says so: null is not zero."""
    devices: list[answer_types.DeviceAnswer] = [
        {
            "resource": device.resource,
            "flavor": device.flavor,
            "nominal": tenant.quota.nominal.get(device, 0),
            "borrowing": tenant.quota.borrowing.get(device, 0),
            "limit": tenant.quota.limit(device),
            "used": None if usage is None else usage.used.get(device, 0),
        }
        for device in tenant.quota.devices
    ]
    holders: list[answer_types.HolderAnswer] = [
        {"kind": h.kind, "owner": h.owner, "user": h.user, "devices": _counted(h.devices)}
        for h in (usage.holders if usage else ())
    ]
    return {
        "tenant": tenant.name,
        "display_name": tenant.display_name,
        "known": usage is not None,
        "devices": devices,
        "holders": holders,
        "menu": [_menu_line(tenant, profile, usage) for profile in menu(tenant, registry.catalogue)],
        "simulated": registry.cluster.simulated,
    }


def _counted(devices: Mapping[Device, int]) -> list[answer_types.CountAnswer]:
    return [{"resource": d.resource, "flavor": d.flavor, "count": count} for d, count in devices.items()]


def _menu_line(tenant: Tenant, profile: Profile, usage: Usage | None) -> answer_types.MenuLine:
    price = profile.price_per_hour
    return {
        "profile": profile.name,
        "display_name": profile.display_name,
        "description": profile.description,
        "devices": dict(profile.devices),
        "flavor": profile.flavor,
        "price_per_hour": _money(price),
        "currency": profile.currency or None,
        "room": None if usage is None else room_for(tenant.quota, usage, profile),
    }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else iso_millis(seconds)
