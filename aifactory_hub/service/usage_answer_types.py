"""The forms of the answers about usage and bills. As in ``answer_types``, which has the others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

At = Annotated[int, Field(description="Seconds since 1970.")]
Whole = Annotated[int, Field(ge=0, description="Seconds of pods that held a profile.")]
GpuSeconds = Annotated[float, Field(ge=0, description="Seconds, each pod counted as the part of a GPU that it held.")]
Amount = Annotated[
    str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="A decimal, in the answer's currency; null: no price.")
]
Uncertain = Annotated[int, Field(ge=0, description="Seconds that may have been held beside these: they cost nothing.")]
AsOf = Annotated[int, Field(description="Seconds since 1970 up to which the ledger is complete.")]
Currency = Annotated[str, Field(description="A code of ISO 4217; null where the site names none.")]
Devices = Annotated[bool, Field(description="Whether any of the devices is simulated.")]
User = Annotated[str, Field(description="Empty: unknown, of a pod that the team made without the hub.")]


class _Told(TypedDict):
    as_of: AsOf
    uncertain_seconds: Uncertain
    simulated: Devices
    currency: Currency | None


class OwnLine(TypedDict):
    """What somebody held of one profile in one team, at one price."""

    tenant: str
    profile: str
    kind: str
    seconds: Whole
    gpu_seconds: GpuSeconds
    pods: int
    per_hour: Amount | None
    amount: Amount | None


class OwnUsage(_Told):
    """The caller's own use in all teams, of a month."""

    month: str
    start: At
    end: At
    seconds: Whole
    gpu_seconds: GpuSeconds
    pods: int
    amount: Amount | None
    lines: list[OwnLine]


class UsageRowAnswer(TypedDict):
    """Lines that are added up. ``key`` is a user, a profile, a kind, a team, a day or an hour.

    ``unpriced_seconds`` are those of profiles without a price, which are not in ``amount``.
    """

    key: str
    seconds: Whole
    gpu_seconds: GpuSeconds
    pods: int
    amount: Amount | None
    unpriced_seconds: int


class SummaryAnswer(_Told):
    """Use in a span of time, added up to rows."""

    zone: str
    start: At
    end: At
    rows: list[UsageRowAnswer]
    total: UsageRowAnswer


class TeamUsage(SummaryAnswer):
    """A team's use, or with ``scope`` own the caller's own in it."""

    tenant: str
    scope: Literal["own", "team"]
    by: Literal["user", "profile", "kind", "day", "hour"]


class PlatformUsage(SummaryAnswer):
    """The use of all teams."""

    by: Literal["tenant", "profile", "day"]


Week = Annotated[
    list[Annotated[list[float], Field(min_length=24, max_length=24)]],
    Field(min_length=7, max_length=7, description="Seven rows from Monday on, of 24 hours each: the mean."),
]


class Heatmap(_Told):
    """How many pods, and how much of GPUs, were held on average in each hour of the week."""

    scope: Literal["own", "team", "platform"]
    zone: str
    start: At
    end: At
    cells: Week
    gpus: Week


class HoldAnswer(TypedDict):
    """What one pod held, from ``start`` to ``end``; null: it goes on.

    ``seconds`` and ``amount`` are for the asked time. ``ended_by`` and ``source`` say what the end is from.
    """

    pod: str
    name: str
    user: User
    profile: str
    kind: str
    owner: str
    node: str
    devices: dict[str, int]
    simulated: bool
    start: At
    end: At | None
    uncertain_seconds: Uncertain
    seconds: Whole
    amount: Amount | None
    ended_by: str | None
    source: str | None
    void: bool
    note: str


class HoldPage(_Told):
    """Holds in order of their start. ``next`` is what to pass as ``after`` for those after; null at the end."""

    tenant: str
    scope: Literal["own", "team"]
    start: At
    end: At
    holds: list[HoldAnswer]
    next: str | None


class FactAnswer(TypedDict):
    """One thing that one witness saw. It happened between ``earliest`` and ``latest`` and counts as of ``at``."""

    seq: int
    kind: str
    source: str
    at: At
    earliest: At
    latest: At
    observed_at: At
    note: str


class HoldEvidence(_Told, HoldAnswer):
    """One hold with all that was seen of its pod."""

    tenant: str
    facts: list[FactAnswer]


class BillLineAnswer(TypedDict):
    """One line of a bill: seconds at a price."""

    tenant: str
    user: User
    profile: str
    kind: str
    simulated: bool
    seconds: Whole
    gpu_seconds: GpuSeconds
    pods: int
    per_hour: Amount | None
    amount: Amount | None


class CorrectionAnswer(TypedDict):
    """A line that was taken back (retraction) or put in its place (restatement) in the bill of ``booked_in``."""

    month: str
    record: Literal["retraction", "restatement"]
    booked_in: str
    booked_at: At
    line: BillLineAnswer


class BillAnswer(_Told):
    """A team's bill of a month.

    ``state`` is closing when the month is over and is not closed yet. ``corrections`` of earlier months are booked in
    this one: ``total`` is ``amount`` with them. ``corrected_later`` are those of this month in later bills.
    """

    tenant: str
    month: str
    start: At
    end: At
    state: Literal["open", "closing", "closed"]
    closed_at: At | None
    closed_by: str | None
    digest: str | None
    amount: Amount | None
    corrections_amount: Amount | None
    total: Amount | None
    lines: list[BillLineAnswer]
    corrections: list[CorrectionAnswer]
    corrected_later: list[CorrectionAnswer]


class PlatformBills(_Told):
    """The bills of all teams of a month. ``digest`` is that of all lines."""

    month: str
    start: At
    end: At
    state: Literal["open", "closing", "closed"]
    closed_at: At | None
    closed_by: str | None
    digest: str | None
    amount: Amount | None
    bills: list[BillAnswer]


class ClosedAnswer(TypedDict):
    """A month that is closed now."""

    month: str
    start: At
    end: At
    closed_at: At
    closed_by: str
    digest: str


class VerdictAnswer(TypedDict):
    """Whether the ledger is as it was written; ``problem`` is the first thing that is wrong."""

    events: int
    holds: int
    problem: str | None
