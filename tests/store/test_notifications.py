"""Notifications in a real SQLite file and a real PostgreSQL: filed where somebody sends them, told once."""

from __future__ import annotations

from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from aifactory_hub.domain.budgets import Account, Action, Budget, Step, Unit
from aifactory_hub.domain.channels import Level
from aifactory_hub.domain.idle_ladder import Act, IdleAct, IdleRules
from aifactory_hub.domain.idle_words import owner_words
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.months import month_of
from aifactory_hub.domain.notifications import Audience, Choice, Kind, Notification, about_server
from aifactory_hub.domain.team_wishes import RequestState, TeamRequest, TeamWish
from aifactory_hub.store import Deliveries, Jobs
from aifactory_hub.store.budget_notices import tell_of_steps
from aifactory_hub.store.budgets import TeamBudgets
from aifactory_hub.store.database import writing
from aifactory_hub.store.deliveries import MAIL
from aifactory_hub.store.idle_acts import IdleActs, ServerAct
from aifactory_hub.store.notifications import CHANNELS, Notifications, file_notification, hand_over_notifications
from aifactory_hub.store.team_requests import TeamRequests

from .test_jobs import make_job

BODY = {"event": "notifications", "at": "now", "mail": {"subject": "s", "text": "t"}}


@pytest.fixture
def store(db: Engine) -> Notifications:
    return Notifications(db)


def told(name: str = "ada", audience: Audience = Audience.PERSON) -> Notification:
    return Notification(audience, name, Kind.JOB_FAILED, "nlp", "train", "exit code 1", 5.0, "jobs/j1", "s1")


def file(db: Engine, *notifications: Notification) -> None:
    with writing(db) as connection:
        for each in notifications:
            file_notification(connection, each)


def kinds(store: Notifications, audience: Audience = Audience.PERSON) -> dict[str, list[Kind]]:
    return {name: [each.notification.kind for each in filed] for name, filed in store.waiting(audience).items()}


def test_nothing_is_filed_that_nobody_sends(db: Engine, store: Notifications) -> None:
    both = (told(), told("nlp", Audience.CHANNEL))
    file(db, *both)
    assert (store.waiting(Audience.PERSON), store.waiting(Audience.CHANNEL)) == ({}, {})
    store.follow(CHANNELS, on=True)
    file(db, *both)
    assert (kinds(store), kinds(store, Audience.CHANNEL)) == ({}, {"nlp": [Kind.JOB_FAILED]})
    store.follow(MAIL, on=True)
    file(db, *both)
    (filed,) = store.waiting(Audience.PERSON)["ada"]
    assert filed.notification == told()
    store.follow(CHANNELS, on=False)
    assert (list(kinds(store)), kinds(store, Audience.CHANNEL)) == (["ada"], {})


def test_what_happened_before_mail_was_set_up_is_not_told(jobs: Jobs, store: Notifications) -> None:
    jobs.add(make_job("before", state=JobState.RUNNING))
    jobs.set_state("before", JobState.FAILED, "x", now=10.0)
    store.follow(MAIL, on=True)
    jobs.add(make_job("after", state=JobState.RUNNING))
    jobs.set_state("after", JobState.FAILED, "no room", now=20.0)
    store.follow(MAIL, on=True)
    store.file_jobs(MAIL)
    store.file_jobs(MAIL)
    (filed,) = store.waiting(Audience.PERSON)["ada"]
    assert (filed.notification.path, filed.notification.words, filed.notification.at) == ("jobs/after", "no room", 20.0)


def test_a_sweep_is_over_when_its_last_job_is(db: Engine, jobs: Jobs, store: Notifications) -> None:
    store.follow(MAIL, on=True)
    for name in ("one", "two"):
        jobs.add(make_job(name, state=JobState.RUNNING, sweep="s1"))
    jobs.set_state("one", JobState.FAILED, "x", now=10.0)
    store.file_jobs(MAIL)
    assert store.sweeps() == set()
    jobs.set_state("two", JobState.SUCCEEDED, None, now=11.0)
    assert store.sweeps() == {"s1"}


def test_what_is_for_a_role_becomes_what_is_for_people(db: Engine, store: Notifications) -> None:
    store.follow(MAIL, on=True)
    file(db, told("a1", Audience.VOTERS), told("a2", Audience.VOTERS))
    waiting = store.waiting(Audience.VOTERS)
    store.address(waiting["a1"][0], ["grace", "sam"])
    store.address(waiting["a1"][0], ["grace", "sam"])
    store.address(waiting["a2"][0], [])
    assert kinds(store) == {"grace": [Kind.JOB_FAILED], "sam": [Kind.JOB_FAILED]}
    assert store.waiting(Audience.VOTERS) == {}


