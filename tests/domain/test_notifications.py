"""Who is told what, and what goes into one message."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.approvals import Approval, ApprovalState, Approver, Reason
from aifactory_hub.domain.channels import Level
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.notifications import (
    LONGEST_GATHERING,
    Audience,
    Choice,
    JobChange,
    Kind,
    Notification,
    about_approval,
    about_budget,
    about_emergency,
    in_order,
    is_voter,
    left_out,
    of_job,
    to_send,
    wanted,
)
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.verdicts import Need

JOB = JobChange("j1", "train", "nlp", "ada", JobState.FAILED, "exit code 1", 100.0, sweep="s1")
APPROVAL = Approval(
    id="a1", tenant="nlp", kind="job", subject="j1", verb="submit", title="train", digest="d", parts={},
    needs=(Need("admin", 1), Need("security", 1)), reasons=(Reason("big", "it takes 8 GPUs"),), asked_by="ada",
    excluded=("bob",), asked_at=0.0, expires_at=100.0,
)  # fmt: skip


def told(at: float, *, kind: Kind = Kind.JOB_FAILED, sweep: str | None = None) -> Notification:
    return Notification(Audience.PERSON, "ada", kind, "nlp", "train", "", at, sweep=sweep)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (JobState.FAILED, Kind.JOB_FAILED),
        (JobState.SUCCEEDED, Kind.JOB_SUCCEEDED),
        (JobState.CANCELLED, Kind.JOB_CANCELLED),
        (JobState.HELD, Kind.JOB_HELD),
        (JobState.RUNNING, None),
        (JobState.PENDING, None),
    ],
)
def test_what_an_owner_is_told_of_a_job(state: JobState, kind: Kind | None) -> None:
    found = of_job(replace(JOB, state=state), Audience.PERSON)
    assert (None if found is None else (found.name, found.kind, found.path, found.sweep)) == (
        None if kind is None else ("ada", kind, "jobs/j1", "s1")
    )


def test_who_cancels_a_job_is_not_told_so_and_others_are() -> None:
    cancelled = replace(JOB, state=JobState.CANCELLED, cancelled_by="ada")
    assert of_job(cancelled, Audience.PERSON) is None
    assert of_job(replace(cancelled, cancelled_by="grace"), Audience.PERSON) is not None
    assert of_job(replace(cancelled, cancelled_by=None), Audience.PERSON) is not None


def test_a_channel_reads_whose_job_it_is() -> None:
    found = of_job(JOB, Audience.CHANNEL)
    assert found is not None
    assert (found.name, found.title, found.words) == ("nlp", "train of ada", "exit code 1")


def test_levels() -> None:
    assert not any(wanted(kind, Level.OFF) for kind in Kind)
    assert all(wanted(kind, Level.ALL) for kind in Kind)
    assert [kind for kind in Kind if not wanted(kind, Level.FAILURES)] == [Kind.JOB_SUCCEEDED]


def test_a_kind_goes_before_the_level_and_the_level_before_the_sites_default() -> None:
    choice = Choice(Level.OFF, {Kind.JOB_FAILED: True})
    assert [kind for kind in Kind if choice.wants(kind, Level.ALL)] == [Kind.JOB_FAILED]
    undecided = Choice(None, {Kind.JOB_HELD: False})
    assert [kind for kind in Kind if not undecided.wants(kind, Level.FAILURES)] == [Kind.JOB_HELD, Kind.JOB_SUCCEEDED]
    assert [kind for kind in Kind if not undecided.wants(kind, Level.ALL)] == [Kind.JOB_HELD]


def test_kinds_that_say_what_the_level_says_are_not_kept() -> None:
    choice = Choice(None, {Kind.JOB_FAILED: True, Kind.JOB_SUCCEEDED: True, Kind.JOB_HELD: False})
    kept = choice.differing(Level.FAILURES)
    assert kept.kinds == {Kind.JOB_SUCCEEDED: True, Kind.JOB_HELD: False}
    assert all(kept.wants(kind, Level.FAILURES) == choice.wants(kind, Level.FAILURES) for kind in Kind)


def test_a_vote_for_an_emergency_is_told_with_its_reason_whatever_became_of_the_approval() -> None:
    told, channel = about_emergency(APPROVAL, "olga", "the site is down", 5.0)
    assert (told.audience, told.name, told.path) == (Audience.LEFT_OUT, "a1", "approvals/a1")
    assert told.words == "olga approved it alone, in an emergency: the site is down"
    assert (channel.audience, channel.name, channel.words) == (Audience.CHANNEL, "nlp", told.words)
    used = replace(APPROVAL, state=ApprovalState.USED)
    admin, security = Approver(Role.ADMIN), Approver(groups=frozenset({"security"}))
    approvers = {"grace": admin, "sam": security, "olga": Approver(Role.ADMIN), "eve": Approver(Role.MEMBER)}
    assert left_out(used, approvers, {"bob", "eve"}, {"olga"}) == ["ada", "bob", "grace", "sam"]
    assert left_out(used, approvers, set(), {"olga"}) == ["ada", "grace", "sam"]


def test_a_message_waits_for_its_window_and_takes_all_that_came_meanwhile() -> None:
    waiting = [told(0.0), told(59.0)]
    assert to_send(waiting, (), now=59.9, window=60) == ()
    assert to_send(waiting, (), now=60.0, window=60) == tuple(waiting)
    assert to_send([], (), now=60.0, window=60) == ()


def test_a_sweep_is_told_at_once_when_it_is_over_and_holds_up_nothing_else() -> None:
    first, second, other = told(0.0, sweep="s1"), told(200.0, sweep="s1"), told(100.0)
    assert to_send([first, second, other], (), now=300.0, window=60) == (other,)
    assert to_send([first, second], (), now=300.0, window=60) == ()
    assert to_send([first, second], {"s1"}, now=300.0, window=60) == (first, second)


def test_a_sweep_that_goes_on_for_days_is_told_meanwhile() -> None:
    first = told(0.0, sweep="s1")
    assert to_send([first], (), now=LONGEST_GATHERING - 1, window=60) == ()
    assert to_send([first], (), now=LONGEST_GATHERING, window=60) == (first,)


_SOME = st.builds(told, st.floats(0, 1000), kind=st.sampled_from(Kind), sweep=st.sampled_from([None, "s1", "s2"]))


@given(st.lists(_SOME, max_size=20), st.sets(st.sampled_from(["s1", "s2"])), st.floats(0, 3000))
def test_whatever_waits_is_told_in_the_end_and_once(waiting: list[Notification], over: set[str], now: float) -> None:
    sent = to_send(waiting, over, now=now, window=60)
    left = [each for each in waiting if not any(each is one for one in sent)]
    assert len(sent) + len(left) == len(waiting)
    late = max((each.at for each in left), default=0.0) + LONGEST_GATHERING + 60
    assert list(to_send(left, over, now=late, window=60)) == left


@given(st.lists(_SOME, max_size=30))
def test_failures_come_first(waiting: list[Notification]) -> None:
    kinds = [each.kind for each in in_order(waiting)]
    assert kinds == sorted(kinds, key=list(Kind).index)


def test_an_approval_is_told_those_who_may_vote() -> None:
    waits, channel = about_approval(APPROVAL, 5.0)
    assert (waits.audience, waits.name, waits.kind) == (Audience.VOTERS, "a1", Kind.APPROVAL_WAITS)
    assert waits.words == "ada asks for submit: it takes 8 GPUs"
    assert (channel.audience, channel.name) == (Audience.CHANNEL, "nlp")
    people = {
        "ada": Approver(Role.ADMIN),
        "bob": Approver(Role.ADMIN),
        "grace": Approver(Role.ADMIN),
        "sam": Approver(None, frozenset({"security"})),
        "eve": Approver(Role.MEMBER, frozenset({"legal"})),
    }
    assert [name for name, one in people.items() if is_voter(APPROVAL, name, one)] == ["grace", "sam"]


def test_who_asked_is_told_that_it_was_not_given_unless_the_job_or_team_says_so() -> None:
    refused = replace(APPROVAL, state=ApprovalState.REFUSED, why="refused by grace", kind="model")
    (found,) = about_approval(refused, 5.0)
    assert (found.audience, found.name, found.words) == (Audience.PERSON, "ada", "refused by grace")
    assert about_approval(replace(refused, kind="job"), 5.0) == []
    assert about_approval(replace(refused, kind="tenant"), 5.0) == []
    assert about_approval(replace(refused, state=ApprovalState.USED), 5.0) == []


def test_a_budget_s_step_is_told_admins_channel_and_whose_it_is() -> None:
    found = about_budget("nlp", "ada", "Budget month", "at 80 % a warning", 5.0)
    assert [(each.audience, each.name) for each in found] == [
        (Audience.ADMINS, "nlp"),
        (Audience.CHANNEL, "nlp"),
        (Audience.PERSON, "ada"),
    ]
    assert len(about_budget("nlp", "", "Budget month", "", 5.0)) == 2
