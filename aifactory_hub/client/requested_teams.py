"""Ask for a team, and for more time or another size for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .api import default_session
from .session import Session


def team_templates(*, session: Session | None = None) -> dict[str, Any]:
    """The kinds of teams that may be asked for, and how many devices are promised to nobody."""
    return (session or default_session()).get("/teams/templates")


def request_team(
    name: str,
    template: str,
    *,
    reason: str,
    members: Sequence[str] = (),
    admins: Sequence[str] = (),
    quota: Mapping[str, int] | None = None,
    borrowing: Mapping[str, int] | None = None,
    expires: str = "",
    display_name: str = "",
    check: bool = False,
    session: Session | None = None,
) -> dict[str, Any]:
    """Ask for a team: granted at once, or when others have approved it. With ``check`` only what would be answered.

    ``members`` and ``admins`` are groups at the identity provider, ``quota`` and ``borrowing`` count devices by name,
    ``expires`` is the last day, such as ``2027-03-31``. Raises Refused, which says the largest that fits.
    """
    asked = {
        "name": name,
        "template": template,
        "reason": reason,
        "members": list(members),
        "admins": list(admins),
        "quota": dict(quota or {}),
        "borrowing": dict(borrowing or {}),
        "expires": expires,
        "display_name": display_name,
    }
    return (session or default_session()).change(f"/teams/requests{'/check' if check else ''}", asked)


def renew_team(name: str, expires: str, *, reason: str, session: Session | None = None) -> dict[str, Any]:
    """Ask for more time for a team, until the end of the day ``expires``. For its administrators."""
    asked = {"kind": "renewal", "name": name, "expires": expires, "reason": reason}
    return (session or default_session()).change("/teams/requests", asked)


def change_team(
    name: str,
    *,
    reason: str,
    members: Sequence[str] | None = None,
    admins: Sequence[str] | None = None,
    quota: Mapping[str, int] | None = None,
    borrowing: Mapping[str, int] | None = None,
    display_name: str | None = None,
    check: bool = False,
    session: Session | None = None,
) -> dict[str, Any]:
    """Ask for another size, other groups or another name for people of a team. For its administrators.

    What is None stays as it is, and so do devices that are not named; a count of 0 takes a device away. With ``check``
    only what would be answered. Raises Refused, which says the largest that fits.
    """
    asked: dict[str, Any] = {"kind": "change", "name": name, "reason": reason}
    asked |= {"quota": dict(quota or {}), "borrowing": dict(borrowing or {})}
    asked |= {} if members is None else {"members": list(members)}
    asked |= {} if admins is None else {"admins": list(admins)}
    asked |= {} if display_name is None else {"display_name": display_name}
    return (session or default_session()).change(f"/teams/requests{'/check' if check else ''}", asked)


def team_requests(*, everybody: bool = False, session: Session | None = None) -> list[dict[str, Any]]:
    """Your requests for teams, the newest first; with ``everybody`` all of them, for administrators of the hub."""
    asked = {"everybody": "true"} if everybody else {}
    found: list[dict[str, Any]] = (session or default_session()).get("/teams/requests", asked)["requests"]
    return found


def team_request(request: str, *, session: Session | None = None) -> dict[str, Any]:
    """One request by its id, with how far it has come."""
    return (session or default_session()).get(f"/teams/requests/{quote(request, safe='')}")


def withdraw_team_request(request: str, *, session: Session | None = None) -> dict[str, Any]:
    """Take back a request that waits. Administrators of the hub remove a team that was granted by it."""
    return (session or default_session()).delete(f"/teams/requests/{quote(request, safe='')}")
