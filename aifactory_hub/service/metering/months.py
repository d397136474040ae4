"""What the ledger has done by the clock: prices follow tenants.yaml, months are closed, late facts are booked."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ...domain.months import Span, following, month_of
from ...domain.prices import PriceRefused
from ...registry import Registry
from ...store.billing import Billing, ClosedMonth
from ..executors import metering

log = logging.getLogger(__name__)

# Who closed a month that nobody closed by hand.
BY_ITSELF = "the service"


class Months:
    """Keeps prices and months of a ledger up to date. ``tick`` it now and then."""

    def __init__(
        self,
        registry: Callable[[], Registry],
        billing: Billing,
        heard_at: Callable[[], int],
        first_second: Callable[[], int | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``first_second`` is when the first hold of all began, None while there is none."""
        self._registry = registry
        self._billing = billing
        self._heard_at = heard_at
        self._first_second = first_second
        self._clock = clock
        self._refused = ""

    async def tick(self) -> None:
        """Once."""
        await metering.run(self._follow_prices)
        await metering.run(self._close)
        await metering.run(self._correct)

    def _follow_prices(self) -> None:
        registry = self._registry()
        wanted = {name: profile.price_per_hour for name, profile in registry.catalogue.profiles.items()}
        try:
            for version in self._billing.follow(wanted, registry.billing.currency, int(self._clock())):
                log.info("from now on an hour of %s costs %s", version.profile, version.per_hour)
        except PriceRefused as error:
            if str(error) != self._refused:
                log.error("the prices stay as they were: %s", error)
            self._refused = str(error)
        else:
            self._refused = ""

    def _close(self) -> None:
        """Close each month whose time has come, the oldest first."""
        billing = self._registry().billing
        while (span := self._next()) is not None:
            now = int(self._clock())
            if min(now, self._heard_at()) < span.end + billing.close_after:
                return
            made = self._billing.close(span, billing.time_zone, by=BY_ITSELF, now=now, heard_at=self._heard_at())
            log.info("%s is closed: %s", span.name, made.digest)

    def _next(self) -> Span | None:
        first = self._first_second()
        return None if first is None else next_month(self._registry(), list(self._billing.closed().values()), first)

    def _correct(self) -> None:
        for record in self._billing.correct(int(self._clock())):
            log.warning("%s of a line of %s, which is closed: %s", record.record, record.month, record.line.key)


def next_month(registry: Registry, closed: list[ClosedMonth], first: int) -> Span:
    """The month that is closed next: the one after the last closed one, or that of the first hold.

    It begins where the last one ended, also where the site has another time zone since.
    """
    zone = registry.billing.zone
    if not closed:
        return month_of(first, zone)
    last = closed[-1].span
    span = month_of(last.end + (last.seconds // 2), zone)
    if span.name == last.name:
        span = following(span, zone)
    return Span(span.name, last.end, span.end)
