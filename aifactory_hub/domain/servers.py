"""A server's life: what the facts say of a server that was started, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from . import server_ends
from .pods import PodFact, exit_code
from .server_ends import Notice, ServerEnd
from .tickets import Repair, Ticket, repair_of

# The exit code of a server that ended without having said how.
GONE = 1


class ServerState(StrEnum):
    """STARTING: an earlier hub process began the start, and nobody has seen its end. GIVING_WAY runs until the time in
    its notice. ENDED is final: the next start of a server of the same name is another life."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    GIVING_WAY = "GIVING_WAY"
    ENDED = "ENDED"


# Where a server may go from each state; it may also stay, unless the state is final.
TRANSITIONS: Mapping[ServerState, frozenset[ServerState]] = {
    ServerState.STARTING: frozenset({ServerState.RUNNING, ServerState.ENDED}),
    ServerState.RUNNING: frozenset({ServerState.GIVING_WAY, ServerState.ENDED}),
    ServerState.GIVING_WAY: frozenset({ServerState.RUNNING, ServerState.ENDED}),
    ServerState.ENDED: frozenset(),
}


class ServerStep(StrEnum):
    """What to do next for a server. Each step can be repeated without harm.

    WAIT: nothing, because too little is known. KEEP: nothing, because the server runs and is counted. REFILE: get a
    ticket for what runs without one. GIVE_WAY: tell the owner when the server is stopped. ADOPT: wait for the end of
    the start. AWAIT_DELETION: wait until the pod is gone, then decide again. END: clear away what is left.
    """

    WAIT = "wait"
    KEEP = "keep"
    REFILE = "refile"
    GIVE_WAY = "give-way"
    ADOPT = "adopt"
    AWAIT_DELETION = "await-deletion"
    END = "end"


class Cleanup(StrEnum):
    """What is deleted when a server ends.

    TICKET is for a pod that is gone for certain. BEST_EFFORT is POD_AND_TICKET where no answer is expected: once the
    host shows no pod, the server has ended even if its ticket could not be deleted.
    """

    NOTHING = "nothing"
    TICKET = "ticket"
    POD_AND_TICKET = "pod-and-ticket"
    BEST_EFFORT = "best-effort"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What is known of one server that was started. None means not known, except as said here.

    ``started``: the hub's database says that the pod has run. ``unfinished``: an earlier hub process began the start,
    and this one has not yet waited for its end. ``team_known``: that a team is not in the registry means that there is
    none. ``host_known``: the watch of the host's pods is up to date; only then
    does ``pod`` None mean that there is no pod. ``namespace`` is the uid of the vCluster's
    namespace now, ``bound_namespace`` what it was at the start. ``ticket`` is in state GONE if there is none.
    ``api_trouble`` is why the team's vCluster can't be used, None when it can. ``notice`` is what the owner was told,
    None if nothing. ``start_failure`` is why an unfinished start failed, None if it has not.
    """

    team: str
    started: bool
    unfinished: bool = False
    host_known: bool = True
    team_known: bool = True
    team_exists: bool = True
    bound_namespace: str | None = None
    namespace: str | None = None
    pod: PodFact | None = None
    ticket: Ticket | None = None
    api_trouble: str | None = None
    notice: Notice | None = None
    start_failure: str | None = None

    @property
    def state(self) -> ServerState:
        """The state that the server is known to be in before anything is decided."""
        if self.unfinished:
            return ServerState.STARTING
        return ServerState.RUNNING if self.notice is None else ServerState.GIVING_WAY

    @property
    def replaced(self) -> bool:
        """Whether the team's vCluster was deleted and made anew: what runs there now is not this server."""
        known = self.namespace is not None and self.bound_namespace is not None
        return known and self.namespace != self.bound_namespace


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a server has ended, the exit code that the hub is told, and what is deleted."""

    end: ServerEnd
    cleanup: Cleanup
    exit_code: int = GONE


@dataclass(frozen=True, slots=True)
class ServerDecision:
    """The state that the server is in now, and the next step.

    ``notice`` is set with GIVE_WAY, ``ending`` with END. ``unknown`` is set with WAIT and says what is not known.
    """

    state: ServerState
    step: ServerStep
    notice: Notice | None = None
    ending: Ending | None = None
    unknown: str | None = None


def decide_server(facts: ServerFacts, *, now: float, grace: float) -> ServerDecision:
    """The next step for a server that was started and that nobody stops.

    ``now`` is in seconds since the epoch; ``grace`` is the time in seconds between telling an owner that the server
    gives way, and stopping it. What is not known never ends a server.
    """
    if not facts.team_known:
        return _unknown(facts, "which teams there are is not known yet")
    if not facts.host_known:
        return _unknown(facts, "the watch of the host's pods is not up to date")
    if not facts.team_exists:
        return _end(server_ends.team_removed(facts.team, now), Cleanup.BEST_EFFORT)
    if facts.replaced:
        return _end(server_ends.tenant_replaced(facts.team, now), Cleanup.NOTHING)
    if facts.pod is None:
        return _decide_without_pod(facts, now)
    if facts.pod.deleting:
        return ServerDecision(facts.state, ServerStep.AWAIT_DELETION)
    code = exit_code(facts.pod)
    if code is not None:
        return _end(server_ends.exited(facts.pod, code, now), Cleanup.POD_AND_TICKET, code)
    if facts.start_failure is not None:
        return _end(server_ends.never_ran(facts.start_failure, now), Cleanup.POD_AND_TICKET)
    if facts.unfinished:
        return ServerDecision(facts.state, ServerStep.ADOPT)
    return _decide_by_ticket(facts, now, grace)


def _unknown(facts: ServerFacts, what: str) -> ServerDecision:
    return ServerDecision(facts.state, ServerStep.WAIT, unknown=what)


def _end(end: ServerEnd, cleanup: Cleanup, code: int = GONE) -> ServerDecision:
    return ServerDecision(ServerState.ENDED, ServerStep.END, ending=Ending(end, cleanup, code))


def _decide_without_pod(facts: ServerFacts, now: float) -> ServerDecision:
    if facts.started:
        # The syncer deletes a virtual pod whose host pod ran and is gone.
        return _end(server_ends.pod_gone(facts.team, facts.api_trouble, now), Cleanup.TICKET)
    # A virtual pod could still come up.
    return _end(server_ends.never_ran(facts.start_failure or "it had no pod yet", now), Cleanup.POD_AND_TICKET)


def _decide_by_ticket(facts: ServerFacts, now: float, grace: float) -> ServerDecision:
    """What a running pod's ticket asks for."""
    if facts.ticket is None:
        return _unknown(facts, "the cluster's queue does not answer")
    match repair_of(facts.ticket):
        case Repair.NONE:
            return ServerDecision(ServerState.RUNNING, ServerStep.KEEP)
        case Repair.GIVE_WAY:
            return _give_way(facts, facts.ticket.message, now, grace)
    return ServerDecision(ServerState.RUNNING, ServerStep.REFILE)


def _give_way(facts: ServerFacts, why: str, now: float, grace: float) -> ServerDecision:
    notice = facts.notice or Notice(why, now + grace)
    if now < notice.until:
        return ServerDecision(ServerState.GIVING_WAY, ServerStep.GIVE_WAY, notice=notice)
    return _end(server_ends.preempted(facts.team, why, now), Cleanup.POD_AND_TICKET)
