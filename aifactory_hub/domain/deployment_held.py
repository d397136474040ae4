"""What the releases of a deployment have held by the ledger, and what that has cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from .bills import charges
from .deployments import Deployment, Release
from .job_costs import amount_of
from .names import slug
from .prices import Prices
from .usage import Hold


@dataclass(frozen=True, slots=True)
class ReleaseHeld:
    """What the pods of one release have held: ``seconds`` each, ``gpu_seconds`` as parts of a GPU, ``pods`` of them.
    ``uncertain`` seconds may have been held beside these and cost nothing; ``amount`` None: there is no price."""

    release: int
    seconds: int
    gpu_seconds: Fraction
    pods: int
    uncertain: int
    amount: Decimal | None


def held_by_releases(
    deployment: Deployment, releases: Iterable[Release], holds: Mapping[str, Iterable[Hold]], prices: Prices, until: int
) -> list[ReleaseHeld]:
    """Of each release that has held something, in the order of ``releases``. ``holds`` are by the owner's name in the
    ledger; what goes on is counted up to ``until``. Another team's pod that names a release is no part of it."""
    found = []
    for release in releases:
        mine = [
            hold
            for hold in holds.get(slug(release.id), ())
            if hold.possession.tenant == deployment.tenant and not hold.void
        ]
        parts = [charge for hold in mine for charge in charges(hold, prices, hold.start, until)]
        if mine:
            found.append(
                ReleaseHeld(
                    release.number,
                    sum(part.seconds for part in parts),
                    sum((part.gpu_seconds for part in parts), Fraction(0)),
                    len(mine),
                    sum(hold.uncertain for hold in mine),
                    amount_of(parts),
                )
            )
    return found
