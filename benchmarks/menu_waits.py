"""A generated trace of servers and jobs, replayed through the quota rules; each request asks first how long it waits.

The rules are those of the in-process engine, ``admission.queueing``, which decides as Kueue does. Time is the trace's.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field, replace

from aifactory_hub.admission.queue_order import Claim, Decision, decide
from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.wait_forecast import Running, Wait, Waiting, expected_wait
from aifactory_profiles import Device

from .frame import Report, percentile

DEVICE = Device("h100-80gb", "nvidia.com/mig-1g.10gb")
SEED = 20261122
DAYS = 90
TEAMS = {"nlp": 4, "vision": 3}
# Requests of a team in an hour, by day and by night, and hours that a server runs: median, spread, and the limit.
DAY_RATE, NIGHT_RATE = 1.6, 0.3
MEDIAN, SPREAD, LIMIT = 1.6, 1.0, 12.0
HOUR = 3600.0
HISTORY = 200


@dataclass(frozen=True, slots=True)
class Arrival:
    """A server that is asked for at ``at`` and, once admitted, runs for ``length`` seconds."""

    at: float
    team: str
    length: float


@dataclass(slots=True)
class Outcome:
    """What a request was told when it had to wait, and when it was admitted."""

    told: Wait
    asked_at: float
    admitted_at: float | None = None


@dataclass(slots=True)
class World:
    """The engine's claims with the times that it does not know."""

    quotas: dict[str, Quota]
    claims: dict[str, Claim] = field(default_factory=dict)
    lengths: dict[str, float] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    ends: list[tuple[float, str]] = field(default_factory=list)
    history: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    count: int = 0

    def settle(self, now: float) -> None:
        """Admit whatever fits now."""
        while (decision := decide(list(self.claims.values()), self.quotas)) != Decision():
            for key in decision.admit:
                self.count += 1
                self.claims[key] = replace(self.claims[key], admitted=self.count, held=True)
                self.since[key] = now
                heapq.heappush(self.ends, (now + self.lengths[key], key))
                if key in self.outcomes:
                    self.outcomes[key].admitted_at = now

    def ask(self, key: str, arrival: Arrival, *, limits: bool) -> None:
        """File the request; if it has to wait, keep what it is told."""
        ahead = self._ahead(arrival.team)
        runs = self._running(arrival, limits=limits)
        self.count += 1
        self.claims[key] = Claim(key, arrival.team, self.count, {DEVICE: 1})
        self.lengths[key] = arrival.length
        self.settle(arrival.at)
        if self.claims[key].waits:
            most = LIMIT * HOUR if limits else None
            told = expected_wait(1, 0, runs, [Waiting(1, most, tuple(self.history)) for _ in ahead])
            self.outcomes[key] = Outcome(told, arrival.at)

    def _ahead(self, team: str) -> list[Claim]:
        return [claim for claim in self.claims.values() if claim.tenant == team and claim.waits]

    def _running(self, arrival: Arrival, *, limits: bool) -> list[Running]:
        found = []
        for claim in self.claims.values():
            if claim.tenant == arrival.team and not claim.waits:
                age = arrival.at - self.since[claim.key]
                left = LIMIT * HOUR - age if limits else None
                found.append(Running(1, age, left, tuple(self.history)))
        return found

    def end(self, now: float, key: str) -> None:
        """A server ends."""
        self.history.append(self.lengths[key])
        del self.claims[key]
        self.settle(now)


def generate(seed: int = SEED) -> list[Arrival]:
    """Working days and nights of each team, runs of log-normal length cut at the limit: as clusters' traces are."""
    dice = random.Random(seed)  # noqa: S311 - a trace, not a secret
    arrivals = []
    for team, size in TEAMS.items():
        at = 0.0
        while at < DAYS * 24 * HOUR:
            day = 8 <= (at / HOUR) % 24 < 19
            at += dice.expovariate((DAY_RATE if day else NIGHT_RATE) * size / 4) * HOUR
            length = min(dice.lognormvariate(0.0, SPREAD) * MEDIAN, LIMIT) * HOUR
            arrivals.append(Arrival(at, team, length))
    return sorted(arrivals, key=lambda arrival: arrival.at)


def play(arrivals: list[Arrival], *, limits: bool) -> list[Outcome]:
    """The whole trace; what every request that had to wait was told, and what came."""
    world = World({team: Quota({DEVICE: size}) for team, size in TEAMS.items()})
    for number, arrival in enumerate(arrivals):
        while world.ends and world.ends[0][0] <= arrival.at:
            world.end(*heapq.heappop(world.ends))
        world.ask(f"{arrival.team}-{number}", arrival, limits=limits)
    while world.ends:
        world.end(*heapq.heappop(world.ends))
    return [outcome for outcome in world.outcomes.values() if outcome.admitted_at is not None]


def replay(report: Report) -> None:
    """Add what the trace showed to the report."""
    arrivals = generate()
    for limits in (True, False):
        outcomes = play(arrivals, limits=limits)
        waits = [(o.told, (o.admitted_at or 0.0) - o.asked_at) for o in outcomes]
        ranges = [(told, came) for told, came in waits if told.low is not None and told.high is not None]
        row = {
            "trace": "with maximum durations" if limits else "history alone",
            "requests": len(arrivals),
            "had to wait": len(waits),
            "got a range": len(ranges),
            **_errors(ranges),
        }
        if limits:
            row["over the most"] = sum(came > (told.most or 0.0) + 1 for told, came in waits)
        report.rows.append(row)
        report.raw["waits " + str(row["trace"])] = [
            [told.low and round(told.low), told.high and round(told.high), round(came)] for told, came in waits
        ]
    report.notes.append(
        "a range is meant to hold 80 % of the waits; an error is the distance of the wait from the middle of its range"
    )


def _errors(ranges: list[tuple[Wait, float]]) -> dict[str, float]:
    middle = [abs(came - ((told.low or 0.0) + (told.high or 0.0)) / 2) / 60 for told, came in ranges]
    width = [((told.high or 0.0) - (told.low or 0.0)) / 60 for told, _ in ranges]
    waited = [came / 60 for _, came in ranges]
    inside = sum((told.low or 0.0) <= came <= (told.high or 0.0) for told, came in ranges)
    below = sum(came < (told.low or 0.0) for told, came in ranges)
    return {
        "inside %": round(100 * inside / len(ranges), 1),
        "sooner %": round(100 * below / len(ranges), 1),
        "later %": round(100 * (len(ranges) - inside - below) / len(ranges), 1),
        "wait p50 min": round(percentile(waited, 50), 1),
        "width p50 min": round(percentile(width, 50), 1),
        "error p50 min": round(percentile(middle, 50), 1),
        "error p95 min": round(percentile(middle, 95), 1),
    }
