"""Triggers from a notebook: repositories that start pipelines."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote as url_quote

from .api import default_session
from .pipelines import team_path
from .session import Session


def triggers(*, tenant: str | None = None, session: Session | None = None) -> list[dict[str, Any]]:
    """The team's triggers, the oldest first."""
    session = session or default_session()
    found: list[dict[str, Any]] = session.get(f"{team_path(session, tenant)}/triggers")["triggers"]
    return found


def make_trigger(
    url: str, provider: str, *, tenant: str | None = None, session: Session | None = None, **more: Any
) -> dict[str, Any]:
    """Have a repository start its pipeline whenever a branch or tag changes; the answer has the secret for its host."""
    session = session or default_session()
    asked = {"key": uuid.uuid4().hex, "url": url, "provider": provider, **more}
    return session.post(f"{team_path(session, tenant)}/triggers", asked)


def trigger_events(trigger_id: str, *, session: Session | None = None) -> dict[str, Any]:
    """What changed in a trigger's repository and what became of it, and its host's last calls."""
    return (session or default_session()).get(f"{_path(trigger_id)}/events")


def try_trigger(trigger_id: str, ref: str = "main", *, session: Session | None = None) -> dict[str, Any]:
    """What a trigger would start from a branch or tag as it is now; nothing is started."""
    return (session or default_session()).change(f"{_path(trigger_id)}/test", {"ref": ref})


def rotate_trigger(trigger_id: str, *, session: Session | None = None) -> dict[str, Any]:
    """A new secret for a trigger's Git host; the one before is good for another day."""
    return (session or default_session()).change(f"{_path(trigger_id)}/rotate")


def pause_trigger(trigger_id: str, paused: bool = True, *, session: Session | None = None) -> dict[str, Any]:
    """Let a trigger rest, or go on."""
    return (session or default_session()).patch(_path(trigger_id), {"paused": paused})


def remove_trigger(trigger_id: str, *, session: Session | None = None) -> None:
    """Forget a trigger; runs that it started stay."""
    (session or default_session()).delete(_path(trigger_id))


def _path(trigger_id: str) -> str:
    return f"/triggers/{url_quote(trigger_id, safe='')}"
