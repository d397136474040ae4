"""Reads the choice of a start from the form or from the REST API: tenant, profile, environment and ``wait``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.spawns import SpawnPlan, SpawnRequest

FIELDS = ("tenant", "profile", "wait", "environment")
# Put into the form's body by the page itself.
_NOT_OURS = "_xsrf"
# Where a form has several teams, a profile's button says whose profile it is.
_JOIN = "/"
# The only value of ``wait``: wait in the queue if nothing is free. Without it, a full quota refuses the start.
WAIT = "yes"
_WAITING = "wait"


def read_form(form: Mapping[str, Sequence[Any]]) -> SpawnRequest | Refusal:
    """The form's or the query's fields, each a list of values.

    ``profile`` may be ``<tenant>/<profile>`` or ``<tenant>/<profile>/wait``; a ``tenant`` that is another one is
    refused, never guessed.
    """
    given = {name: list(values) for name, values in form.items() if name != _NOT_OURS}
    several = [name for name, values in given.items() if len(values) > 1]
    if several:
        return _bad(several[0], f"{several[0]} was given {len(given[several[0]])} times; give it once.")
    request = read_options({name: values[0] for name, values in given.items() if values})
    return request if isinstance(request, Refusal) else _split(request)


def read_options(options: Any) -> SpawnRequest | Refusal:
    """The options of a REST call, or those stored from an earlier start."""
    if not isinstance(options, Mapping):
        return _bad("user_options", f"The options are {options!r}; an object with {' and '.join(FIELDS)} was expected.")
    for name, value in options.items():
        if name not in FIELDS:
            return _bad(name, f"There is no option {name!r}. The options are: {', '.join(FIELDS)}.")
        if not isinstance(value, str):
            return _bad(name, f"{name} is {value!r}; a text was expected.")
    wait = options.get("wait") or ""
    if wait not in ("", WAIT):
        return _bad("wait", f"wait is {wait!r}; write {WAIT} to wait in the queue if nothing is free, or leave it out.")
    tenant, profile, environment = (options.get(name) or None for name in ("tenant", "profile", "environment"))
    return SpawnRequest(tenant, profile, bool(wait), environment)


def to_options(plan: SpawnPlan) -> dict[str, str]:
    """What the hub stores of a choice and hands back at the start: the environment at its version."""
    options = {"tenant": plan.tenant.name, "profile": plan.profile.name}
    if plan.wait:
        options["wait"] = WAIT
    if plan.choice is not None:
        options["environment"] = plan.choice.name
    return options


def joined(tenant: str, profile: str) -> str:
    """The value of a profile's button in a form with several teams."""
    return f"{tenant}{_JOIN}{profile}"


def waiting(tenant: str, profile: str) -> str:
    """The value of a profile's button that says that the server would have to wait."""
    return f"{tenant}{_JOIN}{profile}{_JOIN}{_WAITING}"


def _split(request: SpawnRequest) -> SpawnRequest | Refusal:
    if request.profile is None or _JOIN not in request.profile:
        return request
    tenant, _, profile = request.profile.partition(_JOIN)
    profile, _, last = profile.partition(_JOIN)
    if request.tenant not in (None, tenant):
        message = f"The profile {profile} that you chose is one of team {tenant}, but you chose team {request.tenant}."
        return Refusal(RefusalReason.BAD_FIELD, f"{message} Choose a profile of that team.", field="profile")
    if last not in ("", _WAITING):
        return _bad("profile", f"profile is {request.profile!r}; write <team>{_JOIN}<profile>.")
    return SpawnRequest(tenant, profile, request.wait or last == _WAITING, request.environment)


def _bad(field: str, message: str) -> Refusal:
    return Refusal(RefusalReason.BAD_FIELD, message, field=field)
