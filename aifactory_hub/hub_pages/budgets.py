"""What the job service says of budgets, for the hub: before a server's ticket, on the menu and on Home."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from jupyterhub.utils import url_path_join

from ..constants import SERVICE_NAME
from ..domain.refusals import Refusal, RefusalReason
from .job_service import WITHIN, Ask, asking

log = logging.getLogger(__name__)

# Seconds that a start waits for the answer.
DECIDE_WITHIN = 5.0
# The question's place in the hub's settings, one for the whole hub.
_ASKS = "aifactory_budgets"


@dataclass(frozen=True, slots=True)
class TeamSaid:
    """How a team's budgets stand for a user, each in one sentence. ``refusal``: why no server of the asked size may
    start; ``ends``: why one that runs is to be stopped."""

    words: tuple[str, ...]
    refusal: Refusal | None = None
    ends: str | None = None


class BudgetsUnknown(Exception):
    """The job service did not say it."""


async def said_of_budgets(
    settings: dict[str, Any], user: str, teams: Iterable[str], profile: str | None = None, *, within: float = WITHIN
) -> Mapping[str, TeamSaid]:
    """What is said of these teams; those without budgets are left out. ``settings`` are the hub's.

    Raises BudgetsUnknown when the service has not answered in ``within`` seconds.
    """
    asked = [("user", user), *(("tenant", team) for team in teams)]
    asked += [] if profile is None else [("profile", profile)]
    try:
        async with asyncio.timeout(within):
            answer = await _ask(settings, within)(f"site/budget?{urlencode(asked)}")
            return {each["tenant"]: _read(each) for each in answer["teams"]}
    except Exception as error:
        log.info("the job service does not say how budgets stand: %s", error)
        raise BudgetsUnknown(str(error)) from error


def _ask(settings: dict[str, Any], within: float) -> Ask:
    """Raises BudgetsUnknown where this hub has no job service."""
    service = settings.get("services", {}).get(SERVICE_NAME)
    if service is None or not service.url:
        raise BudgetsUnknown("this hub has no job service")
    asks = settings.setdefault(_ASKS, {})
    if within not in asks:
        asks[within] = asking(url_path_join(service.url, service.prefix), service.api_token, within)
    found: Ask = asks[within]
    return found


def _read(said: Mapping[str, Any]) -> TeamSaid:
    refusal = said["refusal"]
    reason = None if refusal is None else RefusalReason(refusal["reason"])
    return TeamSaid(
        tuple(f"Budget {each['name']}: {each['words']}." for each in said["budgets"]),
        None if reason is None else Refusal(reason, str(refusal["message"]), field="profile"),
        said["ends"],
    )
