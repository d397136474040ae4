"""Triggers, for people."""

from __future__ import annotations

from ... import constants
from ...domain.formatting import iso_millis
from ...domain.git_hooks import Provider
from ...domain.refusals import Refusal
from ...domain.triggers import RefEvent
from ...git import GitFailed, GitRefused
from ...store.commit_statuses import ToldStatus
from ...store.triggers import KeptDelivery, Trigger
from ..auth.permissions import Caller
from ..errors import ServiceError, forbidden, from_refusal, unavailable
from ..executors import git
from ..trigger_answer_types import (
    DeliveryAnswer,
    TriggerAnswer,
    TriggerEventAnswer,
    TriggerEventsAnswer,
    TriggersAnswer,
    TriggerSecretAnswer,
    TriggerTestAnswer,
)
from ..trigger_request_types import TriggerPatch, TriggerRequest, TriggerTestRequest
from ..triggers.commits import Skipped, Unfit
from ..triggers.desk import Tried
from ..triggers.timetable import time_after
from .base import Handler, run_sync
from .operations import operation
from .pipeline_answers import checked_answer

_MOST_EVENTS = 100


class _OfTriggers(Handler):
    async def trigger_for(self, caller: Caller, trigger_id: str) -> Trigger:
        """The trigger, if it is in a tenant that the token may read. Raises ServiceError (404) for all others."""
        found: Trigger | None = await run_sync(self.context.triggers.stored.get, trigger_id)
        if found is None or found.tenant not in caller.tenants(constants.SCOPE_READ, self.context.registry.tenants):
            message = f"There is no trigger {trigger_id!r} in your teams."
            raise ServiceError(404, "unknown-trigger", message, field="id")
        return found

    async def own(self, trigger_id: str) -> tuple[Caller, Trigger]:
        """The trigger, which the caller may change: its owner may, and the tenant's admins. Raises ServiceError."""
        caller = await self.caller(fresh=True)
        trigger = await self.trigger_for(caller, trigger_id)
        if not caller.tenants(constants.SCOPE_SUBMIT, [trigger.tenant]):
            raise forbidden("This token may not change triggers.")
        if trigger.owner != caller.name and not caller.administers(trigger.tenant):
            message = f"Trigger {trigger.id} is {trigger.owner}'s: its owner and the team's admins can change it."
            raise forbidden(message)
        return caller, trigger

    async def answer_trigger(self, trigger_id: str) -> None:
        """Answer with one trigger as it is now."""
        found: Trigger = await run_sync(self.context.triggers.stored.get, trigger_id)
        self.answer(self.as_answer(found))

    def as_answer(self, trigger: Trigger) -> TriggerAnswer:
        """As its team sees it."""
        return trigger_answer(trigger, self.settings["prefix"])

    def with_secret(self, trigger: Trigger) -> TriggerSecretAnswer:
        """With what its host is to sign with."""
        local = trigger.provider is Provider.LOCAL
        secret = None if local else self.context.triggers.keys.secret(trigger)
        return {"trigger": self.as_answer(trigger), "secret": secret}


class TriggerList(_OfTriggers):
    """A team's triggers, and the door for new ones."""

    @operation("listTriggers", "A team's triggers, the oldest first.", answer=TriggersAnswer)
    async def get(self, tenant: str) -> None:
        """All of them."""
        caller = await self.caller()
        chosen = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        found = await run_sync(self.context.triggers.stored.of_tenant, chosen)
        self.answer({"triggers": [self.as_answer(trigger) for trigger in found]})

    @operation(
        "makeTrigger",
        "Start a repository's pipeline whenever a branch or tag changes: 201, or 200 for the one of the same key.",
        answer=TriggerSecretAnswer,
        body=TriggerRequest,
        statuses=(200, 201),
    )
    async def post(self, tenant: str) -> None:
        """What is in the repository now starts nothing."""
        caller = await self.caller(fresh=True)
        asked = await self.body(TriggerRequest, caller.name)
        chosen = self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        made = await run_sync(self.context.triggers.desk.make, caller.name, chosen, asked)
        if isinstance(made, Refusal):
            raise from_refusal(made)
        self.answer(self.with_secret(made[0]), 201 if made[1] else 200)


class TriggerOne(_OfTriggers):
    """One trigger."""

    @operation("getTrigger", "One trigger as it is now.", answer=TriggerAnswer)
    async def get(self, trigger_id: str) -> None:
        """Whether its repository answers, and why it starts nothing."""
        self.answer(self.as_answer(await self.trigger_for(await self.caller(), trigger_id)))

    @operation("changeTrigger", "Let a trigger rest, or go on.", answer=TriggerAnswer, body=TriggerPatch)
    async def patch(self, trigger_id: str) -> None:
        """What is pushed while it rests starts nothing."""
        caller, trigger = await self.own(trigger_id)
        asked = await self.body(TriggerPatch, caller.name)
        if asked.paused != trigger.paused:
            change, now = self.context.triggers.stored.set_paused, self.context.clock()
            await run_sync(change, trigger.id, asked.paused, now=now, next_time=time_after(trigger, now))
        await self.answer_trigger(trigger.id)

    @operation("removeTrigger", "Forget a trigger; runs that it started stay.", answer=TriggerAnswer)
    async def delete(self, trigger_id: str) -> None:
        """Its owner may, and the tenant's admins."""
        _, trigger = await self.own(trigger_id)
        await run_sync(self.context.triggers.desk.remove, trigger)
        self.answer(self.as_answer(trigger))