def test_a_message_and_what_it_tells_change_together(db: Engine, store: Notifications) -> None:
    store.follow(MAIL, on=True)
    file(db, told(), told())
    filed = store.waiting(Audience.PERSON)["ada"]
    store.file_mail("ada", BODY, filed, now=7.0)
    store.file_mail("ada", BODY, filed, now=7.0)
    deliveries = Deliveries(db)
    (mail,) = deliveries.due(now=7.0, limit=10, mail=True)
    assert (mail.url, mail.channel, mail.body, store.waiting(Audience.PERSON)) == ("ada", MAIL, BODY, {})
    assert deliveries.due(now=7.0, limit=10) == []
    assert (deliveries.state(since=0, mail=True).waiting, deliveries.state(since=0).waiting) == (1, 0)


def test_levels_are_chosen_changed_and_given_up(store: Notifications) -> None:
    store.choose("ada", Choice(Level.OFF), now=1.0)
    store.choose("ada", Choice(Level.ALL), now=2.0)
    store.choose("bob", Choice(Level.OFF), now=2.0)
    assert store.choices(["ada", "bob", "eve"]) == {"ada": Choice(Level.ALL), "bob": Choice(Level.OFF)}
    store.choose("ada", Choice(), now=3.0)
    assert store.choice("ada") == Choice()


def test_kinds_are_chosen_beside_a_level_and_forgotten_with_it(db: Engine, store: Notifications) -> None:
    both = Choice(Level.OFF, {Kind.JOB_FAILED: True})
    alone = Choice(None, {Kind.JOB_HELD: False, Kind.JOB_SUCCEEDED: True})
    store.choose("ada", both, now=1.0)
    store.choose("bob", alone, now=1.0)
    assert store.choices(["ada", "bob", "eve"]) == {"ada": both, "bob": alone}
    store.choose("ada", Choice(Level.ALL), now=2.0)
    assert store.choice("ada") == Choice(Level.ALL)
    with writing(db) as connection:
        hand_over_notifications(connection, "bob")
    assert store.choices(["ada", "bob"]) == {"ada": Choice(Level.ALL)}


def test_a_step_of_a_budget_is_told_with_its_numbers(db: Engine, store: Notifications) -> None:
    store.follow(MAIL, on=True)
    store.follow(CHANNELS, on=True)
    budget = Budget("month", Unit.GPU_HOURS, Fraction(100 * 3600), (Step(80, Action.WARN),))
    now, zone = 1_800_000_000, ZoneInfo("UTC")
    span = month_of(now, zone)
    account = Account(budget, span, "", budget.limit, Fraction(0), Fraction(90 * 3600), Fraction(0))
    team = TeamBudgets("nlp", ((budget, span),), zone, "EUR", now, now, known=True)
    assert tell_of_steps(db, team, [account]) == [(account, budget.steps[0])]
    assert tell_of_steps(db, team, [account]) == []
    ((admins,), (channel,)) = (store.waiting(each)["nlp"] for each in (Audience.ADMINS, Audience.CHANNEL))
    assert admins.notification.kind is channel.notification.kind is Kind.BUDGET
    assert "at 80 % a warning" in admins.notification.words


def test_an_owner_is_told_of_their_idle_server(db: Engine, store: Notifications) -> None:
    store.follow(MAIL, on=True)
    noticed = IdleAct(Act.NOTICED, 100.0, 700.0, 50.0)
    words = owner_words(noticed, IdleRules())
    assert words is not None
    record = ServerAct(noticed, "uid", "nlp", "ada", "", "mig-1g.10gb")
    IdleActs(db).add([record], (), (), [about_server("ada", "nlp", "", words, 100.0)])
    (filed,) = store.waiting(Audience.PERSON)["ada"]
    assert (filed.notification.kind, filed.notification.words) == (Kind.SERVER_IDLE, words)
    assert owner_words(IdleAct(Act.KEPT, 100.0, 700.0), IdleRules()) is None


@pytest.mark.parametrize(
    ("state", "kind"), [(RequestState.GRANTED, Kind.TEAM_GRANTED), (RequestState.REFUSED, Kind.TEAM_REFUSED)]
)
def test_who_asked_for_a_team_is_told_the_result(
    db: Engine, store: Notifications, state: RequestState, kind: Kind
) -> None:
    store.follow(MAIL, on=True)
    requests = TeamRequests(db)
    request = TeamRequest("r1", TeamWish("robots"), "d", "ada", 1.0, 1.0)
    requests.add(request, "asked")
    requests.change(request, state, "because", who="grace", now=2.0)
    (filed,) = store.waiting(Audience.PERSON)["ada"]
    assert (filed.notification.kind, filed.notification.title, filed.notification.words) == (kind, "robots", "because")
    requests.change(request, RequestState.WITHDRAWN, "again", who="ada", now=3.0)
    assert len(store.waiting(Audience.PERSON)["ada"]) == 1
