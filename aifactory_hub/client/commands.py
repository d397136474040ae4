"""The command line for jobs: ``aifactory-hub job ...``.

Exit codes: 0 done; 1 refused, failed, or the service does not answer; 2 wrong usage; 3 there is no such job; 124 the
wait took longer than was allowed. With ``--wait`` a job that ended gives its own exit code.
"""

from __future__ import annotations

import functools
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from . import api, published
from .artifact import Artifact
from .dryrun import DryRun
from .errors import ClientError, Refused, UnknownJob
from .facts import COLOURS, facts, last_values, percent
from .job import Job
from .job_list import jobs as team
from .metrics_output import print_metrics
from .printable import line, lines, print_output
from .save_paths import Hidden, NotSaved
from .session import Session, read_account

F = TypeVar("F", bound=Callable[..., Any])

_STATES = ("PENDING", "QUEUED", "STARTING", "RUNNING", "SUSPENDED", "SUCCEEDED", "FAILED", "CANCELLED")
_COMPLETED = 50


class _NoSuchJob(click.ClickException):
    exit_code = 3


class _TookTooLong(click.ClickException):
    exit_code = 124


def _plainly(command: F) -> F:
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


def _complete_job(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The newest jobs. A shell that completes must not hang: without an answer there is nothing to offer."""
    try:
        session = Session(read_account(), timeout=1.0)
        found = team.list(limit=_COMPLETED, session=session)
        session.close()
    except ClientError:
        return []
    return [CompletionItem(job.id, help=line(f"{job.state} {job.name}")) for job in found if job.id.startswith(typed)]


_job_id = click.argument("job_id", shell_complete=_complete_job)
_priority = click.option(
    "--priority", type=click.Choice(["low", "normal", "high"]), help="Before or after the team's other jobs."
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def job() -> None:
    """Jobs of the notebook's team."""


@job.command(context_settings={"ignore_unknown_options": True})
@click.option("--profile", help="GPU profile; by default the notebook's own.")
@click.option("--name", help="A name for people.")
@click.option("--files", default=".", show_default=True, help="Folder that travels with the job.")
@click.option("--no-files", is_flag=True, help="Send no files.")
@click.option("--git", help="Send the files of this commit instead: COMMIT, or ADDRESS@COMMIT.")
@click.option("--output", "outputs", multiple=True, help="Pattern of files to bring back; may be repeated.")
@click.option("--env", "env", multiple=True, metavar="NAME=VALUE", help="Variable for the command; may be repeated.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="For a notebook; may be repeated.")
@_priority
@click.option("--max-duration", help="The longest that it may run, such as 90m or 4h.")
@click.option("--retries", type=click.IntRange(0), default=0, help="How often to try again after a failure.")
@click.option("--retry-backoff", help="How long before the first retry, such as 30s; doubled for each further one.")
@click.option("--engine", help="What runs it; by default the service's first engine.")
@click.option(
    "--nodes", default=1, show_default=True, type=click.IntRange(1), help="How many nodes it runs on at once."
)
@click.option("--template", help="What the team has published for the engine: a training runtime.")
@click.option(
    "--image",
    type=click.Choice(["notebook", "site"]),
    default="notebook",
    show_default=True,
    help="What it runs in: this notebook's own image, or the site's image of jobs.",
)
@click.option("--key", help="Idempotency key: the same key makes the same job.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and submit nothing.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with the job's exit code.")
@_as_json
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@_plainly
def submit(
    command: tuple[str, ...],
    env: tuple[str, ...],
    parameters: tuple[str, ...],
    files: str,
    no_files: bool,
    outputs: tuple[str, ...],
    key: str | None,
    wait: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Submit COMMAND, or a notebook, as a job, for example: submit --profile mig-1g.10gb -- python train.py"""
    if parameters:
        options["parameters"] = {name: _value(text) for name, text in (_pair(p, "--parameter") for p in parameters)}
    made = api.submit(
        _join(command),
        files=None if no_files else files,
        outputs=list(outputs) or None,
        env=dict(_pair(text, "--env") for text in env),
        idempotency_key=key,
        **options,
    )
    if isinstance(made, DryRun):
        click.echo(json.dumps(made.data, indent=2) if as_json else str(made))
        sys.exit(0 if made.accepted else 1)
    _answer(made, wait=wait, as_json=as_json)


@job.command()
@_as_json
@_plainly
def templates(as_json: bool) -> None:
    """What the team has published to be run, with its parameters."""
    found = published.templates()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("The team has published nothing to be run.", err=True)
        return
    rows = [(t["name"], t["engine"], _parameters(t), (t["description"] or "").splitlines()[0:1]) for t in found]
    _table(("TEMPLATE", "ENGINE", "PARAMETERS", "ABOUT"), [(*row[:3], "".join(row[3])) for row in rows])


@job.command()
@click.option("--engine", default=published.ENGINE, show_default=True, help="What runs it.")
@click.option("--profile", help="GPU profile of each step; by default the notebook's own.")
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(1), help="How many steps may run at once.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@_priority
@click.option("--name", help="A name for people.")
@click.option("--max-duration", help="The longest that it may run, such as 90m or 4h.")
@click.option("--key", help="Idempotency key: the same key makes the same job.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with the job's exit code.")
@_as_json
@click.argument("template")
@_plainly
def run(template: str, parameters: tuple[str, ...], key: str | None, wait: bool, as_json: bool, **options: Any) -> None:
    """Run TEMPLATE, which the team has published, for example: run train --parameter epochs=5"""
    given = dict(_pair(text, "--parameter") for text in parameters)
    made = published.run_template(template, given, idempotency_key=key, **options)
    _answer(made, wait=wait, as_json=as_json)


@job.command("list")
@click.option("--mine", is_flag=True, help="Only one's own.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(_STATES, case_sensitive=False), help="May be repeated."
)
@click.option("--text", default="", help="Something in the name or command.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@_as_json
@_plainly
def list_jobs(mine: bool, states: tuple[str, ...], text: str, limit: int, as_json: bool) -> None:
    """The newest jobs first."""
    found = team.list(mine=mine, state=[state.upper() for state in states], text=text, limit=limit)
    if as_json:
        click.echo(json.dumps([job.data for job in found], indent=2))
        return
    if not found:
        click.echo("There are no such jobs.", err=True)
        return
    rows = [(j.id, j.state, j.profile, j.owner, percent(j), j.name, last_values(j)) for j in found]
    _table(("JOB", "STATE", "PROFILE", "OWNER", "DONE", "NAME", "METRICS"), rows)


@job.command()
@_job_id
@_as_json
@_plainly
def show(job_id: str, as_json: bool) -> None:
    """One job: its state, place, progress, cost and files."""
    found = api.get(job_id)
    if as_json:
        click.echo(json.dumps(found.data, indent=2))
        return
    for name, value in facts(found):
        click.echo(f"{click.style(f'{name:<10}', bold=True)} {value}")  # each value is printable: see facts


@job.command()
@_job_id
@click.option("-f", "--follow", is_flag=True, help="Print as it comes, until the job has ended.")
@click.option("--attempt", type=click.IntRange(min=1), help="Of this attempt; by default of the last.")
@_plainly
def logs(job_id: str, follow: bool, attempt: int | None) -> None:
    """What a job has printed."""
    if follow and attempt is not None:
        raise click.UsageError("--follow reads the present attempt: leave --attempt or --follow out.")
    found = api.get(job_id)
    if follow:
        found.logs(follow=True)
        return
    for _ in print_output([found.logs(attempt=attempt)]):
        pass


@job.command()
@_job_id
@click.option("--name", help="Only this metric.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all points as CSV.")
@_as_json
@_plainly
def metrics(job_id: str, name: str | None, as_csv: bool, as_json: bool) -> None:
    """What a job has reported of itself: the last values, or with --csv or --json all points."""
    print_metrics(api.get(job_id), name, as_csv=as_csv, as_json=as_json)


@job.command()
@_job_id
@click.option("--timeout", type=float, help="Seconds to wait at most.")
@_plainly
def wait(job_id: str, timeout: float | None) -> None:
    """Wait for a job's end; exit with its exit code."""
    _wait(api.get(job_id), timeout)


@job.command()
@_job_id
@_plainly
def cancel(job_id: str) -> None:
    """Stop a job."""
    click.echo(str(api.get(job_id).cancel()))


@job.command()
@_job_id
@_plainly
def suspend(job_id: str) -> None:
    """Let a job give its devices back until it is resumed."""
    click.echo(str(api.get(job_id).suspend()))


@job.command()
@_job_id
@_plainly
def resume(job_id: str) -> None:
    """Let a suspended job go on."""
    click.echo(str(api.get(job_id).resume()))


@job.command()
@_job_id
@_plainly
def retry(job_id: str) -> None:
    """Run a job that has ended once more, as a new one; prints its id."""
    click.echo(api.get(job_id).retry().id)


@job.command()
@_job_id
@click.option("--save", "folder", type=click.Path(file_okay=False, path_type=Path), help="Save all files into here.")
@click.option("--hidden", is_flag=True, help="Save also files whose names begin with a dot.")
@_as_json
@_plainly
def artifacts(job_id: str, folder: Path | None, hidden: bool, as_json: bool) -> None:
    """The files that a job gave back. Nothing that exists is overwritten, and hidden files are saved only if asked."""
    found = api.get(job_id).artifacts
    if as_json:
        click.echo(json.dumps([{"name": n, "size": a.size, "sha256": a.sha256} for n, a in found.items()], indent=2))
    refused = False
    for name, artifact in found.items():
        if not as_json:
            click.echo(line(f"{artifact.size:>12}  {artifact.sha256}  {name}"))
        if folder is not None:
            refused = not _saved(artifact, folder, hidden) or refused
    if refused:
        sys.exit(1)


def _saved(artifact: Artifact, folder: Path, hidden: bool) -> bool:
    """Save it if it may be; what may not is named. False when a file that was asked for could not be saved."""
    try:
        artifact.save_below(folder, hidden=hidden)
    except Hidden as error:
        click.echo(f"{lines(error)} (--hidden)", err=True)
    except NotSaved as error:
        click.echo(lines(error), err=True)
        return False
    return True


def _answer(made: Job, *, wait: bool, as_json: bool) -> None:
    """The new job: with ``--json`` one object, and of one that is waited for as it is at its end."""
    if as_json:
        if wait:
            made.wait(progress=False)
        click.echo(json.dumps(made.data, indent=2))
    else:
        click.echo(made.id)
    if wait:
        _wait(made, None, told=as_json)


def _wait(job: Job, timeout: float | None, *, told: bool = False) -> None:
    state = job.state if told else job.wait(timeout)
    if state == "FAILED" and (end := job.last_lines()):
        click.echo("The end of its log:", err=True)
        for _ in print_output([f"{end}\n"], sys.stderr):
            pass
    if state != "SUCCEEDED":
        sys.exit(job.exit_code or 1)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as what is in them. Colours only where they are seen; the words say all."""
    rows = [tuple(map(line, row)) for row in rows]
    widths = [max(len(row[n]) for row in [heads, *rows]) for n in range(len(heads))]
    click.echo(click.style("  ".join(h.ljust(w) for h, w in zip(heads, widths, strict=True)).rstrip(), bold=True))
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[1] = click.style(cells[1], fg=COLOURS.get(row[1]))
        click.echo("  ".join(cells).rstrip())


def _parameters(template: dict[str, Any]) -> str:
    """Those that have to be set without a value."""
    return " ".join(p["name"] + ("" if p["default"] is None else f"={p['default']}") for p in template["parameters"])


def _join(words: tuple[str, ...]) -> str:
    """One word is taken as a shell's line, several as the words that the shell here has split already."""
    return words[0] if len(words) == 1 else shlex.join(words)


def _pair(text: str, option: str) -> tuple[str, str]:
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
