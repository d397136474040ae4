"""The choice of what you are told by mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .api import default_session
from .session import Session


def notifications(*, session: Session | None = None) -> dict[str, Any]:
    """Your choice of what you are told by mail, with the address that it goes to."""
    return (session or default_session()).get("/notifications")


def choose_notifications(
    level: str | None, kinds: Mapping[str, bool] | None = None, *, session: Session | None = None
) -> dict[str, Any]:
    """Be told ``off``, ``failures`` or ``all`` by mail; None: what the site's default says.

    ``kinds`` are those of which you want to be told, or not, whatever the level says, such as ``{"job.held": False}``.
    """
    return (session or default_session()).put("/notifications", {"level": level, "kinds": dict(kinds or {})})
