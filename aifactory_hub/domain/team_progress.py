"""How far a request for a team has come, for the person who asked: asked, approved, made, ready. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .provisioning import Stage
from .team_records import TeamRecord
from .team_wishes import RequestState, TeamRequest, WishKind


class ProgressState(StrEnum):
    """A step of a request: done, going on, still to come, or never to come."""

    DONE = "done"
    NOW = "now"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class RequestStep:
    """One step, with what a person is told of it."""

    name: str
    state: ProgressState
    sentence: str


# Once a team's door was open, it is ready whatever is healed or sleeps.
_OPENED = (Stage.READY, Stage.ASLEEP, Stage.WAKING, Stage.PAUSED)


def request_steps(request: TeamRequest, waits_for: str, record: TeamRecord | None, *, known: bool) -> list[RequestStep]:
    """The steps of a request in order.

    ``waits_for`` says who has to approve it while it waits, ``record`` is what the provisioner said of the team last,
    and ``known`` whether the hub has taken the team over already.
    """
    asked = RequestStep("asked", ProgressState.DONE, f"by {request.asked_by}")
    if request.state is RequestState.WAITING:
        return [
            asked,
            RequestStep("approved", ProgressState.NOW, f"waits for {waits_for}"),
            *_rest(request, ProgressState.LATER),
        ]
    if request.state is not RequestState.GRANTED:
        return [asked, RequestStep("approved", ProgressState.NEVER, request.why), *_rest(request, ProgressState.NEVER)]
    approved = RequestStep("approved", ProgressState.DONE, request.why)
    if request.wish.kind is not WishKind.NEW:
        return [asked, approved]
    return [asked, approved, *_made(record, known=known)]


def _made(record: TeamRecord | None, *, known: bool) -> list[RequestStep]:
    if record is None:
        said = "the provisioner has not said anything of it yet"
        return [RequestStep("made", ProgressState.NOW, said), RequestStep("ready", ProgressState.LATER, "")]
    said = record.sentence + (f"; {record.trouble}" if record.trouble else "")
    if record.opened is None and record.stage not in _OPENED:
        return [
            RequestStep("made", ProgressState.NOW, f"{record.stage}: {said}"),
            RequestStep("ready", ProgressState.LATER, ""),
        ]
    made = RequestStep("made", ProgressState.DONE, f"{record.stage}: {said}")
    if not known:
        return [made, RequestStep("ready", ProgressState.NOW, "the hub takes it over within some seconds")]
    return [made, RequestStep("ready", ProgressState.DONE, "sign in again if the team is not on your menu")]


def _rest(request: TeamRequest, state: ProgressState) -> list[RequestStep]:
    if request.wish.kind is not WishKind.NEW:
        return []
    return [RequestStep("made", state, ""), RequestStep("ready", state, "")]
