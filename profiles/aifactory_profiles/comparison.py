"""A card beside what the driver says of a real GPU: where they differ, and what only the GPU knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from .card import Card, Slice

# GiB. Cards have figures as nvidia-smi prints them, which rounds; the driver counts in MiB.
_ROUNDING = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class SeenSlice:
    """One slice as the driver lists it; None is what it does not say. Figures are a :class:`Slice`'s."""

    name: str
    compute: int
    max_count: int
    usable_gib: Decimal
    memory: int | None = None
    starts: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class SeenGpu:
    """One GPU as the driver describes it: ``product`` is its name, such as ``NVIDIA H200``."""

    product: str
    slices: tuple[SeenSlice, ...]

    @property
    def label(self) -> str:
        """The value that its nodes have as ``nvidia.com/gpu.product``."""
        return self.product.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure on which card and GPU do not say the same. ``differs`` is False where the card says unknown."""

    slice: str
    figure: str
    card: str
    gpu: str
    differs: bool = True


def compare(card: Card, gpu: SeenGpu) -> tuple[Finding, ...]:
    """All findings, in the card's order; none when card and GPU agree in all that the driver says."""
    return tuple(_findings(card, gpu))


def _findings(card: Card, gpu: SeenGpu) -> Iterator[Finding]:
    if gpu.label not in card.products:
        yield Finding("", "products", ", ".join(card.products) or "unknown", gpu.label, bool(card.products))
    seen = {piece.name: piece for piece in gpu.slices}
    for piece in card.slices:
        if piece.name in seen:
            yield from _slice_findings(piece, seen[piece.name])
        else:
            yield Finding(piece.name, "slice", "listed", "not listed")
    known = {piece.name for piece in card.slices}
    for name in seen:
        if name not in known:
            yield Finding(name, "slice", "not listed", "listed")


def _slice_findings(piece: Slice, seen: SeenSlice) -> Iterator[Finding]:
    figures: list[tuple[str, object, object]] = [
        ("compute", piece.compute, seen.compute),
        ("memory", piece.memory, seen.memory),
        ("max", piece.max_count, seen.max_count),
        ("starts", _ordered(piece.starts), _ordered(seen.starts)),
    ]
    for figure, said, found in figures:
        if found is not None and said != found:
            yield Finding(piece.name, figure, _text(said), _text(found), said is not None)
    usable = piece.usable_gib
    if usable is None or abs(usable - seen.usable_gib) > _ROUNDING:
        yield Finding(piece.name, "usable_gib", _text(usable), f"{seen.usable_gib:.2f}", usable is not None)


def _ordered(starts: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if starts is None else tuple(sorted(starts))


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "unknown" if value is None else str(value)
