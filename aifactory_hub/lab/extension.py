"""The extension as the Jupyter server loads it: settings, handlers, and what goes when the server stops."""

from __future__ import annotations

import os
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Integer, default

from .. import __version__
from ..client.errors import NotInNotebook
from ..client.session import read_account
from ..constants import IDLE_VARIABLE
from .activity import ActivitySender, ServerUse
from .handlers import routes
from .lab_socket import LabSocket
from .notice import Notices
from .server import ThisServer
from .team_state import TeamState
from .upstream import Upstream

NAME = "aifactory_hub_lab"
# Where the page finds what it needs before its first request; the extension's TypeScript knows the same name.
PAGE_CONFIG = "aifactoryHub"


class AIFactoryLab(ExtensionApp):
    """Answers the panel. Outside a server of the hub it adds nothing, and says so in one line of the log."""

    name = NAME
    description = "AI Factory in JupyterLab: the team's quota and jobs"
    load_other_extensions = True

    idle_timeout = Integer(
        0,
        help="""Seconds without activity after which the site stops this server, as its idle culler is set up;
        0 when that is not known; by default what the variable
        AIFACTORY_IDLE_TIMEOUT says. Only for the warning in the status bar: nothing is stopped by this extension.""",
    ).tag(config=True)

    @default("idle_timeout")
    def _default_idle_timeout(self) -> int:
        told = os.environ.get(IDLE_VARIABLE, "").strip()
        if told and not told.isdigit():
            self.log.warning("%s is %r: write seconds, for example 7200; ignored.", IDLE_VARIABLE, told)
        return int(told) if told.isdigit() else 0

    def initialize_settings(self) -> None:
        """Called by the Jupyter server before the handlers."""
        self.upstream: Upstream | None = None
        try:
            account = read_account()
        except NotInNotebook as error:
            self.log.info("AI Factory's panel is off: %s", error)
            return
        self.upstream = Upstream(account)
        assert self.serverapp is not None  # it loads this extension
        page: dict[str, Any] = self.serverapp.web_app.settings.setdefault("page_config_data", {})
        page[PAGE_CONFIG] = {"version": __version__}

    def initialize_handlers(self) -> None:
        """Called by the Jupyter server."""
        if self.upstream is not None:
            self.here = ThisServer(self.serverapp, self.upstream.account, idle_timeout=self.idle_timeout or None)
            self.notices = Notices()
            server = self.upstream.account.server or ""
            self.activity = ActivitySender(ServerUse(self.serverapp), self.upstream, server)
            self.lab_socket = self._listen()
            team = TeamState(self.upstream)
            self.handlers.extend(routes(self.upstream, self.here, self.notices, self.activity, team))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Called by the Jupyter server once its event loop runs."""
        if self.upstream is not None and self.upstream.account.server is not None:
            self.activity.start()

    def _listen(self) -> LabSocket | None:
        """None where no socket can be had, as on a full disk: the panel then asks by the clock only."""
        try:
            return LabSocket(self.serverapp)
        except OSError as error:
            self.log.warning("AI Factory's panel learns late of jobs that are submitted in cells: %s", error)
            return None

    async def stop_extension(self) -> None:
        """Called when the Jupyter server stops."""
        if self.upstream is not None:
            if self.lab_socket is not None:
                self.lab_socket.close()
            await self.activity.close()
            await self.here.close()
            await self.notices.close()
            await self.upstream.close()
