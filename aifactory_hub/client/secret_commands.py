"""The command line for secrets: ``aifactory-hub secret ...``. Exit codes as for jobs."""

from __future__ import annotations

import json
import sys

import click

from .command_parts import as_json_option, plainly, table
from .secret_store import remove_secret, secret_uses, secrets, set_secret

_name = click.argument("name")
_tenant = click.option("--tenant", help="The team; by default the notebook's own.")
_team = click.option("--team", is_flag=True, help="The team's, which its admins set, instead of your own.")


@click.group()
def secret() -> None:
    """Secrets that jobs get as variables, such as HF_TOKEN. Nothing reads them back."""


@secret.command("set")
@_name
@_team
@_tenant
@plainly
def set_(name: str, team: bool, tenant: str | None) -> None:
    """Set NAME to what is typed, or to standard input: an argument could be read by every user of the machine."""
    if sys.stdin.isatty():
        value = click.prompt(f"Value of {name}", hide_input=True)
    else:
        value = sys.stdin.read().removesuffix("\n")
    made = set_secret(name, value, team=team, tenant=tenant)
    click.echo(f"{made['name']} is set ({'the team' if made['team'] else 'yours'}, revision {made['revision']}).")


@secret.command("list")
@_tenant
@as_json_option
@plainly
def list_(tenant: str | None, as_json: bool) -> None:
    """Your own and the team's, without values."""
    found = secrets(tenant=tenant)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("There are no secrets.", err=True)
        return
    rows = [
        (s["name"], "team" if s["team"] else "yours", s["changed"], s["changed_by"], s["used"] or "") for s in found
    ]
    table(("SECRET", "WHOSE", "CHANGED", "BY", "LAST USED"), rows)


@secret.command()
@_name
@_team
@_tenant
@plainly
def remove(name: str, team: bool, tenant: str | None) -> None:
    """Forget NAME. Jobs that list it will not start."""
    remove_secret(name, team=team, tenant=tenant)


@secret.command()
@_name
@_team
@_tenant
@as_json_option
@plainly
def uses(name: str, team: bool, tenant: str | None, as_json: bool) -> None:
    """The jobs that were given NAME."""
    found = secret_uses(name, team=team, tenant=tenant)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [(u["job"], str(u["attempt"]), u["user"], str(u["revision"]), u["at"]) for u in found]
    table(("JOB", "ATTEMPT", "USER", "REVISION", "AT"), rows)
