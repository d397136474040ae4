"""Takes calls of Git hosts in: known by their signature, stored together, answered once they are stored."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...domain.git_hooks import Delivery, Provider, signed
from ...store.triggers import Calls, KeptDelivery, Trigger, Triggers
from ..executors import reads
from ..pace import Pace
from .keys import TriggerKeys

# How long what is known of triggers is used, in seconds: a new one's address works after that at the latest.
_KNOWN_FOR = 2.0
# Bodies up to so many bytes are judged where they come: that takes a fraction of a millisecond.
_JUDGED_HERE = 64 * 1024
# For how long calls are gathered before they are stored together, in seconds: each time the disk is waited for.
_GATHERED_FOR = 0.005
# Calls of one trigger in a second that are stored, and how many may come at once beyond that.
RATE, AT_ONCE = 20.0, 100.0


@dataclass(frozen=True, slots=True)
class Hook:
    """A trigger, as its calls are judged."""

    trigger: str
    provider: Provider
    secrets: tuple[str, ...]


@dataclass
class CallTaker:
    """For one event loop."""

    triggers: Triggers
    keys: TriggerKeys
    clock: Callable[[], float]
    pace: Pace = field(default_factory=lambda: Pace(RATE, AT_ONCE))
    _hooks: Mapping[str, Hook] = field(default_factory=dict)
    _known_at: float = float("-inf")
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: list[tuple[KeptDelivery, asyncio.Future[None]]] = field(default_factory=list)
    _refused: Counter[str] = field(default_factory=Counter)
    _called: set[str] = field(default_factory=set)
    _storing: asyncio.Task[None] | None = None

    async def hook(self, hook: str, headers: Mapping[str, str], body: bytes) -> Hook | None:
        """The trigger that this is a call of; None for an unknown address and for a wrong signature, which take the
        same time."""
        found = (await self._known()).get(hook)
        asked = found or Hook("", Provider.GITHUB, (_NOBODY,))
        judging = (asked.provider, headers, body, asked.secrets)
        right = signed(*judging) if len(body) <= _JUDGED_HERE else await reads.run(signed, *judging)
        if right and found is not None:
            return found
        if found is not None:
            self._refused[found.trigger] += 1
        return None

    def pause(self, hook: Hook) -> float:
        """How many seconds the trigger's next call has to wait; 0 to take it."""
        waits = self.pace.pause(hook.trigger)
        if waits <= 0:
            self.pace.charge(hook.trigger, 1.0)
        return waits

    async def take(self, hook: Hook, delivery: Delivery) -> None:
        """Store a call, together with whatever else comes meanwhile."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((KeptDelivery(hook.trigger, self.clock(), delivery), stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store(), name="calls of Git hosts")
        await stored

    async def tick(self) -> None:
        """Store how many calls were refused, and keep no more than the newest deliveries."""
        if self._called:
            called, self._called = self._called, set()
            await reads.run(self.triggers.trim, called)
        if self._refused:
            refused, self._refused = self._refused, Counter()
            await reads.run(self.triggers.take_calls, Calls(refused=refused), now=self.clock())

    def forget(self) -> None:
        """Look at the triggers anew: one was made or changed."""
        self._known_at = float("-inf")

    async def _known(self) -> Mapping[str, Hook]:
        async with self._looking:
            if self.clock() - self._known_at > _KNOWN_FOR:
                self._hooks = await reads.run(self._read)
                self._known_at = self.clock()
            return self._hooks

    def _read(self) -> Mapping[str, Hook]:
        return {each.hook: self._hook_of(each) for each in self.triggers.all() if each.provider is not Provider.LOCAL}

    def _hook_of(self, trigger: Trigger) -> Hook:
        return Hook(trigger.id, trigger.provider, self.keys.good_secrets(trigger, now=self.clock()))

    async def _store(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHERED_FOR)
            batch, self._waiting = self._waiting, []
            self._called.update(kept.trigger for kept, _ in batch)
            calls = Calls([kept for kept, _ in batch])
            try:
                await reads.run(self.triggers.take_calls, calls, now=self.clock())
            except BaseException as error:
                for _, stored in batch:
                    with contextlib.suppress(asyncio.InvalidStateError):
                        stored.set_exception(error) if isinstance(error, Exception) else stored.cancel()
                if not isinstance(error, Exception):
                    raise
                continue
            for _, stored in batch:
                if not stored.done():
                    stored.set_result(None)


# So that an unknown address costs what a known one does.
_NOBODY = "whsec_" + "A" * 43 + "="
