"""Notes the most that pods with a GPU use, servers and jobs alike, every ten minutes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ...domain.idle import EDGE
from ...domain.right_size import Peaks
from ...store.hold_peaks import HoldPeaks
from ...store.ledger import Ledger
from ...telemetry.base import Telemetry, TelemetryUnavailable
from ..executors import metering
from .watch import Places

log = logging.getLogger(__name__)

# In seconds. Each look is at the time since the last one.
PEAKS_EVERY = 600.0
# Advice looks back so far; older peaks are removed.
KEPT = 60 * 86400.0


@dataclass(frozen=True, slots=True)
class PeakWatch:
    """``tick`` it every PEAKS_EVERY seconds. ``get_scrape`` says how many seconds a sample stands for."""

    ledger: Ledger
    places: Places
    telemetry: Telemetry | None
    peaks: HoldPeaks
    get_scrape: Callable[[], int]
    clock: Callable[[], float]

    async def tick(self) -> None:
        """Note what was used since the last time. What can't be read is missing, and advice is silent for it."""
        newest = await metering.run(self.peaks.newest)
        if self.telemetry is None or (newest is not None and self.clock() - newest < PEAKS_EVERY - EDGE):
            return  # a process that was started again would count the same time twice
        held = [hold for hold in await metering.run(self.ledger.going_on) if hold.possession.devices]
        try:
            found = await self.telemetry.read(self.places(held), PEAKS_EVERY - EDGE) if held else {}
        except TelemetryUnavailable as error:
            log.debug("no peaks: %s", error)
            return
        seen = {
            pod: Peaks(each.gpu.samples * self.get_scrape(), each.gpu.memory, each.engine_high)
            for pod, each in found.items()
            if each.gpu.samples
        }
        await metering.run(self.peaks.add, seen, self.clock())
        await metering.run(self.peaks.forget, before=self.clock() - KEPT)