class TriggerEvents(_OfTriggers):
    """What a trigger saw."""

    @operation(
        "listTriggerEvents",
        "What changed in a trigger's repository and what became of it, and its host's last calls.",
        answer=TriggerEventsAnswer,
    )
    async def get(self, trigger_id: str) -> None:
        """The newest first."""
        trigger = await self.trigger_for(await self.caller(), trigger_id)
        stored = self.context.triggers.stored
        events = await run_sync(stored.events, trigger.id, limit=_MOST_EVENTS)
        deliveries = await run_sync(stored.deliveries, trigger.id)
        told = await run_sync(self.context.triggers.statuses.of_trigger, trigger.id)
        shown = [_event(each, told.get((each.ref, each.number))) for each in events]
        self.answer({"events": shown, "deliveries": [_call(each) for each in deliveries]})


class TriggerTest(_OfTriggers):
    """Try a trigger."""

    @operation(
        "testTrigger",
        "What a trigger would start from a branch or tag as it is now; nothing is started.",
        answer=TriggerTestAnswer,
        body=TriggerTestRequest,
    )
    async def post(self, trigger_id: str) -> None:
        """The repository is asked and the commit fetched, as for a push."""
        caller, trigger = await self.own(trigger_id)
        asked = await self.body(TriggerTestRequest, caller.name)
        try:
            tried = await git.run(self.context.triggers.desk.try_out, trigger, asked.ref)
        except (Skipped, Unfit, GitRefused) as why:
            self.answer(_not_tried(str(why)))
            return
        except GitFailed as error:
            raise unavailable("repository-unreachable", f"The repository can't be asked now: {error}.") from error
        if isinstance(tried, Refusal):
            raise from_refusal(tried)
        self.answer(_tried(tried, simulated=self.context.registry.cluster.simulated))


class TriggerRotate(_OfTriggers):
    """Change what a trigger's host signs with."""

    @operation(
        "rotateTrigger",
        "A new secret for a trigger's Git host; the one before is good for another day.",
        answer=TriggerSecretAnswer,
    )
    async def post(self, trigger_id: str) -> None:
        """Its owner may, and the tenant's admins."""
        _, trigger = await self.own(trigger_id)
        self.answer(self.with_secret(await run_sync(self.context.triggers.desk.rotate, trigger)))


def trigger_answer(trigger: Trigger, prefix: str) -> TriggerAnswer:
    """A trigger without what it signs in with, and without its secret."""
    rules = trigger.rules
    return {
        "id": trigger.id,
        "tenant": trigger.tenant,
        "owner": trigger.owner,
        "name": trigger.name,
        "provider": trigger.provider,
        "url": trigger.url,
        "pipeline": trigger.pipeline,
        "branches": list(rules.branches),
        "tags": list(rules.tags),
        "paths": list(rules.paths),
        "quiet": rules.quiet,
        "per_hour": rules.per_hour,
        "ignore_authors": list(rules.ignore_authors),
        "skip_mark": rules.skip_mark,
        "cancel_on_delete": rules.cancel_on_delete,
        "cron": rules.cron or None,
        "time_zone": rules.time_zone,
        "next": _iso(trigger.next_time),
        "pushes": rules.pushes,
        "signs_in": trigger.has_token,
        "tells": trigger.tells,
        "hook": None if trigger.provider is Provider.LOCAL else f"{prefix}hooks/{trigger.hook}",
        "created": iso_millis(trigger.created_at),
        "paused": trigger.paused,
        "problem": trigger.problem,
        "seen": _iso(trigger.watched_at),
        "unreachable_since": _iso(trigger.unreachable_since),
        "refused": trigger.refused,
        "refused_last": _iso(trigger.refused_at),
    }


def _event(event: RefEvent, told: ToldStatus | None) -> TriggerEventAnswer:
    return {
        "ref": event.ref,
        "number": event.number,
        "before": event.old,
        "commit": event.new,
        "seen": iso_millis(event.seen_at),
        "state": event.state,
        "reason": event.reason,
        "run": event.run,
        "by": event.by,
        "forced": event.forced,
        "scheduled": event.scheduled,
        "told": None if told is None else told.told,
        "told_problem": None if told is None else told.problem,
    }


def _call(kept: KeptDelivery) -> DeliveryAnswer:
    said = kept.delivery
    return {"at": iso_millis(kept.at), "delivery": said.id, "event": said.event, "ref": said.ref, "by": said.by}


def _tried(tried: Tried, *, simulated: bool) -> TriggerTestAnswer:
    check = checked_answer(tried.commit.file.pipeline.name, tried.checked, simulated=simulated)
    return {
        "ref": tried.ref.name,
        "commit": tried.ref.commit,
        "refused": None,
        "left": list(tried.commit.left),
        "check": check,
    }


def _not_tried(why: str) -> TriggerTestAnswer:
    return {"ref": None, "commit": None, "refused": why, "left": [], "check": None}


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else iso_millis(seconds)
