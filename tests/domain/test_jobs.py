"""Which jobs may be submitted, and what to do next for one that lives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.engines import EngineFacts
from aifactory_hub.domain.jobs import (
    LONGEST_BACKOFF,
    LONGEST_COMMAND,
    LONGEST_NAME,
    TRANSITIONS,
    EndKind,
    JobDecision,
    JobPlan,
    JobRequest,
    JobRun,
    JobState,
    JobStep,
    Onward,
    after_attempt,
    backoff,
    decide_job,
    plan_job,
    run_id,
    sources,
)
from aifactory_hub.domain.names import slug
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.tickets import Ticket, TicketState

from ..support.tenants import SMALL, make_catalogue, make_tenant

CATALOGUE = make_catalogue()
TENANT = make_tenant("nlp", quota={SMALL: 2})
ENGINES = {"kubernetes-job": EngineFacts("kubernetes-job", "One command.")}


def test_a_job_is_planned_with_the_tenant_s_profile() -> None:
    plan = plan_job(JobRequest("python train.py", "mig-1g.10gb", environment={"A": "1"}), TENANT, CATALOGUE, ENGINES)
    assert isinstance(plan, JobPlan)
    assert (plan.tenant, plan.profile.name, plan.name) == (TENANT, "mig-1g.10gb", "python train.py")
    assert plan.environment == {"A": "1"}


def test_a_job_is_called_like_its_command_s_first_line_unless_it_has_a_name() -> None:
    long = "x" * (LONGEST_NAME + 1)
    names = {"\n  make all\nmake test": "make all", long: "x" * LONGEST_NAME}
    for command, wanted in names.items():
        plan = plan_job(JobRequest(command, "cpu-small"), TENANT, CATALOGUE, ENGINES)
        assert isinstance(plan, JobPlan)
        assert plan.name == wanted
    named = plan_job(JobRequest("make", "cpu-small", name="nightly"), TENANT, CATALOGUE, ENGINES)
    assert isinstance(named, JobPlan)
    assert named.name == "nightly"


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        pytest.param(JobRequest(" \n", "cpu-small"), RefusalReason.BAD_FIELD, "command", id="no command"),
        pytest.param(
            JobRequest("x" * (LONGEST_COMMAND + 1), "cpu-small"), RefusalReason.TOO_LARGE, "command", id="long command"
        ),
        pytest.param(
            JobRequest("é" * (LONGEST_COMMAND // 2 + 1), "cpu-small"),
            RefusalReason.TOO_LARGE,
            "command",
            id="many bytes",
        ),
        pytest.param(
            JobRequest("make", "cpu-small", name="x" * (LONGEST_NAME + 1)),
            RefusalReason.TOO_LARGE,
            "name",
            id="long name",
        ),
        pytest.param(JobRequest("make", None), RefusalReason.CHOICE_MISSING, "profile", id="no profile"),
        pytest.param(JobRequest("make", "mig-9g"), RefusalReason.PROFILE_NOT_ALLOWED, "profile", id="unknown profile"),
        pytest.param(JobRequest("make", "mig-3g.40gb"), RefusalReason.NEVER_FITS, "profile", id="more than ever fits"),
    ],
)
def test_what_can_never_run_is_refused_at_once(request_: JobRequest, reason: RefusalReason, field: str) -> None:
    verdict = plan_job(request_, TENANT, CATALOGUE, ENGINES)
    assert isinstance(verdict, Refusal)
    assert (verdict.reason, verdict.field) == (reason, field)


def test_a_job_that_must_only_wait_is_not_refused() -> None:
    # What is in use now is no reason: the ticket waits in the queue.
    assert isinstance(plan_job(JobRequest("make", "mig-1g.10gb"), TENANT, CATALOGUE, ENGINES), JobPlan)


def ticket(state: TicketState, message: str = "") -> Ticket:
    return Ticket(tenant="nlp", name="job-1", uid="u1", state=state, message=message)


NO_RUN = JobRun(exists=False)
RUN_PENDING = JobRun(exists=True, uid="r1")
RUN_RUNNING = JobRun(exists=True, uid="r1", state=JobState.RUNNING)
RUN_DONE = JobRun(exists=True, uid="r1", state=JobState.SUCCEEDED, exit_code=0)
RUN_OVERDUE = JobRun(exists=True, uid="r1", state=JobState.FAILED, exit_code=143, overdue=True)
RUN_BROKEN = JobRun(exists=True, uid="r1", state=JobState.FAILED, exit_code=3, reason="Error")
GONE, QUEUED, ADMITTED = (
    ticket(TicketState.GONE),
    ticket(TicketState.QUEUED, "1 more needed"),
    replace(ticket(TicketState.ADMITTED), active=True),
)
UNHELD, UNDECIDED = ticket(TicketState.ADMITTED), ticket(TicketState.QUEUED)
EVICTED, FINISHED = ticket(TicketState.EVICTED, "preempted"), ticket(TicketState.FINISHED)


@dataclass(frozen=True)
class Case:
    """The facts of a job, and what is decided from them."""

    ticket: Ticket | None
    run: JobRun | None
    state: JobState
    step: JobStep
    run_created: bool = False
    cancel: bool = False
    before: JobState = JobState.STARTING
    suspend: bool = False
    again: int = 0
    held_back: str | None = None


S, P = JobState, JobStep
CASES = {
    # The usual way of a job.
    "recorded": Case(GONE, NO_RUN, S.PENDING, P.FILE_TICKET, before=S.PENDING),
    "in the queue": Case(QUEUED, NO_RUN, S.QUEUED, P.WAIT, before=S.PENDING),
    "has its quota": Case(ADMITTED, NO_RUN, S.STARTING, P.CREATE_RUN, before=S.QUEUED),
    "its pod is not up yet": Case(ADMITTED, RUN_PENDING, S.STARTING, P.WAIT, run_created=True),
    # Somebody deleted the ticket of what runs.
    "runs without a ticket": Case(GONE, RUN_RUNNING, S.RUNNING, P.FILE_TICKET, run_created=True, before=S.RUNNING),
    "runs, the new ticket is not looked at yet": Case(UNDECIDED, RUN_RUNNING, S.RUNNING, P.WAIT, run_created=True),
    "runs, the new ticket is admitted": Case(
        UNHELD, RUN_RUNNING, S.RUNNING, P.HOLD_TICKET, run_created=True, before=S.RUNNING
    ),
    "runs, the new ticket must wait": Case(
        QUEUED, RUN_RUNNING, S.RUNNING, P.END_ATTEMPT, run_created=True, before=S.RUNNING
    ),
    "runs, and its ticket is over": Case(
        FINISHED, RUN_RUNNING, S.RUNNING, P.END_ATTEMPT, run_created=True, before=S.RUNNING
    ),
    "runs": Case(ADMITTED, RUN_RUNNING, S.RUNNING, P.WAIT, run_created=True),
    "is done": Case(ADMITTED, RUN_DONE, S.SUCCEEDED, P.FINISH, run_created=True, before=S.RUNNING),
    "failed": Case(ADMITTED, RUN_BROKEN, S.FAILED, P.FINISH, run_created=True, before=S.RUNNING),
    # After a crash between doing and recording.
    "the ticket was filed before the crash": Case(ADMITTED, NO_RUN, S.STARTING, P.CREATE_RUN, before=S.PENDING),
    "the run was created before the crash": Case(ADMITTED, RUN_RUNNING, S.RUNNING, P.WAIT, before=S.STARTING),
    # What is unknown.
    "the tenant is silent while in the queue": Case(QUEUED, None, S.QUEUED, P.WAIT, before=S.QUEUED),
    "the tenant is silent while it runs": Case(ADMITTED, None, S.RUNNING, P.WAIT, run_created=True, before=S.RUNNING),
    "the host is silent while it runs": Case(None, RUN_RUNNING, S.RUNNING, P.WAIT, run_created=True, before=S.RUNNING),
    "the host is silent, but the run is done": Case(None, RUN_DONE, S.SUCCEEDED, P.FINISH, run_created=True),
    "all is silent": Case(None, None, S.RUNNING, P.WAIT, run_created=True, before=S.RUNNING),
    # What went away.
    "its run was deleted": Case(ADMITTED, NO_RUN, S.FAILED, P.FINISH, run_created=True, before=S.RUNNING),
    "its ticket ended before it ran": Case(FINISHED, NO_RUN, S.FAILED, P.FINISH),
    "it must give its quota back": Case(
        EVICTED, RUN_RUNNING, S.RUNNING, P.END_ATTEMPT, run_created=True, before=S.RUNNING
    ),
    "it gave its quota back": Case(EVICTED, NO_RUN, S.RUNNING, P.END_ATTEMPT, run_created=True, before=S.RUNNING),
    "it lost its place before its run was made": Case(EVICTED, NO_RUN, S.QUEUED, P.END_ATTEMPT, before=S.QUEUED),
    # Tries again.
    "failed, with retries left": Case(ADMITTED, RUN_BROKEN, S.RUNNING, P.END_ATTEMPT, True, before=S.RUNNING, again=1),
    "ran too long, with retries left": Case(ADMITTED, RUN_OVERDUE, S.FAILED, P.FINISH, True, again=1),
    "cancelled and failed, with retries left": Case(ADMITTED, RUN_BROKEN, S.FAILED, P.FINISH, True, True, again=1),
    "its run was deleted, with retries left": Case(ADMITTED, NO_RUN, S.STARTING, P.END_ATTEMPT, True, again=1),
    "its ticket ended, with retries left": Case(FINISHED, NO_RUN, S.STARTING, P.END_ATTEMPT, again=1),
    "waits for its retry": Case(GONE, NO_RUN, S.PENDING, P.WAIT, before=S.PENDING, held_back="at 12:00"),
    "cancelled while it waits for its retry": Case(
        GONE, NO_RUN, S.CANCELLED, P.FINISH, cancel=True, before=S.PENDING, held_back="at 12:00"
    ),
    # Suspended.
    "suspended before it had a ticket": Case(GONE, NO_RUN, S.SUSPENDED, P.WAIT, before=S.PENDING, suspend=True),
    "suspended in the queue": Case(QUEUED, NO_RUN, S.QUEUED, P.END_ATTEMPT, before=S.QUEUED, suspend=True),
    "suspended while it runs": Case(
        ADMITTED, RUN_RUNNING, S.RUNNING, P.END_ATTEMPT, True, before=S.RUNNING, suspend=True
    ),
    "suspended when its run and ticket are gone": Case(
        GONE, NO_RUN, S.RUNNING, P.END_ATTEMPT, True, before=S.RUNNING, suspend=True
    ),
    "suspended too late": Case(ADMITTED, RUN_DONE, S.SUCCEEDED, P.FINISH, True, before=S.RUNNING, suspend=True),
    "suspended while the tenant is silent": Case(
        ADMITTED, None, S.RUNNING, P.WAIT, True, before=S.RUNNING, suspend=True
    ),
    "suspended and cancelled": Case(GONE, NO_RUN, S.CANCELLED, P.FINISH, before=S.SUSPENDED, suspend=True, cancel=True),
    "resumed": Case(GONE, NO_RUN, S.PENDING, P.FILE_TICKET, before=S.SUSPENDED),
    # Cancelling.
    "cancelled in the queue": Case(QUEUED, NO_RUN, S.CANCELLED, P.FINISH, cancel=True, before=S.QUEUED),
    "cancelled while it runs": Case(ADMITTED, RUN_RUNNING, S.RUNNING, P.STOP_RUN, True, cancel=True, before=S.RUNNING),
    "cancelled and stopped": Case(ADMITTED, NO_RUN, S.CANCELLED, P.FINISH, True, cancel=True, before=S.RUNNING),
    "cancelled too late": Case(ADMITTED, RUN_DONE, S.SUCCEEDED, P.FINISH, True, cancel=True, before=S.RUNNING),
    "cancelled while the tenant is silent": Case(QUEUED, None, S.QUEUED, P.WAIT, cancel=True, before=S.QUEUED),
}


def decide(case: Case) -> JobDecision:
    return decide_job(
        case.before,
        cancel_asked=case.cancel,
        run_created=case.run_created,
        ticket=case.ticket,
        run=case.run,
        suspend_asked=case.suspend,
        held_back=case.held_back,
        retries_left=case.again,
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_next_step_of_a_job(case: Case) -> None:
    decision = decide(case)
    assert (decision.state, decision.step) == (case.state, case.step)


def test_a_decision_says_why() -> None:
    assert decide(CASES["in the queue"]).reason == "1 more needed"
    assert decide(CASES["its run was deleted"]).reason == "its run was removed from the team's vCluster"
    known = replace(CASES["its run was deleted"], run=JobRun(exists=False, reason="the demo was killed"))
    assert decide(known).reason == "the demo was killed"
    assert decide(CASES["it gave its quota back"]).reason == "stopped to give its quota back: preempted"
    failed = decide(CASES["failed"])
    assert (failed.reason, failed.exit_code) == ("Error", 3)


LIVE = st.sampled_from([state for state in JobState if not state.final])
TICKETS = st.sampled_from([GONE, QUEUED, ADMITTED, EVICTED, FINISHED])
RUNS = st.sampled_from([NO_RUN, RUN_PENDING, RUN_RUNNING, RUN_DONE, RUN_BROKEN])


@given(before=LIVE, cancel=st.booleans(), created=st.booleans(), known=st.none() | TICKETS)
def test_a_silent_tenant_never_ends_a_job_nor_starts_a_run(
    before: JobState, cancel: bool, created: bool, known: Ticket | None
) -> None:
    decision = decide_job(before, cancel_asked=cancel, run_created=created, ticket=known, run=None)
    assert not decision.state.final
    assert decision.step in (JobStep.WAIT, JobStep.FILE_TICKET)


@given(before=LIVE, cancel=st.booleans(), created=st.booleans(), run=st.none() | RUNS)
def test_a_silent_host_ends_only_what_the_tenant_says_is_over(
    before: JobState, cancel: bool, created: bool, run: JobRun | None
) -> None:
    decision = decide_job(before, cancel_asked=cancel, run_created=created, ticket=None, run=run)
    assert decision.step is not JobStep.CREATE_RUN
    if decision.state.final:
        assert run is not None
        assert run.state.final or (cancel and not run.exists)


@given(before=LIVE, cancel=st.booleans(), created=st.booleans(), known=TICKETS, run=RUNS)
def test_a_run_is_created_only_on_an_admitted_ticket_and_only_once(
    before: JobState, cancel: bool, created: bool, known: Ticket, run: JobRun
) -> None:
    decision = decide_job(before, cancel_asked=cancel, run_created=created, ticket=known, run=run)
    if decision.step is JobStep.CREATE_RUN:
        assert known.state is TicketState.ADMITTED
        assert not created
        assert not run.exists
        assert not cancel


@given(before=LIVE, cancel=st.booleans(), created=st.booleans(), known=st.none() | TICKETS, run=st.none() | RUNS)
def test_finishing_and_a_final_state_go_together(
    before: JobState, cancel: bool, created: bool, known: Ticket | None, run: JobRun | None
) -> None:
    decision = decide_job(before, cancel_asked=cancel, run_created=created, ticket=known, run=run)
    assert decision.state.final == (decision.step is JobStep.FINISH)


@given(
    before=LIVE,
    cancel=st.booleans(),
    suspend=st.booleans(),
    created=st.booleans(),
    known=st.none() | TICKETS,
    run=st.none() | RUNS,
    again=st.integers(0, 2),
)
def test_no_decision_leaves_the_transition_table(
    before: JobState,
    cancel: bool,
    suspend: bool,
    created: bool,
    known: Ticket | None,
    run: JobRun | None,
    again: int,
) -> None:
    if before is JobState.SUSPENDED:  # nothing of it is on the cluster
        created, known, run = False, GONE, NO_RUN
    created = created or before is JobState.RUNNING
    decision = decide_job(
        before,
        cancel_asked=cancel,
        run_created=created,
        ticket=known,
        run=run,
        suspend_asked=suspend,
        retries_left=again,
    )
    assert before in sources(decision.state)
    assert (decision.kind is not None) == (decision.step is JobStep.END_ATTEMPT)


def test_nothing_leads_out_of_a_final_state() -> None:
    for state in JobState:
        assert bool(TRANSITIONS[state]) is not state.final
        assert not any(end.final for end in sources(state))


@given(base=st.floats(0.1, 600), used=st.integers(0, 10_000))
def test_each_retry_waits_longer_up_to_a_limit(base: float, used: int) -> None:
    assert base <= backoff(base, used) <= backoff(base, used + 1) <= LONGEST_BACKOFF


def test_how_a_job_goes_on_after_an_attempt() -> None:
    def after(kind: EndKind) -> Onward:
        return after_attempt(kind, reason="why", retries_used=1, base=10.0, now=100.0)

    assert after(EndKind.RETRY) == Onward(JobState.PENDING, "failed: why", 120.0)
    assert after(EndKind.PREEMPTED) == Onward(JobState.PENDING, "preempted: why", None)
    assert after(EndKind.SUSPENDED) == Onward(JobState.SUSPENDED, "suspended", None)


@given(a=st.from_regex(r"j[0-9a-f]{12}", fullmatch=True), n=st.integers(1, 999), m=st.integers(1, 999))
def test_run_ids_of_different_attempts_differ_and_are_plain_names(a: str, n: int, m: int) -> None:
    assert (run_id(a, n) == run_id(a, m)) == (n == m)
    assert slug(run_id(a, n)) == run_id(a, n)
