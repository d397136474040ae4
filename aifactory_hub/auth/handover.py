"""Gives an account to another person: first everything of the former person ends, then the new one may sign in."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from ..domain.accounts import Account, Subject
from . import revocation
from .accounts import Accounts
from .servers import stop_server

# Seconds for which one try waits for the former person's servers to stop, and between two tries.
_TIMEOUT = 120.0
_AGAIN_AFTER = 30.0
_LOOK_EVERY = 0.5


class NotEnded(Exception):
    """Something of the former person still runs. The account stays shut, and the hub tries again."""


class Handovers:
    """The handovers of one hub. What is recorded as begun is carried out, also by a hub that starts again."""

    def __init__(self, accounts: Accounts, app: Any, log: Any) -> None:
        self._accounts = accounts
        self._app = app
        self._log = log
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Carry out what an earlier hub has left, for as long as the event loop runs."""
        with contextlib.suppress(RuntimeError):
            self._task = asyncio.get_running_loop().create_task(self._finish_all(), name="handovers of accounts")

    async def hand_over(self, name: str, to: Subject | None, *, keep_home: bool, keep_jobs: bool, by: str) -> Account:
        """Give account ``name`` to another person. Raises NotEnded when it is begun, and not yet ended."""
        before = self._accounts.get(name)
        account = self._accounts.begin_handover(name, to, keep_home=keep_home, keep_jobs=keep_jobs)
        self._log.warning(
            "%s hands account %s over, from %s to %s; home volumes are %s, jobs are %s",
            by, name, _shown(before.subject if before else None), _shown(to),
            "kept" if keep_home else "new", "kept" if keep_jobs else "ended",
        )  # fmt: skip
        await self._finish(name)
        return account

    async def _finish_all(self) -> None:
        while True:
            for name in self._accounts.unfinished():
                try:
                    await self._finish(name)
                except Exception as error:
                    self._log.error("the handover of account %s can't be ended yet: %s", name, error)
            await asyncio.sleep(_AGAIN_AFTER)

    async def _finish(self, name: str) -> None:
        """Delete the former person's user at the hub, with servers, tokens, sessions and groups. Raises NotEnded."""
        async with self._turn:
            user = self._app.users.get(name)
            if user is not None:
                # Before anything that takes long: from now on nobody acts as the former person.
                revocation.end_everything(user)
                await user.save_auth_state(None)
                user.sync_groups([])
                await self._stop_servers(user)
                await user.delete_spawners()
                self._app.users.delete(user)
            self._accounts.set_leaving(name, {})
            self._accounts.end_handover(name)
            self._log.warning("account %s is handed over: nothing of its former owner is left at the hub", name)

    async def _stop_servers(self, user: Any) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while running := [name for name, spawner in list(user.spawners.items()) if spawner.active]:
            for name in running:
                await self._stop(user, name)
            if time.monotonic() > deadline:
                raise NotEnded(f"server {running[0]!r} of {user.name} does not stop")
            await asyncio.sleep(_LOOK_EVERY)

    async def _stop(self, user: Any, server: str) -> None:
        spawner = user.spawners[server]
        if spawner.pending == "spawn" and spawner._spawn_future is not None:
            spawner._spawn_future.cancel()
        elif spawner.pending is None:
            try:
                await stop_server(self._app, user, server)
            except Exception as error:
                raise NotEnded(f"server {server!r} of {user.name} can't be stopped: {error}") from error


def _shown(subject: Subject | None) -> str:
    return "nobody" if subject is None else f"subject {subject.subject!r} of {subject.issuer}"
