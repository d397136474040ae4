"""Re-checks the membership of users with running servers or live jobs, though they send no request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Iterable
from typing import Any, Protocol

from ..domain.mapping import TenantMapping
from ..domain.membership_policy import Action, Affected, Policy, ServerFact, affected_servers, leaving_since, notice
from ..registry import RegistryProvider
from .accounts import Accounts
from .memberships import StoredSession, read_kept
from .servers import server_tenant, stop_server
from .session_refresh import Renewal

log = logging.getLogger(__name__)

# So many people are asked about at a time. A provider that takes a second for each answer is asked about a thousand
# people within the interval, and one person for whom it hangs holds up nobody else.
AT_ONCE = 64
# Seconds for which the service's word counts that somebody has live jobs. It repeats it.
_WATCHED_FOR = 120.0
# Seconds after which somebody whom the provider did not answer about is asked about again.
_AGAIN_AFTER = 5.0
# Seconds between two searches for people who run something now, and between two complaints of being late.
_LONGEST_REST, _COMPLAIN_EVERY = 5.0, 60.0
_SHORTEST_REST = 0.1
# People's turns are spread over this last part of the interval, so that they do not all come at once.
_SPREAD = 0.25


class Memberships(Protocol):
    """The part of the authenticator that the poller uses."""

    @property
    def sweep_interval(self) -> float: ...

    @property
    def renewal(self) -> Renewal: ...

    @property
    def accounts(self) -> Accounts: ...

    @property
    def registry_provider(self) -> RegistryProvider | None: ...

    @property
    def leaving(self) -> Policy: ...

    @property
    def mapping(self) -> TenantMapping: ...

    async def refresh_user(self, user: Any) -> Any:
        """Ask the provider again."""


class MembershipPoller:
    """Refreshes the memberships of users who run something, and ends the servers that may not go on.

    Every user has a turn of their own: ``sweep_interval`` after the provider's last answer about them at the latest, a
    few seconds after one that did not come, and when a server of theirs has to be stopped. No turn waits for another's.
    """

    def __init__(self, authenticator: Memberships, app: Any) -> None:
        self._authenticator = authenticator
        self._app = app
        self._watched: dict[str, float] = {}
        self._due: dict[str, float] = {}  # name -> the time of the next turn, on the monotonic clock
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._free = asyncio.Semaphore(AT_ONCE)
        self._woken = asyncio.Event()
        self._rests_until = self._complained = -math.inf
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def begin(cls, authenticator: Memberships, app: Any) -> MembershipPoller:
        """A poller that runs for as long as the event loop; without a loop nothing runs."""
        poller = cls(authenticator, app)
        try:
            poller._task = asyncio.get_running_loop().create_task(poller._run(), name="poll memberships")
        except RuntimeError:
            log.debug("no event loop: memberships are not polled")
        return poller

    def watch(self, names: Iterable[str]) -> None:
        """These people have live jobs."""
        until = time.monotonic() + _WATCHED_FOR
        self._watched.update(dict.fromkeys(names, until))

    def soon(self, name: str) -> None:
        """It has just been learnt that this person left a team: what follows is done now."""
        self._due[name] = 0.0
        self._woken.set()

    async def _run(self) -> None:
        while True:
            try:
                rest = self._begin_looks()
            except Exception:
                log.exception("polling memberships failed; it is tried again")
                rest = _LONGEST_REST
            self._woken.clear()
            self._rests_until = time.monotonic() + rest
            # Not wait_for: before Python 3.12 it can lose a cancellation that comes with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._woken.wait()
            await asyncio.sleep(_SHORTEST_REST)  # many who leave at once are looked for once

    def _begin_looks(self) -> float:
        """Begin each turn that has come. Returns the seconds until there is something to do."""
        people, now = self._people(), time.monotonic()
        rest = min(_LONGEST_REST, self._authenticator.sweep_interval)
        self._due = {name: self._due.get(name, 0.0) for name in people}
        waiting = sorted((due, name) for name, due in self._due.items() if name not in self._looks)
        for due, name in waiting:
            if due > now:
                return min(rest, due - now)
            self._looks[name] = asyncio.create_task(self._turn(people[name]), name=f"look at {name}")
        return rest

    def _people(self) -> dict[str, Any]:
        now = time.monotonic()
        self._watched = {name: until for name, until in self._watched.items() if until > now}
        users = self._app.users
        running = {user.name: user for user in list(users.values()) if user.active or _facts(user)}
        for name in self._watched:
            if name not in running and name in users:
                running[name] = users[name]
        return running

    async def _turn(self, user: Any) -> None:
        name = user.name
        # Whatever is learnt from here on makes a turn of its own.
        self._due[name] = math.inf
        try:
            await self._ask(user)
            after = await self._look_at(user)
        except Exception:
            log.exception("%s could not be looked at; it is tried again", name)
            after = _AGAIN_AFTER
        finally:
            self._looks.pop(name, None)
        self._due[name] = min(self._due.get(name, math.inf), time.monotonic() + after)
        if self._due[name] < self._rests_until:
            self._woken.set()

    def _complain_if_late(self, waited: float) -> None:
        now = time.monotonic()
        if waited > self._authenticator.sweep_interval and now - self._complained > _COMPLAIN_EVERY:
            self._complained = now
            log.warning(
                "%d people run something, and the identity provider answers too slowly to ask about each of them every "
                "%d s: the last one waited %.0f s longer. Who leaves a team keeps it for that much longer.",
                len(self._due), self._authenticator.sweep_interval, waited,
            )  # fmt: skip

    async def _ask(self, user: Any) -> None:
        """Ask the provider about the user, unless one of their requests just did."""
        came = time.monotonic()
        async with self._free:
            self._complain_if_late(time.monotonic() - came)
            if self._seconds_left(user.name, 1 - _SPREAD) <= 0 and await self._authenticator.refresh_user(user):
                user._auth_refreshed = time.monotonic()

    async def _look_at(self, user: Any) -> float:
        """Apply what is known of the user. Returns the seconds until their next turn."""
        kept = read_kept(await user.get_auth_state())
        provider = self._authenticator.registry_provider
        now, servers = time.time(), _facts(user)
        if provider is not None and not provider.complete:
            # Which teams people asked for nobody has said yet: who is in one has not left it.
            servers = [one for one in servers if one.tenant in provider.registry.tenants]
        found = affected_servers(servers, self._left(user.name, servers, kept, now), self._authenticator.leaving, now)
        user.aifactory_leaves_at = {one.server: one.stops_at for one in found if one.action is Action.KEEP}
        user.aifactory_notices = [notice(one, one.tenant, now) for one in found if one.action is Action.KEEP]
        part = random.uniform(1 - _SPREAD, 1)  # noqa: S311 - no secret
        after = self._seconds_left(user.name, part)
        if after <= 0:  # no answer came
            after = min(_AGAIN_AFTER, self._authenticator.sweep_interval)
        for one in found:
            if one.action is not Action.KEEP:
                await self._end(user, one)
                after = min(after, 1.0)  # and see whether it did
            elif one.stops_at is not None:
                after = min(after, max(0.0, one.stops_at - now))
        return after

    def _left(self, name: str, servers: list[ServerFact], kept: StoredSession | None, now: float) -> dict[str, float]:
        """Team -> since when this person runs something there without being a member, by what runs now.

        The times are stored, so that neither a restart nor a sign-in begins a grace again.
        """
        used = {server.tenant for server in servers if server.tenant is not None}
        roles = None if kept is None else kept.roles_by(self._authenticator.mapping)
        known = self._authenticator.accounts.leaving(name)
        left = leaving_since(used, roles, known, now)
        if left != known:
            self._authenticator.accounts.set_leaving(name, left)
        return left

    def _seconds_left(self, name: str, part: float) -> float:
        """Until so large a part of the interval is over since the provider's last answer about the user."""
        return (
            self._authenticator.renewal.answered_at(name) + self._authenticator.sweep_interval * part - time.monotonic()
        )

    async def _end(self, user: Any, one: Affected) -> None:
        spawner = user.spawners[one.server]
        log.warning("%s has left team %s: their server %r there is ended", user.name, one.tenant, one.server)
        if one.action is Action.CALL_OFF:
            if spawner._spawn_future is not None:
                spawner._spawn_future.cancel()
            return
        if spawner.pending is None:
            await stop_server(self._app, user, one.server)


def _facts(user: Any) -> list[ServerFact]:
    return [
        ServerFact(name, server_tenant(spawner), starting=spawner.pending == "spawn")
        for name, spawner in list(user.spawners.items())
        if spawner.active
    ]
