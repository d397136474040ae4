"""Pages and endpoints of ours below the hub's own, ``/hub/aifactory/...``, and what replaces the hub's templates."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from jupyterhub.handlers.base import BaseHandler

from .cancel import CancelStart
from .cluster import ClusterPage
from .frame import frame_of
from .home import HomePage, NamedServer
from .menu import MenuNumbers
from .notice import ServerNotice
from .own_servers import DeleteOwnServer, MoveOwnServer, StopOwnServer
from .spawn import SpawnPage
from .usage_facts import UsageFacts

# Looked through before JupyterHub's own. A template extends the one that it replaces as "templates/<name>".
TEMPLATES = Path(__file__).parent / "templates"

# Served at /hub/logo, unless the site has its own (``c.JupyterHub.logo_file``).
LOGO = Path(__file__).parent / "static" / "logo.svg"

__all__ = ["LOGO", "TEMPLATES", "routes"]


def begin(app: Any) -> None:
    """Let the spawner begin what it does for the whole hub, if it is one of ours: JupyterHub has no hook for it.

    And give every page its frame, see ``Frame``.
    """
    if not hasattr(BaseHandler, "_token_authenticated"):
        # JupyterHub 6.1 reads it of a request whose session has ended, and sets it of those with a token alone.
        BaseHandler._token_authenticated = False
    # JupyterHub calls it with the page's user, each time. In place: its settings have this dictionary already.
    app.template_vars["aifactory"] = partial(frame_of, app)
    start = getattr(app.spawner_class, "begin_for", None)
    if start is not None:
        start(app)


def routes() -> list[tuple[str, type]]:
    """Paths below the hub's prefix, each with its handler; the authenticator hands them to the hub."""
    return [
        # Found before JupyterHub's own of the same path.
        (r"/home", HomePage),
        (r"/spawn", SpawnPage),
        (r"/spawn/([^/]+)", SpawnPage),
        (r"/spawn/([^/]+)/([^/]+)", SpawnPage),
        (r"/aifactory/named-server", NamedServer),
        (r"/aifactory/stop/(?P<user_name>[^/]+)", StopOwnServer),
        (r"/aifactory/stop/(?P<user_name>[^/]+)/(?P<server_name>[^/]*)", StopOwnServer),
        (r"/aifactory/move/(?P<user_name>[^/]+)", MoveOwnServer),
        (r"/aifactory/move/(?P<user_name>[^/]+)/(?P<server_name>[^/]*)", MoveOwnServer),
        (r"/aifactory/delete/(?P<user_name>[^/]+)/(?P<server_name>[^/]+)", DeleteOwnServer),
        (r"/aifactory/cluster", ClusterPage),
        (r"/aifactory/api/usage-facts", UsageFacts),
        (r"/aifactory/menu/(?P<user_name>[^/]+)", MenuNumbers),
        (r"/aifactory/cancel/(?P<user_name>[^/]+)", CancelStart),
        (r"/aifactory/cancel/(?P<user_name>[^/]+)/(?P<server_name>[^/]*)", CancelStart),
        (r"/aifactory/notice/(?P<user_name>[^/]+)", ServerNotice),
        (r"/aifactory/notice/(?P<user_name>[^/]+)/(?P<server_name>[^/]*)", ServerNotice),
    ]
