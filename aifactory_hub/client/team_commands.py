"""The command line for requests for teams: ``aifactory-hub team ...``. Exit codes as for jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from .command_parts import as_json_option, counts_of, plainly, table
from .printable import line
from .requested_teams import (
    change_team,
    renew_team,
    request_team,
    team_request,
    team_requests,
    team_templates,
    withdraw_team_request,
)

_reason = click.option("--reason", required=True, help="Why, in a sentence: those who approve it read it.")
_id = click.argument("request")


@click.group()
def team() -> None:
    """Teams that people ask for: granted at once, or when others have approved it in their browser."""


@team.command()
@as_json_option
@plainly
def templates(as_json: bool) -> None:
    """The kinds of teams that may be asked for, and what is left for them."""
    told = team_templates()
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    if told["why_not"]:
        click.echo(line(told["why_not"]), err=True)
    for each in told["templates"]:
        click.echo(line(f"{each['name']}: {each['description'] or ', '.join(each['profiles'])}"))
        click.echo(line(f"  groups that may be named: {', '.join(each['groups'])}"))
        for device in each["devices"]:
            left = f"{device['uncommitted']} of {device['carved']} are promised to nobody"
            borrowed = f", and {device['most_borrowed']} borrowed" if device["most_borrowed"] else ""
            click.echo(line(f"  {device['device']}: {device['most']} at most{borrowed}; {left}"))


@team.command()
@click.argument("name")
@click.option("--template", required=True, help="See `team templates`.")
@click.option("--group", "members", multiple=True, help="A group whose people are members; may be repeated.")
@click.option("--admin-group", "admins", multiple=True, help="And the team's administrators; may be repeated.")
@click.option("--quota", multiple=True, metavar="SIZE=N", help="How many devices of a size it owns.")
@click.option("--borrowing", multiple=True, metavar="SIZE=N", help="How many idle ones of others it may borrow.")
@click.option("--expires", default="", help="The last day, such as 2027-03-31; as long as may be when left out.")
@click.option("--display-name", default="", help="The name for people.")
@click.option("--check", is_flag=True, help="Only say what would be answered.")
@_reason
@as_json_option
@plainly
def request(name: str, quota: Sequence[str], borrowing: Sequence[str], check: bool, as_json: bool, **rest: Any) -> None:
    """Ask for the team NAME. What does not fit is refused with the largest that does."""
    owned, borrowed = counts_of(quota, "--quota"), counts_of(borrowing, "--borrowing")
    told = request_team(name, check=check, quota=owned, borrowing=borrowed, **rest)
    _answer(told, check=check, as_json=as_json)


@team.command()
@click.argument("name")
@click.option("--expires", required=True, help="The new last day, such as 2027-03-31.")
@_reason
@as_json_option
@plainly
def renew(name: str, expires: str, reason: str, as_json: bool) -> None:
    """Ask for more time for the team NAME. For its administrators."""
    _answer(renew_team(name, expires, reason=reason), as_json=as_json)


@team.command()
@click.argument("name")
@click.option("--group", "members", multiple=True, help="A group whose people are members, in place of all there are.")
@click.option("--admin-group", "admins", multiple=True, help="And the team's administrators.")
@click.option("--quota", multiple=True, metavar="SIZE=N", help="How many devices of a size it owns; 0 for none.")
@click.option("--borrowing", multiple=True, metavar="SIZE=N", help="How many idle ones of others it may borrow.")
@click.option("--display-name", default=None, help="The name for people.")
@click.option("--check", is_flag=True, help="Only say what would be answered.")
@_reason
@as_json_option
@plainly
def change(name: str, quota: Sequence[str], borrowing: Sequence[str], check: bool, as_json: bool, **rest: Any) -> None:
    """Ask for another size or other groups of the team NAME. What is not named stays. For its administrators."""
    rest |= {key: rest[key] or None for key in ("members", "admins")}
    owned, borrowed = counts_of(quota, "--quota"), counts_of(borrowing, "--borrowing")
    told = change_team(name, check=check, quota=owned, borrowing=borrowed, **rest)
    _answer(told, check=check, as_json=as_json)


@team.command("list")
@click.option("--all", "everybody", is_flag=True, help="Of everybody: for administrators of the hub.")
@as_json_option
@plainly
def list_(everybody: bool, as_json: bool) -> None:
    """Your requests for teams, the newest first."""
    found = team_requests(everybody=everybody)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("There are no requests.", err=True)
        return
    rows = [(r["id"], r["state"], r["name"], r["kind"], r["asked_by"], _now_words(r)) for r in found]
    table(("REQUEST", "STATE", "TEAM", "KIND", "ASKED BY", "NOW"), rows)


@team.command()
@_id
@as_json_option
@plainly
def show(request: str, as_json: bool) -> None:
    """How far REQUEST has come, and what happened to it."""
    _answer(team_request(request), as_json=as_json)


@team.command()
@_id
@plainly
def withdraw(request: str) -> None:
    """Take back REQUEST while it waits. Administrators of the hub remove a team that was granted by it."""
    told = withdraw_team_request(request)
    click.echo(line(f"{told['id']} is {told['state']}: {told['why']}"))


def _answer(told: Mapping[str, Any], *, check: bool = False, as_json: bool) -> None:
    """Print a request, or with ``check`` what would be answered to one."""
    if as_json:
        click.echo(json.dumps(told, indent=2))
    elif check:
        _show_decision(told)
    else:
        _show(told)


def _show(told: Mapping[str, Any]) -> None:
    click.echo(line(f"{told['id']} {told['state']}: team {told['name']}"))
    for each in told["steps"]:
        click.echo(line(f"  {each['name']:9} {each['state']:6} {each['sentence']}"))
    if told["todo"]:
        click.echo(line(f"  to do: {told['todo']}"))
    if told["expires"]:
        click.echo(line(f"  until {told['expires']}"))


def _show_decision(told: Mapping[str, Any]) -> None:
    click.echo(line(f"{told['outcome']}: {told['detail'] or told['needs_text'] or 'nobody has to approve it'}"))
    for room in told["rooms"]:
        click.echo(line(f"  {room['sentence']}"))
    for each in told["effects"] or ():
        click.echo(line(f"  {each['sentence']}"))
    if told["effects"] is None:
        click.echo("  what other teams would feel is not known now")


def _now_words(told: Mapping[str, Any]) -> str:
    now = next((each for each in told["steps"] if each["state"] == "now"), None)
    return str(told["why"] if now is None else now["sentence"])
