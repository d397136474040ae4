"""Whether a server runs: gather the facts, let ``decide_server`` decide, apply the decision."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from aifactory_hub.clusters import ApiUnreachable
from aifactory_hub.domain.server_ends import Notice
from aifactory_hub.domain.servers import (
    GONE,
    Cleanup,
    Ending,
    ServerDecision,
    ServerFacts,
    ServerState,
    ServerStep,
    decide_server,
)
from aifactory_hub.domain.tickets import Repair, Ticket, repair_of

from .metrics import count_end
from .record import ServerRecord
from .refusals import SpawnRefused
from .server import NO_ANSWER, Server
from .start_log import StartLog
from .tickets import ServerTickets

log = logging.getLogger(__name__)

# Seconds to wait for the first list of the host's pods; until then nothing is known of any server.
FIRST_LIST = 5.0
# Seconds that a start which an earlier hub process began may still take.
ADOPT_WITHIN = 45.0


@dataclass(frozen=True, slots=True)
class Limits:
    """``port`` is where the container listens. ``grace``: seconds from telling an owner of a preemption to the stop."""

    port: int
    grace: float


class ServerMonitor:
    """Checks one server, and ends it when it is over.

    ``busy`` tells whether a start or a stop is under way, which may begin while a check waits for an answer.
    """

    def __init__(self, record: ServerRecord, tickets: ServerTickets, busy: Callable[[], bool]) -> None:
        self._record = record
        self._tickets = tickets
        self._busy = busy
        # The last ticket whose server has ended for certain, and the exit code: the hub asks several times.
        self._ended: tuple[str, int] | None = None

    def exit_code(self) -> int | None:
        """How the server ended, where an earlier check found that it has; None otherwise."""
        binding = self._record.binding
        if binding is None:
            # Every start is bound before it creates anything.
            return GONE
        return self._ended[1] if self._ended is not None and self._ended[0] == binding.ticket else None

    async def check(self, server: Server, limits: Limits, start_log: StartLog) -> ServerDecision:
        """Decide about the server and apply the decision, which is returned.

        Raises one of NO_ANSWER when something could not be done: nothing may then be concluded.
        """
        facts = await self._gather(server)
        decision = _decide(facts, limits)
        if decision.step is ServerStep.AWAIT_DELETION:
            await server.gone()
            facts = await self._gather(server)
            decision = _decide(facts, limits)
        if decision.step is ServerStep.ADOPT:
            failure = await self._adopt(server, limits, start_log)
            if failure is None:
                return ServerDecision(ServerState.RUNNING, ServerStep.KEEP)
            decision = _decide(replace(facts, unfinished=False, start_failure=failure), limits)
        await self._apply(server, decision)
        return decision

    # Gather

    async def _gather(self, server: Server) -> ServerFacts:
        watch, pod = server.cluster.watch, None
        namespace = ticket = trouble = None
        in_registry = server.binding.tenant in server.cluster.registry.tenants
        # Of a team that people asked for nothing is known before the job service has said which there are.
        team_known = in_registry or server.cluster.provider.complete
        host_known = team_known and await watch.synced(FIRST_LIST) and not watch.stale
        if host_known:
            namespace, pod = await _namespace(server), server.seen()
            ticket = None if pod is None else await _ticket(server)
            trouble = await _api_trouble(server) if pod is None else None
            # What comes or goes while others answer is looked at the next time.
            host_known = not watch.stale and (server.seen() is None) == (pod is None)
        # Nothing is awaited from here on: another check may change what the record has.
        return ServerFacts(
            server.binding.tenant,
            started=server.binding.started,
            unfinished=self._record.unfinished,
            host_known=host_known,
            team_known=team_known,
            team_exists=server.binding.tenant in server.cluster.registry.tenants,
            bound_namespace=server.binding.namespace_uid,
            namespace=namespace,
            pod=pod,
            ticket=ticket,
            api_trouble=trouble,
            notice=self._record.notice,
        )

    # Apply

    async def _adopt(self, server: Server, limits: Limits, start_log: StartLog) -> str | None:
        """Wait for the end of a start that an earlier hub process began. Returns why it failed, None if it did not."""
        # Whoever polls meanwhile, as a stop does, must not wait too.
        self._record.unfinished = False
        try:
            await server.follow(None, time.monotonic() + ADOPT_WITHIN, start_log)
            await server.answers(limits.port, ADOPT_WITHIN)
        except SpawnRefused as error:
            return error.jupyterhub_message
        self._record.persist(server.binding.as_started())
        return None

    async def _apply(self, server: Server, decision: ServerDecision) -> None:
        if decision.ending is not None:
            await self._end(server, decision.ending)
        elif decision.notice is not None:
            self._tell(decision.notice)
        elif decision.step is ServerStep.REFILE and not self._busy() and server.seen() is not None:
            # A server that was stopped meanwhile has no ticket, rightly.
            await self._tickets.refile(server)
            self._record.set_notice(None)
        elif decision.step is ServerStep.KEEP:
            self._record.set_notice(None)
        elif decision.unknown is not None:
            log.debug("%s: not known whether it runs: %s", self._record.name, decision.unknown)

    def _tell(self, notice: Notice) -> None:
        if self._record.notice is None:
            log.warning("%s: its quota is taken back: %s", self._record.name, notice.why)
        self._record.set_notice(notice)

    async def _end(self, server: Server, ending: Ending) -> None:
        """Clear away what is left, then note why the server ended; the hub stores that with the spawner's state."""
        await _CLEANUPS[ending.cleanup](server)
        if self._record.binding is None:
            return  # somebody stopped it meanwhile
        log.warning("%s ended: %s", self._record.name, ending.end.why)
        self._record.end, self._record.notice = ending.end, None
        self._ended = (server.binding.ticket, ending.exit_code)
        count_end(server.binding.tenant, str(ending.end.reason))


def _decide(facts: ServerFacts, limits: Limits) -> ServerDecision:
    return decide_server(facts, now=time.time(), grace=limits.grace)


async def _namespace(server: Server) -> str | None:
    with suppress(ApiUnreachable):
        return await server.cluster.namespace_uid(server.binding.vcluster_namespace)
    return None


async def _ticket(server: Server) -> Ticket | None:
    """The ticket, GONE if there is none; None when the queue does not answer."""
    with suppress(*NO_ANSWER):
        ticket = await server.cluster.ticket(server.binding.tenant, server.binding.ticket)
        if ticket is not None and repair_of(ticket) is Repair.NONE:
            return ticket
        # Something is done about this one, so the shared answer is too old.
        return await server.ticket()
    return None


async def _api_trouble(server: Server) -> str | None:
    health = await server.cluster.clients.check(server.binding.tenant)
    return None if health.ok else health.reason or "it does not answer"


async def _remove_if_answered(server: Server) -> None:
    """Delete pod and ticket. Raises one of NO_ANSWER only while the pod may still run."""
    try:
        await server.remove()
    except NO_ANSWER as error:
        if server.seen() is not None or server.cluster.watch.stale:
            raise
        binding = server.binding
        log.warning("ticket %s in %s is left behind: %s", binding.ticket, binding.vcluster_namespace, error)


async def _nothing(_server: Server) -> None:
    """There is nothing of the server's to delete."""


_CLEANUPS: dict[Cleanup, Callable[[Server], Awaitable[None]]] = {
    Cleanup.NOTHING: _nothing,
    Cleanup.TICKET: Server.release,
    Cleanup.POD_AND_TICKET: Server.remove,
    Cleanup.BEST_EFFORT: _remove_if_answered,
}
