"""What is free on each GPU, in which sizes, and how much of it nothing that waits can use: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from aifactory_profiles import Card, Device, share

from .gpu_layouts import GpuLayout, device_of


@dataclass(frozen=True, slots=True)
class GpuRoom:
    """One GPU. ``free`` counts the free slices by name, ``stranded`` those of them that nothing that waits asks for.

    ``largest`` is the largest free slice, empty for none. ``uncut`` are compute slices that no slice has.
    """

    gpu: GpuLayout
    free: Mapping[str, int]
    stranded: Mapping[str, int]
    largest: str
    uncut: int


@dataclass(frozen=True, slots=True)
class SizeRoom:
    """One size of slice over all known GPUs: ``free`` of ``total``, on ``gpus`` GPUs, and ``stranded`` of these.

    ``waiting`` are asked for by what waits.
    """

    device: Device
    slice: str
    total: int
    free: int
    gpus: int
    waiting: int
    stranded: int


@dataclass(frozen=True, slots=True)
class Fragmentation:
    """All GPUs. ``free_share`` and ``stranded_share`` are in whole GPUs, by what a slice costs of its GPU.

    ``idle``, ``partly`` and ``full`` count the known GPUs on which nothing, something and everything is held.
    """

    gpus: tuple[GpuRoom, ...]
    sizes: tuple[SizeRoom, ...]
    free_share: Fraction
    stranded_share: Fraction
    idle: int
    partly: int
    full: int
    unknown: int


def fragmentation(gpus: Sequence[GpuLayout], cards: Mapping[str, Card], waiting: Mapping[Device, int]) -> Fragmentation:
    """How the free slices are spread. ``waiting`` is how many devices everything that waits asks for.

    Nothing is stranded while nothing waits. GPUs of which nothing is known count as unknown, never as free.
    """
    rooms = tuple(_room(gpu, cards, waiting) for gpu in gpus)
    known = [gpu for gpu in gpus if not gpu.unknown]
    idle = sum(gpu.idle for gpu in known)
    full = sum(not gpu.idle and not gpu.free() for gpu in known)
    return Fragmentation(
        gpus=rooms,
        sizes=tuple(_sizes(known, cards, waiting)),
        free_share=_shares(rooms, cards, stranded=False),
        stranded_share=_shares(rooms, cards, stranded=True),
        idle=idle,
        partly=len(known) - idle - full,
        full=full,
        unknown=len(gpus) - len(known),
    )


def _room(gpu: GpuLayout, cards: Mapping[str, Card], waiting: Mapping[Device, int]) -> GpuRoom:
    if gpu.unknown:
        return GpuRoom(gpu, {}, {}, "", 0)
    card, free = cards[gpu.model], gpu.free()
    asked = {device for device, count in waiting.items() if count}
    stranded = {name: count for name, count in free.items() if asked and device_of(card, name) not in asked}
    largest = max(free, key=lambda name: (card.slice(name).compute, card.slice(name).memory or 0), default="")
    compute = sum(card.slice(name).compute * count for name, count in gpu.cut().items())
    uncut = 0 if gpu.held else card.compute_slices - compute
    return GpuRoom(gpu, dict(sorted(free.items())), dict(sorted(stranded.items())), largest, uncut)


def _sizes(known: Iterable[GpuLayout], cards: Mapping[str, Card], waiting: Mapping[Device, int]) -> Iterable[SizeRoom]:
    total: Counter[tuple[str, str]] = Counter()
    free: Counter[tuple[str, str]] = Counter()
    spread: Counter[tuple[str, str]] = Counter()
    for gpu in known:
        total.update({(gpu.model, name): count for name, count in gpu.cut().items()})
        free.update({(gpu.model, name): count for name, count in gpu.free().items()})
        spread.update((gpu.model, name) for name in gpu.free())
    something = any(waiting.values())
    for key in sorted(total):
        device = device_of(cards[key[0]], key[1])
        asked = waiting.get(device, 0)
        stranded = free[key] if something and not asked else 0
        yield SizeRoom(device, key[1], total[key], free[key], spread[key], asked, stranded)


def _shares(rooms: Iterable[GpuRoom], cards: Mapping[str, Card], *, stranded: bool) -> Fraction:
    """In whole GPUs. A slice of which the memory share is not known counts by its compute."""
    total = Fraction(0)
    for room in rooms:
        for name, count in (room.stranded if stranded else room.free).items():
            card = cards[room.gpu.model]
            piece = card.slice(name)
            total += count * (share(card, piece) or Fraction(piece.compute, card.compute_slices))
    return total
