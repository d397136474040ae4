"""Tells webhooks once of each share of a budget that is reached: the message and the note of it are one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.budget_words import message, standing_words, step_words, whose
from ..domain.budgets import Account, Step
from ..domain.formatting import iso_millis
from ..domain.notifications import about_budget
from .budget_tables import BudgetNoticeRow
from .budgets import TeamBudgets
from .database import writing
from .deliveries import file_messages
from .notifications import file_notification

_KEY = tuple(column.key for column in BudgetNoticeRow.__table__.primary_key)


def tell_of_steps(db: Engine, team: TeamBudgets, accounts: Iterable[Account]) -> list[tuple[Account, Step]]:
    """Tell of the steps that these accounts have reached and of which nobody was told; those. Blocks.

    By a ledger that is not known nobody is told: what is spent is at least as much, but which share is not known.
    """
    reached = [
        (account, step)
        for account in accounts
        if account.known
        for step in account.budget.steps
        if account.spent >= account.threshold(step)
    ]
    if not reached:
        return []
    with db.connect() as connection:
        columns = (BudgetNoticeRow.__table__.c[name] for name in _KEY)
        query = select(*columns).where(BudgetNoticeRow.tenant == team.tenant)
        told = {tuple(row) for row in connection.execute(query)}
    new = [(account, step) for account, step in reached if tuple(_key(team, account, step).values()) not in told]
    return [each for each in new if _tell(db, team, *each)]


def _tell(db: Engine, team: TeamBudgets, account: Account, step: Step) -> bool:
    """Whether nobody else has told of it."""
    kind: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    values = {**_key(team, account, step), "at": team.now}
    event = f"budget.{step.action.value}"
    with writing(db) as connection:
        query = kind.insert(BudgetNoticeRow).values(**values).on_conflict_do_nothing()
        if not connection.execute(query).rowcount:
            return False
        about = {"share": step.share, "action": step.action.value}
        body = message(event, account, team.tenant, team.currency, iso_millis(team.now), about)
        file_messages(connection, account.budget.notify, event, body, now=team.now)
        words = f"{step_words(step)}: {standing_words(account, team.currency)}"
        for each in about_budget(team.tenant, account.user, f"Budget {whose(account, team.tenant)}", words, team.now):
            file_notification(connection, each)
    return True


def _key(team: TeamBudgets, account: Account, step: Step) -> dict[str, Any]:
    key = {
        "tenant": team.tenant,
        "budget": account.budget.name,
        "user": account.user,
        "start": account.span.start,
        "action": step.action.value,
        "share": step.share,
    }
    return {name: key[name] for name in _KEY}
