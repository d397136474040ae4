"""Parts of the commands for jobs and schedules: options, errors, tables."""

from __future__ import annotations

import difflib
import functools
import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from .errors import ClientError, Refused, UnknownJob
from .facts import COLOURS
from .printable import line, lines

F = TypeVar("F", bound=Callable[..., Any])


class _NoSuchJob(click.ClickException):
    exit_code = 3


class _TookTooLong(click.ClickException):
    exit_code = 124


def plainly(command: F) -> F:
    """Say what went wrong without a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except TimeoutError as error:
            raise _TookTooLong(lines(error)) from error
        except UnknownJob as error:
            raise _NoSuchJob(lines(f"{error} [{error.reason}]")) from error
        except ClientError as error:
            said = f" [{error.reason}]" if isinstance(error, Refused) else ""
            raise click.ClickException(lines(f"{error}{said}")) from error

    return wrapped  # type: ignore[return-value]


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
priority = click.option(
    "--priority", type=click.Choice(["low", "normal", "high"]), help="Before or after the team's other jobs."
)

_OF_A_JOB = (
    click.option("--profile", help="GPU profile; by default the notebook's own."),
    click.option("--name", help="A name for people."),
    click.option("--files", default=".", show_default=True, help="Folder that travels with the job."),
    click.option("--no-files", is_flag=True, help="Send no files."),
    click.option("--git", help="Send the files of this commit instead: COMMIT, or ADDRESS@COMMIT."),
    click.option("--output", "outputs", multiple=True, help="Pattern of files to bring back; may be repeated."),
    click.option(
        "--env", "env", multiple=True, metavar="NAME=VALUE", help="Variable for the command; may be repeated."
    ),
    click.option("--secret", "secrets", multiple=True, help="Secret that it gets as a variable; may be repeated."),
    click.option(
        "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="For a notebook; may be repeated."
    ),
    priority,
    click.option("--max-duration", help="The longest that it may run, such as 90m or 4h."),
    click.option("--retries", type=click.IntRange(0), default=0, help="How often to try again after a failure."),
    click.option("--retry-backoff", help="How long before the first retry, such as 30s; doubled for each further one."),
    click.option("--engine", help="What runs it; by default the service's first engine."),
    click.option(
        "--nodes", default=1, show_default=True, type=click.IntRange(1), help="How many nodes it runs on at once."
    ),
    click.option("--template", help="What the team has published for the engine: a training runtime."),
    click.option(
        "--image",
        type=click.Choice(["notebook", "site"]),
        default="notebook",
        show_default=True,
        help="What it runs in: this notebook's own image, or the site's image of jobs.",
    ),
)


def job_options(command: F) -> F:
    """The options of a job that is submitted, now or by the clock."""
    for option in reversed(_OF_A_JOB):
        command = option(command)
    return command


def asked_of(
    command: Sequence[str],
    *,
    env: Sequence[str],
    parameters: Sequence[str],
    files: str,
    no_files: bool,
    outputs: Sequence[str],
    **options: Any,
) -> tuple[str, dict[str, Any]]:
    """Return the command to run and the other arguments of ``submit``. Raises UsageError."""
    first = command[0]
    if first.startswith("-"):
        # Options after the first word are the command's own; one before it can only be meant for us.
        name, known = first.partition("=")[0], click.get_current_context().command.params
        names = [option for parameter in known for option in parameter.opts if option.startswith("--")]
        raise click.NoSuchOption(name, possibilities=difflib.get_close_matches(name, names, n=1))
    if parameters:
        options["parameters"] = {name: _value(text) for name, text in (pair(p, "--parameter") for p in parameters)}
    return _join(command), {
        "files": None if no_files else files,
        "outputs": list(outputs) or None,
        "env": dict(pair(text, "--env") for text in env),
        **options,
    }


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as what is in them. Colours only where they are seen; the words say all."""
    rows = [tuple(map(line, row)) for row in rows]
    widths = [max(len(row[n]) for row in [heads, *rows]) for n in range(len(heads))]
    click.echo(click.style("  ".join(h.ljust(w) for h, w in zip(heads, widths, strict=True)).rstrip(), bold=True))
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[1] = click.style(cells[1], fg=COLOURS.get(row[1]))
        click.echo("  ".join(cells).rstrip())


def _join(words: Sequence[str]) -> str:
    """One word is taken as a shell's line, several as the words that the shell here has split already."""
    return words[0] if len(words) == 1 else shlex.join(words)


def pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r}: write NAME=VALUE", param_hint=option)
    return name, value


def _value(text: str) -> Any:
    """As JSON if it is some, so that numbers are numbers; else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def counts_of(texts: Sequence[str], option: str) -> dict[str, int]:
    """Sizes with how many of each, from texts such as ``mig-1g.10gb=2``. Raises click.BadParameter with the option."""
    found = {}
    for text in texts:
        name, _, count = text.rpartition("=")
        if not name or not count.isdecimal():
            raise click.BadParameter(f"{text!r} is not SIZE=N, such as mig-1g.10gb=2", param_hint=option)
        found[name] = int(count)
    return found
