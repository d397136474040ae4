"""Two runs of pipelines side by side, in a terminal."""

from __future__ import annotations

from typing import Any

import click

from .command_parts import table
from .durations import spoken
from .prices import price_words
from .printable import line

# Of a digest or another long text so much is shown.
_SHOWN = 40


def print_comparison(found: dict[str, Any]) -> None:
    """The service's answer: the runs, their steps, metrics, and what was changed."""
    before, after = found["before"], found["after"]
    heads = ("", before["id"], after["id"])
    rows = [(what, _text(before, what, before), _text(after, what, after)) for what in _RUN]
    table(heads, rows)
    click.echo()
    table(("STEP", *heads[1:]), [_step(pair, before, after) for pair in found["steps"]])
    metrics = [(pair["key"], each) for pair in found["steps"] for each in pair["metrics"]]
    if metrics:
        click.echo()
        table(("METRIC", *heads[1:], "DIFFERENCE"), [_metric(key, each) for key, each in metrics])
    changes = [("the run", each) for each in found["changes"]]
    changes += [(pair["key"], each) for pair in found["steps"] for each in pair["changes"]]
    click.echo()
    if changes:
        click.echo("What was changed:")
    for where, each in changes:
        click.echo(line(f"  {where}: {_change(each)}"))
    if not changes:
        click.echo("Nothing was changed.")


_RUN = ("state", "seconds", "cost")


def _text(side: dict[str, Any], what: str, run: dict[str, Any]) -> str:
    value = side[what]
    if value is None:
        return "unknown" if what == "cost" else ""
    if what == "seconds":
        return spoken(value)
    return price_words(value, run) if what == "cost" else str(value)


def _step(pair: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> tuple[str, str, str]:
    return pair["key"], _side(pair["before"], before), _side(pair["after"], after)


def _side(side: dict[str, Any] | None, run: dict[str, Any]) -> str:
    if side is None:
        return "not there"
    if side["taken_from"] is not None:
        return f"{side['state']}, taken from {side['taken_from']}"
    told = [_text(side, what, run) for what in ("state", "seconds", *(("cost",) if side["job"] else ()))]
    return ", ".join(text for text in told if text)


def _metric(key: str, each: dict[str, Any]) -> tuple[str, str, str, str]:
    more = "" if each["difference"] is None else f"{each['difference']:+g}"
    return f"{key}.{each['name']}", _number(each["before"]), _number(each["after"]), more


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _change(each: dict[str, Any]) -> str:
    if each["hidden"]:
        return f"{each['what']} has another value"
    return f"{each['what']}: {_short(each['before'])} -> {_short(each['after'])}"


def _short(text: str | None) -> str:
    if text is None:
        return "(none)"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
