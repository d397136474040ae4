"""What pods held and for how long: facts that witnesses saw, and the holds that follow from them.

A hold is one pod's possession of its profile's devices, from the scheduler's choice of a node until its last container
has ended. Times are whole seconds since 1970, which is what Kubernetes tells, so that sums are exact. A hold is counted
from its first second on and without its last: two holds that follow on each other share no second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

# A user that nobody knows: of a pod that a team made without the hub.
UNKNOWN_USER = ""
UNKNOWN_PROFILE = ""


class FactKind(StrEnum):
    """BOUND: a node was chosen for the pod, and its devices are taken. STARTED: its main container runs. ENDED: its
    last container has ended. LOST: its node was lost, and what became of its containers is not known. GONE: it was
    deleted before it said how it ended. VOID and CORRECTED are an administrator's: the hold does not count, or has
    another end."""

    BOUND = "bound"
    STARTED = "started"
    ENDED = "ended"
    LOST = "lost"
    GONE = "gone"
    VOID = "void"
    CORRECTED = "corrected"


class Source(StrEnum):
    """How a fact was heard of. WATCH: as it happened. REPLAY: the host's API told it afterwards. LIST: found by
    comparing a list with what was known. HUB: the hub saw it while the service was away. OPERATOR: an administrator
    said so."""

    WATCH = "watch"
    REPLAY = "replay"
    LIST = "list"
    HUB = "hub"
    OPERATOR = "operator"


class Attribution(StrEnum):
    """Where a hold's user is from, the best first. TICKET and JOB: the hub's own records. LABEL: the pod's labels,
    which whoever may create pods in the team's vCluster can choose. NONE: there is no user."""

    TICKET = "ticket"
    JOB = "job"
    LABEL = "label"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Possession:
    """What a pod holds and whose it is, as it was decided when it started.

    ``kind`` is "server", "job", or "pod" for one that a team made without the hub; ``owner`` is the server's or run's
    id. ``devices`` counts each device as ``<flavor>/<resource>``; ``gpus`` is how much of a GPU they are together,
    None where the card does not say. ``simulated``: the devices are not real.
    """

    tenant: str
    user: str = UNKNOWN_USER
    profile: str = UNKNOWN_PROFILE
    kind: str = "pod"
    owner: str = ""
    name: str = ""
    node: str = ""
    devices: Mapping[str, int] = field(default_factory=dict)
    gpus: Fraction | None = Fraction(0)
    attribution: Attribution = Attribution.NONE
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class UsageFact:
    """One thing that one witness saw of one pod.

    ``pod`` is the host pod's uid. ``at`` is when it happened, as far as it counts; it happened between ``earliest`` and
    ``latest``, which are the same where that is certain. ``observed_at`` is when it was heard of, by the witness's
    clock. ``possession`` comes with BOUND. ``note`` says what was odd about it, or an administrator's reason.
    ``place`` orders the facts of a ledger.
    """

    pod: str
    kind: FactKind
    source: Source
    at: int
    earliest: int
    latest: int
    observed_at: int
    possession: Possession | None = None
    note: str = ""
    place: int = 0

    @classmethod
    def exact(
        cls,
        pod: str,
        kind: FactKind,
        source: Source,
        at: int,
        observed_at: int,
        *,
        possession: Possession | None = None,
        note: str = "",
    ) -> UsageFact:
        """A fact whose second is certain."""
        return cls(pod, kind, source, at, at, at, observed_at, possession, note)

    @classmethod
    def between(
        cls, pod: str, kind: FactKind, source: Source, earliest: int, observed_at: int, *, note: str = ""
    ) -> UsageFact:
        """A fact that happened at some time from ``earliest`` on until it was heard of; ``earliest`` is what counts."""
        return cls(pod, kind, source, earliest, earliest, max(earliest, observed_at), observed_at, note=note)


