"""Idle servers: what they say of themselves, what is thought of them, and more time for one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal

from ...domain.idle import Busy, Idle, Report, Unknown
from ...domain.idle_ladder import IdleAction, IdleRules, KeepRefused, saved_seconds
from ...domain.idle_words import notice_words
from ...domain.usage_answers import Scope, names_of
from ...store.idle_acts import ServerAct
from ...store.usage_reports import UsageReports
from ..auth.permissions import Caller, is_token_of
from ..errors import ServiceError, forbidden
from ..idle.activity import ServerKey
from ..idle.watch import SeenServer
from ..idle_types import (
    ActivityAnswer,
    ActivityReport,
    IdleActAnswer,
    IdleNotice,
    IdleServer,
    IdleServers,
    KeepRequest,
    SiteIdleQuery,
)
from .base import run_sync
from .operations import Access, operation
from .usage import OfUsage

_SERVER_SCOPE = "access:servers!server="
# Seconds of acts that lists have, and over which savings are added up.
_SHOWN = 30 * 86400.0
_MOST_ACTS = 2000


class OfIdle(OfUsage):
    """Asks the watch of idle servers."""

    def server_key(self, caller: Caller, server: str) -> ServerKey:
        """Raises ServiceError (403) for all but the token of the caller's own running server of this name."""
        if not is_token_of(caller, server):
            raise forbidden(f"server is {server!r}: a server tells of itself only, with its own token from the hub.")
        return ServerKey(caller.name, server)

    def thought(self, found: SeenServer | None) -> ActivityAnswer:
        """What is thought of a server."""
        rules = self.context.idle.rules
        if found is None:
            why = "It holds no GPU, or was not looked at yet."
            return {"watched": False, "verdict": "unknown", "why": why, "notice": None}
        return {
            "watched": rules.action is not IdleAction.OFF,
            "verdict": _verdict(found),
            "why": " ".join(_why(found)),
            "notice": notice_of(found, rules),
        }


class ServerActivity(OfIdle):
    """For running servers."""

    @operation(
        "reportActivity",
        "A running server tells whether it is used, about once a minute.",
        answer=ActivityAnswer,
        body=ActivityReport,
    )
    async def post(self) -> None:
        """With the server's own token. The answer says what the service thinks of it."""
        caller = await self.caller()
        said = await self.body(ActivityReport, caller.name)
        key, now = self.server_key(caller, said.server), self.context.clock()
        report = Report(said.kind, said.busy, said.last_used.timestamp(), now, now, tuple(said.what))
        self.answer(self.thought(await self.context.idle.spoke(key, report)))


class KeepServer(OfIdle):
    """For owners."""

    @operation("keepServer", "Let an idle server stay for a while.", answer=ActivityAnswer, body=KeepRequest)
    async def post(self) -> None:
        """With the server's own token, or its owner's."""
        caller = await self.caller(fresh=True)
        asked = await self.body(KeepRequest, caller.name)
        key = ServerKey(caller.name, asked.server)
        if any(scope.startswith(_SERVER_SCOPE) for scope in caller.scopes):
            key = self.server_key(caller, asked.server)
        act = await self.context.idle.keep(key, caller.name)
        if isinstance(act, KeepRefused):
            raise ServiceError(409, "not-kept", act.message, field="server")
        self.answer(self.thought(self.context.idle.of(key)))


class TeamIdle(OfIdle):
    """A team's servers."""

    @operation(
        "listIdleServers",
        "Which servers of a team hold a GPU and use it or not: for its admins all, for others their own.",
        answer=IdleServers,
    )
    async def get(self, tenant: str) -> None:
        """With the steps of the last 30 days."""
        scope, whose = await self.seen_in(await self.caller(), tenant)
        users = None if scope is Scope.TEAM else frozenset(whose.users or ())
        self.answer(await self.servers(tenant, users))

    async def servers(self, tenant: str | None, users: frozenset[str] | None) -> IdleServers:
        """Of a team or of all, of these users or of all."""
        idle, now = self.context.idle, self.context.clock()
        acts = await run_sync(idle.acts.between, now - _SHOWN, now + 1, tenant=tenant, limit=_MOST_ACTS)
        mine = [act for act in acts if users is None or act.user in users]
        seen = [
            each
            for each in idle.seen.values()
            if tenant in (None, each.hold.possession.tenant) and (users is None or each.hold.possession.user in users)
        ]
        return {
            "action": idle.rules.action.value,
            "after": idle.rules.after,
            "trouble": idle.trouble,
            "servers": [server_answer(each, idle.rules) for each in seen],
            "acts": [act_answer(act) for act in mine],
            "saved_seconds": round(await run_sync(_saved, self.context.usage, mine, now)),
        }


