"""Samples of GPUs that there are not, and an idle neighbour: so that idleness and advice have something to show.

A person's own server in the demo shows what its kernels do: its simulated slice computes while something in it works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..domain.idle import GpuSamples, Report
from ..domain.idle_ladder import Act, IdleAct
from ..domain.months import Span
from ..domain.pod_samples import PodPlace, PodSamples
from ..domain.right_size import Peaks
from ..domain.usage import Hold
from ..service.idle.activity import Activity, ServerKey
from ..store.hold_peaks import HoldPeaks
from ..store.idle_acts import IdleActs, ServerAct
from ..store.usage_reports import UsageReports
from .history import MADE
from .site import LARGE

# The neighbour who has a server and does nothing in it.
IDLE_NEIGHBOUR = "lena (simulated)"
_REPORT_EVERY = 30.0
_SCRAPE = 30
_GB = 10**9


class DemoTelemetry:
    """See telemetry.base.Telemetry. ``working`` says whether the owner of a pod works in it now; None: not known."""

    def __init__(self) -> None:
        self.working: Callable[[str], bool | None] = lambda user: None

    async def read(self, pods: Mapping[str, PodPlace], after: float) -> Mapping[str, PodSamples]:
        """Of all pods of the demo, as many as there should be."""
        return {uid: _samples(self.working(place.name), after) for uid, place in pods.items()}

    async def close(self) -> None:
        """Nothing is open."""


def _samples(working: bool | None, after: float) -> PodSamples:
    expected = int(after // _SCRAPE)
    engine = 0.4 if working in (True, None) else 0.002
    gpu = GpuSamples(expected, expected, engine, engine / 2 if engine > 0.01 else 0.0, 3 * _GB, xid=0)
    return PodSamples(gpu, engine)


def places(holds: Sequence[Hold]) -> dict[str, PodPlace]:
    """By ticket, which stands for the pod: its name here is its owner's."""
    return {hold.pod: PodPlace(hold.possession.tenant, hold.possession.user) for hold in holds}


def working_by(activity: Activity) -> Callable[[str], bool | None]:
    """Who works, by what their servers said; neighbours work all the time, save one."""

    def working(user: str) -> bool | None:
        if user == IDLE_NEIGHBOUR:
            return False
        if user.endswith("(simulated)"):
            return True
        said = [activity.of(key) for key in activity.servers() if key.user == user]
        return any(each.busy for each in said if each is not None) if said else None

    return working


async def speak_for_neighbour(activity: Activity, clock: Callable[[], float]) -> None:
    """The reports of the idle neighbour's server, for ever, until cancelled."""
    while True:
        now = clock()
        said = Report("lab", busy=False, last_used=0.0, received_at=now, since=now)
        activity.take(ServerKey(IDLE_NEIGHBOUR, ""), said)
        await asyncio.sleep(_REPORT_EVERY)


@dataclass(frozen=True, slots=True)
class MadePast:
    """What idleness and sizes were in the month that never was: see ``demo.history``."""

    usage: UsageReports
    acts: IdleActs
    peaks: HoldPeaks

    def fill(self, now: int) -> None:
        """Write it once. Blocks."""
        if self.peaks.newest() is not None:
            return
        holds = [hold for hold in self.usage.holds(now - 30 * 86400, now) if hold.pod.startswith("made-")]
        large = [hold for hold in holds if hold.possession.profile == LARGE]
        self.peaks.add({hold.pod: _peaks(hold) for hold in large}, float(now))
        self.acts.add(list(_dry_runs(holds)))


def _peaks(hold: Hold) -> Peaks:
    return Peaks((hold.end or hold.start) - hold.start, 6 * _GB, 0.2)


def _dry_runs(holds: Sequence[Hold]) -> Iterator[ServerAct]:
    """Every eighth server stood idle for the last hour of its day."""
    servers = [hold for hold in holds if hold.possession.kind == "server" and hold.end is not None]
    for hold in servers[::8]:
        span = Span("", hold.start, hold.end or hold.start)
        if span.end - span.start < 3 * 3600:
            continue
        for act, before in ((Act.NOTICED, 4200), (Act.WOULD_STOP, 3600)):
            step = IdleAct(act, span.end - before, span.end - 3600 if act is Act.NOTICED else None, span.end - 6900)
            whose = hold.possession
            yield ServerAct(step, hold.pod, whose.tenant, whose.user, "", whose.profile, (MADE,))
