"""``aifactory-hub policy``: rules are tried, looked over and explained before anybody meets them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from ..client.command_parts import plainly, table
from ..client.printable import line
from ..client.session import Session, read_account
from ..settings import read_database_settings
from .loading import load
from .registry import open_registry
from .service_database import service_database

if TYPE_CHECKING:
    from aifactory_hub.domain.gates import Rule
    from aifactory_hub.policy.load import Loaded

# As grep and diff have it: 1 is an answer, 2 is trouble.
EXIT_FAILED, EXIT_BAD_FOLDER = 1, 2
# Seconds: many requests are looked at.
LONG = 60.0
_MOST_HITS = 20

_FOLDER = click.argument("folder", type=click.Path())
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is.")


@click.group()
def policy() -> None:
    """Try, look over and explain the site's rules."""


@policy.command()
@_FOLDER
def test(folder: str) -> None:
    """Try all cases of the rules in FOLDER. Ends with 1 when one fails, with 2 when the rules can't be used."""
    loaded = _compiled(folder)
    try_case = load("aifactory_hub.policy.load", "hub").try_case
    cases = failed = 0
    for rule in loaded.bundle.rules:
        for case in rule.cases:
            cases += 1
            problem = try_case(loaded.engine, rule, case)
            if problem is not None:
                failed += 1
                click.echo(line(problem.text()), err=True)
    click.echo(f"{folder}: {len(loaded.bundle.rules)} rules, {cases} cases, {failed} failed")
    if failed:
        sys.exit(EXIT_FAILED)


@policy.command()
@_FOLDER
def lint(folder: str) -> None:
    """Look over the rules in FOLDER: their form, their expressions, their limits, and what is likely to surprise.

    No case is tried. Ends with 2 when the rules can't be used; advice alone ends with 0.
    """
    loaded = _compiled(folder)
    advice = load("aifactory_hub.policy.advice", "hub").advice
    found = [(rule, words) for rule in loaded.bundle.rules for words in advice(rule)]
    for rule, words in found:
        click.echo(line(f"{rule.source}:{rule.line}: rule {rule.id}: {words}"))
    click.echo(f"{folder}: {len(loaded.bundle.rules)} rules can be used, {len(found)} pieces of advice")


@policy.command()
@_FOLDER
def starter(folder: str) -> None:
    """Write rules to begin with into FOLDER, which is not there yet: security, privacy, budget, fairness."""
    source = files("aifactory_hub.policy") / "starter"
    try:
        Path(folder).mkdir(parents=True)
        for file in sorted(source.iterdir(), key=lambda each: each.name):
            if file.name.endswith(".yaml"):
                (Path(folder) / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(
            f"{folder} can't be written: {error.strerror}. Name a folder that is new."
        ) from error
    click.echo(f"{folder} has rules to begin with. Name it in tenants.yaml: policies: {{folder: {folder}}}")


@policy.command()
@_FOLDER
@click.argument("rule", required=False)
def explain(folder: str, rule: str | None) -> None:
    """Say in words what the rules in FOLDER do: each, or RULE alone."""
    loaded = _compiled(folder)
    rules = loaded.bundle.rules if rule is None else (_rule(loaded, folder, rule),)
    click.echo("\n\n".join(_told(each) for each in rules))


@policy.command()
@click.argument("rule")
@click.option("--days", type=click.IntRange(1, 90), default=30, show_default=True, help="How far to look back.")
@click.option(
    "--folder",
    type=click.Path(),
    help="Take RULE from this folder instead of those in use. Run it where the service runs: it reads"
    " AIFACTORY_HUB_SERVICE_DATABASE and AIFACTORY_HUB_TENANTS.",
)
@_JSON
@plainly
def impact(rule: str, days: int, folder: str | None, as_json: bool) -> None:
    """Say what RULE would have stopped of what was asked in the last days: in your teams, or with --folder in all."""
    if folder is not None:
        _impact_of_folder(folder, rule, days)
        return
    with closing(Session(read_account(), timeout=LONG)) as session:
        answer = session.get(f"/policies/{quote(rule, safe='')}/impact", {"days": str(days)})
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(line(answer["words"]))
    _show_hits(answer["hits"])


def _impact_of_folder(folder: str, rule_id: str, days: int) -> None:
    loaded = _compiled(folder)
    rule = _rule(loaded, folder, rule_id)
    settings = read_database_settings()
    registry = open_registry(str(settings.tenants))
    module = load("aifactory_hub.service.impact", "service")
    with service_database(settings.database) as db:
        since = time.time() - days * module.DAY
        found = module.impact_of(rule, loaded.engine, db, registry, since=since, tenants=registry.tenants)
    click.echo(module.impact_words(found, days))
    _show_hits([{"job": h.subject, "tenant": h.tenant, "user": h.user, "message": h.message} for h in found.hits])


def _show_hits(hits: Sequence[Mapping[str, Any]]) -> None:
    if hits:
        rows = [(each["job"] or "", each["tenant"], each["user"], each["message"]) for each in hits[:_MOST_HITS]]
        table(("JOB", "TEAM", "USER", "WHY"), rows)


@policy.command()
@click.argument("verdict")
@click.argument("rule")
@click.option("--team", required=True, help="The team in which it was asked.")
@click.option("--reason", required=True, help="Why, in a sentence: it is kept with the override.")
@click.option("--hours", type=click.IntRange(1, 720), default=24, show_default=True, help="How long it counts.")
@plainly
def override(verdict: str, rule: str, team: str, reason: str, hours: int) -> None:
    """Let one soft RULE pass for exactly what VERDICT refused; for the hub's administrators.

    VERDICT is named in the refusal. Admins of a team do the same in the browser, with their own sign-in.
    """
    body = {"verdict": verdict, "rule": rule, "reason": reason, "until": int(time.time()) + hours * 3600}
    with closing(Session(read_account(), timeout=LONG)) as session:
        found = session.change(f"/tenants/{quote(team, safe='')}/overrides", body)
    click.echo(line(f"Rule {found['rule']} lets this request of {found['user']} pass until {found['until']}."))


def _rule(loaded: Loaded, folder: str, rule_id: str) -> Rule:
    found = loaded.bundle.rule(rule_id)
    if found is None:
        known = ", ".join(each.id for each in loaded.bundle.rules)
        raise click.BadParameter(f"{folder} has no rule {rule_id!r}; it has {known}", param_hint="RULE")
    return found


def _told(rule: Rule) -> str:
    words: Any = load("aifactory_hub.policy.words", "hub")
    return "\n".join(line(each) for each in words.told(rule))


def _compiled(folder: str) -> Loaded:
    """The rules in ``folder``. Ends the process with 2 and the list of problems when they can't be used."""
    module = load("aifactory_hub.policy.load", "hub")
    problems = load("aifactory_hub.policy.problems", "hub")
    try:
        loaded: Loaded = module.compiled_of(module.read_folder(folder))
    except problems.PolicyError as error:
        count = len(error.problems)
        click.echo(str(error), err=True)
        click.echo(f"{folder}: {count} {'problem' if count == 1 else 'problems'}", err=True)
        sys.exit(EXIT_BAD_FOLDER)
    return loaded
