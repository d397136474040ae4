"""What is asked and answered about what waits. As in ``request_types`` and ``answer_types``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ..domain.team_overview import DeviceCount
from ..domain.wait_reasons import WaitCause
from .request_types import Line


class QueueQuery(BaseModel):
    """Of which team."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[
        Line | None, Field(max_length=63, description="The team; left out: all that the caller may see.")
    ] = None


class WaiterAnswer(TypedDict):
    """Something that waits. ``user`` and ``owner`` are null where the caller may not see whose it is, ``since`` where
    that is not known. ``why`` and ``lets_go`` are sentences, ``cause`` is for programs."""

    tenant: str
    team: str
    kind: str
    owner: str | None
    user: str | None
    profile: str
    size: str
    devices: list[DeviceCount]
    since: str | None
    cause: WaitCause
    why: str
    lets_go: str


class CutAnswer(TypedDict):
    """So many slices of a name: ``free`` of ``total``. ``stranded`` of the free ones are asked for by nothing that
    waits, while something else waits."""

    slice: str
    total: int
    free: int
    stranded: int


class CutGpuAnswer(TypedDict):
    """One GPU. ``unknown`` is why nothing can be said of it, null when its slices are known. ``slices`` is empty where
    it is not cut, and ``held`` whether a pod holds that one whole. ``largest`` is the largest free slice, ``uncut``
    are compute slices that no slice has. ``compute_slices`` is null for a GPU of which there is no card."""

    node: str
    index: int
    uuid: str
    model: str
    unknown: str | None
    slices: list[CutAnswer]
    held: bool
    largest: str | None
    uncut: int
    compute: dict[str, int]
    compute_slices: int | None


class SizeAnswer(TypedDict):
    """One size over all known GPUs: ``free`` of ``total``, on ``gpus`` GPUs; ``waiting`` are asked for."""

    resource: str
    flavor: str
    slice: str
    total: int
    free: int
    gpus: int
    waiting: int
    stranded: int


class GpusAnswer(TypedDict):
    """The GPUs as they are cut. ``known`` false: nothing tells it, ``why`` says what is missing, and the rest is null.

    ``free`` and ``stranded`` are in whole GPUs. On ``idle`` GPUs nothing is held, on ``full`` ones everything.
    """

    known: bool
    why: str | None
    gpus: list[CutGpuAnswer] | None
    sizes: list[SizeAnswer] | None
    free: float | None
    stranded: float | None
    idle: int | None
    partly: int | None
    full: int | None
    unknown: int | None


class StartAnswer(TypedDict):
    """So many requests of a team for a profile."""

    tenant: str
    profile: str
    count: int


class PlanStepAnswer(TypedDict):
    """One GPU that is cut anew. ``held_beside`` slices are held on the other GPUs of its node."""

    node: str
    index: int
    uuid: str
    model: str
    before: dict[str, int]
    after: dict[str, int]
    starts: list[StartAnswer]
    held_beside: int


class CapacityAnswer(TypedDict):
    """A device of which there is more or less afterwards. ``carved`` and ``after`` are counts of ``cluster.carved``,
    ``promised`` is what ``teams`` own together, ``short`` of which the plan takes away."""

    resource: str
    flavor: str
    carved: int
    after: int
    promised: int
    short: int
    teams: list[str]


class MoreQuotaAnswer(TypedDict):
    """A team whose quota has to grow by ``more`` before what there is room for can start."""

    tenant: str
    resource: str
    flavor: str
    more: int


class PlanAnswer(TypedDict):
    """Which idle GPUs a person might cut anew. Nothing of it is applied by the service.

    ``config`` is a file for nvidia-mig-parted, ``commands`` are typed once it is where the GPU Operator reads it; both
    are empty for a plan without steps. ``more_quota`` null: what the teams hold is not known. ``left_out`` of those
    that have waited the shortest were not planned for.
    """

    words: str
    steps: list[PlanStepAnswer]
    candidates: int
    fits_now: int
    left: int
    left_out: int
    capacities: list[CapacityAnswer]
    more_quota: list[MoreQuotaAnswer] | None
    config: str
    commands: list[str]


class QueueAnswer(TypedDict):
    """What waits, the longest first; ``left_off`` more are not in the list. ``not_known`` are teams of which nothing is
    known now. ``gpus`` and ``plan`` are for the hub's administrators, null for others; ``plan`` also while the GPUs are
    not known."""

    as_of: str
    scope: Literal["platform", "teams"]
    simulated: bool
    teams: list[str]
    not_known: list[str]
    waiting: list[WaiterAnswer]
    left_off: int
    gpus: GpusAnswer | None
    plan: PlanAnswer | None
