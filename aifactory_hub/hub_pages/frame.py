"""What the hub's pages have besides JupyterHub's own: links, and what a person should know of their servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..domain.server_ends import ServerMessage, end_messages, notice_messages
from ..domain.tenants import administered


@dataclass(frozen=True, slots=True)
class TeamLink:
    """To the page of a team that one administers."""

    team: str
    title: str


@dataclass(frozen=True, slots=True)
class Frame:
    """For the templates, as ``aifactory``. ``watches``: the hub's spawner has facts for the cluster page."""

    teams: tuple[TeamLink, ...] = ()
    notices: tuple[ServerMessage, ...] = ()
    ends: tuple[ServerMessage, ...] = ()
    watches: bool = False


def frame_of(app: Any, user: Any) -> Frame:
    """Of the person that a page is for; an empty one for who is not signed in, and for a service."""
    watches = hasattr(app.spawner_class, "cluster_state")
    if not hasattr(user, "orm_user"):
        return Frame(watches=watches)
    tenants = app.authenticator.registry.tenants
    # The page itself asks what the provider said; the groups are good enough for a link.
    teams = administered((group.name for group in user.groups), tenants)
    states = {name: stored.state for name, stored in sorted(user.orm_user.orm_spawners.items())}
    return Frame(
        teams=tuple(TeamLink(team, tenants[team].display_name) for team in teams),
        notices=notice_messages(states),
        ends=end_messages(states),
        watches=watches,
    )
