"""Whether a server runs, and why one ended: everything behind ``poll``."""

from __future__ import annotations

import logging
import time
from typing import Any

from traitlets import HasTraits, Integer

from aifactory_hub.clusters import ApiUnreachable
from aifactory_hub.domain import server_ends
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.server_ends import ENDED, NOTICE, Notice, ServerEnd
from aifactory_hub.domain.tickets import Repair, Ticket, repair_of

from .binding import Binding
from .host_pods import exit_code
from .metrics import count_end
from .refusals import SpawnRefused
from .server import NO_ANSWER, Server
from .start_log import StartLog

# Seconds to wait for the first list of the host's pods; until then nothing is known of any server.
FIRST_LIST = 5.0
# How long a start that the hub did not live to see the end of may still take.
ADOPT_WITHIN = 45.0
GONE = 1  # the exit code of a server that ended without having said how


class Lookout(HasTraits):
    """Mixed into the spawner before KubeSpawner. Not known is never taken for stopped."""

    preemption_grace = Integer(
        60,
        min=0,
        config=True,
        help="""
        Seconds between telling the owner of a server that its quota is taken back, and stopping it.

        As long as it runs, whoever gets the quota waits.
        """,
    )

    # Of the spawner.
    log: logging.Logger
    orm_spawner: Any
    user: Any
    steps: StartLog
    port: int
    _log_name: str
    _binding: Binding | None
    _bound: Any
    _persist: Any
    _under_way: Any
    _count_again: Any
    get_state: Any

    # Why the last server of this name ended without having been stopped, and what is about to happen to this one.
    ended: ServerEnd | None = None
    notice: Notice | None = None
    # Its start was under way when an earlier hub process ended.
    _unfinished: bool = False
    # The ticket of a server that has ended for certain, and the exit code: the hub asks several times.
    _over: tuple[str, int] | None = None

    @property
    def last_end(self) -> str:
        """A sentence on the last end, empty after a stop that somebody asked for."""
        return self.ended.why if self.ended else ""

    def _lookout_state(self) -> dict[str, Any]:
        """What is kept of it in the hub's database."""
        kept = {ENDED: self.ended, NOTICE: self.notice}
        return {name: value.to_state() for name, value in kept.items() if value is not None}

    def _load_lookout(self, state: dict[str, Any]) -> None:
        self.ended, self.notice = ServerEnd.from_state(state.get(ENDED)), Notice.from_state(state.get(NOTICE))
        self._unfinished = self._binding is not None and not self._binding.started

    async def poll(self) -> int | None:
        """None: runs, starts, or not known. A number: it has ended for certain, and its ticket is given back.

        An API that does not answer never makes a running server a stopped one.
        """
        if self._under_way():
            return None
        if self._binding is None:
            # Every start is bound before it creates anything.
            return GONE
        if self._over is not None and self._over[0] == self._binding.ticket:
            return self._over[1]
        try:
            return await self._look()
        except NO_ANSWER as error:
            self.log.warning("%s: not known whether it runs: %s", self._log_name, error)
            return None

    async def _look(self) -> int | None:
        server: Server = await self._bound()
        if not await server.wiring.watch.synced(FIRST_LIST) or server.wiring.watch.stale:
            return None
        if server.binding.tenant not in server.wiring.registry.tenants:
            return await self._end_removed_team(server)
        if await self._tenant_replaced(server):
            return self._end(server_ends.tenant_replaced(server.binding.tenant, time.time()))
        pod = server.seen()
        if pod is not None and pod.deleting:
            # It is on its way out and does not come back.
            await server.gone()
            pod = None
        if pod is not None and self._unfinished and exit_code(pod) is None:
            return await self._finish(server)
        return await (self._look_at(server, pod) if pod is not None else self._look_for_more(server))

    async def _end_removed_team(self, server: Server) -> int | None:
        """A server of a team that tenants.yaml names no more ends, and its ticket is given back."""
        team, ticket = server.binding.tenant, server.binding.ticket
        try:
            await server.remove()
        except NO_ANSWER as error:
            if server.seen() is not None or server.wiring.watch.stale:
                self.log.warning("%s: team %s was removed; its pod can't be ended yet: %s", self._log_name, team, error)
                return None
            where = server.binding.vcluster_namespace
            self.log.warning("%s: ticket %s in %s is left behind: %s", self._log_name, ticket, where, error)
        return self._end(server_ends.team_removed(team, time.time()))

    async def _look_at(self, server: Server, pod: PodFact) -> int | None:
        code = exit_code(pod)
        if code is not None:
            await server.remove()
            return self._end(server_ends.ended(pod, code, time.time()), code)
        ticket = await server.wiring.ticket(server.binding.tenant, server.binding.ticket)
        if ticket is None or repair_of(ticket) is not Repair.NONE:
            # Before anything is done about it, the very latest.
            ticket = await server.ticket()
        repair = repair_of(ticket)
        if repair is Repair.GIVE_WAY:
            return await self._preempt(server, ticket)
        if repair is not Repair.NONE:
            await self._count_again(server)
        self._set_notice(None)
        # kubespawner's rest: an address that has changed is noticed.
        found: int | None = await super().poll()
        return found

    async def _look_for_more(self, server: Server) -> int:
        """The host has no pod: why, and is there still something to give back?"""
        if not server.binding.started:
            # It could still start.
            await server.remove()
            return self._end(server_ends.never_ran("it had no pod yet", time.time()))
        # The syncer removes a virtual pod that ran once and has no host pod.
        await server.release()
        health = await server.wiring.clients.check(server.binding.tenant)
        trouble = None if health.ok else health.reason or "it does not answer"
        return self._end(server_ends.pod_gone(server.binding.tenant, trouble, time.time()))

    async def _preempt(self, server: Server, ticket: Ticket) -> int | None:
        now = time.time()
        if self.notice is None:
            self.log.warning("%s: its quota is taken back: %s", self._log_name, ticket.message)
            self._set_notice(Notice(ticket.message, now + self.preemption_grace))
        if self.notice is not None and now < self.notice.until:
            return None
        await server.remove()
        return self._end(server_ends.preempted(server.binding.tenant, ticket.message, now))

    async def _finish(self, server: Server) -> int | None:
        """Wait for the end of a start that the hub before this one began: it runs, or is removed."""
        # Whoever polls meanwhile, as a stop does, must not wait too.
        self._unfinished = False
        try:
            await server.follow(None, time.monotonic() + ADOPT_WITHIN, self.steps)
            await server.answers(self.port, ADOPT_WITHIN)
        except SpawnRefused as error:
            await server.remove()
            return self._end(server_ends.never_ran(error.jupyterhub_message, time.time()))
        self._persist(server.binding.as_started())
        found: int | None = await super().poll()
        return found

    def _end(self, ending: ServerEnd, code: int = GONE) -> int:
        """Note why it ended; the hub stores it with the state when it clears the server away."""
        self.log.warning("%s ended: %s", self._log_name, ending.why)
        self.ended, self.notice = ending, None
        if self._binding is not None:
            self._over = (self._binding.ticket, code)
            count_end(self._binding.tenant, str(ending.reason))
        return code

    def _set_notice(self, notice: Notice | None) -> None:
        if notice == self.notice:
            return
        self.notice = notice
        self.orm_spawner.state = self.get_state()
        self.user.db.commit()

    async def _tenant_replaced(self, server: Server) -> bool:
        """Whether the tenant was deleted and made anew: what runs there now is not this server."""
        expected = server.binding.namespace_uid
        if expected is None:
            return False
        try:
            now = await server.wiring.namespace_uid(server.binding.vcluster_namespace)
        except ApiUnreachable:
            return False
        return now is not None and now != expected
