"""Everything that waits, whatever it waits for, the longest first: pure, from what was gathered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aifactory_profiles import Catalogue, Device, Profile

from ..constants import KIND_JOB, KIND_SERVER
from .cut_plans import Demand
from .jobs import job_of
from .menu import TeamLoad
from .pods import PodFact
from .possessions import owner_of
from .quota import Holder
from .tenants import Role, Tenant
from .tickets import Ticket
from .wait_reasons import WaitReason, reason_of, reason_of_held_job, reason_of_pod


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that waits without a ticket: for an approval, a budget, or the next try. ``since`` is epoch seconds."""

    id: str
    tenant: str
    owner: str
    profile: str
    state: str
    reason: str | None
    since: float | None


@dataclass(frozen=True, slots=True)
class UnplacedPod:
    """A pod that has its quota and no node: who holds its ticket since when, in epoch seconds."""

    pod: PodFact
    kind: str
    owner: str
    user: str
    tenant: str
    profile: str
    since: float | None


@dataclass(frozen=True, slots=True)
class Waiter:
    """One line of the view. ``user`` and ``owner`` None: the reader may not see whose it is.

    ``devices`` are what it waits for; ``queued`` says that they are not its own yet, so that quota has to be had first.
    """

    tenant: str
    kind: str
    owner: str | None
    user: str | None
    profile: str
    since: float | None
    reason: WaitReason
    devices: Mapping[Device, int] = field(default_factory=dict)
    queued: bool = False
    admitted: bool = False


@dataclass(frozen=True, slots=True)
class QueueReader:
    """Who reads: a team's people see the team as on its page. ``platform`` administrators see everybody's."""

    name: str
    roles: Mapping[str, Role]
    platform: bool = False

    def sees(self, kind: str, tenant: str, user: str) -> bool:
        """Whether they may see whose it is: jobs are the team's list, a server that waits is its owner's business."""
        role = self.roles.get(tenant)
        if self.platform or role is Role.ADMIN:
            return True
        return role is not None and (kind != KIND_SERVER or user == self.name)


def queue_view(
    tenants: Mapping[str, Tenant],
    loads: Mapping[str, TeamLoad],
    catalogue: Catalogue,
    reader: QueueReader,
    *,
    held: Sequence[HeldJob] = (),
    unplaced: Sequence[UnplacedPod] = (),
) -> list[Waiter]:
    """Who waits in these teams, the longest first; of those of whom that is not known it is said last."""
    found = [
        _of_ticket(ticket, tenant, loads[name])
        for name, tenant in tenants.items()
        if name in loads
        for ticket in loads[name].queue or ()
    ]
    found += [_of_held(job, catalogue) for job in held if job.tenant in tenants]
    found += [_of_pod(pod, catalogue) for pod in unplaced if pod.tenant in tenants]
    found.sort(key=lambda each: (each.since is None, each.since or 0.0, each.tenant, each.owner or ""))
    return [_for_reader(each, reader) for each in found]


def unplaced_pods(
    pods: Iterable[PodFact], tenants: Mapping[str, Tenant], loads: Mapping[str, TeamLoad], hub: str
) -> list[UnplacedPod]:
    """Pods that want devices and that the scheduler has found no node for, each with who holds its ticket.

    A pod without a ticket is nobody's here: it has no quota, so it is not said to wait for a slice alone.
    """
    by_vcluster = {(each.vcluster.namespace, each.vcluster.name): name for name, each in tenants.items()}
    found = []
    for pod in pods:
        name = by_vcluster.get((pod.host_namespace, pod.vcluster))
        if name is None or pod.node or pod.over or pod.deleting or not (pod.devices and pod.unscheduled):
            continue
        holder = _holder(loads.get(name), *owner_of(pod, hub))
        if holder is not None:
            found.append(UnplacedPod(pod, holder.kind, holder.owner, holder.user, name, holder.profile, holder.since))
    return found


def demands_of(waiters: Iterable[Waiter]) -> list[Demand]:
    """What would have to fit on GPUs for these to start; what people or budgets hold is left out, and is not asked."""
    return [
        Demand(each.tenant, each.profile, each.devices, each.since, admitted=each.admitted)
        for each in waiters
        if each.devices and (each.queued or each.admitted)
    ]


def wanted_of(demands: Iterable[Demand]) -> Counter[Device]:
    """How many devices they ask for together."""
    total: Counter[Device] = Counter()
    for each in demands:
        total.update(each.devices)
    return total


def not_known(tenants: Iterable[str], loads: Mapping[str, TeamLoad]) -> list[str]:
    """The teams of which the quota engine did not say now who waits."""
    return [name for name in tenants if name not in loads or loads[name].queue is None]


def _holder(load: TeamLoad | None, kind: str, owner: str) -> Holder | None:
    holders = () if load is None or load.usage is None else load.usage.holders
    names = (owner, job_of(owner)) if kind == KIND_JOB else (owner,)
    return next((each for each in holders if each.kind == kind and each.owner in names), None)


def _of_ticket(ticket: Ticket, tenant: Tenant, load: TeamLoad) -> Waiter:
    return Waiter(
        tenant.name,
        ticket.kind,
        ticket.owner,
        ticket.user,
        ticket.profile,
        ticket.filed_at,
        reason_of(ticket, tenant, load),
        ticket.devices,
        queued=True,
    )


def _of_held(job: HeldJob, catalogue: Catalogue) -> Waiter:
    reason = reason_of_held_job(job.state, job.reason)
    devices = _takes(catalogue, job.profile)
    return Waiter(job.tenant, KIND_JOB, job.id, job.owner, job.profile, job.since, reason, devices)


def _of_pod(each: UnplacedPod, catalogue: Catalogue) -> Waiter:
    reason = reason_of_pod(each.pod.unscheduled)
    devices = _takes(catalogue, each.profile)
    return Waiter(
        each.tenant, each.kind, each.owner, each.user, each.profile, each.since, reason, devices, admitted=True
    )


def _takes(catalogue: Catalogue, name: str) -> Mapping[Device, int]:
    profile: Profile | None = catalogue.profiles.get(name)
    return {} if profile is None else profile.takes


def _for_reader(waiter: Waiter, reader: QueueReader) -> Waiter:
    if reader.sees(waiter.kind, waiter.tenant, waiter.user or ""):
        return waiter
    return Waiter(
        waiter.tenant,
        waiter.kind,
        None,
        None,
        waiter.profile,
        waiter.since,
        waiter.reason,
        waiter.devices,
        waiter.queued,
        waiter.admitted,
    )
