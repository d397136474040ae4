"""On which profiles an environment fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from aifactory_profiles import Card, Profile

from .environments import Choice, GpuUse, Needs
from .formatting import size
from .refusals import Refusal, RefusalReason

_GIB = 2**30


class Fit(StrEnum):
    """FITS, WARNS: it starts, and something is worth knowing; REFUSES: it would not work."""

    FITS = "fits"
    WARNS = "warns"
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True)
class Pairing:
    """How an environment and a profile go together. ``instead`` is the smallest profile of the menu that fits."""

    fit: Fit
    why: str = ""
    instead: str | None = None


FITTING = Pairing(Fit.FITS)


@dataclass(frozen=True, slots=True)
class Sizes:
    """A menu's profiles with what is known of their GPUs: ``driver`` of the cluster's nodes, None: not known."""

    profiles: Sequence[Profile]
    cards: Sequence[Card] = ()
    driver: tuple[int, ...] | None = None


def pairings(needs: Needs, sizes: Sizes) -> dict[str, Pairing]:
    """How an environment with these needs goes with each of the profiles, by name."""
    cards = {card.name: card for card in sizes.cards}
    found = {each.name: _pair(needs, each, cards.get(each.gpu_model or ""), sizes.driver) for each in sizes.profiles}
    fitting = [each for each in sizes.profiles if found[each.name].fit is not Fit.REFUSES]
    if len(fitting) == len(found):
        return found
    ordered = sorted(fitting, key=lambda each: _extent(each, cards.get(each.gpu_model or "")))
    smallest = next(iter(ordered), None)
    with_gpu = next((each for each in ordered if each.takes), smallest)
    for each in sizes.profiles:
        pairing = found[each.name]
        if pairing.fit is Fit.REFUSES:
            instead = with_gpu if each.takes else smallest
            found[each.name] = Pairing(pairing.fit, pairing.why, None if instead is None else instead.name)
    return found


def _pair(needs: Needs, profile: Profile, card: Card | None, driver: tuple[int, ...] | None) -> Pairing:
    """One pair: the first reason against it, else all that is worth knowing."""
    refused = _memory_short(needs, profile) or _gpu_missing(needs, profile)
    told = _memory_thin(needs, profile)
    if profile.takes:
        about = (_device_memory(needs, profile, card), _driver(needs, driver))
        refused = refused or next((each.why for each in about if each.fit is Fit.REFUSES), "")
        told += [each.why for each in about if each.fit is Fit.WARNS]
        if needs.gpu is GpuUse.NONE:
            told.append("no program in it uses a GPU, so the GPU would be idle")
    if refused:
        return Pairing(Fit.REFUSES, refused)
    return Pairing(Fit.WARNS, "; ".join(told)) if told else FITTING


def _memory_short(needs: Needs, profile: Profile) -> str:
    most = profile.limits.memory_bytes
    if needs.memory_bytes is None or most >= needs.memory_bytes:
        return ""
    return f"it needs {size(needs.memory_bytes)} of memory, and this size has {size(most)}"


def _memory_thin(needs: Needs, profile: Profile) -> list[str]:
    sure = profile.requests.memory_bytes
    if needs.memory_bytes is None or sure >= needs.memory_bytes:
        return []
    return [f"it needs {size(needs.memory_bytes)} of memory, and only {size(sure)} of this size are guaranteed"]


def _gpu_missing(needs: Needs, profile: Profile) -> str:
    return "it needs a GPU" if needs.gpu is GpuUse.REQUIRED and not profile.takes else ""


def _device_memory(needs: Needs, profile: Profile, card: Card | None) -> Pairing:
    """Of one slice or GPU. What a slice gives to programs is known of some cards only; never more than in its name."""
    if needs.device_bytes is None:
        return FITTING
    asked = f"it needs {size(needs.device_bytes)} of GPU memory"
    if profile.shared_by is not None and profile.shared_by > 1:
        return Pairing(Fit.WARNS, f"{asked}, and others use the same GPU's memory")
    least, most = device_memory(profile, card)
    if most is not None and most < needs.device_bytes:
        return Pairing(Fit.REFUSES, f"{asked}, and this size has {_gib(most)}")
    if least is None or least < needs.device_bytes:
        return Pairing(Fit.WARNS, f"{asked}, and nobody has measured how much this size gives")
    return FITTING


def device_memory(profile: Profile, card: Card | None) -> tuple[int | None, int | None]:
    """What a program surely gets of one device, and the most that it can get, in bytes. None: not known.

    A whole GPU gives no less than its largest slice.
    """
    if card is None or not card.slices:
        return None, None
    if profile.slice is None:
        largest = max(card.slices, key=lambda piece: piece.named_gb)
        return _bytes(largest.usable_gib), None
    piece = card.slice(profile.slice)
    if piece.usable_gib is not None:
        return _bytes(piece.usable_gib), _bytes(piece.usable_gib)
    return None, piece.named_gb * _GIB


def _bytes(gib: Decimal | None) -> int | None:
    return None if gib is None else int(gib * _GIB)


def _gib(count: int) -> str:
    return f"{Decimal(count) / _GIB:.2f}".rstrip("0").rstrip(".") + " GiB"


def _driver(needs: Needs, driver: tuple[int, ...] | None) -> Pairing:
    if needs.driver is None:
        return FITTING
    asked = f"it needs driver {dotted(needs.driver)} or newer"
    if driver is None:
        return Pairing(Fit.WARNS, f"{asked}, and nobody has said which one the nodes have")
    if driver < needs.driver:
        return Pairing(Fit.REFUSES, f"{asked}, and the nodes have {dotted(driver)}")
    return FITTING


def dotted(numbers: Iterable[int]) -> str:
    """``550.90``"""
    return ".".join(map(str, numbers))


def _extent(profile: Profile, card: Card | None) -> tuple[Decimal, int, int, str]:
    """What profiles are ordered by: the GPU that they take, then memory, then CPU."""
    return (
        gpu_share(profile, card),
        profile.limits.memory_bytes,
        profile.limits.cpu_millicores,
        profile.name,
    )


def gpu_share(profile: Profile, card: Card | None) -> Decimal:
    """How much GPU memory its devices stand for, in gigabytes as slices are named; 0 without a GPU."""
    if not profile.takes or card is None or not card.slices:
        return Decimal(sum(profile.takes.values()) * 10**6)
    if profile.slice is not None:
        return Decimal(card.slice(profile.slice).named_gb)
    whole = Decimal(max(piece.named_gb for piece in card.slices) * sum(profile.takes.values()))
    return whole / (profile.shared_by or 1)


def check_pairing(choice: Choice, profile: Profile, sizes: Sizes) -> Pairing | Refusal:
    """Whether the environment runs on this profile: a refusal names the smallest profile of the menu that fits."""
    pairing = pairings(choice.environment.needs, sizes)[profile.name]
    if pairing.fit is not Fit.REFUSES:
        return pairing
    message = f"{choice.environment.display_name} does not fit on {profile.name}: {misfit_words(pairing)}."
    fits = () if pairing.instead is None else (pairing.instead,)
    return Refusal(RefusalReason.DOES_NOT_FIT, message, field="profile", fits_now=fits)


def misfit_words(pairing: Pairing) -> str:
    """Why, and what fits instead."""
    instead = "no size of this team fits" if pairing.instead is None else f"the smallest that fits is {pairing.instead}"
    return f"{pairing.why}; {instead}"
