"""The command line for jobs: ``submit`` and ``jobs ...``, used by the aifactory-hub command."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from . import job as api
from .errors import ClientError, Refused

F = TypeVar("F", bound=Callable[..., Any])


def _plainly(command: F) -> F:
    """Say what went wrong without a traceback; exit code 1."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (ClientError, TimeoutError) as error:
            said = f" [{error.reason}]" if isinstance(error, Refused) else ""
            raise click.ClickException(f"{error}{said}") from error

    return wrapped  # type: ignore[return-value]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--profile", help="GPU profile; by default the notebook's own.")
@click.option("--name", help="A name for people.")
@click.option("--files", default=".", show_default=True, help="Folder that travels with the job.")
@click.option("--no-files", is_flag=True, help="Send no files.")
@click.option("--output", "outputs", multiple=True, help="Pattern of files to bring back; may be repeated.")
@click.option("--env", "env", multiple=True, metavar="NAME=VALUE", help="Variable for the command; may be repeated.")
@click.option("--key", help="Idempotency key: the same key makes the same job.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with the job's exit code.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@_plainly
def submit(
    profile: str | None,
    name: str | None,
    files: str,
    no_files: bool,
    outputs: tuple[str, ...],
    env: tuple[str, ...],
    key: str | None,
    wait: bool,
    command: tuple[str, ...],
) -> None:
    """Submit COMMAND as a job, for example: submit --profile mig-1g.10gb -- python train.py"""
    job = api.submit(
        _join(command),
        profile=profile,
        name=name,
        files=None if no_files else files,
        outputs=list(outputs) or None,
        env=dict(_variable(text) for text in env),
        idempotency_key=key,
    )
    click.echo(job.id)
    if wait:
        _wait(job, None)


@click.group()
def jobs() -> None:
    """Jobs of the notebook's team."""


@jobs.command("list")
@click.option("--mine", is_flag=True, help="Only one's own.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@_plainly
def list_jobs(mine: bool, limit: int) -> None:
    """The newest jobs first."""
    for job in api.jobs(mine=mine, limit=limit):
        click.echo(f"{job.id}  {job.state:<9}  {job.profile:<16}  {job.owner:<16}  {job.name}")


@jobs.command()
@click.argument("job_id")
@click.option("-f", "--follow", is_flag=True, help="Print as it comes, until the job has ended.")
@_plainly
def logs(job_id: str, follow: bool) -> None:
    """What a job has printed."""
    text = api.get(job_id).logs(follow=follow)
    if not follow:
        click.echo(text, nl=False)


@jobs.command()
@click.argument("job_id")
@click.option("--timeout", type=float, help="Seconds to wait at most.")
@_plainly
def wait(job_id: str, timeout: float | None) -> None:
    """Wait for a job's end; exit with its exit code."""
    _wait(api.get(job_id), timeout)


@jobs.command()
@click.argument("job_id")
@_plainly
def cancel(job_id: str) -> None:
    """Stop a job."""
    click.echo(str(api.get(job_id).cancel()))


@jobs.command()
@click.argument("job_id")
@click.option("--save", "folder", type=click.Path(file_okay=False, path_type=Path), help="Save all files into here.")
@_plainly
def artifacts(job_id: str, folder: Path | None) -> None:
    """The files that a job gave back."""
    for name, artifact in api.get(job_id).artifacts.items():
        click.echo(f"{artifact.size:>12}  {artifact.sha256}  {name}")
        if folder is not None:
            artifact.save(folder / name)


def _wait(job: api.Job, timeout: float | None) -> None:
    state = job.wait(timeout)
    if state != "SUCCEEDED":
        sys.exit(job.exit_code or 1)


def _join(words: tuple[str, ...]) -> str:
    """One word is taken as a shell's line, several as the words that the shell here has split already."""
    return words[0] if len(words) == 1 else shlex.join(words)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r}: write NAME=VALUE", param_hint="--env")
    return name, value
