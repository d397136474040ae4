"""What quota is counted in: a device resource of one flavor of nodes."""

from __future__ import annotations

from typing import NamedTuple

# What NVIDIA's device plugin calls a GPU that is not cut, and one that pods use in turns (``renameByDefault: true``).
WHOLE_GPU = "nvidia.com/gpu"
SHARED_GPU = "nvidia.com/gpu.shared"


class Device(NamedTuple):
    """A device resource (``nvidia.com/mig-1g.10gb``) on nodes of one ``flavor`` (``h100-80gb``).

    The flavor is Kueue's: nodes of one GPU model that give their devices in one way. The resource alone is not
    enough, because ``1g.10gb`` of an H100 80GB and of an A100 40GB have one resource name and are not the same size.
    """

    flavor: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource} ({self.flavor})" if self.flavor else self.resource
