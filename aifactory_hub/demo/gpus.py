"""The GPUs of the demo, which there are not: cut as its tenants.yaml says, and held as the tickets say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aifactory_profiles import Device

from ..admission.team_load import TeamLoads
from ..domain.gpu_layouts import CutSlice, GpuLayout, device_of
from ..domain.pods import PodFact
from ..registry import RegistryProvider
from ..telemetry.base import TelemetryUnavailable

# Node, the GPU's number on it, its model, its slices and how many: what `carved` of the demo adds up to.
FLEET = (
    ("simulated-1", 0, "h100-80gb", "1g.10gb", 7),
    ("simulated-1", 1, "h100-80gb", "3g.40gb", 2),
    ("simulated-2", 0, "a100-40gb", "3g.20gb", 2),
)


@dataclass(frozen=True, slots=True)
class DemoHost:
    """See service.host_view.HostView. A slice is held where a ticket holds a device of its size."""

    provider: RegistryProvider
    team_loads: TeamLoads

    def pods(self) -> Sequence[PodFact] | None:
        """There are none: servers and jobs are processes here."""
        return ()

    async def gpus(self) -> Sequence[GpuLayout]:
        """The fleet. Raises TelemetryUnavailable while the tickets can't be read."""
        tenants = self.provider.registry.tenants
        loads = await self.team_loads.of(dict.fromkeys(tenants))
        used = next((load.cluster_used for load in loads.values()), None)
        if used is None:
            raise TelemetryUnavailable("the simulated cluster did not say what is in use")
        return self._fleet(used)

    def _fleet(self, used: Mapping[Device, int]) -> list[GpuLayout]:
        left, found = Counter(used), []
        cards = {card.name: card for card in self.provider.registry.catalogue.cards}
        for node, index, model, name, count in FLEET:
            card, slices = cards[model], []
            device = device_of(card, name)
            for _ in range(count):
                slices.append(CutSlice(name, held=left[device] > 0))
                left[device] -= 1
            gpu = GpuLayout(node, index, f"GPU-{node}-{index}", card.products[0], model, tuple(slices))
            found.append(gpu)
        return found
