"""What is to be done next for a release of a deployment: pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .deployments import Release, ReleaseState
from .tickets import Repair, Ticket, TicketState, repair_of


@dataclass(frozen=True, slots=True)
class Served:
    """What an engine sees of a release. ``ready`` of its replicas answer. ``over`` says why one has ended for good;
    ``changed`` what somebody changed by hand, empty where it is as it was made. ``leads``: the deployment's name leads
    to it."""

    exists: bool
    ready: int = 0
    reason: str = ""
    over: str = ""
    changed: str = ""
    leads: bool = True


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of the example request: ``problem`` is empty where it was answered well."""

    problem: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """How many requests a release was asked since it serves, and how many of them it failed at."""

    asked: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class ReleaseLimits:
    """``start_timeout``: seconds from its devices to its first answer. ``watch``: seconds for which a new release is
    watched and the one before kept. A release that fails at more than ``most_failed`` of at least ``least_asked``
    requests meanwhile is taken back."""

    start_timeout: float = 600.0
    watch: float = 60.0
    most_failed: float = 0.5
    least_asked: int = 5


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What is known of a release. None of ticket or ``served``: not known now. ``example`` is None before the example
    was asked. ``newest``: no later release of the deployment goes on; ``wanted``: the deployment goes on. ``other`` is
    the release that serves or stands by beside this one, ``coming`` a later one that is to take its place."""

    release: Release
    ticket: Ticket | None
    served: Served | None
    newest: bool
    wanted: bool
    now: float
    example: Answered | None = None
    share: Share = field(default_factory=Share)
    other: Release | None = None
    coming: Release | None = None


class ReleaseStep(StrEnum):
    """What to do next. APPLY makes what the release is on the cluster, or puts it back."""

    WAIT = "wait"
    FILE_TICKET = "file-ticket"
    HOLD_TICKET = "hold-ticket"
    APPLY = "apply"
    ASK_EXAMPLE = "ask-example"
    SWITCH = "switch"
    RETURN = "return"
    REQUEUE = "requeue"
    FAIL = "fail"
    RETIRE = "retire"
    CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class ReleaseDecision:
    """``state`` is the release's from now on, ``reason`` a word for people."""

    step: ReleaseStep
    state: ReleaseState
    reason: str = ""


def decide_release(facts: ReleaseFacts, limits: ReleaseLimits) -> ReleaseDecision:
    """What to do next for a release. What is not known now ends nothing."""
    release = facts.release
    if release.state.final:
        step = ReleaseStep.CLEAN if release.live else ReleaseStep.WAIT
        return ReleaseDecision(step, release.state, release.reason)
    if not facts.wanted:
        return ReleaseDecision(ReleaseStep.RETIRE, ReleaseState.RETIRED, "the deployment was stopped")
    if release.state.coming and not facts.newest:
        return ReleaseDecision(ReleaseStep.RETIRE, ReleaseState.RETIRED, "a later release took its place")
    if facts.coming is not None and facts.coming.plan.recreate and not release.state.coming:
        why = f"release {facts.coming.number} takes its devices"
        return ReleaseDecision(ReleaseStep.RETIRE, ReleaseState.RETIRED, why)
    if release.state is ReleaseState.STANDBY:
        return _stand_by(facts, limits)
    if facts.ticket is None or facts.served is None:
        return ReleaseDecision(ReleaseStep.WAIT, release.state, "the cluster does not answer now")
    if release.state in (ReleaseState.PENDING, ReleaseState.QUEUED):
        return _queue(release, facts.ticket)
    lost = _lost_ticket(release, facts.ticket)
    if lost is not None:
        return lost
    if release.state is ReleaseState.STARTING:
        return _start(facts, facts.served, limits)
    return _serve(facts, facts.served, limits)


def _stand_by(facts: ReleaseFacts, limits: ReleaseLimits) -> ReleaseDecision:
    release, serving = facts.release, facts.other
    if serving is None or serving.state is not ReleaseState.SERVING:
        return ReleaseDecision(ReleaseStep.WAIT, release.state, release.reason)
    if serving.serving_at is not None and facts.now - serving.serving_at < limits.watch:
        return ReleaseDecision(ReleaseStep.WAIT, release.state, release.reason)
    return ReleaseDecision(ReleaseStep.RETIRE, ReleaseState.RETIRED, f"release {serving.number} serves in its place")


