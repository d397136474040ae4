"""What a card says, as values. A card describes one GPU model and what it can be cut into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

FIGURES = ("compute", "memory", "max", "starts", "usable_gib", "resource")
CARD_FIGURES = ("products", "compute_slices", "memory_slices")
DEVICE_PREFIX = "nvidia.com/"
_MEDIA = ("+me", "+me.all")


class CardError(Exception):
    """A card that can't be used, a model that has none, or a slice that a model lacks: what, and what there is."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One way to cut a piece off a GPU.

    ``compute`` and ``memory`` are counted in the card's slices, ``starts`` are the memory slices where it
    may begin, ``max_count`` is how many fit on one empty GPU. ``usable_gib`` is what a program can allocate
    (GiB), which is less than the name says. None means that a figure is not known. ``sources`` says where
    each figure is from, or why it is not known.
    """

    name: str
    compute: int
    memory: int | None
    max_count: int
    starts: tuple[int, ...] | None
    usable_gib: Decimal | None
    resource: str
    sources: Mapping[str, str]

    @property
    def profile_name(self) -> str:
        """The slice's name on the menu, e.g. ``mig-1g.10gb``: like its resource, so a valid label value."""
        return self.resource.removeprefix(DEVICE_PREFIX)

    @property
    def size(self) -> str:
        """The name without what follows the size: ``1g.10gb`` of ``1g.10gb+me``."""
        return self.name[: self.name.index("gb") + 2]

    @property
    def named_gb(self) -> int:
        """The gigabytes in the name. Rounded by NVIDIA, and more than a program gets."""
        return int(self.size.partition(".")[2].removesuffix("gb"))

    @property
    def has_media_extensions(self) -> bool:
        """Whether it takes the GPU's media extensions (JPEG and optical flow), which one slice at a time can."""
        return self.name.endswith(_MEDIA)


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU model.

    ``products`` are its values of the node label ``nvidia.com/gpu.product``, the usual one first, and empty when
    none is known. ``memory_slices`` None means that it is not known. ``notes``: where sources disagree.
    """

    name: str
    display_name: str
    products: tuple[str, ...]
    compute_slices: int
    memory_slices: int | None
    slices: tuple[Slice, ...]
    sources: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def slice(self, name: str) -> Slice:
        """The slice called ``1g.10gb`` or ``mig-1g.10gb``. Raises CardError with the slices that there are."""
        for piece in self.slices:
            if name in (piece.name, piece.profile_name):
                return piece
        listed = ", ".join(piece.name for piece in self.slices)
        raise CardError(f"{self.name} has no slice {name!r}; it has {listed}")
