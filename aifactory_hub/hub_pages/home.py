"""The Home page: what of mine runs and what it costs, what is free, and the ways to start, open and stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from jupyterhub.handlers.pages import HomeHandler
from jupyterhub.utils import url_escape_path, url_path_join
from tornado import web
from tornado.httputil import url_concat

from ..constants import IDLE_VARIABLE, SERVICE_NAME
from ..domain.formatting import iso, moment, stored_seconds
from ..domain.home import (
    KnownLoads,
    ServerFacts,
    home_servers,
    next_server,
    server_name,
    server_state,
    teams_free,
)
from ..domain.home_jobs import month_words
from ..domain.server_ends import Notice
from ..domain.team_end import notice_of
from ..domain.tenants import seen
from ..registry import Registry
from .budgets import BudgetsUnknown, said_of_budgets
from .job_service import Ask, JobService, Said, asking

# Seconds. What the cluster has not said by then is shown as unknown.
WITHIN = 1.0
# Characters of the name that a person gives a server.
LONGEST_NAME = 100
# Where a server's state in the hub's database says what it is bound to.
_BINDING = "aifactory"


class HomePage(HomeHandler):
    """In the place of JupyterHub's. It asks nobody about a single server: the hub's watch and caches know."""

    @web.authenticated
    async def get(self) -> None:
        """Shown within ``WITHIN`` seconds, whatever the cluster does."""
        user = self.current_user
        servers = list(_servers(user, time.time()))
        known, said, budgets = await asyncio.gather(_known_loads(user, servers), self._said(user), self._budgets(user))
        registry, now = self.authenticator.registry, time.time()
        named, limit = self.allow_named_servers, await self.get_current_user_named_server_limit()
        self.set_header("Cache-Control", "no-store")
        page = await self.render_template(
            "home.html",
            servers=home_servers(servers, user.name, registry.tenants, registry.catalogue, known, now),
            free=teams_free(known, registry.tenants, registry.catalogue, user.name, now),
            unknown=known.loads is None,
            next_server=next_server(servers, named=named, limit=limit),
            names=named,
            limit=limit,
            longest_name=LONGEST_NAME,
            month=month_words(said.month, now) if said is not None else None,
            budgets=budgets,
            approvals=None if said is None else said.approvals,
            jobs=None if said is None else said.jobs,
            notices=_notices(user, registry, now),
            may_ask=bool(registry.self_service.templates),
            unused={} if said is None else said.unused or {},
            advice={} if said is None else _advice(servers, said.advice or {}),
            auth_state=await user.get_auth_state(),
            simulated=registry.cluster.simulated,
            iso=iso,
            moment=moment,
            now=now,
        )
        self.finish(page)

    async def _budgets(self, user: Any) -> list[str]:
        """How the budgets of the person's teams stand, each in a sentence; none of what is not known now."""
        tenants = self.authenticator.registry.tenants
        teams = [team for team in seen((group.name for group in user.groups), tenants) if tenants[team].budgets]
        try:
            said = await said_of_budgets(self.settings, user.name, teams) if teams else {}
        except BudgetsUnknown:
            return []
        return [f"{tenants[team].display_name}: {words}" for team, each in said.items() for words in each.words]

    async def _said(self, user: Any) -> Said | None:
        """What the job service says of the person; None where this hub has none."""
        service: Any = self.services.get(SERVICE_NAME)
        if service is None or not service.url:
            return None
        # One for the whole hub: it remembers.
        job_service, ask = self.settings.setdefault("aifactory_job_service", (JobService(), _ask(service)))
        teams = seen((group.name for group in user.groups), self.authenticator.registry.tenants)
        found: Said = await job_service.of(ask, user.name, teams)
        return found


def _notices(user: Any, registry: Registry, now: float) -> list[str]:
    """Which of the person's teams end, and when."""
    teams = seen((group.name for group in user.groups), registry.tenants)
    return [notice for team in teams if (notice := notice_of(registry.tenants[team], now))]


def _ask(service: Any) -> Ask:
    return asking(url_path_join(service.url, service.prefix), service.api_token)


class NamedServer(HomeHandler):
    """The form of Home that asks for a server by a name of one's own: leads to the start page, starts nothing."""

    @web.authenticated
    async def get(self) -> None:
        """400 for a name of which nothing can be in an address."""
        user, given = self.current_user, self.get_query_argument("name", "").strip()
        name = server_name(given[:LONGEST_NAME])
        if name is None:
            raise web.HTTPError(
                HTTPStatus.BAD_REQUEST, f"name is {given[:LONGEST_NAME]!r}: write letters or digits, such as second."
            )
        page = url_path_join(self.hub.base_url, "spawn", user.escaped_name, url_escape_path(name))
        self.redirect(url_concat(page, {"display_name": given[:LONGEST_NAME]}))


def _servers(user: Any, now: float) -> Iterator[ServerFacts]:
    leaves_at = getattr(user, "aifactory_leaves_at", {})
    for spawner in user.all_spawners():
        stored = getattr(spawner, "orm_spawner", spawner)
        state = stored.state or {}
        bound, chosen = state.get(_BINDING) or {}, stored.user_options or {}
        active = bool(spawner.active)
        yield ServerFacts(
            spawner.name,
            getattr(stored, "display_name", None) or spawner.name,  # JupyterHub 5 has none
            server_state(active=active, ready=bool(spawner.ready), pending=spawner.pending),
            team=_text(bound.get("tenant") or chosen.get("tenant")),
            profile=_text(bound.get("profile") or chosen.get("profile")),
            started=stored_seconds(stored.started) if active else None,
            stored=state,
            leaves_at=leaves_at.get(spawner.name) if active else None,
            budget_ends_at=_by_budget(spawner) if active else None,
            idle_at=_idle_at(spawner, stored_seconds(stored.last_activity), now) if active else None,
        )


def _advice(servers: Iterable[ServerFacts], said: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """What is said of each server's size, by the server's name."""
    found = {server.name: said.get((server.team or "", server.profile or "")) for server in servers}
    return {name: text for name, text in found.items() if text is not None}


def _by_budget(spawner: Any) -> float | None:
    notice: Notice | None = getattr(spawner, "aifactory_budget_notice", None)
    return None if notice is None else notice.until


def _idle_at(spawner: Any, last_activity: float | None, now: float) -> float | None:
    """When the culler stops it if nothing happens; None where there is none, or where it would be over already."""
    timeout = str((getattr(spawner, "environment", None) or {}).get(IDLE_VARIABLE, ""))
    if last_activity is None or not timeout.isdecimal() or int(timeout) == 0:
        return None
    at = last_activity + int(timeout)
    return at if at > now else None


async def _known_loads(user: Any, servers: list[ServerFacts]) -> KnownLoads:
    choice: Any = getattr(user.spawner, "team_choice", None)
    if choice is None:
        return KnownLoads()
    known: KnownLoads = await choice.known_loads({each.team for each in servers if each.team}, WITHIN)
    return known


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
