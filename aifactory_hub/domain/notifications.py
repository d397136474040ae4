"""Notifications: what people and teams are told besides the pages, who is told, and what goes into one message."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .approvals import Approval, ApprovalState, Approver, why_not_vote
from .channels import Level
from .jobs import JobState
from .tenants import Role
from .verdicts import Target

# Seconds that notifications are gathered for at most while more jobs of the same sweep go on.
LONGEST_GATHERING = 15 * 60.0


class Audience(StrEnum):
    """Who is told: a PERSON by name, the people who may vote on an approval (VOTERS, by its id), all whom a vote for an
    emergency left out (LEFT_OUT, by the approval's id), the ADMINS of a team, or the team's CHANNEL."""

    PERSON = "person"
    VOTERS = "voters"
    LEFT_OUT = "left-out"
    ADMINS = "admins"
    CHANNEL = "channel"


class Kind(StrEnum):
    """What happened, in the order in which a message tells it: failures first."""

    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    JOB_HELD = "job.held"
    APPROVAL_EMERGENCY = "approval.emergency"
    APPROVAL_WAITS = "approval.waits"
    APPROVAL_REFUSED = "approval.refused"
    SERVER_IDLE = "server.idle"
    BUDGET = "budget.step"
    TEAM_REFUSED = "team.refused"
    TEAM_GRANTED = "team.granted"
    JOB_SUCCEEDED = "job.succeeded"

    @property
    def order(self) -> int:
        return list(Kind).index(self)


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing that somebody is told. ``at`` in seconds since 1970.

    ``name`` is the person's, the approval's id or the team's, as ``audience`` says. ``title`` names what it is about,
    ``words`` say why, ``path`` is its page below the service's address. ``sweep`` is the job's.
    """

    audience: Audience
    name: str
    kind: Kind
    tenant: str
    title: str
    words: str
    at: float
    path: str = ""
    sweep: str | None = None


@dataclass(frozen=True, slots=True)
class JobChange:
    """What is known of a job that came into a state. ``cancelled_by`` is who asked for its end."""

    id: str
    name: str
    tenant: str
    owner: str
    state: JobState
    reason: str | None
    at: float
    cancelled_by: str | None = None
    sweep: str | None = None


_OF_STATES = {
    JobState.FAILED: Kind.JOB_FAILED,
    JobState.CANCELLED: Kind.JOB_CANCELLED,
    JobState.HELD: Kind.JOB_HELD,
    JobState.SUCCEEDED: Kind.JOB_SUCCEEDED,
}


def of_job(job: JobChange, audience: Audience) -> Notification | None:
    """What the owner or the team's channel is told of a job; None when there is nothing to tell.

    Who cancelled a job themselves knows it.
    """
    kind = _OF_STATES.get(job.state)
    if kind is None or (kind is Kind.JOB_CANCELLED and job.cancelled_by == job.owner):
        return None
    name = job.owner if audience is Audience.PERSON else job.tenant
    title = f"{job.name} of {job.owner}" if audience is Audience.CHANNEL else job.name
    words = "" if kind is Kind.JOB_SUCCEEDED else job.reason or ""
    return Notification(audience, name, kind, job.tenant, title, words, job.at, f"jobs/{job.id}", job.sweep)


def about_approval(approval: Approval, now: float) -> list[Notification]:
    """Who is told of an approval as it stands now: those who may vote while it waits, and who asked for it when it was
    not given. Jobs and requests for teams tell that of themselves."""
    path = f"approvals/{approval.id}"
    if approval.state is ApprovalState.OPEN:
        why = "; ".join(reason.message for reason in approval.reasons)
        words = f"{approval.asked_by} asks for {approval.verb}" + (f": {why}" if why else "")
        told = Notification(
            Audience.VOTERS, approval.id, Kind.APPROVAL_WAITS, approval.tenant, approval.title, words, now, path
        )
        return [told, replace(told, audience=Audience.CHANNEL, name=approval.tenant)]
    by_themselves = approval.kind in (Target.JOB.value, Target.TENANT.value)
    if by_themselves or approval.state not in (ApprovalState.REFUSED, ApprovalState.EXPIRED):
        return []
    kind, words = Kind.APPROVAL_REFUSED, approval.why or ""
    who = Audience.PERSON, approval.asked_by
    return [Notification(*who, kind, approval.tenant, approval.title, words, now, path)]


def about_emergency(approval: Approval, voter: str, reason: str, now: float) -> list[Notification]:
    """Who is told that ``voter`` approved it alone, and why: all whom that left out, and the team's channel."""
    words = f"{voter} approved it alone, in an emergency: {reason}"
    kind, path = Kind.APPROVAL_EMERGENCY, f"approvals/{approval.id}"
    told = Notification(Audience.LEFT_OUT, approval.id, kind, approval.tenant, approval.title, words, now, path)
    return [told, replace(told, audience=Audience.CHANNEL, name=approval.tenant)]


def about_budget(tenant: str, user: str, title: str, words: str, now: float) -> list[Notification]:
    """Who is told of a step of a budget: the team's administrators, its channel, and whose budget it is."""
    told = Notification(Audience.ADMINS, tenant, Kind.BUDGET, tenant, title, words, now, f"team/{tenant}")
    own = [replace(told, audience=Audience.PERSON, name=user)] if user else []
    return [told, replace(told, audience=Audience.CHANNEL), *own]


def about_server(user: str, tenant: str, server: str, words: str, now: float) -> Notification:
    """What its owner is told of an idle server."""
    title = f"Server {server or 'without a name'} of {user}"
    return Notification(Audience.PERSON, user, Kind.SERVER_IDLE, tenant, title, words, now)


def about_team_request(asked_by: str, team: str, why: str, now: float, *, granted: bool) -> Notification:
    """What somebody is told who asked for a team."""
    kind = Kind.TEAM_GRANTED if granted else Kind.TEAM_REFUSED
    return Notification(Audience.PERSON, asked_by, kind, "", team, why, now, "teams")


def wanted(kind: Kind, level: Level) -> bool:
    """Whether somebody who chose this level is told."""
    return level is Level.ALL or (level is Level.FAILURES and kind is not Kind.JOB_SUCCEEDED)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose: a level (None: the site's default), and kinds of which they are told, or not, besides."""

    level: Level | None = None
    kinds: Mapping[Kind, bool] = field(default_factory=dict)

    def wants(self, kind: Kind, default: Level) -> bool:
        """Whether they are told; ``default`` is the site's level."""
        return self.kinds.get(kind, wanted(kind, self.level or default))

    def differing(self, default: Level) -> Choice:
        """The same without the kinds for which it says what its level says anyway."""
        level = self.level or default
        return replace(self, kinds={kind: told for kind, told in self.kinds.items() if told != wanted(kind, level)})


class NoMail(StrEnum):
    """Why no mail goes to somebody: the SITE sends none, the identity provider does not say that it has verified the
    address that it gives (UNVERIFIED), or gives none that it has not called unverified (ABSENT)."""

    SITE = "site"
    UNVERIFIED = "unverified"
    ABSENT = "absent"


def to_send(
    waiting: Sequence[Notification], over: Collection[str], *, now: float, window: float
) -> tuple[Notification, ...]:
    """Those of one person's or channel's notifications that go into a message now; none while it is too early.

    A message is sent ``window`` seconds after the first of what it tells. Jobs of a sweep wait until the sweep is one
    of those that are ``over``, but no longer than LONGEST_GATHERING.
    """
    since: dict[str, float] = {}
    for each in waiting:
        if each.sweep is not None:
            since[each.sweep] = min(each.at, since.get(each.sweep, each.at))
    kept_back = {sweep for sweep, at in since.items() if sweep not in over and now < at + LONGEST_GATHERING}
    ready = tuple(each for each in waiting if each.sweep not in kept_back)
    return ready if ready and now >= min(each.at for each in ready) + window else ()


def in_order(notifications: Iterable[Notification]) -> list[Notification]:
    """Failures first; of one kind the oldest first."""
    return sorted(notifications, key=lambda each: (each.kind.order, each.at))


def is_voter(approval: Approval, name: str, approver: Approver) -> bool:
    """Whether this person is told that the approval waits."""
    return why_not_vote(approval, name, approver) is None


def left_out(
    approval: Approval, approvers: Mapping[str, Approver], of_team: Collection[str], emergency: Collection[str]
) -> list[str]:
    """Who is told of a vote for an emergency: those who could have voted, who asked, and who has a part in it and is
    one ``of_team``: the name of who pushed a commit is the Git host's, and may be a stranger's here. ``emergency`` are
    those who voted so."""
    able = {name for name, one in approvers.items() if any(one.meets(need) for need in approval.needs)}
    part = {approval.asked_by, *(name for name in approval.excluded if name in of_team)}
    return sorted((able | part) - set(emergency))


def is_admin(role: Role | None) -> bool:
    """Whether somebody with this role is told what the team's administrators are told."""
    return role is Role.ADMIN
