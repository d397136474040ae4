"""What budgets cost: one decision with what it reserves, and a submit with budgets and without any.

Submits go through the service's own submissions and database (SQLite on this disk), one after the other, in turns with
and without budgets. The team has a month of ended holds, servers and jobs that run, and jobs that wait with something
reserved; the ledger changes between submits. Two budgets count: the team's hours, and each person's money.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from aifactory_hub.admission import InProcessAdmission
from aifactory_hub.domain.budgets import Action, Budget, Step, Unit
from aifactory_hub.domain.months import month_of
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.usage import FactKind, Possession, Source, UsageFact
from aifactory_hub.engines.memory import MemoryEngine
from aifactory_hub.registry.model import Registry
from aifactory_hub.service.api.context import Context
from aifactory_hub.service.request_types import Submission
from aifactory_hub.service.submissions import SubmitResult
from tests.support.job_service import Folder, make_context, make_registry

from .frame import Report, percentile, summary

PROFILE = "mig-1g.10gb"
STEPS = tuple(
    Step(share, action) for share, action in ((80, Action.WARN), (95, Action.LOWER_PRIORITY), (100, Action.HOLD))
)
BUDGETS = (
    Budget("month", Unit.GPU_HOURS, Fraction(10**6) * 3600, STEPS),
    Budget("each", Unit.MONEY, Fraction(10**6), STEPS, person=True),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is: holds that have ended in this month, pods that run, jobs that wait; and how many submits."""

    ended: int = 20_000
    running: int = 60
    waiting: int = 500
    submits: int = 400


def registry(budgets: tuple[Budget, ...]) -> Registry:
    """nlp with these budgets."""
    known = make_registry()
    return replace(known, tenants={**known.tenants, "nlp": replace(known.tenants["nlp"], budgets=budgets)})


def service(folder: Path, budgets: tuple[Budget, ...]) -> Context:
    """The service's parts, with nothing running."""
    made = registry(budgets)
    return make_context(Folder(folder), made, InProcessAdmission(made.tenants), MemoryEngine())


def facts(size: Size, now: int) -> Iterator[UsageFact]:
    """The team's month."""
    begin = month_of(now, make_registry().billing.zone).start
    for number in range(size.ended + size.running):
        user, kind = f"user-{number % 40}", "job" if number % 3 else "server"
        owner = f"j{number:012x}" if kind == "job" else user
        whose = Possession("nlp", user, PROFILE, kind, owner, f"p{number}", "n", {"h100/gpu": 1}, Fraction(1, 7))
        start = begin + number % 1000
        yield UsageFact.exact(f"p{number}", FactKind.BOUND, Source.WATCH, start, start, possession=whose)
        if number < size.ended:
            end = start + 60 + number % 3600
            yield UsageFact.exact(f"p{number}", FactKind.ENDED, Source.WATCH, end, end)


async def submit(context: Context, number: int, *, most: int = 3600) -> tuple[float, float]:
    """Milliseconds of one submit by the clock, and of the processor."""
    asked = Submission(command="python train.py", profile=PROFILE, key=f"k{number}", max_seconds=most)
    began, worked = time.perf_counter(), time.process_time()
    taken = await context.submissions.submit(f"user-{number % 40}", "nlp", asked, role=Role.MEMBER)
    took = 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - worked)
    assert isinstance(taken, SubmitResult), taken
    assert taken.job.state.value == "PENDING", taken.job.reason
    return took


async def prepared(folder: Path, budgets: tuple[Budget, ...], size: Size) -> Context:
    """A service with all that there is to be counted."""
    context, now = service(folder, budgets), int(time.time())
    context.billing.follow({PROFILE: Decimal("0.40")}, "EUR", now)
    context.ledger.append(list(facts(size, now)))
    await asyncio.gather(*(submit(context, 10**6 + n) for n in range(size.waiting)))
    return context


async def submits(contexts: dict[str, Context], size: Size) -> dict[str, list[tuple[float, float]]]:
    """In turns, so that both have the same machine; a pod ends before every tenth, which both ledgers are told."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contexts}
    for number in range(size.submits + 40):
        for name, context in contexts.items():
            if number % 10 == 0:
                pod, at = f"p{size.ended + number // 10 % size.running}", int(time.time())
                context.ledger.append([UsageFact.exact(pod, FactKind.STARTED, Source.WATCH, at, at)])
            found[name].append(await submit(context, number))
    return {name: values[40:] for name, values in found.items()}


def timed(context: Context) -> list[float]:
    """Milliseconds of each decision of this service with what it reserves: within the transactions of submits."""
    book, took = context.jobs.budgets, []
    decide, reserve = book.decide, book.reserve_new

    def deciding(*arguments: Any) -> Any:
        began = time.perf_counter()
        found = decide(*arguments)
        took.append(1000 * (time.perf_counter() - began))
        return found

    def reserving(*arguments: Any) -> None:
        began = time.perf_counter()
        reserve(*arguments)
        took[-1] += 1000 * (time.perf_counter() - began)

    vars(book).update(decide=deciding, reserve_new=reserving)
    return took


def first_look(context: Context) -> float:
    """Milliseconds of a decision of a process that has read nothing yet."""
    context.budgets.book.refresh()
    began = time.perf_counter()
    context.budgets.accounts("nlp", ["user-1"])
    return 1000 * (time.perf_counter() - began)


async def measure(folder: Path, size: Size) -> Report:
    """All of it."""
    contexts = {
        "without budgets": await prepared(folder / "without", (), size),
        "with two budgets": await prepared(folder / "with", BUDGETS, size),
    }
    judged = timed(contexts["with two budgets"])
    taken = await submits(contexts, size)
    first = first_look(contexts["with two budgets"])
    for context in contexts.values():
        context.jobs.close()
    rows = [
        *(
            {"what": f"a submit {name}, {what}", **summary([each[place] for each in values], digits=3)}
            for place, what in enumerate(("ms", "ms of the processor"))
            for name, values in taken.items()
        ),
        {"what": "a decision with its reservation, ms", **summary(judged[40:], digits=3)},
        {"what": f"the first look at {size.ended + size.running} holds, ms", "p50": round(first, 1)},
    ]
    middle = {name: [percentile([each[place] for each in taken[name]], 50) for place in (0, 1)] for name in taken}
    added, worked = (b - a for a, b in zip(*middle.values(), strict=True))
    per_cent = 100 * added / middle["without budgets"][0]
    notes = [
        f"{size.ended} holds have ended in the month, {size.running} go on, {size.waiting} jobs wait.",
        f"Budgets add {added:.3f} ms to a submit (p50), {per_cent:.0f} %: the goal is 5 %.",
        f"Of the processor they add {worked:.3f} ms. The goal of a decision is 1 ms.",
    ]
    raw = {**taken, "decisions": judged, "first look": [first]}
    return Report("budget", "What do budgets cost?", rows, raw, notes, ["the GPUs"], ["sqlalchemy"])


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything")
    size = Size(2_000, 20, 50, 100) if parser.parse_args().quick else Size()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(measure(Path(folder), size))
    report.finish()


if __name__ == "__main__":
    main()
