"""The ledger of 10,000 servers: a month's bill, its facts as they come, and what samplers would have billed instead.

The trace is made, by a seeded random generator: 10,000 people of 50 teams hold 120,000 pods in a month, of four
profiles whose prices change twice. What is billed is compared with fractions that are summed pod by pod. The peers get
the same pods, without a gap in their samples and without two pods of one name, which is the best that can happen to
them.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, insert

from aifactory_hub.domain.bills import charges
from aifactory_hub.domain.months import Span, month
from aifactory_hub.domain.prices import Prices, PriceVersion
from aifactory_hub.domain.usage import Attribution, FactKind, Hold, Possession, Source, UsageFact, fold
from aifactory_hub.store.billing import Billing
from aifactory_hub.store.database import migrate, open_db, writing
from aifactory_hub.store.ledger import Ledger, Position, _verify_chain
from aifactory_hub.store.ledger_rows import FIRST, event_values, hold_values
from aifactory_hub.store.usage_tables import HoldRow, PriceRow, UsageEventRow

from .frame import Report, percentile, summary

SERVERS, HOLDS, TEAMS, PRICES_EACH = 10_000, 120_000, 50, 3
SPAN = month("2026-10", ZoneInfo("Europe/Berlin"))
PROFILES = {"small": "0.40", "medium": "0.87", "large": "2.99", "whole": "5.13"}
PARTS = {"small": Fraction(1, 8), "medium": Fraction(1, 4), "large": Fraction(4, 7), "whole": Fraction(1)}
COMMIT, APPENDED, PACE = 100, 30_000, 5_000
EVENTS = 1_000_000
STEP = 60
OURS = {"of all seconds, %": 0, "wrong seconds": 0, "worst team, %": 0, "pods never seen, %": 0}
TARGETS = {
    "bill, s": 1,
    "bill, MB": 200,
    "a team's month, p99 ms": 20,
    "events a second": 5000,
    "lag p99, s": 1,
    "verify, s": 3,
    "restart, s": 5,
}


def lengths(order: random.Random) -> int:
    """Seconds of a pod: half are jobs of a minute or an hour, half are servers of hours."""
    if order.random() < 0.5:
        return min(86_400, max(5, int(order.lognormvariate(5.7, 1.4))))
    return min(10 * 86_400, max(30, int(order.lognormvariate(9.3, 1.1))))


def trace(count: int = HOLDS) -> Iterator[Hold]:
    """The month's pods. Some begin before it, some end after it, some go on."""
    order = random.Random(7)  # noqa: S311 - a trace is no secret
    for number in range(count):
        person = number % SERVERS
        # People have a size that they mostly take.
        profile = list(PROFILES)[person % 4] if order.random() < 0.9 else order.choice(list(PROFILES))
        whose = Possession(
            f"team-{person % TEAMS:02}",
            f"user-{person:05}",
            profile,
            "server" if order.random() < 0.75 else "job",
            f"owner-{number}",
            f"jupyter-user-{person:05}",
            f"node-{number % 64}",
            {f"h100-80gb/nvidia.com/{profile}": 1},
            PARTS[profile],
            Attribution.TICKET,
        )
        start = SPAN.start + order.randrange(-40_000, SPAN.seconds)
        end = start + lengths(order)
        on = end > SPAN.end and order.random() < 0.5
        known = None if on else end
        yield Hold(f"{number:08x}-0000-4000-8000-000000000000", whose, start, known, known, start + 3)


def prices() -> list[PriceVersion]:
    """Three for each profile: two changes in the month, in one second for all."""
    at = [0, SPAN.start + 950_400, SPAN.start + 1_900_800]
    each = [
        (begin, profile, Decimal(cost) * (100 + 7 * n) / 100)
        for n, begin in enumerate(at)
        for profile, cost in PROFILES.items()
    ]
    return [PriceVersion(profile, begin, cost, "EUR", n) for n, (begin, profile, cost) in enumerate(each, 1)]


def facts_of(hold: Hold) -> list[UsageFact]:
    """What a watch says of the pod."""
    told = [UsageFact.exact(hold.pod, FactKind.BOUND, Source.WATCH, hold.start, hold.start, possession=hold.possession)]
    told.append(UsageFact.exact(hold.pod, FactKind.STARTED, Source.WATCH, hold.start + 3, hold.start + 3))
    if hold.end is not None:
        told.append(UsageFact.exact(hold.pod, FactKind.ENDED, Source.WATCH, hold.end, hold.end))
    return told


def database(folder: Path, name: str) -> str:
    url = f"sqlite:///{folder / name}"
    db = open_db(url)
    migrate(db)
    values = [
        {
            "number": v.number,
            "profile": v.profile,
            "effective_from": v.effective_from,
            "per_hour": f"{v.per_hour:f}",
            "currency": v.currency,
        }
        for v in prices()
    ]
    with writing(db) as connection:
        connection.execute(insert(PriceRow), values)
    db.dispose()
    return url


