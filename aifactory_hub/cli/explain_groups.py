"""``explain-groups``: from somebody's groups to tenants and roles, rule by rule."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
import httpx

from .loading import load
from .registry import open_registry

if TYPE_CHECKING:
    from aifactory_hub.registry import Registry

_TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the variable's name
_API = "JUPYTERHUB_API_URL"


@click.command("explain-groups")
@click.argument("file", type=click.Path())
@click.option("--group", "groups", multiple=True, help="A group of the person; may be repeated.")
@click.option("--claims", help="A JSON file with the claims that arrived; - reads what is piped in.")
@click.option("--user", help=f"Somebody who is signed in; asks the hub at {_API} with {_TOKEN}, an administrator's.")
def explain_groups(file: str, groups: tuple[str, ...], claims: str | None, user: str | None) -> None:
    """Say which tenants somebody is in, by which rule of FILE, a tenants.yaml, and with which role.

    What arrived of somebody who could not sign in is on the hub's page /hub/aifactory/sign-ins.
    """
    if sum((bool(groups), claims is not None, user is not None)) != 1:
        raise click.UsageError("say whose groups: --group, --claims or --user, one of them")
    registry = open_registry(file)
    if claims is not None:
        groups = _groups_in(claims, registry)
    if user is not None:
        groups = tuple(_groups_of(user))
    for line in load("aifactory_hub.domain.rule_trace", "hub").trace(registry.mapping(), groups):
        click.echo(line)


def _groups_in(path: str, registry: Registry) -> tuple[str, ...]:
    try:
        claims = json.loads(sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise click.BadParameter(f"{path} can't be read: {error.strerror}", param_hint="--claims") from error
    except ValueError as error:
        raise click.BadParameter(f"{path} is no JSON: {error}", param_hint="--claims") from error
    if not isinstance(claims, dict):
        raise click.BadParameter(f"{path} is no JSON object with claims", param_hint="--claims")
    reading = load("aifactory_hub.auth.claims", "hub")
    where = reading.GroupsClaim.of(registry.identity)
    try:
        found: tuple[str, ...] = reading.groups_from_claims(claims, where)
    except reading.ClaimError as error:
        raise click.ClickException(f"{error} Sign-in is refused with these words.") from error
    if not found:
        click.echo(reading.arrived(claims, where, "file"))
    return found


def _groups_of(user: str) -> Iterable[str]:
    """What the hub kept of that person's last answer of the identity provider."""
    api, token = os.environ.get(_API), os.environ.get(_TOKEN)
    if not api or not token:
        raise click.UsageError(f"--user needs {_API} and {_TOKEN} in the environment")
    url = f"{api.rstrip('/').removesuffix('/api')}/aifactory/api/explain/{quote(user, safe='')}"
    try:
        answer = httpx.get(url, headers={"Authorization": f"token {token}"}, timeout=10)
    except httpx.HTTPError as error:
        raise click.ClickException(f"the hub at {api} can't be asked: {error}") from error
    body = _json(answer)
    if answer.status_code != httpx.codes.OK:
        raise click.ClickException(
            f"the hub answered {answer.status_code}: {body.get('message') or answer.reason_phrase}"
        )
    return [str(group) for group in body.get("groups") or ()]


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
