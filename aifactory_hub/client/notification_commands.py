"""The command line for what you are told by mail: ``aifactory-hub notifications``. Exit codes as for jobs."""

from __future__ import annotations

import json

import click

from .command_parts import as_json_option, plainly
from .notifications import choose_notifications, notifications
from .printable import line

_WORDS = {
    "off": "nothing",
    "failures": "what failed, and what waits for you",
    "all": "what failed or succeeded, and what waits for you",
}


@click.command("notifications")
@click.argument("level", required=False, type=click.Choice(["off", "failures", "all", "default"]))
@as_json_option
@plainly
def notifications_command(level: str | None, as_json: bool) -> None:
    """Say what you are told by mail, or choose it: off, failures, all, or the site's default."""
    found = notifications() if level is None else choose_notifications(None if level == "default" else level)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    whose = "your choice" if found["chosen"] is not None else "the site's default"
    click.echo(f"By mail you are told {_WORDS[found['level']]} ({found['level']}, {whose}).")
    if not found["mail"]:
        click.echo("This site sends no mail.", err=True)
    elif found["address"] is None:
        click.echo("Your identity provider gives no verified address of yours, so nothing can be sent.", err=True)
    else:
        click.echo(f"It goes to {line(found['address'])}.")
