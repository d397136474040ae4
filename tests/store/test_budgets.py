"""Budgets where jobs are stored: what is taken in is exactly what fits, on both kinds of database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, delete

from aifactory_hub.domain.budgets import Action, Budget, Grant, Step, Unit, span_of
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.months import month
from aifactory_hub.domain.prices import PriceVersion
from aifactory_hub.domain.usage import FactKind, Possession, Source, UsageFact
from aifactory_hub.store import FileStore, Jobs
from aifactory_hub.store.billing import Billing
from aifactory_hub.store.budget_journal import BudgetJournal
from aifactory_hub.store.budget_tables import GrantRow
from aifactory_hub.store.budgets import Asked, TeamBudgets
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.store.reservations import hand_over_reservations

from .test_jobs import make_job

ZONE, HOUR = ZoneInfo("UTC"), 3600
NOVEMBER = month("2026-11", ZONE)
PRICE, AN_HOUR = Decimal("3.60"), Fraction("3.6")
NOW = NOVEMBER.start + 10 * 24 * HOUR
HOLD = (Step(100, Action.HOLD),)
WHOLE = {Unit.GPU_HOURS: Fraction(1), Unit.MONEY: Fraction(1, 1000)}


def hours(count: float) -> Fraction:
    return Fraction(count) * HOUR


def team(*budgets: Budget, now: int = NOW, until: int | None = None, known: bool = True) -> TeamBudgets:
    in_time = tuple((each, span) for each in budgets if (span := span_of(each, now, ZONE)) is not None)
    return TeamBudgets("nlp", in_time, ZONE, "EUR", now, now if until is None else until, known)


def of_team(limit: float, **said: object) -> Budget:
    return replace(Budget("month", Unit.GPU_HOURS, hours(limit), HOLD), **said)  # type: ignore[arg-type]


def asked(whose: TeamBudgets, *, user: str = "ada", seconds: int = HOUR, attempt: int = 1) -> Asked:
    return Asked(whose, user, WHOLE, seconds, attempt)


def hold(pod: str, start: int, end: int | None, *, user: str = "ada", job: str = "") -> list[UsageFact]:
    kind = "job" if job else "server"
    whose = Possession("nlp", user, "small", kind, job or user, pod, "node-1", {"h100/gpu": 1}, Fraction(1))
    bound = UsageFact.exact(pod, FactKind.BOUND, Source.WATCH, start, start, possession=whose)
    return [bound] if end is None else [bound, UsageFact.exact(pod, FactKind.ENDED, Source.WATCH, end, end)]


def states(jobs: Jobs) -> list[str]:
    return [job.state.value for job in jobs.live()]


def through(jobs: Jobs) -> int:
    return states(jobs).count("PENDING")


async def test_64_submits_at_the_last_hours_are_exactly_those_that_fit(db: Engine, jobs: Jobs) -> None:
    Ledger(db).append([fact for n in range(5) for fact in hold(f"p{n}", NOW - 6 * HOUR, NOW - n * HOUR)])
    whose = team(of_team(30))  # 6 + 5 + 4 + 3 + 2 = 20 are spent
    await asyncio.gather(*(jobs.take(make_job(f"j{n:02}"), None, asked(whose)) for n in range(64)))
    assert through(jobs) == 10
    held = [job for job in jobs.live() if job.state is JobState.HELD]
    assert len(held) == 54
    assert all(job.reason is not None and job.reason.startswith("held by budget month of team nlp") for job in held)


def test_from_many_threads_too_with_several_databases_open(db: Engine, jobs: Jobs) -> None:
    """The lock is the database's, not this process's: a second engine has locks of its own in this process."""
    if db.dialect.name == "sqlite":
        repositories = [jobs]
    else:
        from aifactory_hub.store import open_db

        repositories = [jobs, *(Jobs(open_db(db.url.render_as_string(hide_password=False))) for _ in range(3))]
    whose = team(of_team(7))
    with ThreadPoolExecutor(16) as pool:
        list(
            pool.map(
                lambda n: repositories[n % len(repositories)].add(make_job(f"j{n:02}"), None, asked(whose)), range(64)
            )
        )
    assert through(jobs) == 7
    for other in repositories[1:]:
        other.close()


def test_what_a_key_made_before_is_reserved_once(jobs: Jobs) -> None:
    whose = team(of_team(2))
    for _ in range(3):
        assert jobs.add(make_job("j1"), None, asked(whose)).state is JobState.PENDING
    assert jobs.add(replace(make_job("j2"), key="key-j1"), None, asked(whose)).id == "j1"
    [account] = jobs.budgets.accounts(whose)
    assert account.reserved == hours(1)
    assert jobs.add(make_job("j3"), None, asked(whose)).state is JobState.PENDING
    assert jobs.add(make_job("j4"), None, asked(whose)).state is JobState.HELD


def test_budgets_of_persons_and_of_money_count_by_themselves(db: Engine, jobs: Jobs) -> None:
    Billing(db).follow({"small": PRICE}, "EUR", NOW)
    Ledger(db).append([*hold("p1", NOW - HOUR, NOW, user="ada"), *hold("p2", NOW - HOUR, NOW, user="bob")])
    money = Budget("money", Unit.MONEY, 4 * AN_HOUR, HOLD)
    each = Budget("each", Unit.GPU_HOURS, hours(2), HOLD, person=True)
    whose = team(money, each)
    assert [a.spent for a in jobs.budgets.accounts(whose, ["ada", "eve"])] == [2 * AN_HOUR, hours(1), 0]
    assert jobs.add(make_job("j1"), None, asked(whose)).state is JobState.PENDING
    held = jobs.add(make_job("j2"), None, asked(whose))
    assert (held.state, "each of ada in team nlp" in str(held.reason)) == (JobState.HELD, True)
    eves = replace(make_job("j3"), owner="eve")
    assert jobs.add(eves, None, asked(whose, user="eve")).state is JobState.PENDING
    last = jobs.add(replace(make_job("j4"), owner="eve"), None, asked(whose, user="eve"))
    assert "money of team nlp" in str(last.reason)
    assert jobs.budgets.users(whose) == ["ada", "bob", "eve"]


def test_what_a_job_used_is_not_reserved_any_more_and_the_rest_is_released(db: Engine, jobs: Jobs) -> None:
    ledger, whose = Ledger(db), team(of_team(10))
    jobs.add(make_job("j1"), None, asked(whose, seconds=4 * HOUR))
    ledger.append(hold("p1", NOW - HOUR, None, job="j1"))
    [account] = jobs.budgets.accounts(whose)
    assert (account.spent, account.reserved) == (hours(1), hours(3))
    later = team(of_team(10), now=NOW + HOUR)
    ledger.append([UsageFact.exact("p1", FactKind.ENDED, Source.WATCH, NOW + HOUR, NOW + HOUR)])
    [account] = jobs.budgets.accounts(later)
    assert (account.spent, account.reserved) == (hours(2), hours(2))
    jobs.finish("j1", JobState.SUCCEEDED, reason=None, exit_code=0, now=float(NOW + HOUR))
    jobs.mark_cleaned("j1", now=float(NOW + HOUR))
    assert jobs.budgets.release(NOW + 2 * HOUR, until=NOW) == []  # the ledger may not know all of it yet
    assert jobs.budgets.release(NOW + 2 * HOUR, until=NOW + HOUR) == ["nlp"]
    [account] = jobs.budgets.accounts(later)
    assert (account.spent, account.reserved) == (hours(2), hours(0))


def test_a_further_attempt_reserves_what_it_may_cost_besides(db: Engine, jobs: Jobs) -> None:
    ledger, whose = Ledger(db), team(of_team(10))
    jobs.add(make_job("j1"), None, asked(whose, seconds=4 * HOUR))
    ledger.append(hold("p1", NOW - 3 * HOUR, NOW, job="j1"))
    assert jobs.budgets.reserve("j1", asked(whose, seconds=4 * HOUR, attempt=2)) is None
    [account] = jobs.budgets.accounts(whose)
    assert (account.spent, account.reserved) == (hours(3), hours(4))
    ledger.append(hold("p2", NOW - 3 * HOUR, NOW, job="j1r2"))
    why = jobs.budgets.reserve("j1", asked(whose, seconds=5 * HOUR, attempt=3))
    assert why is not None and "6 GPU-hours of 10 GPU-hours" in why
    assert jobs.budgets.reserve("j1", asked(whose, seconds=5 * HOUR, attempt=2)) is None  # was done


def test_the_sum_is_the_ledger_s_after_corrections_and_price_changes(db: Engine, jobs: Jobs) -> None:
    ledger, billing = Ledger(db), Billing(db)
    billing.follow({"small": PRICE}, "EUR", NOVEMBER.start)
    money, gpus = Budget("money", Unit.MONEY, Fraction(100), HOLD), of_team(100)
    start = NOVEMBER.start - 2 * HOUR
    ledger.append([*hold("p1", start, NOVEMBER.start + HOUR), *hold("p2", NOW - 2 * HOUR, None)])
    assert spent(jobs, money, gpus) == [3 * AN_HOUR, hours(3)]
    billing.add_price(PriceVersion("small", NOW - HOUR, 2 * PRICE, "EUR"))
    assert spent(jobs, money, gpus) == [4 * AN_HOUR, hours(3)]
    ledger.append([UsageFact.exact("p1", FactKind.VOID, Source.OPERATOR, start, NOW, note="a test")])
    assert spent(jobs, money, gpus) == [3 * AN_HOUR, hours(2)]
    end = NOW - 3600 - 1800
    ledger.append([UsageFact.exact("p2", FactKind.ENDED, Source.WATCH, NOW, NOW)])
    ledger.append([UsageFact.exact("p2", FactKind.CORRECTED, Source.OPERATOR, end, NOW, note="a test")])
    assert spent(jobs, money, gpus) == [AN_HOUR / 2, hours(0.5)]
    kept = Jobs(db)  # another process reads the same from the database alone
    assert spent(kept, money, gpus) == [AN_HOUR / 2, hours(0.5)]


def spent(jobs: Jobs, *budgets: Budget) -> list[Fraction]:
    return [account.spent for account in jobs.budgets.accounts(team(*budgets))]


def test_a_new_month_begins_with_nothing_spent(db: Engine, jobs: Jobs) -> None:
    Ledger(db).append(hold("p1", NOW, NOVEMBER.end - HOUR))
    [account] = jobs.budgets.accounts(team(of_team(1000), now=NOVEMBER.end - 1))
    assert account.spent == NOVEMBER.end - HOUR - NOW
    [account] = jobs.budgets.accounts(team(of_team(1000), now=NOVEMBER.end))
    assert (account.spent, account.span.name) == (hours(0), "2026-12")


def test_an_unknown_ledger_holds_where_jobs_are_held_and_lets_pass_where_they_are_not(jobs: Jobs) -> None:
    unknown = team(of_team(1000), known=False)
    held = jobs.add(make_job("j1"), None, asked(unknown))
    assert (held.state, "not known now" in str(held.reason)) == (JobState.HELD, True)
    soft = team(of_team(0.5, steps=(Step(80, Action.WARN), Step(90, Action.LOWER_PRIORITY))), known=False)
    assert jobs.add(make_job("j2"), None, asked(soft)).state is JobState.PENDING


def test_a_grant_makes_room_until_its_end(jobs: Jobs) -> None:
    given = Grant(0, "nlp", "month", "", hours(1), NOW + HOUR, "a deadline", "rene", NOW)
    assert jobs.add(make_job("j1"), None, asked(team(of_team(0.5)))).state is JobState.HELD
    assert jobs.budgets.grant(given).number == 1
    assert jobs.budgets.grant(replace(given, at=NOW + 1.0)).number == 1  # its answer got lost
    assert jobs.budgets.grant(replace(given, budget="other")).number == 2
    assert jobs.budgets.reserve("j1", asked(team(of_team(0.5)))) is None
    [account] = jobs.budgets.accounts(team(of_team(0.5), now=NOW + 1))
    assert (account.limit, account.granted) == (hours(1.5), hours(1))
    [account] = jobs.budgets.accounts(team(of_team(0.5), now=NOW + HOUR))
    assert account.limit == hours(0.5)
    assert [each.number for each in jobs.budgets.grants("nlp")] == [2, 1]
    assert jobs.budgets.grants("vision") == ()


@pytest.mark.parametrize("count", [3])
def test_held_jobs_are_listed_by_team_the_oldest_first(jobs: Jobs, count: int) -> None:
    whose = team(of_team(0.1))
    for n in range(count):
        jobs.add(make_job(f"j{n}", submitted_at=100.0 - n), None, asked(whose))
    assert jobs.budgets.held() == {"nlp": names(reversed(range(count)))}


def names(numbers: Iterable[int]) -> list[str]:
    return [f"j{n}" for n in numbers]


def test_grants_come_back_from_their_journal(jobs: Jobs, db: Engine, tmp_path: Path) -> None:
    given = Grant(0, "nlp", "month", "", hours(1), NOW + HOUR, "a deadline", "rene", NOW)
    journal = BudgetJournal(db, FileStore(tmp_path))
    first = jobs.budgets.grant(given)
    assert (journal.flush(), journal.flush()) == (1, 0)
    second = jobs.budgets.grant(replace(given, user="ada"))
    assert journal.flush() == 1
    with db.begin() as connection:
        connection.execute(delete(GrantRow).where(GrantRow.number == second.number))
    assert BudgetJournal(db, FileStore(tmp_path)).recover() == 1
    assert BudgetJournal(db, FileStore(tmp_path)).recover() == 0
    assert jobs.budgets.grants("nlp") == (second, first)


def test_what_was_a_former_owner_s_is_not_the_next_one_s(jobs: Jobs, db: Engine) -> None:
    each = of_team(2, name="each", person=True)
    jobs.budgets.grant(Grant(0, "nlp", "each", "ada", hours(1), NOW + HOUR, "why", "grace", NOW))
    jobs.add(make_job("j1"), None, asked(team(each)))
    [account] = jobs.budgets.accounts(team(each), ["ada"])
    assert (account.reserved, account.granted) == (hours(1), hours(1))
    with db.begin() as connection:
        hand_over_reservations(connection, "ada", "ada (1)")
    jobs.budgets.refresh()
    before, now = jobs.budgets.accounts(team(each), ["ada (1)", "ada"])
    assert (before.reserved, before.granted) == (hours(1), hours(1))
    assert (now.reserved, now.granted) == (hours(0), hours(0))