def fill(url: str, holds: Iterable[Hold]) -> None:
    """Put the holds there as the ledger has them."""
    db = open_db(url)
    left = iter(holds)
    with writing(db) as connection:
        while some := [hold_values(hold, 1) for hold in islice(left, 5000)]:
            connection.execute(insert(HoldRow), some)
    db.dispose()


def fill_events(url: str, count: int) -> None:
    """Put a chain of this many events there, and the holds that follow from them."""
    db = open_db(url)
    before, seq = FIRST, 0
    left = trace(count)
    with writing(db) as connection:
        while some := list(islice(left, 5000)):
            rows, holds = [], []
            for hold in some:
                facts = facts_of(hold)
                for fact in facts:
                    seq += 1
                    rows.append(event_values(fact, seq, 0, before))
                    before = rows[-1]["hash"]
                folded = fold(facts)
                if folded is not None:
                    holds.append(hold_values(folded, seq))
            connection.execute(insert(UsageEventRow), rows)
            connection.execute(insert(HoldRow), holds)
            if seq >= count:
                break
    db.dispose()


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the wall, of the processor, and what came of it."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - wall, time.process_time() - cpu, found


def measure_bill(db: Engine) -> dict[str, Any]:
    billing = Billing(db)
    wall, cpu, lines = timed(lambda: billing.lines(SPAN, SPAN.end))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    owed: dict[str, str] = {}
    for line in lines:
        tenant = line.key.tenant
        owed[tenant] = str(Decimal(owed.get(tenant, "0")) + (line.exact or 0))
    times, before = [], time.process_time()
    for number in range(200):
        began = time.perf_counter()
        billing.lines(SPAN, SPAN.end, f"team-{number % TEAMS:02}")
        times.append(1000 * (time.perf_counter() - began))
    each = 1000 * (time.process_time() - before) / 200
    found = {"wall": wall, "cpu": cpu, "memory": memory, "lines": len(lines), "owed": owed}
    return {**found, "team": times, "team_cpu": each}


def measure_append(db: Engine) -> dict[str, Any]:
    """As fast as it goes; then at a steady pace, from the moment that an event is there until it is committed."""
    ledger = Ledger(db)
    facts = [fact for hold in trace(APPENDED) for fact in facts_of(hold)]
    batches = [facts[place : place + COMMIT] for place in range(0, len(facts), COMMIT)]
    half = len(batches) // 2
    wall, cpu, _ = timed(lambda: [ledger.append(each, Position("7", 7)) for each in batches[:half]])
    lags, began = [], time.perf_counter()
    for number, batch in enumerate(batches[half:]):
        arrived = began + number * COMMIT / PACE
        time.sleep(max(0.0, arrived - time.perf_counter()))
        ledger.append(batch, Position("7", 7))
        lags.append(time.perf_counter() - arrived)
    return {"rate": half * COMMIT / wall, "cpu_us": 1e6 * cpu / half / COMMIT, "lag": lags}


def measure_verify(db: Engine) -> dict[str, Any]:
    with db.connect() as connection:
        chain = timed(lambda: _verify_chain(connection))
    wall, cpu, verdict = timed(Ledger(db).verify)
    if verdict.problem is not None:
        raise RuntimeError(verdict.problem)
    found = {"wall": wall, "cpu": cpu, "events": verdict.events, "holds": verdict.holds}
    return {**found, "chain_wall": chain[0], "chain_cpu": chain[1]}


def measure_restart(db: Engine) -> dict[str, Any]:
    """What the service asks before it goes on with the watch."""

    def restart() -> list[Hold]:
        Ledger(db).position()
        return Ledger(db).going_on()

    wall, cpu, holds = timed(restart)
    return {"wall": wall, "cpu": cpu, "open": len(holds)}


MEASURES: dict[str, Callable[[Engine], dict[str, Any]]] = {
    "bill": measure_bill,
    "append": measure_append,
    "verify": measure_verify,
    "restart": measure_restart,
}


def in_a_process(name: str, url: str) -> dict[str, Any]:
    """Measured in a process of its own, whose memory is nobody else's."""
    argv = [sys.executable, "-m", "benchmarks.ledger", "--measure", name, "--database", url]
    found: dict[str, Any] = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return found


def truth(holds: Iterable[Hold]) -> dict[str, Fraction]:
    """What each team owes, pod by pod, in fractions."""
    known = Prices.of(prices())
    owed: dict[str, Fraction] = {}
    for hold in holds:
        for charge in charges(hold, known, SPAN.start, SPAN.end):
            if charge.version is not None and charge.version.per_second is not None:
                tenant = hold.possession.tenant
                money = Fraction(charge.version.per_second) * (charge.end - charge.start)
                owed[tenant] = owed.get(tenant, Fraction(0)) + money
    return owed


def within(hold: Hold, span: Span) -> tuple[int, int]:
    return max(hold.start, span.start), span.end if hold.end is None else min(hold.end, span.end)


