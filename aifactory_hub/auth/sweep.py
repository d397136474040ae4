"""The sweep: people who run something are asked about again though they send no request."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..domain.leaving import Action, Affected, ServerFact, affected_servers, notice
from .memberships import read_kept

if TYPE_CHECKING:
    from .authenticator import AIFactoryAuthenticator

log = logging.getLogger(__name__)

# So many people are asked about at a time.
_AT_ONCE = 8
# Seconds for which the service's word counts that somebody has live jobs. It repeats it.
_WATCHED_FOR = 120.0


class Sweep:
    """Refreshes who runs something, and ends what may not go on."""

    def __init__(self, authenticator: AIFactoryAuthenticator, app: Any) -> None:
        self._a = authenticator
        self._app = app
        self._watched: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._due = math.inf  # when the first grace ends, in epoch seconds

    @classmethod
    def begin(cls, authenticator: AIFactoryAuthenticator, app: Any) -> Sweep:
        """A sweep that runs for as long as the event loop; without a loop nothing runs."""
        sweep = cls(authenticator, app)
        try:
            sweep._task = asyncio.get_running_loop().create_task(sweep._run(), name="sweep of memberships")
        except RuntimeError:
            log.debug("no event loop: memberships are not swept")
        return sweep

    def watch(self, names: Iterable[str]) -> None:
        """These people have live jobs."""
        until = time.monotonic() + _WATCHED_FOR
        self._watched.update(dict.fromkeys(names, until))

    async def _run(self) -> None:
        while True:
            # A server whose grace ends before the next look is not left waiting for it.
            due = max(1.0, self._due - time.time())
            await asyncio.sleep(min(self._a.sweep_interval, due))
            try:
                await self.once()
            except Exception:
                log.exception("the sweep of memberships failed; it is tried again")

    async def once(self) -> None:
        """Look at everybody who runs something."""
        self._due = math.inf
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(user: Any) -> None:
            async with turn:
                try:
                    await self._look_at(user)
                except Exception:
                    log.exception("%s could not be looked at; it is tried again", user.name)

        await asyncio.gather(*(one(user) for user in self._people()))

    def _people(self) -> list[Any]:
        now = time.monotonic()
        self._watched = {name: until for name, until in self._watched.items() if until > now}
        users = self._app.users
        running = {user.name: user for user in list(users.values()) if user.active or _facts(user)}
        for name in self._watched:
            if name not in running and name in users:
                running[name] = users[name]
        return list(running.values())

    async def _look_at(self, user: Any) -> None:
        if await self._a.refresh_user(user):
            user._auth_refreshed = time.monotonic()
        kept = read_kept(await user.get_auth_state())
        now = time.time()
        left = kept.left if kept is not None else {}
        found = affected_servers(_facts(user), left, self._a.leaving, now)
        user.aifactory_notices = [notice(one, one.tenant, now) for one in found if one.action is Action.KEEP]
        for one in found:
            if one.action is not Action.KEEP:
                await self._end(user, one)
            elif one.stops_at is not None:
                self._due = min(self._due, one.stops_at)

    async def _end(self, user: Any, one: Affected) -> None:
        spawner = user.spawners[one.server]
        log.warning("%s has left team %s: her server %r there is ended", user.name, one.tenant, one.server)
        if one.action is Action.CALL_OFF:
            if spawner._spawn_future is not None:
                spawner._spawn_future.cancel()
            return
        if spawner.pending is None:
            await stop_server(self._app, user, one.server)


async def stop_server(app: Any, user: Any, server: str) -> None:
    """Stop a server as the hub's own API does."""
    await app.proxy.delete_user(user, server)
    await user.stop(server)


def server_tenant(spawner: Any) -> str | None:
    """The team that a server is bound to: what its spawner has stored before it created anything."""
    state = spawner.orm_spawner.state or {} if spawner.orm_spawner is not None else {}
    bound = state.get("aifactory")
    return bound.get("tenant") if isinstance(bound, dict) else None


def _facts(user: Any) -> list[ServerFact]:
    return [
        ServerFact(name, server_tenant(spawner), starting=spawner.pending == "spawn")
        for name, spawner in list(user.spawners.items())
        if spawner.active
    ]
