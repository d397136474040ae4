"""What jobs have cost by the ledger: the holds of their runs, at the prices that counted then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from .bills import Charge, charges
from .prices import Prices, rounded
from .usage import Hold


@dataclass(frozen=True, slots=True)
class Run:
    """An attempt of a job, and the team that the job is in."""

    job: str
    attempt: int
    tenant: str


@dataclass(frozen=True, slots=True)
class HeldCost:
    """What a job's attempts have cost from ``first`` on, the first that the ledger knows of; ``amount`` None: no price.

    Of attempts before that, which ran before there was a ledger, nothing is known.
    """

    first: int
    amount: Decimal | None


def held_costs(
    runs: Mapping[str, Run], holds: Mapping[str, Iterable[Hold]], prices: Prices, until: int
) -> dict[str, HeldCost]:
    """The costs by job. ``runs`` and ``holds`` are by the owner's id; what goes on is counted up to ``until``.

    A label of another team's pod that names a run makes it no part of the job.
    """
    first: dict[str, int] = {}
    parts: dict[str, list[Charge]] = {}
    for owner, run in runs.items():
        for hold in holds.get(owner, ()):
            if hold.possession.tenant == run.tenant:
                first[run.job] = min(run.attempt, first.get(run.job, run.attempt))
                parts.setdefault(run.job, []).extend(charges(hold, prices, hold.start, until))
    return {job: HeldCost(attempt, amount_of(parts[job])) for job, attempt in first.items()}


def amount_of(parts: Iterable[Charge]) -> Decimal | None:
    """What they cost together, rounded once; None where nothing has a price, or prices are of several currencies."""
    priced = [part for part in parts if part.exact is not None]
    currencies = {part.version.currency for part in priced if part.version is not None}
    if len(currencies) != 1:
        return None
    return rounded(sum((part.exact for part in priced if part.exact is not None), Decimal(0)), currencies.pop())