def samples(start: int, end: int) -> int:
    """How many samples, one each step, see the pod."""
    return max(0, -(-end // STEP) - -(-start // STEP))


def opencost(start: int, end: int) -> int:
    """From the first sample to the last; a single one is a step, half of it on each side."""
    seen = samples(start, end)
    return STEP * (seen - 1) if seen > 1 else STEP * seen


PEERS: dict[str, Callable[[int, int], int]] = {
    "a 60-second sampler (count x step)": lambda start, end: STEP * samples(start, end),
    "OpenCost's rule (first to last sample)": opencost,
    "the hub usage formula (samples x interval, of a rolling hour)": lambda start, end: sum(
        STEP * samples(a, min(a + 3600, end)) for a in range(start, end, 3600)
    ),
}


def errors(rule: Callable[[int, int], int]) -> dict[str, Any]:
    """By how much the rule is off, of all seconds, of each pod and of each team."""
    total = billed = apart = unseen = count = 0
    teams: dict[str, list[int]] = {}
    for hold in trace():
        start, end = within(hold, SPAN)
        if end <= start:
            continue
        told = rule(start, end)
        count, total, billed = count + 1, total + end - start, billed + told
        apart, unseen = apart + abs(told - (end - start)), unseen + (told == 0)
        team = teams.setdefault(hold.possession.tenant, [0, 0])
        team[0], team[1] = team[0] + end - start, team[1] + told
    worst = max(abs(told - right) / right for right, told in teams.values())
    return {
        "of all seconds, %": round(100 * (billed - total) / total, 4),
        "wrong seconds": apart,
        "worst team, %": round(100 * worst, 4),
        "pods never seen, %": round(100 * unseen / count, 2),
    }


def rows_of(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """What was measured: on the wall, of the processor, and what it should be."""
    bill, append, verify, restart = raw["bill"], raw["append"], raw["verify"], raw["restart"]
    measured: dict[str, tuple[float, float | str]] = {
        "bill, s": (round(bill["wall"], 2), round(bill["cpu"], 2)),
        "bill, MB": (round(bill["memory"]), ""),
        "a team's month, p99 ms": (bill["team"]["p99"], f"{bill['team_cpu']:.1f} on average"),
        "events a second": (round(append["rate"]), round(1e6 / append["cpu_us"])),
        "lag p99, s": (append["lag"]["p99"], ""),
        "verify, s": (round(verify["wall"], 2), round(verify["cpu"], 2)),
        "of it the chain, s": (round(verify["chain_wall"], 2), round(verify["chain_cpu"], 2)),
        "restart, s": (round(restart["wall"], 2), round(restart["cpu"], 2)),
    }
    return [
        {"what": what, "measured": wall, "of the processor": cpu, "target": TARGETS.get(what, "")}
        for what, (wall, cpu) in measured.items()
    ]


def run(folder: Path, events: int) -> dict[str, Any]:
    """All measurements, one after the other."""
    raw: dict[str, Any] = {}
    url = database(folder, "month.sqlite")
    fill(url, trace())
    raw["bill"] = in_a_process("bill", url)
    billed = {team: Fraction(owed) for team, owed in raw["bill"].pop("owed").items()}
    raw["exact"] = billed == truth(trace())
    if not raw["exact"]:
        raise RuntimeError("the bills are not what each team owes")
    raw["append"] = in_a_process("append", database(folder, "append.sqlite"))
    url = database(folder, "restart.sqlite")
    fill(url, (Hold(hold.pod, hold.possession, hold.start) for hold in trace(SERVERS)))
    raw["restart"] = in_a_process("restart", url)
    url = database(folder, "events.sqlite")
    fill_events(url, events)
    raw["verify"] = in_a_process("verify", url)
    raw["peers"] = {name: errors(rule) for name, rule in PEERS.items()}
    raw["bill"]["team"], raw["append"]["lag"] = (
        summary(raw["bill"]["team"]) | {"p99": round(percentile(raw["bill"]["team"], 99), 2)},
        summary(raw["append"]["lag"], digits=4) | {"p99": round(percentile(raw["append"]["lag"], 99), 4)},
    )
    return raw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", choices=MEASURES, help="measure one in this process, print JSON")
    parser.add_argument("--database", help="of --measure")
    parser.add_argument("--events", type=int, default=EVENTS, help="that are verified")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(MEASURES[options.measure](open_db(options.database))))
        return
    with tempfile.TemporaryDirectory() as folder:
        raw = run(Path(folder), options.events)
    question = (
        f"What does the ledger of {HOLDS:,} pods of {SERVERS:,} servers cost, and what would samplers have billed?"
    )
    rows = [*rows_of(raw), *({"what": name, **found} for name, found in {"ours": OURS, **raw["peers"]}.items())]
    notes = [
        f"{raw['bill']['lines']} lines; each team's sum is exactly that of fractions, pod by pod",
        f"verified: {raw['verify']['events']:,} events of {raw['verify']['holds']:,} pods",
        f"appended in commits of {COMMIT} to SQLite; the lag is at {PACE:,} events a second",
    ]
    report = Report("ledger", question, rows, raw, notes, simulated=["the pods: made, not recorded"])
    report.packages = ("sqlalchemy", "msgspec")
    report.finish()


if __name__ == "__main__":
    main()
