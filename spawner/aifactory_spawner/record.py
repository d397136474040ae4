"""What the hub remembers of one server, in memory and in its database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from aifactory_hub.domain.orphans import ServerKey
from aifactory_hub.domain.server_ends import ENDED, NOTICE, Notice, ServerEnd

from .binding import Binding

# Where a server's state in the hub's database has its binding.
BINDING = "aifactory"


class ServerRecord:
    """Where a server lives, what its owner was told, and why the last server of its name ended.

    ``name`` is for the log, ``server`` is the server's id. ``live`` maps the tickets that the process's servers hold to
    these servers. ``store`` writes the spawner's state into the hub's database.

    ``end`` is None after a stop that somebody asked for. ``unfinished``: the start was under way when an earlier hub
    process ended, and nobody has waited for its end yet.
    """

    def __init__(self, name: str, server: str, live: MutableMapping[str, ServerKey], store: Callable[[], None]) -> None:
        self.name = name
        self.end: ServerEnd | None = None
        self.notice: Notice | None = None
        self.unfinished = False
        self._server = server
        self._live = live
        self._store = store
        self._binding: Binding | None = None

    @property
    def binding(self) -> Binding | None:
        """The tenant and the ticket of the server; None while nothing of it can exist."""
        return self._binding

    def bind(self, binding: Binding | None) -> None:
        """Remember the binding, in memory only."""
        if self._binding is not None:
            self._live.pop(self._binding.ticket, None)
        if binding is not None:
            self._live[binding.ticket] = ServerKey(binding.tenant, self._server)
        self._binding = binding

    def persist(self, binding: Binding) -> None:
        """Store the binding before anything is created, so that the next hub process finds what this one made.

        The hub itself stores a spawner's state only when the start is over.
        """
        self.bind(binding)
        self._store()

    def set_notice(self, notice: Notice | None) -> None:
        """Store what the owner is told; the hub's pages and the notebook read it from the database."""
        if notice != self.notice:
            self.notice = notice
            self._store()

    @property
    def last_end(self) -> str:
        """Why the last server of this name ended, as a sentence; empty after a stop that somebody asked for."""
        return self.end.why if self.end else ""

    def to_state(self) -> dict[str, Any]:
        """What is stored in the hub's database."""
        values = {BINDING: self._binding, ENDED: self.end, NOTICE: self.notice}
        return {name: value.to_state() for name, value in values.items() if value is not None}

    def load(self, state: Mapping[str, Any]) -> None:
        """Read what ``to_state`` gave."""
        self.bind(Binding.from_state(state.get(BINDING)))
        self.end, self.notice = ServerEnd.from_state(state.get(ENDED)), Notice.from_state(state.get(NOTICE))
        self.unfinished = self._binding is not None and not self._binding.started

    def clear(self) -> None:
        """The server is stopped. Why it ended stays, for its owner to read."""
        self.bind(None)
        self.notice = None
        self.unfinished = False