class PlatformIdle(TeamIdle):
    """All servers."""

    @operation("listAllIdleServers", "Which servers hold a GPU and use it or not.", answer=IdleServers)
    async def get(self) -> None:  # type: ignore[override]
        """For the hub's administrators."""
        await self.administrator()
        self.answer(await self.servers(None, None))


class SiteIdle(TeamIdle):
    """For the hub's Home page."""

    @operation(
        "getIdleOf", "A user's servers that hold a GPU.", answer=IdleServers, query=SiteIdleQuery, access=Access.SITE
    )
    async def get(self) -> None:  # type: ignore[override]
        """As they see them themselves."""
        self.check_shared_token()
        self.answer(await self.servers(None, frozenset(names_of(self.query(SiteIdleQuery).user))))


def notice_of(found: SeenServer, rules: IdleRules) -> IdleNotice | None:
    """What its owner is told now."""
    stop_at = found.place.stop_at
    if stop_at is None or rules.action is IdleAction.OFF:
        return None
    since = found.verdict.since if isinstance(found.verdict, Idle) else None
    return {
        "why": notice_words(since, stop_at, rules),
        "until": int(stop_at),
        "stops": rules.action is IdleAction.STOP,
        "keep_seconds": rules.keep,
        "keeps_left": max(0, rules.keeps - found.place.keeps),
    }


def server_answer(found: SeenServer, rules: IdleRules) -> IdleServer:
    """One server of a list."""
    whose = found.hold.possession
    return {
        "tenant": whose.tenant,
        "user": whose.user,
        "server": None if found.key is None else found.key.server,
        "pod": found.hold.pod,
        "profile": whose.profile,
        "verdict": _verdict(found),
        "since": int(found.verdict.since) if isinstance(found.verdict, Idle) else None,
        "why": list(_why(found)),
        "notice": notice_of(found, rules),
        "kept_until": None if found.place.kept_until is None else int(found.place.kept_until),
        "keeps": found.place.keeps,
        "simulated": whose.simulated,
    }


def act_answer(each: ServerAct) -> IdleActAnswer:
    """One step of a list."""
    return {
        "act": each.act.act.value,
        "at": int(each.act.at),
        "until": None if each.act.until is None else int(each.act.until),
        "since": None if each.act.since is None else int(each.act.since),
        "tenant": each.tenant,
        "user": each.user,
        "server": each.server,
        "pod": each.pod,
        "profile": each.profile,
        "evidence": list(each.evidence),
        "note": each.note,
        "by": each.by,
    }


def _saved(usage: UsageReports, acts: Iterable[ServerAct], now: float) -> float:
    """What dry runs would have saved, pod by pod; blocks."""
    by_pod = groupby(sorted(acts, key=lambda act: (act.pod, act.act.at)), key=lambda act: act.pod)
    total = 0.0
    for pod, steps in by_pod:
        taken: Sequence[ServerAct] = list(steps)
        if any(each.act.act.value == "would-stop" for each in taken):
            hold = usage.hold(pod)
            total += saved_seconds([each.act for each in taken], None if hold is None else hold.end, now)
    return total


def _verdict(found: SeenServer) -> Literal["busy", "idle", "unknown"]:
    match found.verdict:
        case Busy():
            return "busy"
        case Idle():
            return "idle"
        case Unknown():
            return "unknown"


def _why(found: SeenServer) -> tuple[str, ...]:
    verdict = found.verdict
    if isinstance(verdict, Idle):
        return verdict.evidence
    return (f"{verdict.why[:1].upper()}{verdict.why[1:]}.",)
