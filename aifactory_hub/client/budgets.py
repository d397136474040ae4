"""How budgets stand, and more of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .api import default_session
from .errors import ClientError
from .session import Session


def budget(tenant: str | None = None, *, session: Session | None = None) -> dict[str, Any]:
    """How the budgets of a team, by default the token's own, and your own in it stand: spent, reserved, left, when
    they reset and when they will be used up. As the team's admin also those of each person."""
    session = session or default_session()
    return session.get(f"/tenants/{_team(tenant, session)}/budget")


def grant_budget(
    name: str,
    amount: str | float,
    *,
    reason: str,
    until: int,
    user: str | None = None,
    tenant: str | None = None,
    session: Session | None = None,
) -> dict[str, Any]:
    """Grant so much more of a budget, in its unit, until ``until`` (seconds since 1970); how budgets stand then.

    For administrators of the hub; of a budget of each person, with ``user``, for the team's admins too.
    """
    session = session or default_session()
    asked = {"budget": name, "amount": str(amount), "until": until, "reason": reason}
    asked |= {} if user is None else {"user": user}
    return session.change(f"/tenants/{_team(tenant, session)}/budget/grants", asked)


def _team(tenant: str | None, session: Session) -> str:
    wanted = tenant or session.account.tenant
    if wanted is None:
        raise ClientError("Your token is for no team by itself: say which.")
    return quote(wanted, safe="")
