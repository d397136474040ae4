"""The form of a file of rules: every key, of which kind its value is, and what pydantic says in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..domain.gates import OVERRIDERS
from ..domain.verdicts import Severity, Target, Verb

API_VERSION = "aifactory-hub.io/policy-v1"
MOST_RULES_IN_FILE = 100
_MOST_CASES = 50
_MOST_APPROVERS = 10
_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        raise ValueError("write lower-case letters, digits and inner dashes, 60 at most")
    return text


def _variables(given: dict[str, str]) -> dict[str, str]:
    for name in given:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name of a variable: letters, digits and _")
    return given


def _day(value: object) -> float:
    """The beginning of a day in UTC, in epoch seconds. YAML makes a date of an unquoted day."""
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        day = None
    if type(day) is not date:
        raise ValueError("write a day such as 2027-01-31")
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _one_line(text: str) -> str:
    joined = " ".join(text.split())
    if not joined:
        raise ValueError("write a sentence")
    return joined


def _with_time(view: dict[str, Any]) -> dict[str, Any]:
    """``now`` as a time, however it was written; of one without a zone, UTC."""
    now = view.get("now")
    if isinstance(now, str):
        now = datetime.fromisoformat(now)
    elif isinstance(now, date) and not isinstance(now, datetime):
        now = datetime(now.year, now.month, now.day)
    if isinstance(now, datetime) and now.tzinfo is None:
        now = now.replace(tzinfo=UTC)
    return view if now is None else {**view, "now": now}


Id = Annotated[str, AfterValidator(_id)]
Sentence = Annotated[str, Field(max_length=500), AfterValidator(_one_line)]
Expression = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CaseSection(_Section):
    """An example: ``view`` is laid over the sample of the rule's target."""

    name: Sentence | None = None
    expect: Literal["pass", "fail"]
    message: str | None = None
    view: Annotated[dict[str, Any], AfterValidator(_with_time)] = {}


class ScopeSection(_Section):
    """Which teams' and engines' requests a rule is about."""

    teams: Annotated[list[str], Field(min_length=1)] | None = None
    engines: Annotated[list[str], Field(min_length=1)] | None = None


class ApproverSection(_Section):
    """So many people of a role have to approve."""

    role: Id
    count: Annotated[int, Field(ge=1, le=20)] = 1


class RuleSection(_Section):
    """One rule."""

    id: Id
    title: Sentence
    target: Annotated[Target, Field(strict=False)]
    severity: Literal["advisory", "soft", "hard"]
    verbs: Annotated[list[Annotated[Verb, Field(strict=False)]], Field(min_length=1)] | None = None
    scope: ScopeSection = ScopeSection()
    variables: Annotated[dict[str, Expression], Field(max_length=30), AfterValidator(_variables)] = {}
    when: Expression | None = None
    assert_: Annotated[str, Field(alias="assert", min_length=1)]
    message: Expression
    fix: Sentence
    field: Annotated[str, Field(max_length=60)] | None = None
    overridable_by: Literal["admin", "platform"] | None = None
    enforce_from: Annotated[float | None, BeforeValidator(_day)] = None
    approval: Annotated[list[ApproverSection], Field(min_length=1, max_length=_MOST_APPROVERS)] | None = None
    cases: Annotated[list[CaseSection], Field(max_length=_MOST_CASES)] = []


class RulesFile(_Section):
    """A file of rules."""

    apiVersion: Literal["aifactory-hub.io/policy-v1"]
    rules: Annotated[list[RuleSection], Field(min_length=1, max_length=MOST_RULES_IN_FILE)]


SEVERITIES = {"advisory": Severity.ADVISORY, "soft": Severity.SOFT, "hard": Severity.HARD}


def problems_of(error: ValidationError) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Path, what is wrong and what to write instead, for each thing that pydantic lists."""
    for details in error.errors(include_url=False):
        path = details["loc"]
        if details["type"] == "extra_forbidden":
            yield path, "unknown key", f"the keys here are {', '.join(_keys(path))}"
        elif details["type"] == "missing":
            yield path, "is missing", _HINTS.get(str(path[-1]), "add it")
        else:
            said = details["msg"].removeprefix("Value error, ")
            yield path, f"{repr(details['input'])[:80]} is not possible here", _hint(path, said)


def inconsistencies(rule: RuleSection) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """What a rule says that does not go together: key, what is wrong, what to write instead."""
    if rule.severity == "soft" and rule.approval is None and rule.overridable_by is None:
        yield ("severity",), "soft, and nobody may override it", f"add overridable_by: {' or '.join(OVERRIDERS)}"
    if rule.overridable_by is not None and (rule.severity != "soft" or rule.approval is not None):
        yield ("overridable_by",), "only a soft rule without approval can be overridden", "leave it out"
    if rule.severity == "advisory" and rule.approval is not None:
        yield ("approval",), "an advisory rule never stops anything, so nobody has to approve", "make it hard"
    if rule.target is Target.POD:
        yield from _not_for_pods(rule)
    if rule.target is Target.SERVER and (rule.severity == "soft" or rule.approval is not None):
        what = "the hub starts servers, and knows neither overrides nor approvals"
        yield ("severity",), what, "make it hard or advisory, without approval"
    for wanted in ("pass", "fail"):
        if not any(case.expect == wanted for case in rule.cases):
            yield ("cases",), f"no case has expect: {wanted}", "add one: a rule shows what it lets pass and what not"


def _not_for_pods(rule: RuleSection) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """The host judges pods alone: it knows no verbs, no engines and no approvals."""
    why = "the host's API server judges pods too, and does not know it"
    given = {"verbs": rule.verbs, "approval": rule.approval}
    for key, value in given.items():
        if value is not None:
            yield (key,), why, "leave it out, or make a rule of target job"
    if rule.scope.engines is not None:
        yield ("scope", "engines"), why, "leave it out, or make a rule of target job"


_HINTS = {
    "apiVersion": f"add `apiVersion: {API_VERSION}`",
    "message": "add an expression, such as \"'the image ' + job.image.name + ' has no digest'\"",
    "fix": "add a sentence that says how to mend it",
    "expect": "add `expect: pass` or `expect: fail`",
    "severity": "add `severity: advisory`, soft or hard",
}


def _hint(path: tuple[str | int, ...], said: str) -> str:
    return said[:1].lower() + said[1:] if said else _HINTS.get(str(path[-1]), "correct it")


def _keys(path: tuple[str | int, ...]) -> list[str]:
    """The keys of the mapping that the last step of ``path`` is in."""
    inside = [step for step in path[:-1] if isinstance(step, str)]
    sections: dict[str, type[BaseModel]] = {
        "rules": RuleSection,
        "cases": CaseSection,
        "scope": ScopeSection,
        "approval": ApproverSection,
    }
    section = next((sections[step] for step in reversed(inside) if step in sections), RulesFile)
    return [field.alias or name for name, field in section.model_fields.items()]
