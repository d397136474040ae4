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
@click.option("--with", "more", metavar="KIND", multiple=True, help="Be told of this kind whatever the level says.")
@click.option("--without", "less", metavar="KIND", multiple=True, help="Don't be told of this kind.")
@as_json_option
@plainly
def notifications_command(level: str | None, more: tuple[str, ...], less: tuple[str, ...], as_json: bool) -> None:
    """Say what you are told by mail, or choose it: off, failures, all, or the site's default.

    A level takes back what was chosen by kind; kinds alone leave all else as it is. --json names the kinds.
    """
    found = notifications() if level is None else {}
    if level is not None or more or less:
        chosen = found.get("chosen") if level is None else None if level == "default" else level
        before = {each["kind"]: each["chosen"] for each in found.get("kinds", []) if each["chosen"] is not None}
        kinds = {**before, **dict.fromkeys(more, True), **dict.fromkeys(less, False)}
        found = choose_notifications(chosen, kinds)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    whose = "your choice" if found["chosen"] is not None else "the site's default"
    click.echo(f"By mail you are told {_WORDS[found['level']]} ({found['level']}, {whose}).")
    for each in found["kinds"]:
        if each["chosen"] is not None:
            told = "Besides" if each["told"] else "But not"
            click.echo(f"{told}: {line(each['words'])} ({each['kind']}).")
    if found["why_not"] is not None:
        click.echo(line(found["why_not"]), err=True)
    else:
        click.echo(f"It goes to {line(found['address'])}.")
