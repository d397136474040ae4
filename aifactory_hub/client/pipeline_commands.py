"""The command line for pipelines: ``aifactory-hub pipeline ...``. Exit codes as for jobs."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from .command_parts import as_json_option, plainly, table
from .pipelines import FILE, PipelineRun, check_pipeline, pipeline_run, pipeline_runs, run_pipeline
from .printable import line
from .run_comparison import print_comparison

_run_id = click.argument("run_id")
_file = click.argument("file", default=FILE)
_team = click.option("--team", "tenant", help="The team; by default the notebook's own.")


@click.group()
def pipeline() -> None:
    """Steps that follow each other, as a file of the repository says."""


@pipeline.command()
@_file
@_team
@as_json_option
@plainly
def check(file: str, tenant: str | None, as_json: bool) -> None:
    """Say what is wrong with FILE, and what would become of each step. Exits with 1 when it would be refused."""
    found = check_pipeline(file, tenant=tenant)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _print_check(file, found)
    sys.exit(0 if found["accepted"] else 1)


@pipeline.command()
@_file
@click.option("--files", default=".", show_default=True, help="Folder that travels with it.")
@click.option("--no-files", is_flag=True, help="Send no files.")
@_team
@click.option("--key", help="Idempotency key: the same key makes the same run.")
@click.option("--no-cache", is_flag=True, help="Run each step, also one whose result an earlier job has.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with 0 only if it succeeded.")
@as_json_option
@plainly
def run(
    file: str,
    files: str,
    no_files: bool,
    tenant: str | None,
    key: str | None,
    no_cache: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Start the pipeline of FILE now; prints the run's id."""
    sent = None if no_files else files
    made = run_pipeline(file, files=sent, tenant=tenant, idempotency_key=key, cache=not no_cache)
    _answer(made, wait=wait, as_json=as_json)


@pipeline.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200), help="How many at most.")
@_team
@as_json_option
@plainly
def list_runs(limit: int, tenant: str | None, as_json: bool) -> None:
    """The newest runs first."""
    found = pipeline_runs(limit=limit, tenant=tenant)
    if as_json:
        click.echo(json.dumps([one.data for one in found], indent=2))
        return
    if not found:
        click.echo("There are no runs of pipelines.", err=True)
        return
    rows = [(r.id, r.state, r.data["created"], r.data["owner"], r.data["name"], _cause(r)) for r in found]
    table(("RUN", "STATE", "STARTED", "OWNER", "PIPELINE", "BY"), rows)


@pipeline.command()
@_run_id
@as_json_option
@plainly
def show(run_id: str, as_json: bool) -> None:
    """One run with its steps."""
    _show(pipeline_run(run_id), as_json)


@pipeline.command()
@_run_id
@click.option("--step", help="From this step on; by default from what did not succeed.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with 0 only if it succeeded.")
@as_json_option
@plainly
def retry(run_id: str, step: str | None, wait: bool, as_json: bool) -> None:
    """Run an ended pipeline again, as a new run; prints its id."""
    _answer(pipeline_run(run_id).retry(step), wait=wait, as_json=as_json)


@pipeline.command()
@_run_id
@plainly
def cancel(run_id: str) -> None:
    """Stop what runs, and begin nothing more."""
    click.echo(repr(pipeline_run(run_id).cancel()))


@pipeline.command()
@click.argument("before")
@click.argument("after")
@as_json_option
@plainly
def compare(before: str, after: str, as_json: bool) -> None:
    """The run AFTER beside the run BEFORE: steps, times, costs, metrics, and what was changed."""
    found = pipeline_run(after).compare(before)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_comparison(found)


def _answer(made: PipelineRun, *, wait: bool, as_json: bool) -> None:
    if not as_json:
        click.echo(made.id)
    if wait:
        made.wait()
    if as_json:
        click.echo(json.dumps(made.data, indent=2))
    elif wait:
        _show(made, as_json)
    if wait and made.state != "SUCCEEDED":
        sys.exit(1)


def _show(one: PipelineRun, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(one.data, indent=2))
        return
    click.echo(line(f"{one.data['name']}  {one.state}  {_cause(one)}"))
    if one.data["reason"]:
        click.echo(line(one.data["reason"]))
    rows = [(s["key"], s["state"], s["job"] or "", _about(s)) for s in one.data["steps"]]
    table(("STEP", "STATE", "JOB", "ABOUT"), rows)


def _about(step: dict[str, Any]) -> str:
    """Why it stands as it does, or its values; and of a step that is cached why it ran, or why it did not."""
    # A service before this one says nothing of it.
    told = (step["reason"] or _values(step), step.get("cache_reason"))
    return "; ".join(text for text in told if text)


def _values(step: dict[str, Any]) -> str:
    told = {**step["values"], **step["metrics"]}
    values = " ".join(f"{name}={value}" for name, value in told.items())
    return f"taken from run {step['taken_from']}  {values}".rstrip() if step["taken_from"] else values


def _cause(one: PipelineRun) -> str:
    cause = one.data["cause"]
    if cause["kind"] == "hand":
        return f"by hand, {cause['by']}"
    commit = (cause["commit"] or "")[:8]
    return f"{cause['kind']} {cause['ref']} {commit}" + (f" by {cause['by']}" if cause["by"] else "")


def _print_check(file: str, found: dict[str, Any]) -> None:
    for fault in found["faults"]:
        where = file if fault["line"] is None else f"{file}:{fault['line']}"
        click.echo(line(f"{where}: {fault['message']}"))
    rows = [
        (s["key"], "ok" if s["accepted"] else "refused", s["profile"] or "", s["refusal"] or _notes(s))
        for s in found["steps"]
    ]
    if rows:
        table(("STEP", "VERDICT", "PROFILE", "ABOUT"), rows)


def _notes(step: dict[str, Any]) -> str:
    why = step.get("uncacheable")
    always = [] if why is None else [f"it always runs: {why}"]
    given = [f"data {', '.join(step['data'])}"] if step.get("data") else []
    return "; ".join([*step["warnings"], *given, *always])
