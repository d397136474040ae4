"""The command line for budgets: ``aifactory-hub budget ...``.

Exit codes: 0 done; 1 refused, or the service does not answer; 2 wrong usage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from .api import default_session
from .budgets import budget as ask
from .budgets import grant_budget
from .command_parts import as_json_option, plainly, table
from .durations import seconds_of
from .printable import line

_team = click.option("--team", help="The team; by default the token's own.")


@click.group(invoke_without_command=True)
@_team
@as_json_option
@click.pass_context
@plainly
def budget(context: click.Context, team: str | None, as_json: bool) -> None:
    """How the team's budgets and one's own stand, when they reset, and when they will be used up."""
    if context.invoked_subcommand is not None:
        return
    _show(ask(team), as_json=as_json)


@budget.command()
@click.argument("name")
@click.argument("amount")
@click.option("--reason", required=True, help="Why, in a sentence: it is kept with the grant.")
@click.option("--for", "duration", required=True, help="How long it counts, such as 12h or 14d.")
@click.option("--user", help="Whose, for a budget of each person.")
@_team
@as_json_option
@plainly
def grant(
    name: str, amount: str, reason: str, duration: str, user: str | None, team: str | None, as_json: bool
) -> None:
    """Grant AMOUNT more of the budget NAME, in its unit: GPU-hours, or money. What it holds goes on by itself."""
    session = default_session()
    until = int(session.now()) + seconds_of(duration)
    _show(grant_budget(name, amount, reason=reason, until=until, user=user, tenant=team, session=session), as_json)


def _show(told: Mapping[str, Any], as_json: bool = False) -> None:
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    if not told["budgets"]:
        click.echo(f"Team {line(told['tenant'])} has no budgets.")
        return
    _table(told["budgets"])
    for each in told["budgets"]:
        if each["forecast"] is not None:
            click.echo(line(f"{each['name']}: {each['forecast']['words']}"))
    if told["people"]:
        click.echo()
        _table(told["people"])
    for given in told["grants"]:
        if given["counts"]:
            whose = f" of {given['user']}" if given["user"] else ""
            words = f"{given['amount']} more of {given['budget']}{whose} until {given['until']}"
            click.echo(line(f"granted: {words}, by {given['by']}: {given['reason']}"))
    if told["held"]:
        click.echo(f"{told['held']} jobs are held by budgets")
    if told["simulated"]:
        click.echo("the GPUs are simulated")


def _table(budgets: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (
            each["name"],
            f"{each['per_cent']} %" if each["known"] else "not known",
            each["user"] or "the team",
            f"{each['spent']} of {each['limit']} {_unit(each)}",
            each["reserved"],
            each["resets_at"],
        )
        for each in budgets
    ]
    table(("BUDGET", "USED", "WHOSE", "SPENT", "RESERVED", "RESETS"), rows)


def _unit(told: Mapping[str, Any]) -> str:
    return "GPU-hours" if told["unit"] == "gpu_hours" else told["currency"] or ""
