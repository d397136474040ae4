"""``aifactory-hub usage`` and ``bill``: what was used and what it costs, and what administrators do about it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from ..client.command_parts import plainly, table
from ..client.prices import price_words
from ..client.printable import line
from ..client.session import Account, Session, read_account
from ..domain.focus_columns import FORMS, VERSIONS
from ..settings import read_database_settings
from .focus import write_focus_of
from .loading import load
from .service_database import service_database

# Seconds: somebody looks at the terminal. All of the ledger is read by ``verify``, and closing adds a month up.
TIMEOUT, LONG = 10.0, 90.0
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_SECONDS = re.compile(r"[0-9]{1,12}")
_UNKNOWN = "unknown"


def _month(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A month, such as 2026-10."""
    if text is not None and _MONTH.fullmatch(text) is None:
        raise click.BadParameter(f"{text!r} is not a month: write it as 2026-10")
    return text


def _second(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """A time with its zone, or seconds since 1970, as whole seconds since 1970."""
    if text is None or _SECONDS.fullmatch(text):
        return None if text is None else int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a time: write it as 2026-11-01T14:30:00+01:00") from error
    if at.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no time zone: write it as 2026-11-01T14:30:00+01:00, or with Z for UTC")
    return int(at.timestamp())


_TEAM = click.option("--team", help="The team; by default the notebook's own.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is.")


@click.group(invoke_without_command=True)
@click.option("--month", callback=_month, help="Such as 2026-10; by default the present month.")
@click.option("--by", type=click.Choice(["user", "profile", "kind", "day"]), help="What a row is; of a team.")
@_TEAM
@_JSON
@click.pass_context
@plainly
def usage(ctx: click.Context, month: str | None, by: str | None, team: str | None, as_json: bool) -> None:
    """Show what was used in a month, and what it costs: your own use in all teams, or with --by or --team a team's.

    Of a team you see your own use, as its admin all of it.
    """
    if ctx.invoked_subcommand is not None:
        return
    account = read_account()
    asked = {} if month is None else {"month": month}
    path = "/usage/me"
    if by is not None or team is not None:
        path, asked = f"/tenants/{_team(account, team)}/usage", {**asked, "by": by or "user"}
    with closing(Session(account, timeout=TIMEOUT)) as session:
        answer = session.get(path, asked)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    elif "rows" in answer:
        _show_team(answer)
    else:
        _show_own(answer)


@click.command()
@click.argument("month", callback=_month)
@_TEAM
@click.option("--all", "all_teams", is_flag=True, help="Of all teams; for the hub's administrators.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the lines as CSV.")
@click.option(
    "--focus",
    "folder",
    type=click.Path(path_type=Path),
    help="Write the bills of all teams in FOCUS into this folder, which is not there yet. Run it where the service"
    " runs: it reads AIFACTORY_HUB_SERVICE_DATABASE and AIFACTORY_HUB_TENANTS.",
)
@click.option("--focus-version", type=click.Choice(VERSIONS), default="1.4", show_default=True, help="Of --focus.")
@click.option(
    "--format", "form", type=click.Choice(FORMS), default="csv", show_default=True, help="Of --focus's files."
)
@_JSON
@plainly
def bill(
    month: str,
    team: str | None,
    all_teams: bool,
    as_csv: bool,
    folder: Path | None,
    focus_version: str,
    form: str,
    as_json: bool,
) -> None:
    """Show a team's bill of MONTH, such as 2026-10; for the team's admins.

    Of a month that is closed it is what was billed, and never changes. Before that it is what the ledger has so far.
    """
    if all_teams and team is not None:
        raise click.UsageError("say --team or --all, one of them")
    if folder is not None:
        if team is not None or as_csv or as_json:
            raise click.UsageError("--focus writes files of all teams: leave --team, --csv and --json out")
        write_focus_of(month, folder, version=focus_version, form=form)
        return
    account = read_account()
    path = f"/platform/bills/{month}" if all_teams else f"/tenants/{_team(account, team)}/bills/{month}"
    with closing(Session(account, timeout=TIMEOUT)) as session:
        if as_csv:
            click.echo(session.text(path, {"format": "csv"}), nl=False)
            return
        answer = session.get(path)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for each in answer["bills"] if all_teams else [answer]:
        _show_bill(each)
    if all_teams:
        click.echo(f"All teams: {_amount(answer, answer)}")


@usage.command()
@plainly
def verify() -> None:
    """Look whether the ledger is as it was written; for the hub's administrators. Ends with 1 if it is not."""
    found = _change(read_account(), "/platform/usage/verify")
    click.echo(f"{found['events']} events, {found['holds']} holds: {line(found['problem'] or 'all as written')}")
    if found["problem"] is not None:
        sys.exit(1)


@usage.command()
@plainly
def rebuild() -> None:
    """Make all holds anew from the facts, where the service's database is."""
    ledger = load("aifactory_hub.store.ledger", "service")
    with service_database(read_database_settings().database) as db:
        click.echo(f"{ledger.Ledger(db).rebuild()} holds are made anew.")


@usage.command()
@click.argument("month", callback=_month)
@click.option("--yes", is_flag=True, help="Do not ask.")
@plainly
def close(month: str, yes: bool) -> None:
    """Close MONTH, such as 2026-10, when it is over; for the hub's administrators.

    Its bills never change any more. What comes later is booked as corrections in the month that is open then.
    """
    if not yes:
        click.confirm(f"Close {month} for all teams? Its bills never change any more.", abort=True)
    found = _change(read_account(), f"/platform/bills/{month}/close")
    click.echo(f"{month} is closed by {line(found['closed_by'])}, digest {found['digest']}")


@usage.command()
@click.argument("pod")
@_TEAM
@click.option("--end", callback=_second, metavar="TIME", help="When it ended, such as 2026-11-01T14:30:00+01:00.")
@click.option("--void", is_flag=True, help="It does not count at all.")
@click.option("--reason", required=True, help="Why, in a sentence: it is kept with the correction.")
@plainly
def correct(pod: str, team: str | None, end: int | None, void: bool, reason: str) -> None:
    """Give the hold of POD another end, or strike it out; for the hub's administrators.

    POD is the uid of the host's pod, as the team's holds have it. The evidence stays; the last correction counts.
    """
    if void == (end is not None):
        raise click.UsageError("say what is right: --end TIME or --void, one of them")
    if not reason.strip():
        raise click.BadParameter("it is empty: say why, in a sentence", param_hint="--reason")
    account = read_account()
    path = f"/tenants/{_team(account, team)}/usage/holds/{quote(pod, safe='')}/corrections"
    body = {"reason": reason, **({"void": True} if end is None else {"end": end})}
    found = _change(account, path, body)
    ends = "does not count" if found["void"] else f"ends at {_time(found['end'])}"
    click.echo(f"The hold of pod {line(pod)} began at {_time(found['start'])} and {ends}.")
    click.echo("What is closed stays as it is: the difference is booked in the open month.")


def _change(account: Account, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    with closing(Session(account, timeout=LONG)) as session:
        return session.change(path, body)


def _team(account: Account, asked: str | None) -> str:
    team = asked or account.tenant
    if team is None:
        raise click.UsageError("say which team: --team <team>")
    return quote(team, safe="")


def _show_own(answer: Mapping[str, Any]) -> None:
    _say_of_what(f"{answer['month']}: your use in all teams", answer)
    rows = [
        (each["tenant"], each["profile"], each["kind"], *_numbers(each, answer), _price(each, answer))
        for each in answer["lines"]
    ]
    total = ("all", "", "", *_numbers(answer, answer), "")
    table(("TEAM", "PROFILE", "KIND", "HOURS", "GPU HOURS", "PODS", "COSTS", "AN HOUR"), [*rows, total])


def _show_team(answer: Mapping[str, Any]) -> None:
    whose = "all its use" if answer["scope"] == "team" else "your own use in it"
    _say_of_what(f"Team {line(answer['tenant'])}, {_time(answer['start'])} to {_time(answer['end'])}: {whose}", answer)
    rows = [(each["key"] or _UNKNOWN, *_numbers(each, answer)) for each in answer["rows"]]
    heads = (answer["by"].upper(), "HOURS", "GPU HOURS", "PODS", "COSTS")
    table(heads, [*rows, ("all", *_numbers(answer["total"], answer))])


def _show_bill(answer: Mapping[str, Any]) -> None:
    _say_of_what(f"Team {line(answer['tenant'])}, {answer['month']}: {_state(answer)}", answer)
    table(
        ("USER", "PROFILE", "KIND", "HOURS", "GPU HOURS", "PODS", "COSTS", "AN HOUR"),
        [_bill_row(each, answer) for each in answer["lines"]],
    )
    for each in answer["corrections"]:
        sign = "-" if each["record"] == "retraction" else "+"
        who = f"{each['line']['user'] or _UNKNOWN}, {each['line']['profile']}"
        click.echo(f"{each['month']}, {each['record']} of {line(who)}: {sign}{_amount(each['line'], answer)}")
    click.echo(f"Total: {_amount({'amount': answer['total']}, answer)}")


def _bill_row(each: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[str, ...]:
    return each["user"] or _UNKNOWN, each["profile"], each["kind"], *_numbers(each, answer), _price(each, answer)


def _state(answer: Mapping[str, Any]) -> str:
    if answer["state"] == "closed":
        return f"closed at {_time(answer['closed_at'])} by {line(answer['closed_by'])}, digest {answer['digest']}"
    return "over, not closed yet" if answer["state"] == "closing" else "goes on"


def _say_of_what(title: str, answer: Mapping[str, Any]) -> None:
    click.echo(f"{title}, as of {_time(answer['as_of'])}")
    if answer["simulated"]:
        click.echo("Some of these GPUs are simulated.")
    if answer["uncertain_seconds"]:
        click.echo(f"Up to {_hours(answer['uncertain_seconds'])} more hours may have been held: they cost nothing.")


def _numbers(each: Mapping[str, Any], answer: Mapping[str, Any]) -> Sequence[str]:
    return _hours(each["seconds"]), _hours(each["gpu_seconds"]), str(each["pods"]), _amount(each, answer)


def _amount(each: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    return "no price" if each["amount"] is None else price_words(each["amount"], answer)


def _price(each: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    return "no price" if each["per_hour"] is None else price_words(each["per_hour"], answer)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2f}"


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
