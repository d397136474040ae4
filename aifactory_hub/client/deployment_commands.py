"""The command line for deployments: ``aifactory-hub deployment ...``.

Exit codes: 0 done; 1 refused, failed, or the service does not answer; 2 wrong usage; 4 people have to approve it first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from . import model_deployments as client
from .command_parts import as_json_option, plainly, table
from .errors import ClientError
from .model_registry import as_json as json_text
from .printable import line, lines

_HELD = 4
_FRAMEWORKS = ("auto", "sklearn", "onnx", "python", "command")
_team = click.option("--team", help="The team; by default the token's own.")
_name = click.argument("name")


@click.group()
def deployment() -> None:
    """Models of the notebook's team that answer under a name."""


@deployment.command("list")
@_team
@as_json_option
@plainly
def list_deployments(team: str | None, as_json: bool) -> None:
    """List the team's deployments: the version that each serves, and what is wrong with it."""
    found = client.deployments(team)
    if as_json:
        click.echo(json_text([each.data for each in found]))
        return
    if not found:
        click.echo("The team has no deployments: let a model answer with `aifactory-hub deployment create`.", err=True)
        return
    table(("NAME", "STATE", "MODEL", "VERSION", "RELEASE", "PROFILE", "REASON"), [_row(each.data) for each in found])


def _row(data: dict[str, Any]) -> tuple[str, ...]:
    serving = data["serving"]
    version, number = ("-", "-") if serving is None else (str(serving["version"]), str(serving["number"]))
    profile = f"{data['replicas']} x {data['profile']}"
    return data["name"], data["state"], f"{data['model']}@{data['at']}", version, number, profile, data["reason"]


@deployment.command()
@click.argument("version")
@click.option("--profile", required=True, help="The profile of each replica.")
@click.option("--replicas", type=click.IntRange(1), default=1, show_default=True, help="How many.")
@click.option("--name", help="The name under which it answers; by default the model's.")
@click.option(
    "--framework", type=click.Choice(_FRAMEWORKS), default="auto", show_default=True, help="What serves the files."
)
@click.option("--command", default="", help="For framework command: what to run; it listens on AIFACTORY_PORT.")
@click.option(
    "--example",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with a request, as JSON, that a release has to answer before it serves.",
)
@click.option("--recreate", is_flag=True, help="End the release before first: for a team without quota for two.")
@click.option("--wait", is_flag=True, help="Wait until it answers.")
@_team
@as_json_option
@plainly
def create(version: str, example: Path | None, wait: bool, team: str | None, as_json: bool, **more: Any) -> None:
    """Let VERSION answer, or change how it does: create fraud@prod --profile mig-1g.10gb --replicas 2"""
    asked = None if example is None else _request(example)
    made = _unless_held(lambda: client.deploy(version, example=asked, tenant=team, **more))
    _told(made.wait() if wait else made, as_json)


@deployment.command()
@_name
@_team
@as_json_option
@plainly
def show(name: str, team: str | None, as_json: bool) -> None:
    """The deployment NAME and its releases, the newest first."""
    found = _find(name, team)
    if as_json:
        click.echo(json_text({"deployment": found.data, "releases": found.releases()}))
        return
    _told(found, as_json=False)
    rows = [
        (str(each["number"]), each["state"], str(each["version"]), each["by"], each["created_at"], each["reason"])
        for each in found.releases()
    ]
    table(("RELEASE", "STATE", "VERSION", "BY", "CREATED", "REASON"), rows)


@deployment.command()
@_name
@click.option("--reason", required=True, help="Why, for whoever reads the history.")
@click.option("--to", "release", type=click.IntRange(1), help="The release; by default the one before.")
@_team
@as_json_option
@plainly
def rollback(name: str, reason: str, release: int | None, team: str | None, as_json: bool) -> None:
    """Go back to a release that has served; its alias goes with it, and is frozen: rollback fraud --reason "worse" """
    found = _find(name, team)
    _told(_unless_held(lambda: found.rollback(reason, release)), as_json)


@deployment.command()
@_name
@_team
@as_json_option
@plainly
def stop(name: str, team: str | None, as_json: bool) -> None:
    """End the deployment NAME; its history stays."""
    _told(_find(name, team).stop(), as_json)


@deployment.command()
@_name
@click.argument("request_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_team
@plainly
def ask(name: str, request_file: Path, team: str | None) -> None:
    """Ask NAME what REQUEST_FILE says: JSON of the Open Inference Protocol."""
    click.echo(json_text(_find(name, team).infer(_request(request_file)["inputs"])))


@deployment.command()
@_name
@click.option("--hours", type=click.IntRange(1, 744), default=24, show_default=True, help="The last so many hours.")
@click.option(
    "--step", type=click.IntRange(1, 1440), default=60, show_default=True, help="Minutes that one row sums up."
)
@_team
@as_json_option
@plainly
def usage(name: str, hours: int, step: int, team: str | None, as_json: bool) -> None:
    """How often NAME was asked through the service, how often it failed, and how long it took."""
    found = _find(name, team).usage(hours, step)
    if as_json:
        click.echo(json_text(found))
        return
    click.echo(_usage_line(found, hours))
    rows = [
        (each["at"], str(each["asked"]), str(each["failed"]), _within(each["p50"]), _within(each["p95"]))
        for each in found["minutes"]
    ]
    if rows:
        table(("FROM", "ASKED", "FAILED", "HALF", "95 %"), rows)


@deployment.command()
@_name
@_team
@plainly
def logs(name: str, team: str | None) -> None:
    """The end of what a replica of NAME has printed."""
    click.echo(lines(_find(name, team).logs()))


def _usage_line(usage: dict[str, Any], hours: int) -> str:
    span = "the last hour" if hours == 1 else f"the last {hours} hours"
    if not usage["asked"]:
        return f"Nothing was asked through the service in {span}."
    times = f"half of the answers took {_within(usage['p50'])}, 95 % {_within(usage['p95'])}"
    requests = "1 request" if usage["asked"] == 1 else f"{usage['asked']} requests"
    return f"{requests} in {span}, of which {usage['failed']} failed; {times}."


def _within(millis: int | None) -> str:
    return "more than 10 s" if millis is None else f"up to {millis} ms"


def _find(name: str, team: str | None) -> client.Deployment:
    for each in client.deployments(team):
        if each.name == name:
            return each
    raise ClientError(line(f"The team has no deployment {name!r}."))


def _request(file: Path) -> dict[str, Any]:
    try:
        said = json.loads(file.read_text())
    except ValueError as error:
        raise ClientError(f"{file} is no JSON: {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get("inputs"), list):
        raise ClientError(f"{file} is no request: write an object with a list of inputs.")
    return said


def _unless_held(call: Callable[[], client.Deployment]) -> client.Deployment:
    try:
        return call()
    except client.Held as error:
        click.echo(str(error), err=True)
        sys.exit(_HELD)


def _told(found: client.Deployment, as_json: bool) -> None:
    if as_json:
        click.echo(json_text(found.data))
        return
    data = found.data
    serving = data["serving"]
    words = "nothing yet" if serving is None else f"{data['model']} {serving['version']}, release {serving['number']}"
    click.echo(line(f"{found.name} is {found.state} and answers with {words}"))
    if data["reason"]:
        click.echo(line(data["reason"]), err=True)
