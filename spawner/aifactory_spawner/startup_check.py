"""The hub's start: servers that run are taken on the host's word. A notebook's silence is not its end.

JupyterHub asks every server over HTTP when it starts, and stops those that do not answer in time: a notebook that
computes, or a network that hangs for a moment, would cost a person her work. At any other time it asks none.
"""

from __future__ import annotations

from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

from jupyterhub import __version__
from jupyterhub.objects import Server
from traitlets import Any as Anything
from traitlets import HasTraits


class LookedAtServer(Server):
    """JupyterHub's record of where a server is, which needs no answer of it while the hub starts."""

    spawner = Anything()

    def wait_up(self, *arguments: Any, **named: Any) -> Awaitable[Any]:
        """An HTTP answer of the server; one that is known to run is not asked, and a made up answer is given for it."""
        if self.spawner.taken_on_word:
            return _taken_on_word()
        answer: Awaitable[Any] = super().wait_up(*arguments, **named)
        return answer


async def _taken_on_word() -> SimpleNamespace:
    # The hub compares the versions, and logs a line for each server that names none.
    return SimpleNamespace(headers={"X-JupyterHub-Version": __version__})


class HubStart(HasTraits):
    """Mixed into the spawner before KubeSpawner."""

    # The hub's: it has just started, and this server is among those that it looks at.
    _check_pending: bool
    _server: Any
    # This start connects to a notebook that runs already: one that does not answer just now must not be stopped.
    connects_again: bool = False

    @property
    def taken_on_word(self) -> bool:
        """Whether the host's word is enough that the server runs."""
        return self._check_pending or self.connects_again

    @property
    def server(self) -> Any:
        """Where the server is, by the hub's database; None while there is none."""
        found = super().server
        # Only then: a start that is under way keeps the object that it was given, and changes it.
        if found is not None and self.taken_on_word and not isinstance(found, LookedAtServer):
            self._server = found = LookedAtServer(orm_server=found.orm_server, spawner=self)
        return found

    @server.setter
    def server(self, server: Any) -> None:
        super(HubStart, type(self)).server.fset(self, server)
