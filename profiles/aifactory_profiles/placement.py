"""Which slices fit on one GPU, where, and what is left. Pure arithmetic over a card.

A slice takes consecutive memory slices from one of its starts, and compute slices from the GPU's. Where the card
does not know the starts, an answer may be ``Fit.UNKNOWN``: nothing is inferred from another GPU model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from .card import Card, Slice

_GIB = 2**30
_GB = 10**9


class Fit(StrEnum):
    """Whether slices fit on a GPU."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class PlacementError(ValueError):
    """Slices that are said to be on a GPU and can't be there together."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A slice on a GPU, from memory slice ``start`` on."""

    slice: str
    start: int


Layout = tuple[Placed, ...]


@dataclass(frozen=True, slots=True)
class Smallest:
    """The cheapest slice with enough memory, how much that is in bytes, and whether it was measured.

    Not measured: the usable memory is not known, and the bytes are the name's gigabytes.
    """

    slice: Slice
    memory_bytes: int
    measured: bool


def fits(card: Card, wanted: Sequence[str], placed: Sequence[Placed] = ()) -> Fit:
    """Whether ``wanted`` fit on a GPU that has ``placed`` on it, where they may go anywhere that is free.

    Without known starts only this is certain: more than the GPU has does not fit, and as many of one slice as
    the card's maximum fit on an empty GPU. Raises CardError for a slice that the card lacks, PlacementError
    when ``placed`` can't be.
    """
    pieces = [card.slice(name) for name in wanted]
    check_placed(card, placed)
    everything = [*pieces, *(card.slice(item.slice) for item in placed)]
    if _too_much(card, everything):
        return Fit.NO
    if all(piece.starts is not None for piece in pieces):
        return Fit.YES if next(layouts(card, wanted, placed), None) is not None else Fit.NO
    if not placed and len(set(wanted)) == 1:
        return Fit.YES
    return Fit.UNKNOWN


def layouts(card: Card, wanted: Sequence[str], placed: Sequence[Placed] = ()) -> Iterator[Layout]:
    """Every way to put ``wanted`` beside ``placed``: where the wanted slices start, each way once.

    None of them when a start is unknown, or when there are too many. Raises as ``fits`` does.
    """
    check_placed(card, placed)
    pieces = sorted((card.slice(name) for name in wanted), key=lambda piece: (-(piece.memory or 0), piece.name))
    everything = [*pieces, *(card.slice(item.slice) for item in placed)]
    if not _too_much(card, everything):
        yield from _search(pieces, _occupied(card, placed), ())


def best_layout(card: Card, wanted: Sequence[str], placed: Sequence[Placed] = ()) -> Layout | None:
    """The way to place ``wanted`` that leaves the largest slices possible, the lowest starts among equals.

    None when there is no way, or the starts are unknown. Raises as ``fits`` does.
    """
    by_cost = sorted(card.slices, key=lambda piece: _cost(card, piece), reverse=True)

    def left_over(layout: Layout) -> tuple[int, ...]:
        left = room(card, (*placed, *layout))
        return tuple(left[piece.name] or 0 for piece in by_cost)

    # `max` keeps the first of equals, and layouts come with the lowest starts first.
    return max(layouts(card, wanted, placed), key=left_over, default=None)


def room(card: Card, placed: Sequence[Placed]) -> dict[str, int | None]:
    """How many of each slice still fit where nothing of ``placed`` moves, each kind taken alone.

    None where the starts are unknown and something is placed. Raises PlacementError when ``placed`` can't be.
    """
    check_placed(card, placed)
    taken = [item.slice for item in placed]
    return {piece.name: _most(card, piece, taken, placed) for piece in card.slices}


def room_if_moved(card: Card, names: Sequence[str]) -> dict[str, int | None]:
    """How many of each slice would fit beside slices of these names if those could start anywhere.

    What this has more than ``room`` is lost to fragmentation. None where the starts are unknown.
    """
    return {piece.name: _most(card, piece, names, None) for piece in card.slices}


def check_placed(card: Card, placed: Sequence[Placed]) -> None:
    """Raises PlacementError when ``placed`` can't be on one GPU, CardError for a slice that the card lacks."""
    occupied = 0
    for item in placed:
        piece = card.slice(item.slice)
        if piece.starts is None:
            raise PlacementError(f"{card.name}: where {piece.name} may start is unknown, so not {item.start} either")
        if item.start not in piece.starts:
            allowed = ", ".join(map(str, piece.starts))
            raise PlacementError(f"{card.name}: {piece.name} can't start at {item.start}; it can at {allowed}")
        if occupied & _mask(piece, item.start):
            raise PlacementError(f"{card.name}: {piece.name}@{item.start} overlaps another slice")
        occupied |= _mask(piece, item.start)
    if reason := _too_much(card, [card.slice(item.slice) for item in placed]):
        raise PlacementError(f"{card.name}: {reason}")


