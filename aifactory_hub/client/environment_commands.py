"""The command line for environments: ``aifactory-hub environment ...``. Exit codes as for jobs."""

from __future__ import annotations

import json
import sys

import click

from .command_parts import as_json_option, plainly, table
from .environments import drift, environments

_tenant = click.option("--tenant", help="The team; by default the notebook's own.")


@click.group()
def environment() -> None:
    """List environments and their versions, and compare a server with its own."""


@environment.command("list")
@_tenant
@as_json_option
@plainly
def list_(tenant: str | None, as_json: bool) -> None:
    """Each version, how it stands, and the sizes that it does not go with."""
    found = environments(tenant=tenant)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("Every server is JupyterLab in the site's one image.", err=True)
        return
    rows = []
    for each in found:
        refused = ", ".join(pair["profile"] for pair in each["profiles"] if pair["fit"] == "refuses")
        for known in each["versions"]:
            standing = known["state"] if known["startable"] else f"{known['state']}, may not be started"
            rows.append((f"{each['environment']}@{known['version']}", standing, each["kind"], known["why"], refused))
    table(("ENVIRONMENT", "STATE", "KIND", "WHY", "NOT ON"), rows)


@environment.command("drift")
@click.option("--environment", "name", help="Compare with this name@version; by default with the server's own.")
@as_json_option
@plainly
def drift_(name: str | None, as_json: bool) -> None:
    """Compare the packages installed here with the environment's lock. Ends with 1 if any differs."""
    found = drift(environment=name)
    if as_json:
        differs = {package: list(versions) for package, versions in found.differs.items()}
        click.echo(json.dumps({"environment": found.environment, "differs": differs}, indent=2))
    else:
        click.echo(str(found), err=True)
        rows = [(package, here or "", there or "") for package, (there, here) in found.differs.items()]
        table(("PACKAGE", "HERE", "IN THE LOCK"), rows)
    sys.exit(1 if found.differs else 0)