def _queue(release: Release, ticket: Ticket) -> ReleaseDecision:
    match ticket.state:
        case TicketState.GONE:
            return ReleaseDecision(ReleaseStep.FILE_TICKET, ReleaseState.PENDING)
        case TicketState.QUEUED:
            return ReleaseDecision(ReleaseStep.WAIT, ReleaseState.QUEUED, ticket.message or "it waits for quota")
        case TicketState.ADMITTED:
            step = ReleaseStep.APPLY if ticket.active else ReleaseStep.HOLD_TICKET
            return ReleaseDecision(step, ReleaseState.STARTING if ticket.active else release.state)
    return ReleaseDecision(ReleaseStep.REQUEUE, ReleaseState.QUEUED, ticket.message or "its ticket was taken back")


def _lost_ticket(release: Release, ticket: Ticket) -> ReleaseDecision | None:
    """What follows when what runs has no ticket that counts; None where it has one."""
    repair = repair_of(ticket)
    if repair is Repair.FILE:
        return ReleaseDecision(ReleaseStep.FILE_TICKET, release.state, "its ticket was gone and is filed again")
    if repair is Repair.HOLD:
        return ReleaseDecision(ReleaseStep.HOLD_TICKET, release.state, release.reason)
    if repair is Repair.GIVE_WAY:
        why = ticket.message or "its quota was taken back"
        return ReleaseDecision(ReleaseStep.REQUEUE, ReleaseState.QUEUED, f"it gave way and queues again: {why}")
    return None


def _start(facts: ReleaseFacts, served: Served, limits: ReleaseLimits) -> ReleaseDecision:
    release = facts.release
    against = release.problem or served.over or ("" if facts.example is None else facts.example.problem)
    if against:
        return ReleaseDecision(ReleaseStep.FAIL, ReleaseState.FAILED, against)
    if not served.exists or served.changed:
        return ReleaseDecision(ReleaseStep.APPLY, release.state, served.changed and f"{served.changed}: put back")
    ready = served.ready >= release.plan.replicas
    if ready and (release.plan.example is None or facts.example is not None):
        return ReleaseDecision(ReleaseStep.SWITCH, release.state)
    waited = facts.now - (release.started_at or facts.now)
    seen = f"{served.ready} of {release.plan.replicas} ready"
    seen = f"{seen}: {served.reason}" if served.reason else seen
    if ready and waited <= limits.start_timeout:
        return ReleaseDecision(ReleaseStep.ASK_EXAMPLE, release.state)
    if waited > limits.start_timeout:
        seen = "the example request is not answered" if ready else seen
        late = f"not ready within {limits.start_timeout:.0f} s ({seen})"
        return ReleaseDecision(ReleaseStep.FAIL, ReleaseState.FAILED, late)
    return ReleaseDecision(ReleaseStep.WAIT, release.state, seen)


def _serve(facts: ReleaseFacts, served: Served, limits: ReleaseLimits) -> ReleaseDecision:
    release, share = facts.release, facts.share
    young = release.serving_at is not None and facts.now - release.serving_at < limits.watch
    many = share.asked >= limits.least_asked and share.failed > limits.most_failed * share.asked
    failing = f"it failed at {share.failed} of {share.asked} requests" if many else ""
    gone = release.problem or served.over
    if young and (failing or gone) and facts.other is not None:
        return ReleaseDecision(ReleaseStep.RETURN, ReleaseState.FAILED, failing or gone)
    lost = "" if served.exists else "it was removed by hand"
    if not lost and not served.leads:
        return ReleaseDecision(ReleaseStep.APPLY, release.state, "its name led elsewhere")
    if lost or served.over or served.changed:
        return ReleaseDecision(ReleaseStep.APPLY, release.state, f"{lost or served.over or served.changed}: put back")
    if served.ready < release.plan.replicas:
        seen = f"{served.ready} of {release.plan.replicas} ready"
        return ReleaseDecision(ReleaseStep.WAIT, release.state, f"{seen}: {served.reason or gone}".rstrip(": "))
    return ReleaseDecision(ReleaseStep.WAIT, release.state, failing)
