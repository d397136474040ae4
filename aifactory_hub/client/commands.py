"""The command line for jobs: ``aifactory-hub job ...``.

Exit codes: 0 done; 1 refused, failed, or the service does not answer; 2 wrong usage; 3 there is no such job; 124 the
wait took longer than was allowed. With ``--wait`` a job that ended gives its own exit code.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from . import api, published
from .artifact import Artifact
from .command_parts import as_json_option, asked_of, job_options, pair, plainly, priority, table
from .dryrun import DryRun
from .errors import ClientError
from .facts import facts, last_values, percent
from .job import Job
from .job_list import jobs as team
from .metrics_output import print_metrics
from .notices import tell
from .printable import line, lines, print_output
from .save_paths import Hidden, NotSaved
from .session import Session, read_account

_STATES = ("HELD", "PENDING", "QUEUED", "STARTING", "RUNNING", "SUSPENDED", "SUCCEEDED", "FAILED", "CANCELLED")
_COMPLETED = 50


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


@click.group()
def job() -> None:
    """Jobs of the notebook's team."""


@job.command(context_settings={"ignore_unknown_options": True})
@job_options
@click.option("--data", multiple=True, help="Version of a dataset that it reads, such as claims@3; may be repeated.")
@click.option("--key", help="Idempotency key: the same key makes the same job.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and submit nothing.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with the job's exit code.")
@as_json_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@plainly
def submit(command: tuple[str, ...], key: str | None, wait: bool, as_json: bool, **options: Any) -> None:
    """Submit COMMAND, or a notebook, as a job, for example: submit --profile mig-1g.10gb -- python train.py"""
    what, asked = asked_of(command, **options)
    made = api.submit(what, idempotency_key=key, **asked)
    if isinstance(made, DryRun):
        click.echo(json.dumps(made.data, indent=2) if as_json else str(made))
        sys.exit(0 if made.accepted else 1)
    _answer(made, wait=wait, as_json=as_json)


@job.command()
@as_json_option
@plainly
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
    table(("TEMPLATE", "ENGINE", "PARAMETERS", "ABOUT"), [(*row[:3], "".join(row[3])) for row in rows])


@job.command()
@click.option("--engine", default=published.ENGINE, show_default=True, help="What runs it.")
@click.option("--profile", help="GPU profile of each step; by default the notebook's own.")
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(1), help="How many steps may run at once.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@priority
@click.option("--name", help="A name for people.")
@click.option("--max-duration", help="The longest that it may run, such as 90m or 4h.")
@click.option("--key", help="Idempotency key: the same key makes the same job.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with the job's exit code.")
@as_json_option
@click.argument("template")
@plainly
def run(template: str, parameters: tuple[str, ...], key: str | None, wait: bool, as_json: bool, **options: Any) -> None:
    """Run TEMPLATE, which the team has published, for example: run train --parameter epochs=5"""
    given = dict(pair(text, "--parameter") for text in parameters)
    made = published.run_template(template, given, idempotency_key=key, **options)
    _answer(made, wait=wait, as_json=as_json)


@job.command("list")
@click.option("--mine", is_flag=True, help="Only one's own.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(_STATES, case_sensitive=False), help="May be repeated."
)
@click.option("--text", default="", help="Something in the name or command.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@as_json_option
@plainly
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
    table(("JOB", "STATE", "PROFILE", "OWNER", "DONE", "NAME", "METRICS"), rows)


@job.command()
@_job_id
@as_json_option
@plainly
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
@plainly
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
@as_json_option
@plainly
def metrics(job_id: str, name: str | None, as_csv: bool, as_json: bool) -> None:
    """The metrics that a job has reported: the last values, or with --csv or --json all points."""
    print_metrics(api.get(job_id), name, as_csv=as_csv, as_json=as_json)


@job.command()
@_job_id
@click.option("--timeout", type=float, help="Seconds to wait at most.")
@plainly
def wait(job_id: str, timeout: float | None) -> None:
    """Wait for a job's end; exit with its exit code."""
    _wait(api.get(job_id), timeout)


@job.command()
@_job_id
@plainly
def cancel(job_id: str) -> None:
    """Stop a job."""
    click.echo(str(api.get(job_id).cancel()))


@job.command()
@_job_id
@plainly
def suspend(job_id: str) -> None:
    """Let a job give its devices back until it is resumed."""
    click.echo(str(api.get(job_id).suspend()))


@job.command()
@_job_id
@plainly
def resume(job_id: str) -> None:
    """Let a suspended job go on."""
    click.echo(str(api.get(job_id).resume()))


@job.command()
@_job_id
@plainly
def retry(job_id: str) -> None:
    """Run a job that has ended once more, as a new one; prints its id."""
    click.echo(api.get(job_id).retry().id)


@job.command()
@_job_id
@click.option("--save", "folder", type=click.Path(file_okay=False, path_type=Path), help="Save all files into here.")
@click.option("--hidden", is_flag=True, help="Save also files whose names begin with a dot.")
@as_json_option
@plainly
def artifacts(job_id: str, folder: Path | None, hidden: bool, as_json: bool) -> None:
    """The files that a job gave back. Nothing that exists is overwritten, and hidden files are saved only if asked."""
    found = api.get(job_id).artifacts
    if as_json:
        click.echo(json.dumps([{"name": n, "size": a.size, "sha256": a.sha256} for n, a in found.items()], indent=2))
    if not found and not as_json:
        tell(f"job {job_id} gave back no files")
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


def _parameters(template: dict[str, Any]) -> str:
    """Those that have to be set without a value."""
    return " ".join(p["name"] + ("" if p["default"] is None else f"={p['default']}") for p in template["parameters"])
