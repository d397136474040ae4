"""A profile: one line of the menu, and what the pod then gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .device import Device
from .resources import Resources


@dataclass(frozen=True, slots=True)
class Profile:
    """One size that a notebook or job can have.

    ``requests`` and ``limits`` carry the same devices. ``node_labels`` pin the GPU model, because the same
    slice name means different hardware on different models; ``flavor`` is the name of those nodes.
    ``price_per_hour`` is in the registry's currency;
    None means that the site sets no price, which is not the same as free.
    ``slice`` None with a ``gpu_model`` means whole GPUs, or a turn on one that ``shared_by`` pods use.
    """

    name: str
    display_name: str
    description: str
    requests: Resources
    limits: Resources
    gpu_model: str | None = None
    slice: str | None = None
    flavor: str = ""
    node_labels: Mapping[str, str] = field(default_factory=dict)
    price_per_hour: Decimal | None = None
    shared_by: int | None = None

    @property
    def devices(self) -> Mapping[str, int]:
        """Kubernetes extended resources and how many of each, e.g. ``{"nvidia.com/mig-1g.10gb": 1}``."""
        return self.requests.devices

    @property
    def takes(self) -> Mapping[Device, int]:
        """What it takes of a quota, e.g. ``{Device("h100-80gb", "nvidia.com/mig-1g.10gb"): 1}``."""
        return {Device(self.flavor, resource): count for resource, count in self.devices.items()}
