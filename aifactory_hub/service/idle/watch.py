"""Looks at servers that hold a GPU: gathers what is known, lets ``judge`` and ``next_act`` decide, applies it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...constants import KIND_SERVER
from ...domain.idle import Idle, Report, Verdict, Watched, judge, may_stop
from ...domain.idle_ladder import (
    Act,
    IdleAct,
    IdleAction,
    IdleRules,
    KeepRefused,
    Place,
    after_act,
    keep,
    next_act,
    place_of,
)
from ...domain.idle_words import owner_words, stop_words
from ...domain.names import server_id
from ...domain.notifications import Notification, about_server
from ...domain.pod_samples import PodPlace, PodSamples
from ...domain.usage import Hold
from ...registry.model import IdleConfig
from ...store.idle_acts import IdleActs, ServerAct
from ...store.ledger import Ledger
from ...telemetry.base import Telemetry, TelemetryUnavailable
from ..executors import metering
from .activity import Activity, ServerKey
from .hub_servers import IdleStop, NotStopped, Stopping

log = logging.getLogger(__name__)

# Seconds for which samples serve: a server that spoke is looked at again at once, with those of the last look.
SAMPLES_SERVE = 90.0
# Servers that are judged before others have a turn in the event loop.
_AT_ONCE = 500
# Pods by uid -> where each is on the host; those that are not known are left out.
Places = Callable[[Sequence[Hold]], Mapping[str, PodPlace]]


@dataclass(frozen=True, slots=True)
class SeenServer:
    """A server that holds a GPU, as it was judged last. ``key`` is None as long as it has not spoken.

    ``just_spoke``: it said a moment ago that it is idle, so that it may be stopped.
    """

    hold: Hold
    key: ServerKey | None
    verdict: Verdict
    place: Place
    samples: PodSamples | None = None
    just_spoke: bool = False


@dataclass
class IdleWatch:
    """One for the service; ``tick`` it each minute. ``telemetry`` None: no samples, so nothing is ever called idle."""

    get_config: Callable[[], IdleConfig]
    ledger: Ledger
    places: Places
    telemetry: Telemetry | None
    acts: IdleActs
    stopping: Stopping | None
    clock: Callable[[], float]
    activity: Activity = field(default_factory=Activity)
    seen: dict[str, SeenServer] = field(default_factory=dict)
    trouble: str | None = None
    _by_owner: dict[tuple[str, str], str] = field(default_factory=dict)
    _places: dict[str, Place] = field(default_factory=dict)
    _samples: Mapping[str, PodSamples] = field(default_factory=dict)
    _sampled_at: float = float("-inf")
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def rules(self) -> IdleRules:
        """The site's, as they are now."""
        return self.get_config().rules

    async def tick(self) -> None:
        """Look at all of them once."""
        async with self._lock:
            held = [hold for hold in await metering.run(self.ledger.going_on) if is_watched(hold)]
            await self._know_places(held)
            await self._sample(held)
            await self._look(held)

    async def spoke(self, key: ServerKey, said: Report) -> SeenServer | None:
        """A server tells of itself. If its stop is due, it is looked at in this moment, because nobody knows better."""
        self.activity.take(key, said)
        found = self.of(key)
        if found is None:
            return None
        stop_at = found.place.stop_at
        if stop_at is not None and self.clock() >= stop_at and not self._lock.locked():
            # Not in this request: what it leads to may be the end of the server that makes it.
            task = asyncio.create_task(self._look_again(key), name="look at an idle server")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return found

    async def _look(self, held: Sequence[Hold]) -> None:
        """Judge them and do what follows: stops one by one, all other steps in one transaction."""
        keys, seen, steps = self._keys(), {}, []
        for number, hold in enumerate(held):
            each = seen[hold.pod] = self._judged(hold, keys)
            act = self._next(each)
            if act is not None:
                steps.append((each, act))
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        self.seen = seen
        self._by_owner = {(hold.possession.user, hold.possession.owner): hold.pod for hold in held}
        for each, act in steps:
            if act.act is Act.STOPPED:
                await self._stop(each, act)
        await self._write([(each, act) for each, act in steps if act.act is not Act.STOPPED])

    async def settled(self) -> None:
        """Once all looks have ended that reports led to."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look_again(self, key: ServerKey) -> None:
        async with self._lock:
            found = self.of(key)
            if found is not None and self.clock() - self._sampled_at <= SAMPLES_SERVE:
                again = self._judged(found.hold, {server_id(key.user, key.server): key})
                self.seen[again.hold.pod] = again
                act = self._next(again)
                if act is not None and act.act is Act.STOPPED:
                    await self._stop(again, act)

    async def keep(self, key: ServerKey, by: str) -> IdleAct | KeepRefused:
        """Its owner wants it to stay."""
        async with self._lock:
            found = self.of(key)
            act = keep(Place() if found is None else found.place, self.rules, self.clock())
            if found is not None and isinstance(act, IdleAct):
                await self._write([(found, act)], by=by)
            return act

    def of(self, key: ServerKey) -> SeenServer | None:
        """The server, if it holds a GPU and was looked at."""
        pod = self._by_owner.get((key.user, server_id(key.user, key.server)))
        return None if pod is None else self.seen.get(pod)

    def _keys(self) -> dict[str, ServerKey]:
        return {server_id(key.user, key.server): key for key in self.activity.servers()}

    async def _know_places(self, held: Sequence[Hold]) -> None:
        """How far each is: from its acts, where this process does not know yet."""
        new = [hold.pod for hold in held if hold.pod not in self._places]
        acts = await metering.run(self.acts.of_pods, new) if new else {}
        live = {hold.pod for hold in held}
        known = {pod: place for pod, place in self._places.items() if pod in live}
        self._places = {**known, **{pod: place_of(each.act for each in acts.get(pod, ())) for pod in new}}

    async def _sample(self, held: Sequence[Hold]) -> None:
        """Samples that can't be had are unknown, and those of before serve nobody."""
        self._samples, self._sampled_at = {}, float("-inf")
        if self.telemetry is None or not held:
            return
        try:
            self._samples = await self.telemetry.read(self.places(held), self.rules.after)
        except TelemetryUnavailable as error:
            if self.trouble != str(error):
                log.info("no samples of GPUs, so no server is called idle: %s", error)
            self.trouble = str(error)
            return
        self.trouble, self._sampled_at = None, self.clock()

    def _judged(self, hold: Hold, keys: Mapping[str, ServerKey]) -> SeenServer:
        key = keys.get(hold.possession.owner)
        if key is not None and key.user != hold.possession.user:
            key = None  # of somebody who had this name before
        samples = self._samples.get(hold.pod)
        report = None if key is None else self.activity.of(key)
        seen = Watched(
            hold.running_from or hold.start,
            report,
            None if samples is None else samples.gpu,
            None if samples is None else samples.cpu,
        )
        now = self.clock()
        verdict = judge(seen, after=self.rules.after, now=now)
        place = self._places.get(hold.pod, Place())
        return SeenServer(hold, key, verdict, place, samples, just_spoke=may_stop(seen, verdict, now))

    def _next(self, seen: SeenServer) -> IdleAct | None:
        return next_act(seen.place, seen.verdict, self.rules, self.clock(), may_stop=seen.just_spoke)

    async def _stop(self, seen: SeenServer, act: IdleAct) -> None:
        """The record comes first: a stop without one never was. What the hub refuses is recorded after it."""
        await self._write([(seen, act)])
        key = seen.key
        try:
            if self.stopping is None or key is None:
                raise NotStopped("this service has no hub to ask")
            since = act.since or self.clock()
            whose = seen.hold.possession
            why = stop_words(since, self.rules)
            await self.stopping.stop(IdleStop(key.user, key.server, whose.tenant, since, why))
        except NotStopped as error:
            log.warning("the idle server of %s was not stopped: %s", seen.hold.possession.user, error)
            await self._write([(seen, IdleAct(Act.NOT_STOPPED, self.clock()))], note=str(error))

    async def _write(self, steps: Sequence[tuple[SeenServer, IdleAct]], *, note: str = "", by: str = "") -> None:
        """Record steps, and go on from there."""
        if not steps:
            return
        config = self.get_config()
        dry = config.rules.action is IdleAction.DRY_RUN
        records = [_record(seen, act, note, by) for seen, act in steps]
        quiet = [each for each in records if dry and each.act.act is not Act.WOULD_STOP]
        told = [each for each in records if not dry or each.act.act is Act.WOULD_STOP]
        owners = [word for each in told if (word := _to_owner(each, config.rules)) is not None]
        await metering.run(self.acts.add, told, config.notify, quiet, owners)
        for seen, act in steps:
            pod = seen.hold.pod
            self._places[pod] = after_act(self._places.get(pod, Place()), act)
            self.seen[pod] = replace(seen, place=self._places[pod])


def _to_owner(record: ServerAct, rules: IdleRules) -> Notification | None:
    words = owner_words(record.act, rules)
    if words is None:
        return None
    return about_server(record.user, record.tenant, record.server, words, record.act.at)


def _record(seen: SeenServer, act: IdleAct, note: str, by: str) -> ServerAct:
    whose, verdict = seen.hold.possession, seen.verdict
    return ServerAct(
        act,
        seen.hold.pod,
        whose.tenant,
        whose.user,
        "" if seen.key is None else seen.key.server,
        whose.profile,
        verdict.evidence if isinstance(verdict, Idle) else (verdict.why,),
        note,
        by,
    )


def is_watched(hold: Hold) -> bool:
    """Whether it is a server that holds a GPU. Jobs are never looked at: they end by themselves."""
    return hold.possession.kind == KIND_SERVER and bool(hold.possession.devices) and hold.end is None
