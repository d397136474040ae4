"""``aifactory-hub quota``: a team's menu in a terminal, as the job service tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import click

from ..client.command_parts import plainly
from ..client.prices import price_words
from ..client.session import Session, read_account

# Seconds: somebody looks at the terminal, so it is soon said that nothing answers.
TIMEOUT = 10.0


@click.command()
@click.option("--tenant", help="The team; by default the notebook's own.")
@click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is.")
@plainly
def quota(tenant: str | None, as_json: bool) -> None:
    """Show what can be had now, what it costs, and what would have to be waited for."""
    account = read_account()
    team = tenant or account.tenant
    if team is None:
        raise click.UsageError("say which team: --tenant <team>")
    with closing(Session(account, timeout=TIMEOUT)) as session:
        answer = session.get(f"/tenants/{team}/profiles")
    click.echo(json.dumps(answer, indent=2) if as_json else "\n".join(lines(answer)))


def lines(answer: Mapping[str, Any]) -> list[str]:
    """The answer as a table and what is to be said below it. What is not known is ``unknown``, never 0."""
    rows = [("PROFILE", "GPU", "AN HOUR", "NOW", "TEAM", "BORROW", "CLUSTER", "WAIT"), *map(_row, answer["profiles"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    told = [f"Team {answer['tenant']}, as of {answer['as_of']}"]
    if answer["simulated"]:
        told.append("The GPUs of this cluster are simulated.")
    told += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for profile in answer["profiles"]:
        if profile["reason"]:
            told.append(f"{profile['profile']}: {'; '.join([profile['reason'], *profile['advice']])}")
    return told


def _price(profile: Mapping[str, Any]) -> str:
    return price_words(profile["price_per_hour"], profile) if profile["price_per_hour"] else "no price"


def _row(profile: Mapping[str, Any]) -> tuple[str, ...]:
    gpu, wait = profile["gpu"], profile["wait"]
    limited = profile["devices"]
    return (
        profile["profile"],
        gpu["words"] if gpu else "none",
        _price(profile),
        _now(profile),
        _share(profile["team"]) if limited else "",
        _count(profile["borrowable"]) if limited else "",
        _share(profile["cluster"]) if limited else "",
        f"{_count(profile['waiting'])} before, {wait['words']}" if profile["availability"] == "queue" and wait else "",
    )


def _now(profile: Mapping[str, Any]) -> str:
    if profile["availability"] != "free":
        return str({"queue": "wait"}.get(profile["availability"], profile["availability"]))
    return "free" if profile["free_now"] is None else f"{profile['free_now']} free"


def _share(share: Mapping[str, Any] | None) -> str:
    return "unknown" if share is None or share["free"] is None else f"{share['free']} of {share['total']}"


def _count(count: int | None) -> str:
    return "unknown" if count is None else str(count)
