"""The command line for datasets: ``aifactory-hub dataset ...``. Exit codes as for models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import datasets as client
from .command_parts import as_json_option, plainly, table
from .model_registry import as_json as json_text
from .printable import line

_team = click.option("--team", help="The team; by default the token's own.")


@click.group()
def dataset() -> None:
    """Datasets of the notebook's team: names for data, with versions by digest."""


@dataset.command("list")
@_team
@as_json_option
@plainly
def list_datasets(team: str | None, as_json: bool) -> None:
    """The datasets with their class and newest version."""
    found = client.datasets(team)
    if as_json:
        click.echo(json_text(found))
        return
    if not found:
        click.echo("The team has no datasets: aifactory-hub dataset register", err=True)
        return
    rows = [(each["name"], each["data_class"], _newest(each), each["tenant"], each["uri"]) for each in found]
    table(("DATASET", "CLASS", "NEWEST", "TEAM", "URI"), rows)


@dataset.command()
@click.argument("name")
@_team
@as_json_option
@plainly
def show(name: str, team: str | None, as_json: bool) -> None:
    """NAME and its versions, the newest first."""
    found = client.dataset(name, tenant=team)
    if as_json:
        click.echo(json_text(found))
        return
    one = found["dataset"]
    click.echo(line(f"{one['name']}  {one['data_class']}  {one['uri']}  by {one['created_by']}".rstrip()))
    if one["description"]:
        click.echo(line(one["description"]))
    rows = [
        (str(each["version"]), each["kind"], each["digest"], _count(each["count"]), _count(each["size"]), each["by"])
        for each in found["versions"]
    ]
    table(("VERSION", "KIND", "DIGEST", "FILES", "BYTES", "BY"), rows)


@dataset.command()
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take the digest of its files, here.",
)
@click.option("--digest", help="The digest, where the data is elsewhere.")
@click.option(
    "--kind",
    type=click.Choice(["content", "listing", "dvc", "lakefs"]),
    default="content",
    show_default=True,
    help="What the digest is of.",
)
@click.option(
    "--class",
    "data_class",
    type=click.Choice(["public", "internal", "personal", "secret"]),
    help="How sensitive it is; of a new dataset internal by default.",
)
@click.option("--uri", help="Where people find it.")
@_team
@plainly
def register(
    name: str,
    folder: Path | None,
    digest: str | None,
    kind: str,
    data_class: str | None,
    uri: str | None,
    team: str | None,
) -> None:
    """Name a version of NAME, and the dataset if there is none; prints it as jobs are given it, such as claims@3."""
    if (folder is None) == (digest is None):
        raise click.UsageError("Say --folder or --digest.")
    if folder is not None and kind != "content":
        raise click.UsageError("A folder is hashed here, as kind content: leave --kind out.")
    try:
        made = client.register_data(name, digest, folder=folder, kind=kind, uri=uri, data_class=data_class, tenant=team)
    except ValueError as error:
        raise click.ClickException(line(str(error))) from error
    click.echo(line(made))


def _newest(each: dict[str, Any]) -> str:
    return "" if each["newest"] is None else str(each["newest"]["version"])


def _count(number: int | None) -> str:
    return "unknown" if number is None else str(number)
