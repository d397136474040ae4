"""Keeps the check that JupyterHub makes of its servers at its own start from ending busy notebooks.

JupyterHub asks every server over HTTP when it starts, and stops those that do not answer in time. A notebook that
computes, or a network that hangs for a moment, would lose its user's work. So the hub is told that a server answers
when the host shows that it runs. At any other time JupyterHub asks the servers themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

from jupyterhub import __version__
from jupyterhub.objects import Server
from traitlets import Any as Anything


class TrustedServer(Server):
    """JupyterHub's record of a server's address, for a spawner that may say that its server needs no HTTP check."""

    spawner = Anything(help="Has ``trusts_host``: whether it is enough that the host shows the pod as running.")

    def wait_up(self, *arguments: Any, **named: Any) -> Awaitable[Any]:
        """Wait for an HTTP answer of the server, unless its spawner trusts the host."""
        if self.spawner.trusts_host:
            return _answer()
        answer: Awaitable[Any] = super().wait_up(*arguments, **named)
        return answer


async def _answer() -> SimpleNamespace:
    # The hub compares the versions, and logs a line for each server that names none.
    return SimpleNamespace(headers={"X-JupyterHub-Version": __version__})
