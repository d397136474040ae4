"""Advice about sizes over HTTP: noted every ten minutes, added up for a team, and silent where little is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.idle import GpuSamples
from aifactory_hub.domain.pod_samples import PodPlace, PodSamples
from aifactory_hub.domain.right_size import Peaks
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.registry.model import Registry
from aifactory_hub.service.idle.peaks import PEAKS_EVERY, PeakWatch
from aifactory_hub.telemetry.base import TelemetryUnavailable
from aifactory_profiles import load_catalogue
from aifactory_profiles.catalogue import SiteProfile

from ..support.fake_hub import FakeHub
from ..support.job_service import Clock, RunningService, make_registry, running_service
from ..support.usage import BILLING, HOUR, NOW, add_people, life, whose

SMALL, LARGE = "mig-1g.10gb", "mig-3g.40gb"
GB = 10**9


@dataclass
class Samples:
    """What every pod is seen to use."""

    samples: PodSamples = field(default_factory=lambda: PodSamples(GpuSamples(20, 20, memory=6 * GB), 0.1))
    away: bool = False

    async def read(self, pods: Mapping[str, PodPlace], after: float) -> Mapping[str, PodSamples]:
        if self.away:
            raise TelemetryUnavailable("away")
        return dict.fromkeys(pods, self.samples)

    async def close(self) -> None:
        """Nothing is open."""


def registry_at(url: str) -> Registry:
    """Prices for a small and a large slice, both on nlp's menu."""
    prices = ((SMALL, "0.40"), (LARGE, "1.60"))
    profiles = [SiteProfile(name, price_per_hour=Decimal(price), currency="EUR") for name, price in prices]
    registry = make_registry(service=url)
    tenants: dict[str, Tenant] = {
        name: replace(tenant, profiles=(SMALL, LARGE)) for name, tenant in registry.tenants.items()
    }
    return replace(registry, catalogue=load_catalogue(["h100-80gb"], profiles), tenants=tenants, billing=BILLING)


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    add_people(hub)
    async with running_service(
        tmp_path, hub=hub, registry=registry_at, reconciling=False, clock=Clock(float(NOW))
    ) as service:
        for number in range(10):
            start = NOW - (number + 1) * 24 * HOUR
            service.context.ledger.append(life(f"p{number}", whose("nlp", "ada", LARGE), start, start + 4 * HOUR))
        yield service


async def advice(service: RunningService, who: str = "ada", status: int = 200) -> Any:
    async with service.http(who) as http:
        answer = await http.get("/tenants/nlp/advice")
    assert answer.status_code == status, answer.text
    return answer.json()


def used(service: RunningService, peaks: Peaks, pods: int = 10) -> None:
    service.context.peaks.add({f"p{number}": peaks for number in range(pods)}, float(NOW))


async def test_a_size_that_would_do_is_told_with_what_it_saves(service: RunningService) -> None:
    used(service, Peaks(4 * HOUR, 6 * GB, 0.1))
    told = await advice(service)
    (one,) = told["advice"]
    assert (one["user"], one["kind"], one["instead_of"], one["profile"]) == ("ada", "server", LARGE, SMALL)
    assert (one["month"], told["month"], told["currency"]) == ("48.00", "48.00", "EUR")
    assert "6.0 GB" in one["text"] and one["gpu_seconds"] == told["gpu_seconds"] > 0
    assert (await advice(service, "grace"))["advice"] == told["advice"]
    assert (await advice(service, "bob"))["advice"] == []
    await advice(service, "eve", 403)


async def test_where_too_little_was_seen_nothing_is_advised(service: RunningService) -> None:
    assert (await advice(service))["advice"] == []
    used(service, Peaks(4 * HOUR, 6 * GB, 0.1), pods=8)
    told = await advice(service)
    assert (told["advice"], told["month"], told["gpu_seconds"]) == ([], None, 0)


async def test_peaks_are_noted_every_ten_minutes_and_once(service: RunningService) -> None:
    context, clock, samples = service.context, service.context.clock, Samples()
    assert isinstance(clock, Clock)
    context.ledger.append(life("now", whose("nlp", "ada", LARGE, kind="job"), NOW - HOUR, None))

    def watch() -> PeakWatch:
        def places(holds: Any) -> dict[str, PodPlace]:
            return {hold.pod: PodPlace("vc-nlp", hold.pod) for hold in holds}

        return PeakWatch(context.ledger, places, samples, context.peaks, lambda: 30, clock)

    await watch().tick()
    assert context.peaks.of(["now", "p1"]) == {"now": Peaks(600, 6 * GB, 0.1)}
    # A process that is started again counts nothing twice.
    await watch().tick()
    clock.pass_by(PEAKS_EVERY)
    samples.samples = PodSamples(GpuSamples(20, 20, memory=5 * GB), 0.7)
    await watch().tick()
    assert context.peaks.of(["now"]) == {"now": Peaks(1200, 6 * GB, 0.7)}
    clock.pass_by(PEAKS_EVERY)
    samples.away = True
    await watch().tick()
    samples.away, samples.samples = False, PodSamples(GpuSamples(0, 20))
    await watch().tick()
    assert context.peaks.of(["now"]) == {"now": Peaks(1200, 6 * GB, 0.7)}
