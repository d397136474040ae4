"""A profile: one line of the menu, and what the pod then gets."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from .device import Device
from .resources import Resources


@dataclass(frozen=True, slots=True)
class Profile:
    """One size that a notebook or job can have.

    ``requests`` and ``limits`` carry the same devices. ``node_labels`` pin the GPU model, because the same
    slice name means different hardware on different models; ``flavor`` is the name of those nodes.
    ``price_per_hour`` is in ``currency``, a code of ISO 4217, empty where the site names none. A price of None means
    that the site sets none, which is not the same as free.
    ``slice`` None with a ``gpu_model`` means whole GPUs, or a turn on one that ``shared_by`` pods use.
    ``takes`` is what it takes of a quota, e.g. ``{Device("h100-80gb", "nvidia.com/mig-1g.10gb"): 1}``, and ``kind`` is
    equal for profiles that take alike.
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
    currency: str = ""
    shared_by: int | None = None
    takes: Mapping[Device, int] = field(init=False, repr=False, compare=False)
    kind: Hashable = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        takes = {Device(self.flavor, resource): count for resource, count in self.devices.items()}
        object.__setattr__(self, "takes", MappingProxyType(takes))
        object.__setattr__(self, "kind", (self.flavor, self.slice, *takes.items()))

    @property
    def devices(self) -> Mapping[str, int]:
        """Kubernetes extended resources and how many of each, e.g. ``{"nvidia.com/mig-1g.10gb": 1}``."""
        return self.requests.devices
