"""Which smaller size would do, for servers and jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial

from ...domain.right_size import MONTH, Advice, Held, Peaks, advise, sizes
from ...domain.usage import Hold
from ...domain.usage_answers import names_of
from ...registry import Registry
from ...store.hold_peaks import HoldPeaks
from ...store.usage_reports import UsageReports, Whose
from ..idle_types import AdviceAnswer, SiteIdleQuery, SizeAdvice
from .operations import Access, operation
from .usage import OfUsage


class TeamAdvice(OfUsage):
    """In a team."""

    @operation(
        "getSizeAdvice",
        "Which smaller sizes would do in a team, from the last 30 days: for its admins of all, for others their own.",
        answer=AdviceAnswer,
    )
    async def get(self, tenant: str) -> None:
        """Says nothing where too little is known."""
        _, whose = await self.seen_in(await self.caller(), tenant)
        await self.advise(whose)

    async def advise(self, whose: Whose) -> None:
        """Answer."""
        context = self.context
        call = partial(
            _advice, context.registry, context.usage, context.peaks, whose, context.heard_at(), self.currency
        )
        await self.tell(call)


class SiteAdvice(TeamAdvice):
    """For the hub's pages."""

    @operation(
        "getSizeAdviceOf",
        "Which smaller sizes would do for a user.",
        answer=AdviceAnswer,
        query=SiteIdleQuery,
        access=Access.SITE,
    )
    async def get(self) -> None:  # type: ignore[override]
        """As they see it themselves."""
        self.check_shared_token()
        await self.advise(Whose(users=names_of(self.query(SiteIdleQuery).user)))


def _advice(
    registry: Registry, usage: UsageReports, peaks: HoldPeaks, whose: Whose, now: int, currency: str
) -> AdviceAnswer:
    """Blocks."""
    holds = [hold for hold in usage.holds(now - MONTH, now, whose) if hold.possession.devices]
    known = peaks.of([hold.pod for hold in holds])
    found = []
    groups: dict[tuple[str, str, str, str], list[Hold]] = {}
    for hold in holds:
        of = hold.possession
        groups.setdefault((of.tenant, of.user, of.kind, of.profile), []).append(hold)
    for (tenant, user, kind, profile), some in groups.items():
        advice = _of_group(registry, tenant, profile, some, known, now)
        if advice is not None:
            found.append(_answer(tenant, user, kind, advice, simulated=any(h.possession.simulated for h in some)))
    return {
        "as_of": now,
        "currency": currency or None,
        "advice": sorted(found, key=lambda each: (each["tenant"], each["user"], each["kind"], each["instead_of"])),
        "month": _sum(found),
        "gpu_seconds": sum(each["gpu_seconds"] for each in found),
    }


def _of_group(
    registry: Registry, tenant: str, profile: str, holds: Sequence[Hold], known: dict[str, Peaks], now: int
) -> Advice | None:
    team = registry.tenants.get(tenant)
    menu = [] if team is None else sizes(team.profiles, registry.catalogue)
    current = next((size for size in menu if size.profile == profile), None)
    if current is None:
        return None
    held = [Held(hold.start, (hold.end or now) - hold.start, known.get(hold.pod, Peaks())) for hold in holds]
    return advise(held, current, menu)


def _answer(tenant: str, user: str, kind: str, advice: Advice, *, simulated: bool) -> SizeAdvice:
    return {
        "tenant": tenant,
        "user": user,
        "kind": kind,
        "instead_of": advice.instead_of,
        "profile": advice.profile,
        "text": advice.text,
        "memory": advice.memory,
        "engine": round(advice.engine, 4),
        "month": None if advice.month is None else str(advice.month),
        "gpu_seconds": advice.gpu_seconds,
        "simulated": simulated,
    }


def _sum(found: Iterable[SizeAdvice]) -> str | None:
    amounts = [Decimal(each["month"]) for each in found if each["month"] is not None]
    return str(sum(amounts, Decimal(0))) if amounts else None
