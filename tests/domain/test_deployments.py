"""What is done next for a release: each line of the decision, and that no silence ends what answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.deployments import (
    Deployment,
    DeploymentState,
    Framework,
    NextRelease,
    Release,
    ReleaseCause,
    ReleaseState,
    ServingPlan,
    deployment_name_problem,
    deployment_state,
    next_release,
    place_problem,
    plan_problem,
    release_before,
)
from aifactory_hub.domain.release_steps import (
    Answered,
    ReleaseFacts,
    ReleaseLimits,
    ReleaseStep,
    Served,
    Share,
    decide_release,
)
from aifactory_hub.domain.tickets import Ticket, TicketState

PLAN = ServingPlan("mig-1g.10gb", example={"inputs": []})
LIMITS = ReleaseLimits(start_timeout=100, watch=60)
HELD = Ticket("nlp", "release-1", "u", TicketState.ADMITTED, active=True)
GONE = Ticket("nlp", "release-1", "", TicketState.GONE)
READY, ABSENT = Served(True, ready=1), Served(False)


def release(state: ReleaseState = ReleaseState.PENDING, number: int = 1, **changes: Any) -> Release:
    made = Release(
        f"r{number}", "d1", number, f"v{number}", "0" * 64, PLAN, ReleaseCause.DEPLOY, "ada", "", 1.0, 1.0, state
    )
    times = {} if state.coming else {"serving_at": 1000.0}
    started = {"started_at": 1000.0} if state not in (ReleaseState.PENDING, ReleaseState.QUEUED) else {}
    return replace(made, **{**started, **times, **changes})


def facts(of: Release, **changes: Any) -> ReleaseFacts:
    usual: dict[str, Any] = {"ticket": HELD, "served": READY, "newest": True, "wanted": True, "now": 1010.0}
    return ReleaseFacts(of, **{**usual, **changes})


def step(of: Release, **changes: Any) -> tuple[ReleaseStep, ReleaseState]:
    decided = decide_release(facts(of, **changes), LIMITS)
    return decided.step, decided.state


P, Q, S, A, B, F, R = (
    ReleaseState.PENDING,
    ReleaseState.QUEUED,
    ReleaseState.STARTING,
    ReleaseState.SERVING,
    ReleaseState.STANDBY,
    ReleaseState.FAILED,
    ReleaseState.RETIRED,
)
WAITING = replace(HELD, state=TicketState.QUEUED, active=False, message="no slice is free")
TAKEN = replace(HELD, state=TicketState.EVICTED)


@pytest.mark.parametrize(
    ("of", "changes", "expected"),
    [
        (release(P), {"ticket": GONE, "served": ABSENT}, (ReleaseStep.FILE_TICKET, P)),
        (release(P), {"ticket": WAITING, "served": ABSENT}, (ReleaseStep.WAIT, Q)),
        (release(Q), {"ticket": replace(HELD, active=False), "served": ABSENT}, (ReleaseStep.HOLD_TICKET, Q)),
        (release(Q), {"served": ABSENT}, (ReleaseStep.APPLY, S)),
        (release(S), {"served": ABSENT}, (ReleaseStep.APPLY, S)),
        (release(S), {"served": Served(True)}, (ReleaseStep.WAIT, S)),
        (release(S), {"served": Served(True), "now": 1101.0}, (ReleaseStep.FAIL, F)),
        (release(S), {"served": Served(True, over="it ended")}, (ReleaseStep.FAIL, F)),
        (release(S, problem="a wrong byte"), {}, (ReleaseStep.FAIL, F)),
        (release(S), {}, (ReleaseStep.ASK_EXAMPLE, S)),
        (release(S), {"now": 1101.0}, (ReleaseStep.FAIL, F)),
        (release(S), {"example": Answered("500")}, (ReleaseStep.FAIL, F)),
        (release(S), {"example": Answered()}, (ReleaseStep.SWITCH, S)),
        (release(S, plan=replace(PLAN, example=None)), {}, (ReleaseStep.SWITCH, S)),
        (release(S, plan=replace(PLAN, replicas=2)), {}, (ReleaseStep.WAIT, S)),
        (release(S), {"newest": False}, (ReleaseStep.RETIRE, R)),
        (release(S), {"ticket": TAKEN}, (ReleaseStep.REQUEUE, Q)),
        (release(A), {}, (ReleaseStep.WAIT, A)),
        (release(A), {"newest": False}, (ReleaseStep.WAIT, A)),
        (release(A), {"served": ABSENT}, (ReleaseStep.APPLY, A)),
        (release(A), {"served": replace(READY, changed="its image")}, (ReleaseStep.APPLY, A)),
        (release(A), {"served": replace(READY, leads=False)}, (ReleaseStep.APPLY, A)),
        (release(S), {"served": replace(READY, leads=False)}, (ReleaseStep.ASK_EXAMPLE, S)),
        (release(A), {"ticket": GONE}, (ReleaseStep.FILE_TICKET, A)),
        (release(A), {"ticket": TAKEN}, (ReleaseStep.REQUEUE, Q)),
        (release(A), {"wanted": False}, (ReleaseStep.RETIRE, R)),
        (release(A), {"share": Share(10, 6), "other": release(B)}, (ReleaseStep.RETURN, F)),
        (release(A), {"share": Share(10, 6)}, (ReleaseStep.WAIT, A)),
        (release(A), {"served": Served(True, over="it ended")}, (ReleaseStep.APPLY, A)),
        (release(A), {"coming": release(Q, 2, plan=replace(PLAN, recreate=True))}, (ReleaseStep.RETIRE, R)),
        (release(A), {"coming": release(Q, 2)}, (ReleaseStep.WAIT, A)),
        (release(A), {"share": Share(10, 5), "other": release(B)}, (ReleaseStep.WAIT, A)),
        (release(A), {"share": Share(4, 4), "other": release(B)}, (ReleaseStep.WAIT, A)),
        (release(A), {"share": Share(10, 9), "other": release(B), "now": 1061.0}, (ReleaseStep.WAIT, A)),
        (release(A), {"served": Served(True, over="x"), "other": release(B)}, (ReleaseStep.RETURN, F)),
        (release(B), {"other": release(A, 2), "newest": False}, (ReleaseStep.WAIT, B)),
        (release(B), {"other": release(A, 2), "newest": False, "now": 1061.0}, (ReleaseStep.RETIRE, R)),
        (release(F), {}, (ReleaseStep.CLEAN, F)),
        (release(R, cleaned_at=1.0), {}, (ReleaseStep.WAIT, R)),
    ],
)
def test_each_line(of: Release, changes: dict[str, Any], expected: tuple[ReleaseStep, ReleaseState]) -> None:
    assert step(of, **changes) == expected


TICKETS = st.sampled_from([None, HELD, GONE, WAITING, TAKEN])
SEEN = st.sampled_from([None, READY, ABSENT, Served(True), Served(True, over="it ended")])


@given(st.sampled_from([S, A]), TICKETS, SEEN, st.floats(1000, 5000))
def test_no_silence_ends_a_release(
    state: ReleaseState, ticket: Ticket | None, served: Served | None, now: float
) -> None:
    decided = decide_release(facts(release(state), ticket=ticket, served=served, now=now), LIMITS)
    if ticket is None or served is None:
        assert (decided.step, decided.state) == (ReleaseStep.WAIT, state)


@given(TICKETS, SEEN, st.floats(1060, 9000), st.integers(0, 99), st.integers(0, 99))
def test_what_has_proved_itself_is_never_failed(
    ticket: Ticket | None, served: Served | None, now: float, asked: int, failed: int
) -> None:
    seen = facts(release(A), ticket=ticket, served=served, now=now, share=Share(asked, failed), other=release(B))
    assert decide_release(seen, LIMITS).state is not F


def deployment(**changes: Any) -> Deployment:
    return replace(Deployment("d1", "nlp", "fraud", "m1", "prod", PLAN, "ada", 1.0, 1.0), **changes)


def test_a_release_is_made_for_what_was_asked_and_for_where_the_alias_leads() -> None:
    first = NextRelease("v1", ReleaseCause.DEPLOY, "")
    assert next_release(deployment(), "v1", []) == first
    assert next_release(deployment(), "v1", [release(A)]) is None
    moved = next_release(deployment(), "v2", [release(A)])
    assert moved is not None and (moved.version, moved.cause) == ("v2", ReleaseCause.ALIAS)
    assert next_release(deployment(changed_at=2.0), "v1", [release(A)]) == first
    assert next_release(deployment(stopped_at=2.0), "v2", [release(A)]) is None
    assert next_release(deployment(), None, [release(A)]) is None


def test_a_version_that_failed_is_not_tried_again_by_itself() -> None:
    failed = release(F, 2)
    assert next_release(deployment(), "v2", [release(A), failed]) is None
    assert next_release(deployment(), "v3", [release(A), failed]) is not None
    assert next_release(deployment(), "v1", [release(A), failed]) is None


def test_after_a_return_the_alias_may_lead_to_the_later_version_again() -> None:
    left = release(R, 2)
    assert next_release(deployment(), "v1", [release(A), left]) is None
    assert next_release(deployment(), "v2", [release(A), left]) is not None


def test_a_rollback_goes_to_what_has_served_before() -> None:
    assert release_before([release(A)]) is None
    old, failed, now = release(R), release(F, 2), release(A, 3)
    assert release_before([old, failed, now]) == old
    assert release_before([old, replace(now, version="v1")]) is None


@pytest.mark.parametrize(
    ("releases", "state"),
    [
        ([], DeploymentState.STARTING),
        ([release(Q)], DeploymentState.STARTING),
        ([release(F)], DeploymentState.FAILED),
        ([release(A)], DeploymentState.READY),
        ([release(A), release(F, 2)], DeploymentState.READY),
        ([release(A), release(S, 2)], DeploymentState.UPDATING),
        ([release(A, reason="0 of 1 ready")], DeploymentState.DEGRADED),
    ],
)
def test_what_people_read(releases: list[Release], state: DeploymentState) -> None:
    assert deployment_state(deployment(), releases) is state


def test_stopped_is_stopped() -> None:
    assert deployment_state(deployment(stopped_at=1.0), [release(A)]) is DeploymentState.STOPPED


def test_names_places_and_plans() -> None:
    assert place_problem("fraud@prod") is place_problem("fraud@3") is None
    assert all(place_problem(text) for text in ("fraud", "Fraud@prod", "fraud@", "fraud@latest"))
    assert deployment_name_problem("fraud-2") is None
    assert all(deployment_name_problem(text) for text in ("", "2fraud", "a-", "a_b", "a" * 41))
    assert plan_problem(PLAN) is None
    assert plan_problem(replace(PLAN, framework=Framework.COMMAND)) is not None
    assert plan_problem(replace(PLAN, command="true")) is not None