@dataclass(frozen=True, slots=True)
class Hold:
    """A pod's possession from ``start`` to ``end``; ``end`` None: it goes on.

    It may have gone on until ``latest_end``, and nobody could know: those seconds are shown and not billed.
    ``running_from`` is when its main container began. ``ended_by`` and ``source`` say what the end is from.
    ``void``: an administrator struck it out.
    """

    pod: str
    possession: Possession
    start: int
    end: int | None = None
    latest_end: int | None = None
    running_from: int | None = None
    ended_by: FactKind | None = None
    source: Source | None = None
    void: bool = False
    note: str = ""

    @property
    def uncertain(self) -> int:
        """Seconds that it may have held beyond ``end``."""
        return 0 if self.end is None or self.latest_end is None else self.latest_end - self.end


_RANKS = {attribution: rank for rank, attribution in enumerate(Attribution)}
# What an end is from, the best first.
_ENDS = (FactKind.ENDED, FactKind.LOST, FactKind.GONE)


def fold(facts: Iterable[UsageFact]) -> Hold | None:
    """The hold that follows from all facts of one pod; None as long as nobody has seen it begin.

    Neither the order of the facts nor how often each is among them matters.
    """
    by_kind: dict[FactKind, list[UsageFact]] = {}
    for fact in facts:
        by_kind.setdefault(fact.kind, []).append(fact)
    bound = by_kind.get(FactKind.BOUND)
    if not bound:
        return None
    start = min(fact.at for fact in bound)
    started = [max(start, fact.at) for fact in by_kind.get(FactKind.STARTED, ())]
    end = _end(by_kind, start)
    void = by_kind.get(FactKind.VOID, [])
    notes = [fact for kind in by_kind.values() for fact in kind if fact.note]
    return Hold(
        pod=bound[0].pod,
        possession=_possession(bound),
        start=start,
        end=None if end is None else end.at,
        latest_end=None if end is None else end.latest,
        running_from=min(started, default=None),
        ended_by=None if end is None else end.kind,
        source=None if end is None else end.source,
        void=bool(void),
        note=max(notes, key=_newest).note if notes else "",
    )


def clip(hold: Hold, start: int, end: int) -> int:
    """How many of the hold's seconds are in ``[start, end)``. One that goes on is counted up to ``end``."""
    if hold.void:
        return 0
    until = end if hold.end is None else min(hold.end, end)
    return max(0, until - max(hold.start, start))


def _possession(bound: list[UsageFact]) -> Possession:
    """That of the witness who knew best whose it is; of equals the first that was heard."""
    known = [(fact, fact.possession) for fact in bound if fact.possession is not None]
    if not known:
        return Possession(tenant="")
    if len(known) == 1:
        return known[0][1]
    return min(known, key=lambda each: (_RANKS[each[1].attribution], *_order(each[0])))[1]


def _end(by_kind: Mapping[FactKind, list[UsageFact]], start: int) -> UsageFact | None:
    corrected = by_kind.get(FactKind.CORRECTED)
    if corrected:
        return _not_before(max(corrected, key=_newest), start)
    for kind in _ENDS:
        if facts := by_kind.get(kind):
            return _not_before(_narrowed(facts), start)
    return None


def _narrowed(facts: list[UsageFact]) -> UsageFact:
    """All were seen, so it happened where their bounds overlap; where they don't, the narrowest is believed."""
    if len(facts) == 1:
        return facts[0]
    best = min(facts, key=lambda fact: (fact.latest - fact.earliest, fact.at, *_order(fact)))
    earliest, latest = max(fact.earliest for fact in facts), min(fact.latest for fact in facts)
    if earliest > latest or (earliest, latest) == (best.earliest, best.latest):
        return best
    return UsageFact(
        best.pod, best.kind, best.source, earliest, earliest, latest, best.observed_at, note=best.note, place=best.place
    )


def _not_before(end: UsageFact, start: int) -> UsageFact:
    """A clock that is behind makes no hold of less than nothing."""
    if end.at >= start and end.latest >= start:
        return end
    at, latest = max(start, end.at), max(start, end.latest)
    return UsageFact(end.pod, end.kind, end.source, at, at, latest, end.observed_at, note=end.note, place=end.place)


def _newest(fact: UsageFact) -> tuple[int, int, int]:
    return fact.place, fact.observed_at, fact.at


def _order(fact: UsageFact) -> tuple[int, int, str]:
    return fact.place, fact.observed_at, fact.source
