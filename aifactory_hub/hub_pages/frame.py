"""What the hub's pages have besides JupyterHub's own: links, and what a person should know of their servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..domain.error_words import ErrorWords, error_words
from ..domain.server_ends import ServerMessage, end_messages, notice_messages
from ..domain.tenants import administered, seen
from ..registry import Site


@dataclass(frozen=True, slots=True)
class TeamLink:
    """To the page of a team. ``admin``: one administers it, so that the hub has a page of its servers, too."""

    team: str
    title: str
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """For the templates, as ``aifactory``. ``watches``: the hub's spawner has facts for the cluster page."""

    site: Site = field(default_factory=Site)
    teams: tuple[TeamLink, ...] = ()
    notices: tuple[ServerMessage, ...] = ()
    ends: tuple[ServerMessage, ...] = ()
    watches: bool = False

    def error(self, status: int, message: str | None, from_proxy: bool = False) -> ErrorWords:
        """What an error page says; see ``error_words``."""
        return error_words(status, message, from_proxy=from_proxy)


def frame_of(app: Any, user: Any) -> Frame:
    """Of the person that a page is for; an empty one for who is not signed in, and for a service."""
    watches = hasattr(app.spawner_class, "cluster_state")
    registry = app.authenticator.registry
    if not hasattr(user, "orm_user"):
        return Frame(registry.site, watches=watches)
    tenants = registry.tenants
    # The page itself asks what the provider said; the groups are good enough for a link.
    groups = [group.name for group in user.groups]
    admin = administered(groups, tenants)
    states = {name: stored.state for name, stored in sorted(user.orm_user.orm_spawners.items())}
    return Frame(
        registry.site,
        teams=tuple(TeamLink(team, tenants[team].display_name, team in admin) for team in seen(groups, tenants)),
        notices=notice_messages(states),
        ends=end_messages(states),
        watches=watches,
    )