def too_much(card: Card, names: Sequence[str]) -> str | None:
    """Why these slices are more than a GPU has, wherever they start. None when they are not, as far as is known."""
    return _too_much(card, [card.slice(name) for name in names])


def share(card: Card, piece: Slice) -> Fraction | None:
    """The part of a GPU that a slice costs: of its compute or of its memory, whichever is more.

    Shares of slices that fill a GPU can be more than 1 together: 4g with 3g is 4/7 and 4/8. None when the card
    does not know how much memory the slice takes.
    """
    if piece.memory is None or card.memory_slices is None:
        return None
    return max(Fraction(piece.compute, card.compute_slices), Fraction(piece.memory, card.memory_slices))


def memory_bytes(card: Card, piece: Slice) -> tuple[int, bool]:
    """A slice's memory in bytes, and whether that was measured.

    A measurement of a slice of the same size (``1g.18gb`` for ``1g.18gb+me``) counts too: what follows the size
    is about engines, not memory. Else it is the name's figure read as 10^9 bytes, the more cautious of the two
    readings of "GB".
    """
    same_size = [piece, *(other for other in card.slices if other.size == piece.size)]
    measured = next((item.usable_gib for item in same_size if item.usable_gib is not None), None)
    if measured is not None:
        return int(measured * _GIB), True
    return piece.named_gb * _GB, False


def smallest_with_memory(card: Card, least_bytes: int) -> Smallest | None:
    """The slice with at least so much memory that costs the least of the GPU. None when no slice has it."""
    found = [(piece, *memory_bytes(card, piece)) for piece in card.slices]
    enough = [Smallest(*item) for item in found if item[1] >= least_bytes]
    return min(enough, key=lambda item: (*_cost(card, item.slice), item.memory_bytes), default=None)


def _cost(card: Card, piece: Slice) -> tuple[Fraction, int]:
    compute = Fraction(piece.compute, card.compute_slices)
    # Only an order: where the memory share is unknown, the compute share is at least a lower bound.
    return share(card, piece) or compute, piece.compute


def _search(pieces: Sequence[Slice], occupied: int, done: Layout) -> Iterator[Layout]:
    if not pieces:
        yield done
        return
    piece, rest = pieces[0], pieces[1:]
    # Slices of one kind are placed in rising order, or each way would come once for each of their orders.
    lowest = done[-1].start + 1 if done and done[-1].slice == piece.name else 0
    for start in sorted(piece.starts or ()):
        mask = _mask(piece, start)
        if start >= lowest and not occupied & mask:
            yield from _search(rest, occupied | mask, (*done, Placed(piece.name, start)))


def _most(card: Card, piece: Slice, taken: Sequence[str], placed: Sequence[Placed] | None) -> int | None:
    """How many of ``piece`` fit beside what is taken: ``placed`` stays where it is, None lets it move."""
    for count in range(1, piece.max_count + 1):
        more = [piece.name] * count
        fit = fits(card, [*taken, *more]) if placed is None else fits(card, more, placed)
        if fit is Fit.UNKNOWN:
            return None
        if fit is Fit.NO:
            return count - 1
    return piece.max_count


def _too_much(card: Card, pieces: Sequence[Slice]) -> str | None:
    compute = sum(piece.compute for piece in pieces)
    if compute > card.compute_slices:
        return f"{compute} compute slices are more than the GPU's {card.compute_slices}"
    memory = sum(piece.memory or 0 for piece in pieces)
    if card.memory_slices is not None and memory > card.memory_slices:
        return f"{memory} memory slices are more than the GPU's {card.memory_slices}"
    counts: Mapping[str, int] = Counter(piece.name for piece in pieces)
    for piece in pieces:
        if counts[piece.name] > piece.max_count:
            return f"{counts[piece.name]} of {piece.name} are more than the maximum of {piece.max_count}"
    if sum(piece.has_media_extensions for piece in pieces) > 1:
        return "the media extensions can be in one slice only"
    return None


def _occupied(card: Card, placed: Sequence[Placed]) -> int:
    occupied = 0
    for item in placed:
        occupied |= _mask(card.slice(item.slice), item.start)
    return occupied


def _mask(piece: Slice, start: int) -> int:
    """The memory slices as bits. A slice whose starts are known has a known size: the reader sees to it."""
    return ((1 << (piece.memory or 0)) - 1) << start
