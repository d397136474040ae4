"""The command line for triggers: ``aifactory-hub trigger ...``. Exit codes as for jobs."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from .command_parts import as_json_option, plainly, table
from .printable import line
from .triggers import (
    make_trigger,
    pause_trigger,
    remove_trigger,
    rotate_trigger,
    trigger_events,
    triggers,
    try_trigger,
)

_trigger_id = click.argument("trigger_id")
_team = click.option("--team", "tenant", help="The team; by default the notebook's own.")
_PROVIDERS = ("github", "gitlab", "gitea", "bitbucket", "local")


@click.group()
def trigger() -> None:
    """Repositories that start pipelines."""


@trigger.command()
@click.argument("url")
@click.option("--provider", type=click.Choice(_PROVIDERS), required=True, help="Whose deliveries it takes.")
@click.option("--name", default="", help="A name for people.")
@click.option("--branch", "branches", multiple=True, help="Pattern of branches, by default main; may be repeated.")
@click.option("--tag", "tags", multiple=True, help="Pattern of tags; may be repeated.")
@click.option("--path", "paths", multiple=True, help="Pattern of files of which one has to change; may be repeated.")
@click.option("--cron", default="", help="Times at which each branch is run as it is then: '0 3 * * mon-fri'.")
@click.option("--time-zone", default="", help="Of these times; by default UTC.")
@click.option("--no-pushes", is_flag=True, help="Start nothing at pushes, at its times alone.")
@click.option("--username", default="", help="For signing in at the host.")
@click.option("--token-variable", help="Environment variable with the token for signing in at the host.")
@click.option("--status-token-variable", help="One with the token for telling the host how commits stand.")
@_team
@as_json_option
@plainly
def add(url: str, provider: str, tenant: str | None, as_json: bool, **more: Any) -> None:
    """Start the pipeline of the repository at URL whenever a branch or tag changes; prints where its host calls."""
    tokens = {name: _token(more.pop(f"{name}_variable"), name) for name in ("token", "status_token")}
    asked: dict[str, Any] = {name: token for name, token in tokens.items() if token}
    if more.pop("no_pushes"):
        asked["pushes"] = False
    asked |= {name: list(value) if isinstance(value, tuple) else value for name, value in more.items() if value}
    _print_secret(make_trigger(url, provider, tenant=tenant, **asked), as_json)


def _token(variable: str | None, name: str) -> str:
    """Read a token from the environment variable; empty where none is named. Raises click.BadParameter."""
    token = "" if variable is None else os.environ.get(variable, "")
    if variable is not None and not token:
        raise click.BadParameter(f"{variable} is not set", param_hint=f"--{name.replace('_', '-')}-variable")
    return token


@trigger.command("list")
@_team
@as_json_option
@plainly
def list_triggers(tenant: str | None, as_json: bool) -> None:
    """The team's triggers."""
    found = triggers(tenant=tenant)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("There are no triggers.", err=True)
        return
    rows = [(t["id"], "paused" if t["paused"] else "on", t["owner"], t["url"], t["problem"] or "") for t in found]
    table(("TRIGGER", "STATE", "OWNER", "REPOSITORY", "PROBLEM"), rows)


@trigger.command()
@_trigger_id
@as_json_option
@plainly
def events(trigger_id: str, as_json: bool) -> None:
    """What changed in its repository, and why that started something or nothing."""
    found = trigger_events(trigger_id)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [
        (e["ref"], e["state"], (e["commit"] or "")[:12], e["seen"], e["told"] or "", e["run"] or e["reason"] or "")
        for e in found["events"]
    ]
    table(("REF", "STATE", "COMMIT", "SEEN", "HOST WAS TOLD", "RUN OR REASON"), rows)
    for problem in {e["told_problem"] for e in found["events"] if e["told_problem"]}:
        click.echo(line(f"The host could not be told: {problem}."))


@trigger.command("test")
@_trigger_id
@click.option("--ref", default="main", show_default=True, help="The branch or tag.")
@as_json_option
@plainly
def try_one(trigger_id: str, ref: str, as_json: bool) -> None:
    """Say what it would start now; nothing is started. Exits with 1 when that would be refused."""
    found = try_trigger(trigger_id, ref)
    check = found["check"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif check is None:
        click.echo(line(found["refused"]))
    else:
        click.echo(line(f"{check['name']} of {found['ref']} at {found['commit'][:12]}"))
        steps = check["steps"]
        rows = [(s["key"], "ok" if s["accepted"] else "refused", s["profile"] or "", s["refusal"] or "") for s in steps]
        table(("STEP", "VERDICT", "PROFILE", "ABOUT"), rows)
    sys.exit(0 if check is not None and check["accepted"] else 1)


@trigger.command()
@_trigger_id
@as_json_option
@plainly
def rotate(trigger_id: str, as_json: bool) -> None:
    """A new secret for its Git host. The one before is good for another day."""
    _print_secret(rotate_trigger(trigger_id), as_json)


@trigger.command()
@_trigger_id
@plainly
def pause(trigger_id: str) -> None:
    """Start nothing until it is resumed."""
    pause_trigger(trigger_id)


@trigger.command()
@_trigger_id
@plainly
def resume(trigger_id: str) -> None:
    """Go on. What was pushed meanwhile starts nothing."""
    pause_trigger(trigger_id, paused=False)


@trigger.command()
@_trigger_id
@plainly
def delete(trigger_id: str) -> None:
    """Forget a trigger. Runs that it started stay."""
    remove_trigger(trigger_id)
    click.echo(line(f"{trigger_id} is deleted"))


def _print_secret(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(made, indent=2))
        return
    one = made["trigger"]
    click.echo(one["id"])
    if one["hook"] is not None:
        click.echo(f"The host calls the hub's address with {one['hook']}", err=True)
        click.echo(f"and signs with {made['secret']}", err=True)
