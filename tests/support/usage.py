"""A service whose ledger has a few holds of October and November 2026, and people who may see more or less of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from aifactory_hub.domain.months import Span, month
from aifactory_hub.domain.prices import PriceVersion
from aifactory_hub.domain.usage import Attribution, FactKind, Possession, Source, UsageFact
from aifactory_hub.registry.model import BillingConfig, Registry

from .fake_hub import ACCESS, FakeHub, scopes_for
from .job_service import Clock, RunningService, make_registry, running_service

BILLING = BillingConfig("EUR", "Europe/Amsterdam")
OCTOBER: Span = month("2026-10", BILLING.zone)
NOVEMBER: Span = month("2026-11", BILLING.zone)
HOUR = 3600
# The fifth of November, when all tests ask.
NOW = NOVEMBER.start + 4 * 24 * HOUR


def whose(tenant: str, user: str, profile: str = "small", *, kind: str = "server", **more: Any) -> Possession:
    one = Possession(tenant, user, profile, kind, user, f"nb-{user}", "node-1", {"h100/gpu": 1}, Fraction(1, 7))
    return replace(one, attribution=Attribution.TICKET, **more)


def life(pod: str, possession: Possession, start: int, end: int | None) -> list[UsageFact]:
    bound = UsageFact.exact(pod, FactKind.BOUND, Source.WATCH, start, start, possession=possession)
    ended = [] if end is None else [UsageFact.exact(pod, FactKind.ENDED, Source.WATCH, end, end)]
    return [bound, *ended]


# In nlp ada and bob, and a pod that nobody knows; eve in vision. ada's second goes on.
FACTS = [
    *life("a1", whose("nlp", "ada"), NOVEMBER.start + HOUR, NOVEMBER.start + 3 * HOUR),
    *life("a2", whose("nlp", "ada", "free-of-price", kind="job"), NOW - HOUR, None),
    *life("b1", whose("nlp", "bob"), NOVEMBER.start - HOUR, NOVEMBER.start + HOUR),
    *life("x1", whose("nlp", "", kind="pod"), NOVEMBER.start, NOVEMBER.start + 100),
    *life("e1", whose("vision", "eve", simulated=True), NOVEMBER.start, NOVEMBER.start + HOUR),
]


def add_people(hub: FakeHub) -> None:
    """Members and an admin of nlp, a member of vision, and an administrator of the hub with two tokens."""
    for name in ("ada", "bob"):
        hub.add(name, name, scopes_for("nlp"), groups=["tenant-nlp"])
    hub.add("grace", "grace", scopes_for("nlp"), groups=["tenant-nlp", "tenant-nlp-admin"])
    hub.add("eve", "eve", scopes_for("vision"), groups=["tenant-vision"])
    hub.add("viewer", "vera", scopes_for("nlp", names=["custom:aifactory:jobs:read"]))
    hub.add("platform", "rene", [ACCESS, "admin-ui"])
    hub.add("rene-notebook", "rene", scopes_for("nlp"))
    # Somebody to whom the site gave the scope, and who is no administrator.
    hub.add("pretender", "pia", [*scopes_for("nlp"), "admin-ui"])
    hub.administrators.add("rene")


@asynccontextmanager
async def usage_service(path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    """The service at NOW with FACTS and one price."""
    add_people(hub)

    def registry(url: str) -> Registry:
        return replace(make_registry(service=url), billing=BILLING)

    clock = Clock(float(NOW))
    async with running_service(path, hub=hub, registry=registry, reconciling=False, clock=clock) as service:
        service.context.ledger.append(FACTS)
        service.context.billing.add_price(PriceVersion("small", 0, Decimal("1.50"), "EUR"))
        yield service
