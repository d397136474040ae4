"""Secrets from a notebook: set, listed and removed. Nothing reads a value; jobs that list one get it as a variable."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote as url_quote

from .api import default_session
from .pipelines import team_path
from .session import Session


def secrets(*, tenant: str | None = None, session: Session | None = None) -> list[dict[str, Any]]:
    """Your own secrets in the team and the team's, by name, without values."""
    session = session or default_session()
    found: list[dict[str, Any]] = session.get(f"{team_path(session, tenant)}/secrets")["secrets"]
    return found


def set_secret(
    name: str, value: str, *, team: bool = False, tenant: str | None = None, session: Session | None = None
) -> dict[str, Any]:
    """Make a secret of yours, or with ``team`` of the team's as its admin; or give it another value."""
    session = session or default_session()
    return session.put(_path(session, tenant, name), {"value": value, "team": team})


def remove_secret(name: str, *, team: bool = False, tenant: str | None = None, session: Session | None = None) -> None:
    """Forget a secret. Jobs that list it will not start."""
    session = session or default_session()
    session.delete(f"{_path(session, tenant, name)}{'?team=true' if team else ''}")


def secret_uses(
    name: str, *, team: bool = False, tenant: str | None = None, session: Session | None = None
) -> list[dict[str, Any]]:
    """The jobs that were given a secret, the newest first."""
    session = session or default_session()
    asked = {"team": "true"} if team else {}
    found: list[dict[str, Any]] = session.get(f"{_path(session, tenant, name)}/uses", asked)["uses"]
    return found


def _path(session: Session, tenant: str | None, name: str) -> str:
    return f"{team_path(session, tenant)}/secrets/{url_quote(name, safe='')}"
