"""The command line for what waits: ``aifactory-hub queue``. Exit codes as for jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import click

from .command_parts import as_json_option, plainly, table
from .printable import line
from .session import Session, read_account

# Seconds: somebody looks at the terminal, so it is soon said that nothing answers.
_TIMEOUT = 20.0


@click.command()
@click.option("--tenant", help="Only this team; all that you may see when left out.")
@click.option("--plan", "with_plan", is_flag=True, help="Which idle GPUs to cut anew. For administrators of the hub.")
@as_json_option
@plainly
def queue(tenant: str | None, with_plan: bool, as_json: bool) -> None:
    """Show who waits the longest and why. With --plan, also a file for nvidia-mig-parted and how to apply it."""
    if with_plan and tenant is not None:
        raise click.UsageError("--plan is about all teams: leave out --tenant")
    with closing(Session(read_account(), timeout=_TIMEOUT)) as session:
        told = session.get("/queue", params=None if tenant is None else {"tenant": tenant})
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    if told["simulated"]:
        click.echo("The GPUs of this cluster are simulated.", err=True)
    _waiting(told)
    if told["gpus"] is not None:
        _gpus(told["gpus"])
    if with_plan:
        _plan(told)


def _waiting(told: Mapping[str, Any]) -> None:
    for team in told["not_known"]:
        click.echo(line(f"What waits in team {team} is not known now."), err=True)
    if not told["waiting"]:
        click.echo("Nothing waits.", err=True)
        return
    rows = [
        (
            each["since"] or "not known",
            each["kind"],
            each["tenant"],
            each["user"] or "not shown",
            each["profile"],
            each["owner"] or "",
        )
        for each in told["waiting"]
    ]
    table(("SINCE", "WHAT", "TEAM", "WHO", "PROFILE", "ID"), rows)
    for each in told["waiting"]:
        click.echo(line(f"{each['owner'] or each['kind']}: {each['why']} {each['lets_go']}"))
    if told["left_off"]:
        click.echo(f"{told['left_off']} more wait.")


def _gpus(gpus: Mapping[str, Any]) -> None:
    if not gpus["known"]:
        click.echo(line(f"How the GPUs are cut is not known: {gpus['why']}."))
        return
    click.echo(
        f"GPUs: {gpus['idle']} idle, {gpus['partly']} partly held, {gpus['full']} full, {gpus['unknown']} not known; "
        f"{gpus['free']:g} free in slices, {gpus['stranded']:g} of it of use to nothing that waits."
    )
    for gpu in gpus["gpus"]:
        click.echo(line(f"  {gpu['node']} {gpu['index']} {gpu['model']}: {_gpu_words(gpu)}"))


def _gpu_words(gpu: Mapping[str, Any]) -> str:
    if gpu["unknown"]:
        return f"not known: {gpu['unknown']}"
    if not gpu["slices"]:
        return "not cut, held" if gpu["held"] else "not cut, idle"
    return ", ".join(f"{each['free']} of {each['total']} {each['slice']} free" for each in gpu["slices"])


def _plan(told: Mapping[str, Any]) -> None:
    plan = told["plan"]
    if plan is None:
        whose = "it is for administrators of the hub" if told["gpus"] is None else "how the GPUs are cut is not known"
        raise click.ClickException(f"there is no plan: {whose}.")
    click.echo(line(f"Plan: {plan['words']}"))
    for step in plan["steps"]:
        click.echo(line(_step_words(step)))
    for each in plan["capacities"]:
        name = f"{each['resource']} ({each['flavor']})"
        short = f"; {each['short']} that {', '.join(each['teams'])} own would be missing" if each["short"] else ""
        click.echo(line(f"  cluster.carved of {name}: {each['carved']} -> {each['after']}{short}"))
    for each in plan["more_quota"] or ():
        click.echo(line(f"  team {each['tenant']} needs {each['more']} more {each['resource']} in its quota to start"))
    if plan["more_quota"] is None:
        click.echo("  which teams need more quota is not known now")
    if plan["steps"]:
        click.echo(f"\n# For nvidia-mig-parted; nothing of it is applied by the hub.\n{plan['config']}")
        for command in plan["commands"]:
            click.echo(line(command))


def _step_words(step: Mapping[str, Any]) -> str:
    starts = ", ".join(f"{each['count']} {each['profile']} of {each['tenant']}" for each in step["starts"])
    beside = f"; {step['held_beside']} held on the node's other GPUs" if step["held_beside"] else ""
    return (
        f"  {step['node']} {step['index']}: {_cut_words(step['before'])} -> {_cut_words(step['after'])}; "
        f"room for {starts}{beside}"
    )


def _cut_words(cut: Mapping[str, int]) -> str:
    return " + ".join(f"{count} x {name}" for name, count in cut.items()) or "not cut"
