"""What to do next for a server that was started: the transition table, and that no silence ends a server."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.pods import PodFact, exit_code
from aifactory_hub.domain.server_ends import EndReason, Notice
from aifactory_hub.domain.servers import (
    GONE,
    TRANSITIONS,
    Cleanup,
    ServerDecision,
    ServerFacts,
    ServerState,
    ServerStep,
    decide_server,
)
from aifactory_hub.domain.tickets import Ticket, TicketState

NOW, GRACE = 1000.0, 60.0


def pod(**facts: object) -> PodFact:
    return PodFact("vc-nlp", "nlp", "notebooks", "nb-ada", "u", "nb-x", "Running")._replace(**facts)  # type: ignore[arg-type]


def ticket(state: TicketState, message: str = "", *, active: bool = False) -> Ticket:
    return Ticket("nlp", "nb-ada-1", "u1", state, message=message, active=active)


UP, GOING, EXITED = pod(), pod(deleting=True), pod(exit_code=3)
OUT_OF_MEMORY = pod(exit_code=137, reason="OOMKilled")
EVICTED_POD, PENDING = pod(phase="Failed", reason="Evicted"), pod(phase="Pending")
COUNTED, DELETED, UNHELD = (
    ticket(TicketState.ADMITTED, active=True),
    ticket(TicketState.GONE),
    ticket(TicketState.ADMITTED),
)
EVICTED, OVER = ticket(TicketState.EVICTED, "vision reclaims"), ticket(TicketState.FINISHED)
UNDECIDED, MUST_WAIT = ticket(TicketState.QUEUED), ticket(TicketState.QUEUED, "1 more needed")
TOLD, DUE = Notice("vision reclaims", NOW + 1), Notice("vision reclaims", NOW)
RUNNING = ServerFacts("nlp", started=True, pod=UP, ticket=COUNTED, bound_namespace="a", namespace="a")


@dataclass(frozen=True)
class Case:
    """The facts of a server, and what is decided from them."""

    facts: ServerFacts
    state: ServerState
    step: ServerStep
    ending: tuple[EndReason, Cleanup, int] | None = None


def running(**facts: object) -> ServerFacts:
    return replace(RUNNING, **facts)  # type: ignore[arg-type]


def starting(**facts: object) -> ServerFacts:
    return running(started=False, unfinished=True, **facts)


S, P = ServerState, ServerStep


def ended(facts: ServerFacts, reason: EndReason, cleanup: Cleanup, code: int = GONE) -> Case:
    return Case(facts, S.ENDED, P.END, (reason, cleanup, code))


CASES = {
    # It runs.
    "runs on its ticket": Case(RUNNING, S.RUNNING, P.KEEP),
    "runs, and no vCluster answers": Case(running(api_trouble="paused"), S.RUNNING, P.KEEP),
    "runs, and its namespace can't be read": Case(running(namespace=None), S.RUNNING, P.KEEP),
    "runs since a version that stored no uid": Case(running(bound_namespace=None), S.RUNNING, P.KEEP),
    "its pod starts again": Case(running(pod=PENDING), S.RUNNING, P.KEEP),
    # Somebody deleted its ticket.
    "runs without a ticket": Case(running(ticket=DELETED), S.RUNNING, P.REFILE),
    "runs, and its new ticket is admitted": Case(running(ticket=UNHELD), S.RUNNING, P.REFILE),
    "runs, and its new ticket is not looked at yet": Case(running(ticket=UNDECIDED), S.RUNNING, P.KEEP),
    "runs, and its new ticket must wait": Case(running(ticket=MUST_WAIT), S.GIVING_WAY, P.GIVE_WAY),
    # Its quota is taken back.
    "is preempted": Case(running(ticket=EVICTED), S.GIVING_WAY, P.GIVE_WAY),
    "its ticket is over": Case(running(ticket=OVER), S.GIVING_WAY, P.GIVE_WAY),
    "its owner was told": Case(running(ticket=EVICTED, notice=TOLD), S.GIVING_WAY, P.GIVE_WAY),
    "its grace is over": ended(running(ticket=EVICTED, notice=DUE), EndReason.PREEMPTED, Cleanup.POD_AND_TICKET),
    "the preemption was taken back": Case(running(notice=TOLD), S.RUNNING, P.KEEP),
    # Unknown.
    "the host is silent": Case(running(host_known=False, pod=None), S.RUNNING, P.WAIT),
    "the queue is silent": Case(running(ticket=None), S.RUNNING, P.WAIT),
    "the queue is silent, and the grace is over": Case(running(ticket=None, notice=DUE), S.GIVING_WAY, P.WAIT),
    "the host is silent about a start": Case(starting(host_known=False, pod=None), S.STARTING, P.WAIT),
    # A start that an earlier hub process began.
    "its pod is there": Case(starting(), S.STARTING, P.ADOPT),
    "its pod is there, and the queue is silent": Case(starting(ticket=None), S.STARTING, P.ADOPT),
    "it did not come up": ended(starting(start_failure="no image"), EndReason.NEVER_RAN, Cleanup.POD_AND_TICKET),
    "it has no pod": ended(starting(pod=None), EndReason.NEVER_RAN, Cleanup.POD_AND_TICKET),
    "its process ended": ended(starting(pod=EXITED), EndReason.EXITED, Cleanup.POD_AND_TICKET, 3),
    "somebody waits for its end": Case(running(started=False), S.RUNNING, P.KEEP),
    # It is over.
    "its pod is being deleted": Case(running(pod=GOING), S.RUNNING, P.AWAIT_DELETION),
    "its process has ended": ended(running(pod=EXITED, ticket=None), EndReason.EXITED, Cleanup.POD_AND_TICKET, 3),
    "it took too much memory": ended(running(pod=OUT_OF_MEMORY), EndReason.OUT_OF_MEMORY, Cleanup.POD_AND_TICKET, 137),
    "its node evicted it": ended(running(pod=EVICTED_POD), EndReason.EVICTED, Cleanup.POD_AND_TICKET),
    "its pod is gone": ended(running(pod=None), EndReason.REMOVED, Cleanup.TICKET),
    "its pod and its vCluster are gone": ended(
        running(pod=None, api_trouble="paused"), EndReason.TENANT_AWAY, Cleanup.TICKET
    ),
    "its team was made anew": ended(running(namespace="b"), EndReason.TENANT_REPLACED, Cleanup.NOTHING),
    "which teams there are is not known": Case(running(team_known=False, team_exists=False), S.RUNNING, P.WAIT),
    "its team was removed": ended(running(team_exists=False), EndReason.TEAM_REMOVED, Cleanup.BEST_EFFORT),
}


def decide(facts: ServerFacts) -> ServerDecision:
    return decide_server(facts, now=NOW, grace=GRACE)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_next_step_of_a_server(case: Case) -> None:
    decision = decide(case.facts)
    assert (decision.state, decision.step) == (case.state, case.step)
    assert decision.ending is None or decision.ending.end.at == NOW
    found = decision.ending and (decision.ending.end.reason, decision.ending.cleanup, decision.ending.exit_code)
    assert found == case.ending


def test_every_reason_for_an_end_is_in_the_table() -> None:
    # Others decide these: a person, what watches idle servers, and budgets.
    decided = set(EndReason) - {EndReason.STOPPED_BY_ADMIN, EndReason.IDLE, EndReason.BUDGET}
    assert {case.ending[0] for case in CASES.values() if case.ending} == decided


def test_a_decision_says_why() -> None:
    preempted, gone = decide(CASES["its grace is over"].facts), decide(CASES["its pod and its vCluster are gone"].facts)
    assert preempted.ending is not None and "vision reclaims" in preempted.ending.end.why
    assert gone.ending is not None and "paused" in gone.ending.end.why
    assert decide(CASES["the queue is silent"].facts).unknown == "the cluster's queue does not answer"
    assert decide(CASES["is preempted"].facts).notice == Notice("vision reclaims", NOW + GRACE)
    assert decide(CASES["its owner was told"].facts).notice == TOLD, "a second look does not begin the grace again"


def test_without_a_grace_a_preempted_server_ends_at_once() -> None:
    assert decide_server(running(ticket=EVICTED), now=NOW, grace=0).state is ServerState.ENDED


PODS = st.sampled_from([UP, GOING, EXITED, OUT_OF_MEMORY, EVICTED_POD, PENDING])
TICKETS = st.sampled_from([COUNTED, DELETED, UNHELD, EVICTED, OVER, UNDECIDED, MUST_WAIT])
FACTS = st.builds(
    ServerFacts,
    team=st.just("nlp"),
    started=st.booleans(),
    unfinished=st.booleans(),
    host_known=st.booleans(),
    team_known=st.booleans(),
    team_exists=st.booleans(),
    bound_namespace=st.sampled_from([None, "a"]),
    namespace=st.sampled_from([None, "a", "b"]),
    pod=st.none() | PODS,
    ticket=st.none() | TICKETS,
    api_trouble=st.sampled_from([None, "it does not answer"]),
    notice=st.sampled_from([None, TOLD, DUE]),
    start_failure=st.sampled_from([None, "no image"]),
)


def lively(seen: PodFact | None) -> bool:
    """Whether the host shows a pod that runs, or may."""
    return seen is not None and not seen.deleting and exit_code(seen) is None


@given(FACTS, st.floats(0, 1e6))
def test_a_silent_host_never_ends_a_server(facts: ServerFacts, grace: float) -> None:
    decision = decide_server(replace(facts, host_known=False), now=NOW, grace=grace)
    assert (decision.step, decision.state) == (ServerStep.WAIT, facts.state)


@given(FACTS, st.floats(0, 1e6))
def test_no_api_that_is_silent_ends_a_server_whose_pod_runs(facts: ServerFacts, grace: float) -> None:
    """The queue, the host's namespaces and the team's vCluster, each and all of them."""
    silent = replace(
        facts, pod=UP, ticket=None, namespace=None, api_trouble="no answer", team_exists=True, start_failure=None
    )
    assert decide_server(silent, now=NOW, grace=grace).state is facts.state


@given(FACTS)
def test_silence_decides_nothing_that_an_answer_would_not(facts: ServerFacts) -> None:
    """A server that ends although an API is silent would end as well if that API said that all is well."""
    silent = replace(facts, ticket=None, namespace=None)
    if decide(silent).state is ServerState.ENDED:
        assert decide(replace(silent, ticket=COUNTED, namespace=facts.bound_namespace)).state is ServerState.ENDED


@given(FACTS)
def test_a_server_ends_only_for_a_certain_reason(facts: ServerFacts) -> None:
    decision = decide(facts)
    if decision.state is ServerState.ENDED:
        assert facts.host_known and facts.team_known
        assert (
            not facts.team_exists
            or facts.replaced
            or not lively(facts.pod)
            or facts.start_failure is not None
            or (facts.ticket in (EVICTED, OVER, MUST_WAIT) and facts.notice == DUE)
        )


@given(FACTS)
def test_a_ticket_is_given_back_only_with_the_pod_or_when_the_host_has_none(facts: ServerFacts) -> None:
    ending = decide(facts).ending
    if ending is not None and ending.cleanup is Cleanup.TICKET:
        assert facts.pod is None and facts.host_known


@given(FACTS)
def test_only_what_runs_and_is_not_being_stopped_gets_another_ticket(facts: ServerFacts) -> None:
    if decide(facts).step is ServerStep.REFILE:
        assert lively(facts.pod) and facts.ticket in (DELETED, UNHELD)


@given(FACTS)
def test_no_decision_leaves_the_transition_table(facts: ServerFacts) -> None:
    decision = decide(facts)
    assert decision.state is facts.state or decision.state in TRANSITIONS[facts.state]
    assert (decision.step is ServerStep.END) == (decision.state is ServerState.ENDED) == (decision.ending is not None)
    assert (decision.step is ServerStep.GIVE_WAY) == (decision.notice is not None)
    assert (decision.step is ServerStep.WAIT) == (decision.unknown is not None)


def test_nothing_leads_out_of_the_end() -> None:
    assert set(TRANSITIONS) == set(ServerState)
    assert [state for state in ServerState if not TRANSITIONS[state]] == [ServerState.ENDED]
