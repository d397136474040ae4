"""What goes wrong meanwhile: parts of the site end as in a crash, and a vCluster's API fails, one after the other."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from ..faults.proxy import Fault, FaultProxy
from ..processes import HubUnderTest
from ..restarts.parts import Part, Parts

# For how long a part is away and an API fails, in seconds.
_AWAY = (1.0, 4.0)
_FAILING = (4.0, 9.0)
_PAUSE = (1.0, 4.0)
QUICK = ("job service killed", "API of nlp answers 503", "Kueue restarted")


@dataclass(frozen=True)
class Trouble:
    name: str
    make: Callable[[random.Random], None]


@dataclass
class Troubles:
    """Makes trouble in a thread, in an order that the seed gives, until all of it has been and it is told to stop."""

    troubles: list[Trouble]
    seed: int
    made: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="troubles", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns once the trouble at hand is over and what was away is back."""
        self._stop.set()
        self._thread.join(300)

    def _run(self) -> None:
        dice = random.Random(self.seed)
        while not self._stop.is_set():
            for trouble in dice.sample(self.troubles, len(self.troubles)):
                if self._stop.wait(dice.uniform(*_PAUSE)):
                    return
                begun = time.monotonic()
                try:
                    trouble.make(dice)
                except Exception as error:
                    traceback.print_exc()
                    self.failed.append(f"{trouble.name}: {error!r}"[:500])
                self.made.append(trouble.name)
                print(f"    trouble: {trouble.name}, {time.monotonic() - begun:.1f} s", flush=True)


def all_troubles(parts: Parts, hub: HubUnderTest, proxy: FaultProxy) -> list[Trouble]:
    """Of the site, of Kueue, of a whole vCluster, and of the way to its API."""
    named = {part.name: part for part in parts.all()}
    found = [
        Trouble("job service killed", _away(named["job service"])),
        Trouble("job service killed twice", _twice(named["job service"])),
        Trouble("hub killed", _away(named["hub"])),
        Trouble("Kueue restarted", _away(named["Kueue"])),
        Trouble("vCluster nlp restarted", _away(named["vCluster nlp"])),
    ]
    for fault, words in (
        (Fault(status=503), "answers 503"),
        (Fault(status=429), "answers 429"),
        (Fault(refuse=True), "refuses connections"),
        (Fault(hang=True), "never answers"),
    ):
        found.append(Trouble(f"API of nlp {words}", _failing(proxy, fault)))
    return found


def _away(part: Part) -> Callable[[random.Random], None]:
    def make(dice: random.Random) -> None:
        part.end()
        try:
            time.sleep(dice.uniform(*_AWAY))
        finally:
            part.start()

    return make


def _twice(part: Part) -> Callable[[random.Random], None]:
    """The second time just after it answers again: what it does first at its start is interrupted."""
    once = _away(part)

    def make(dice: random.Random) -> None:
        once(dice)
        time.sleep(dice.uniform(0, 0.5))
        once(dice)

    return make


def _failing(proxy: FaultProxy, fault: Fault) -> Callable[[random.Random], None]:
    def make(dice: random.Random) -> None:
        proxy.set(fault)
        try:
            time.sleep(dice.uniform(*_FAILING))
        finally:
            proxy.set(Fault())

    return make
