"""Makes runs of what was seen in repositories: decides for each event, fetches its commit, starts the pipeline.

A run's key is made of trigger, ref, number and commit: a service that was killed in between starts the same run again,
and one whose database is from a backup finds the jobs that it had.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from ...domain.git_refs import BRANCHES, short_name
from ...domain.refusals import Refusal, RefusalReason
from ...domain.triggers import EventState, RefEvent, choose_events, path_skip, rate_skip
from ...git import CommitMissing, GitFailed, GitLimits, GitRefused, changed_paths, fetched, is_forced
from ...store.triggers import KeptDelivery, Trigger, Triggers
from ..background.schedules import Membership
from ..errors import ServiceError
from ..executors import git, reconciling
from ..pipelines.starter import Starter
from ..room import Room
from ..snapshot_writer import SnapshotWriter
from .commits import KeptCommit, Skipped, Unfit, keep_commit, read_commit
from .keys import TriggerKeys

log = logging.getLogger(__name__)

_HOUR = 3600.0
# Triggers whose events are decided at the same time.
_AT_ONCE = 4
# After a fetch that failed the repository is asked again, in seconds.
_AGAIN = 15.0
# For what is in a commit beside its files, in bytes.
_BESIDE = 64 * 2**20
_FOR_NOW = frozenset({RefusalReason.TENANT_UNAVAILABLE, RefusalReason.QUOTA_UNKNOWN})


@dataclass(frozen=True)
class RunMaker:
    """``begin`` looks at all events that wait. For one event loop."""

    triggers: Triggers
    keys: TriggerKeys
    starter: Starter
    membership: Membership
    writer: Callable[[], SnapshotWriter]
    room: Room
    clock: Callable[[], float]
    _going: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def begin(self) -> None:
        """Begin to decide what can be decided now, of a few triggers at the same time: none holds up the others."""
        for place, task in [*self._going.items()]:
            if task.done():
                del self._going[place]
        for trigger in await reconciling.run(self.triggers.with_events):
            # Events wait until a repository that was away has answered again.
            away = trigger.unreachable_since is not None and not trigger.paused
            if not away and trigger.id not in self._going and len(self._going) < _AT_ONCE:
                self._going[trigger.id] = asyncio.create_task(self._try(trigger), name=f"events of {trigger.id}")

    async def tick(self) -> None:
        """As ``begin``, and wait for the end of all that goes on."""
        await self.begin()
        await asyncio.gather(*self._going.values())

    async def _try(self, trigger: Trigger) -> None:
        try:
            await self._look(trigger)
        except GitFailed as error:
            now = self.clock()
            away = self.triggers.unreachable
            await reconciling.run(away, [trigger.id], str(error), now=now, next_look=now + _AGAIN)
        except Exception:
            log.exception("events of trigger %s could not be looked at; they are tried again", trigger.id)

    async def _look(self, trigger: Trigger) -> None:
        if trigger.paused:
            for event in await reconciling.run(self.triggers.waiting, trigger.id):
                await self._decide(trigger, event, EventState.SKIPPED, trigger.problem or "the trigger is paused")
            return
        turn = choose_events(await reconciling.run(self.triggers.waiting, trigger.id), trigger.rules, now=self.clock())
        for event in turn.superseded:
            await self._decide(trigger, event, EventState.SUPERSEDED, "something newer was pushed right after it")
        for event in turn.ready:
            if not await self._fire(trigger, event):
                return

    async def _fire(self, trigger: Trigger, event: RefEvent) -> bool:
        """Decide one event; False when the rest has to wait as well."""
        if event.new is None:
            await self._deleted(trigger, event)
            return True
        allowed = await self.membership.may_submit(trigger.owner, trigger.tenant)
        if allowed is None:
            return False
        if not allowed:
            return await self._pause(
                trigger, f"{trigger.owner} may not submit jobs into team {trigger.tenant} any more"
            )
        started = await reconciling.run(self.starter.runs.started_since, trigger.id, self.clock() - _HOUR)
        too_much = None if event.scheduled else rate_skip(trigger.rules, started)
        if too_much is not None:
            return await self._pause(trigger, too_much)
        told = _told(event, await reconciling.run(self.triggers.deliveries, trigger.id))
        try:
            run = await self._start(trigger, told)
        except Skipped as why:
            await self._decide(trigger, told, EventState.SKIPPED, str(why))
        except (Unfit, GitRefused) as why:
            await self._decide(trigger, told, EventState.REFUSED, str(why))
        except CommitMissing:
            reason = "the commit was replaced before it could be fetched"
            await self._decide(trigger, told, EventState.SUPERSEDED, reason)
        else:
            if run is None:
                return False
            started_now = replace(run[0], state=EventState.STARTED, run=run[1], reason=None)
            await reconciling.run(self.triggers.decide, trigger.id, started_now)
        return True

    async def _start(self, trigger: Trigger, event: RefEvent) -> tuple[RefEvent, str] | None:
        """The event as it is now known, and its run; None to wait. Raises Skipped, Unfit, GitRefused, GitFailed."""
        forced = await git.run(self._compare, trigger, event)
        event = replace(event, forced=forced if event.forced is None else event.forced)
        found = await self._kept(trigger, event)
        if found is None:
            return None
        started = await reconciling.run(
            self.starter.start,
            trigger.owner,
            trigger.tenant,
            event_key(trigger, event),
            found.file,
            files=found.files,
            cause=_cause(trigger, event, found.left),
            trigger=trigger.id,
            role=await self.membership.role(trigger.owner, trigger.tenant),
        )
        if isinstance(started, Refusal):
            if started.reason in _FOR_NOW:
                return None
            raise Unfit(started.message)
        return event, started.run.id

    async def _kept(self, trigger: Trigger, event: RefEvent) -> KeptCommit | None:
        """A commit's pipeline and files, kept as the owner's; None when there is no room on the disk now."""
        writer, stack = self.writer(), ExitStack()
        try:
            remote = await git.run(self.keys.remote, trigger)
            open_commit = fetched(remote, str(event.new), GitLimits(size=writer.most + _BESIDE))
            found = await git.run(stack.enter_context, open_commit)
            read = await git.run(read_commit, found, trigger, writer.most, scheduled=event.scheduled)
            try:
                reservation = await self.room.reserve(trigger.tenant, trigger.owner, "packs", read.size)
            except ServiceError as error:
                if error.reason == RefusalReason.DISK_FULL.value:
                    return None
                raise Unfit(error.detail) from error
            kept = False
            try:
                whole = await git.run(keep_commit, found, read, trigger, writer, now=self.clock())
                kept = True
                return whole
            finally:
                self.room.release(reservation, kept=kept)
        finally:
            await git.run(stack.close)

    def _compare(self, trigger: Trigger, event: RefEvent) -> bool | None:
        """Whether history was rewritten. Raises Skipped when no file changed that the trigger looks at; blocks."""
        if event.old is None or event.scheduled:
            return None
        remote, new = self.keys.remote(trigger), str(event.new)
        limits = GitLimits(size=self.writer().most + _BESIDE)
        if trigger.rules.paths:
            why = path_skip(trigger.rules, changed_paths(remote, event.old, new, limits))
            if why is not None:
                raise Skipped(why)
        return is_forced(remote, event.old, new, limits)

    async def _deleted(self, trigger: Trigger, event: RefEvent) -> None:
        reason = f"{short_name(event.ref)} was deleted"
        if trigger.rules.cancel_on_delete:
            for run in await reconciling.run(self.starter.runs.live_of, trigger.id):
                if run.cause.get("ref") == event.ref:
                    cancel = self.starter.runs.ask_cancel
                    await reconciling.run(cancel, run.id, by=f"trigger {trigger.id}", now=self.clock())
                    reason = f"{short_name(event.ref)} was deleted: run {run.id} is cancelled"
        await self._decide(trigger, event, EventState.SKIPPED, reason)

    async def _pause(self, trigger: Trigger, problem: str) -> bool:
        """Let the trigger rest until somebody lets it go on; its events are decided at the next look."""
        log.warning("trigger %s of %s is paused: %s", trigger.id, trigger.owner, problem)
        await reconciling.run(self.triggers.set_paused, trigger.id, True, problem=problem, now=self.clock())
        return False

    async def _decide(self, trigger: Trigger, event: RefEvent, state: EventState, reason: str) -> None:
        decided = replace(event, state=state, reason=reason)
        await reconciling.run(self.triggers.decide, trigger.id, decided)


def event_key(trigger: Trigger, event: RefEvent) -> str:
    """What makes the run of an event one run."""
    ref = hashlib.sha256(event.ref.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{trigger.id}:{ref}:{event.number}:{str(event.new)[:40]}"


def _told(event: RefEvent, deliveries: Sequence[KeptDelivery]) -> RefEvent:
    """The event with who pushed it, where a signed delivery named this very commit."""
    for kept in () if event.scheduled else deliveries:
        if event.new in kept.delivery.pushed:
            return replace(event, by=kept.delivery.by or None, forced=kept.delivery.forced)
    return event


def _cause(trigger: Trigger, event: RefEvent, left: Sequence[str]) -> Mapping[str, Any]:
    return {
        "kind": event.kind,
        "by": event.by,
        "repository": trigger.url,
        "ref": event.ref,
        "branch": short_name(event.ref) if event.ref.startswith(BRANCHES) else None,
        "commit": event.new,
        "before": event.old,
        "forced": event.forced,
        "number": event.number,
        "left": list(left),
    }
