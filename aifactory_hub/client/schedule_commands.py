"""The command line for schedules: ``aifactory-hub schedule ...``. Exit codes as for jobs."""

from __future__ import annotations

import json
from typing import Any

import click

from .command_parts import as_json_option, asked_of, job_options, plainly, table
from .job_schedules import Schedule, schedules
from .job_schedules import schedule as make

_schedule_id = click.argument("schedule_id")


@click.group()
def schedule() -> None:
    """Jobs that the service submits by the clock."""


@schedule.command(context_settings={"ignore_unknown_options": True})
@click.option("--cron", required=True, help="Minute, hour, day, month, weekday, such as '0 6 * * mon-fri'.")
@click.option("--time-zone", default="UTC", show_default=True, help="As in the tz database: Europe/Amsterdam.")
@click.option(
    "--overlap",
    type=click.Choice(["skip", "allow"]),
    default="skip",
    show_default=True,
    help="Whether a job is made while the one before still goes on.",
)
@job_options
@click.option("--key", help="Idempotency key: the same key makes the same schedule.")
@as_json_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@plainly
def add(
    command: tuple[str, ...],
    cron: str,
    time_zone: str,
    overlap: str,
    key: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Submit COMMAND, or a notebook, at each time of a cron expression. The files are sent now."""
    what, asked = asked_of(command, **options)
    made = make(what, cron, time_zone=time_zone, overlap=overlap, idempotency_key=key, **asked)
    _answer(made, as_json)


@schedule.command("list")
@as_json_option
@plainly
def list_schedules(as_json: bool) -> None:
    """The schedules of the team, the newest first."""
    found = schedules.list()
    if as_json:
        click.echo(json.dumps([one.data for one in found], indent=2))
        return
    if not found:
        click.echo("There are no schedules.", err=True)
        return
    heads = ("SCHEDULE", "LAST", "CRON", "TIME ZONE", "NEXT", "OWNER", "NAME")
    table(heads, [(s.id, _last(s), s.cron, s.time_zone, s.next or "paused", s.owner, s.name) for s in found])


@schedule.command()
@_schedule_id
@as_json_option
@plainly
def pause(schedule_id: str, as_json: bool) -> None:
    """Submit nothing until it is resumed."""
    _answer(schedules.get(schedule_id).pause(), as_json)


@schedule.command()
@_schedule_id
@as_json_option
@plainly
def resume(schedule_id: str, as_json: bool) -> None:
    """Go on with the next time. Times that passed meanwhile are not made up for."""
    _answer(schedules.get(schedule_id).resume(), as_json)


@schedule.command()
@_schedule_id
@plainly
def run(schedule_id: str) -> None:
    """Submit its job now, besides those of its times; prints the job's id."""
    click.echo(schedules.get(schedule_id).run().id)


@schedule.command()
@_schedule_id
@plainly
def delete(schedule_id: str) -> None:
    """Forget a schedule. Jobs that it made stay."""
    found = schedules.get(schedule_id)
    found.delete()
    click.echo(f"{found.id} is deleted")


def _last(one: Schedule) -> str:
    return one.problem or one.last_state or ""


def _answer(one: Schedule, as_json: bool) -> None:
    click.echo(json.dumps(one.data, indent=2) if as_json else str(one))
