"""What the hub knows of the cluster, for administrators: how fresh it is, which teams can be reached, leftovers."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.scopes import needs_scope
from tornado import web


class ClusterPage(BaseHandler):
    """Plain tables; the same facts are on /hub/metrics for machines."""

    @web.authenticated
    @needs_scope("admin:servers")
    async def get(self) -> None:
        """404 with a hub whose spawner watches no cluster."""
        look: Any = getattr(self.settings["spawner_class"], "cluster_state", None)
        if look is None:
            raise web.HTTPError(404, "This hub's spawner watches no cluster.")
        self.set_header("Cache-Control", "no-store")
        self.finish(await self.render_template("cluster_state.html", state=look()))
