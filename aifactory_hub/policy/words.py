"""A rule in words, for people who meet it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from ..domain.gates import Rule
from ..domain.verdicts import Severity, Target, Verb

_ARTICLES = {
    Target.JOB: "a job",
    Target.POD: "a pod of a job",
    Target.SERVER: "a notebook server",
    Target.MODEL: "a model version",
    Target.DEPLOYMENT: "a deployment",
    Target.TENANT: "a team",
}
_VERBS = {
    Verb.SUBMIT: "is submitted",
    Verb.RETRY: "is retried",
    Verb.RESUME: "is resumed",
    Verb.SCHEDULE: "is scheduled",
    Verb.TRIGGER: "is triggered",
    Verb.START_SERVER: "is started",
    Verb.REGISTER: "is registered",
    Verb.PROMOTE: "is promoted",
    Verb.ROLL_BACK: "is rolled back",
    Verb.DEPLOY: "is deployed",
}


def told(rule: Rule) -> Iterator[str]:
    """Its lines."""
    yield f"{rule.id}: {rule.title}"
    yield f"  It is asked {_when(rule)}."
    yield f"  {effect(rule)}"
    if rule.condition:
        yield f"  It counts where: {_flat(rule.condition)}"
    yield f"  It wants:        {_flat(rule.holds)}"
    for name, text in rule.variables.items():
        yield f"    where variables.{name} is {_flat(text)}"
    yield f"  To mend it:      {rule.fix}"
    yield f"  {len(rule.cases)} cases, in {rule.source}, line {rule.line}"


def effect(rule: Rule) -> str:
    """What follows where the rule is not met, as a sentence."""
    if rule.needs:
        who = " and ".join(f"{need.count} of {need.role}" for need in rule.needs)
        says = f"It holds what is asked until it is approved by {who}"
    elif rule.severity is Severity.ADVISORY:
        says = "It says so, and stops nothing"
    elif rule.severity is Severity.SOFT:
        whom = "one of the team's admins" if rule.overridable_by == "admin" else "an administrator of the hub"
        says = f"It refuses; {whom} may override it for one request, with a reason and until a day"
    else:
        says = "It refuses, and nobody can override it"
    if rule.enforce_from is not None:
        says += f"; before {datetime.fromtimestamp(rule.enforce_from, UTC):%Y-%m-%d} it is only tried"
    return f"{says}."


def _when(rule: Rule) -> str:
    verbs = " or ".join(_VERBS[verb] for verb in Verb if verb in rule.verbs) or "begins in any way"
    words = f"before {_ARTICLES[rule.target]} {verbs}"
    if rule.teams:
        words += f", in {'team' if len(rule.teams) == 1 else 'teams'} {', '.join(sorted(rule.teams))}"
    if rule.engines:
        words += f", by {' or '.join(sorted(rule.engines))}"
    return words


def _flat(expression: str) -> str:
    return " ".join(expression.split())
