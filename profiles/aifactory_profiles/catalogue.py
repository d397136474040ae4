"""The catalogue: every profile that a site has, from its GPU models' cards and its own settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from .card import Card, CardError, Slice
from .cards import load_model
from .device import SHARED_GPU, WHOLE_GPU
from .profile import Profile
from .resources import Resources, format_bytes

PRODUCT_LABEL = "nvidia.com/gpu.product"
# What a slice gets when the site says nothing: a share in proportion to its compute slices, so that a machine
# whose GPUs are cut up does not run out of cores before it runs out of slices. Sites set what suits theirs.
CPU_PER_COMPUTE_SLICE = 2000
MEMORY_PER_COMPUTE_SLICE = 16 * 2**30


class ProfileError(Exception):
    """A site profile that fits no card, or says too little: which, what is wrong and what to write instead."""

    def __init__(self, profile: str, what: str, instead: str) -> None:
        super().__init__(f"profile {profile}: {what}; {instead}")
        self.profile = profile
        self.what = what
        self.instead = instead


@dataclass(frozen=True, slots=True)
class SiteProfile:
    """What a site sets of one profile; None means that the default holds.

    ``cpu_only`` makes a profile without a GPU, which needs ``cpu_millicores`` and ``memory_bytes``. ``gpu`` makes one
    whose GPUs are not cut: ``whole`` has ``count`` of them, ``shared`` a turn on one that ``replicas`` pods use. They
    are of ``model``, or of the site's only one. Any other must be named like a slice of the site's GPU models.
    """

    name: str
    cpu_only: bool = False
    gpu: str = ""
    cpu_millicores: int | None = None
    memory_bytes: int | None = None
    cpu_limit_millicores: int | None = None
    memory_limit_bytes: int | None = None
    price_per_hour: Decimal | None = None
    currency: str = ""
    display_name: str | None = None
    description: str | None = None
    model: str | None = None
    count: int | None = None
    replicas: int | None = None

    @property
    def made(self) -> bool:
        """Whether the site makes it, because no card has it."""
        return self.cpu_only or bool(self.gpu)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All profiles of a site, by name."""

    profiles: Mapping[str, Profile]
    cards: tuple[Card, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The profiles' names: GPU slices in the order of the cards, then the site's CPU-only ones."""
        return tuple(self.profiles)

    def card(self, model: str) -> Card:
        """The card of one of the site's GPU models. Raises KeyError for any other."""
        return {card.name: card for card in self.cards}[model]

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises KeyError when there is none."""
        return self.profiles[name]


def menu_slices(cards: Iterable[Card]) -> dict[str, tuple[Card, Slice]]:
    """Profile name -> its card and slice.

    A slice is called like its resource, ``mig-1g.10gb``. Where two of the models have a slice of one name,
    both are called ``<model>:mig-1g.10gb``: one name must not mean two sizes.
    """
    pairs = [(card, piece) for card in cards for piece in card.slices]
    seen = Counter(piece.profile_name for _, piece in pairs)
    return {
        piece.profile_name if seen[piece.profile_name] == 1 else f"{card.name}:{piece.profile_name}": (
            card,
            piece,
        )
        for card, piece in pairs
    }


def load_catalogue(
    models: Sequence[str], site: Sequence[SiteProfile] = (), own: Mapping[str, Card] | None = None
) -> Catalogue:
    """The catalogue of a site with these GPU models.

    A slice that the site says nothing of gets 2 cores and 16 GiB for each of its compute slices; limits are
    the requests. ``own`` are the site's own cards by name, which go before those of this package. Raises CardError for
    a model without a card or whose nodes can't be told by a label, ProfileError for a site profile that can't be.
    """
    found = own or {}
    cards = tuple(found[model] if model in found else load_model(model) for model in dict.fromkeys(models))
    for card in cards:
        if not card.products:
            text = f"the nodes of {card.name} can't be selected: their {PRODUCT_LABEL} is unknown"
            raise CardError(f"{text}; add it to the card's `products`")
    slices = menu_slices(cards)
    settings = {profile.name: profile for profile in site}
    for name, profile in settings.items():
        _check_keys(profile)
        if profile.made and name in slices:
            raise ProfileError(name, "it is a GPU slice already", "give it another name")
        if not profile.made and name not in slices:
            raise ProfileError(name, "no card has it", f"the slices are {', '.join(slices) or 'none'}")
    profiles = {
        name: _slice_profile(card, piece, settings.get(name, SiteProfile(name)), name)
        for name, (card, piece) in slices.items()
    }
    profiles |= {name: _made_profile(profile, cards) for name, profile in settings.items() if profile.made}
    return Catalogue(profiles, cards)


def _slice_profile(card: Card, piece: Slice, site: SiteProfile, name: str) -> Profile:
    cpu = site.cpu_millicores or piece.compute * CPU_PER_COMPUTE_SLICE
    memory = site.memory_bytes or piece.compute * MEMORY_PER_COMPUTE_SLICE
    devices = {piece.resource: 1}  # never 2: a container can use one MIG device only
    limits = _limits(site, cpu, memory)
    usable = f"{piece.usable_gib} GiB usable" if piece.usable_gib is not None else "usable GPU memory unknown"
    return Profile(
        name=name,
        display_name=site.display_name or f"{piece.name} of an {card.display_name}",
        description=site.description or usable,
        requests=Resources(cpu, memory, devices),
        limits=Resources(limits.cpu_millicores, limits.memory_bytes, devices),
        gpu_model=card.name,
        slice=piece.name,
        flavor=card.name,
        node_labels={PRODUCT_LABEL: card.products[0]},
        price_per_hour=site.price_per_hour,
        currency=site.currency,
    )


def _check_keys(site: SiteProfile) -> None:
    """Keys that say something of one kind of profile only."""
    kinds = {"model": (site.model, ("whole", "shared")), "count": (site.count, ("whole",))}
    kinds["replicas"] = (site.replicas, ("shared",))
    for key, (value, allowed) in kinds.items():
        if value is not None and site.gpu not in allowed:
            needed = " or ".join(f"`gpu: {kind}`" for kind in allowed)
            raise ProfileError(site.name, f"{key} means something with {needed} only", f"remove {key}")


def _made_profile(site: SiteProfile, cards: Sequence[Card]) -> Profile:
    """A profile that no card has: the site makes it."""
    if site.cpu_only:
        return _cpu_profile(site)
    card = _only_card(site, cards)
    return _whole_profile(site, card) if site.gpu == "whole" else _shared_profile(site, card)


def _only_card(site: SiteProfile, cards: Sequence[Card]) -> Card:
    """The card of the profile's GPU model, which has to be said where there are several."""
    names = ", ".join(card.name for card in cards)
    if not cards:
        raise ProfileError(site.name, "the cluster has no GPU model", "name it in cluster.gpu_models")
    if site.model is None:
        if len(cards) > 1:
            raise ProfileError(site.name, f"the cluster has several GPU models ({names})", "say which as `model`")
        return cards[0]
    found = [card for card in cards if card.name == site.model]
    if not found:
        raise ProfileError(site.name, f"{site.model!r} is no GPU model of the cluster", f"the models are {names}")
    return found[0]


def _whole_profile(site: SiteProfile, card: Card) -> Profile:
    """GPUs that are not cut; what each gets follows its compute slices, as for a slice."""
    count = site.count or 1
    said = "a whole GPU, not cut" if count == 1 else f"{count} whole GPUs of one machine, not cut"
    return _gpu_profile(site, card, {WHOLE_GPU: count}, card.compute_slices * count, said)


def _shared_profile(site: SiteProfile, card: Card) -> Profile:
    """A turn on a GPU. Never two: turns on one GPU add up to nothing."""
    if site.replicas is None:
        what = "a shared GPU needs replicas, how many pods take turns on it"
        raise ProfileError(site.name, what, "add for example replicas: 4")
    said = f"one GPU for {site.replicas} in turns; its memory is shared, and nobody is kept from taking it all"
    profile = _gpu_profile(site, card, {SHARED_GPU: 1}, Fraction(card.compute_slices, site.replicas), said)
    return replace(profile, shared_by=site.replicas)


def _gpu_profile(
    site: SiteProfile, card: Card, devices: Mapping[str, int], compute_slices: Fraction | int, said: str
) -> Profile:
    cpu = site.cpu_millicores or int(compute_slices * CPU_PER_COMPUTE_SLICE)
    memory = site.memory_bytes or int(compute_slices * MEMORY_PER_COMPUTE_SLICE) // 2**20 * 2**20
    limits = _limits(site, cpu, memory)
    return Profile(
        name=site.name,
        display_name=site.display_name or site.name,
        description=site.description or said,
        requests=Resources(cpu, memory, devices),
        limits=Resources(limits.cpu_millicores, limits.memory_bytes, devices),
        gpu_model=card.name,
        flavor=card.name,
        node_labels={PRODUCT_LABEL: card.products[0]},
        price_per_hour=site.price_per_hour,
        currency=site.currency,
    )


def _cpu_profile(site: SiteProfile) -> Profile:
    if not site.cpu_millicores or not site.memory_bytes:
        raise ProfileError(
            site.name, "a profile without a GPU needs cpu and memory", "add for example cpu: 500m and memory: 2Gi"
        )
    cpu, memory = site.cpu_millicores, site.memory_bytes
    return Profile(
        name=site.name,
        display_name=site.display_name or site.name,
        description=site.description or "",
        requests=Resources(cpu, memory),
        limits=_limits(site, cpu, memory),
        price_per_hour=site.price_per_hour,
        currency=site.currency,
    )


def _limits(site: SiteProfile, cpu_millicores: int, memory_bytes: int) -> Resources:
    limits = Resources(site.cpu_limit_millicores or cpu_millicores, site.memory_limit_bytes or memory_bytes)
    if limits.cpu_millicores < cpu_millicores:
        what = f"cpu_limit ({limits.cpu_millicores}m) is below the requested cpu ({cpu_millicores}m)"
        raise ProfileError(site.name, what, "raise the limit or lower cpu")
    if limits.memory_bytes < memory_bytes:
        limit, asked = format_bytes(limits.memory_bytes), format_bytes(memory_bytes)
        what = f"memory_limit ({limit}) is below the requested memory ({asked})"
        raise ProfileError(site.name, what, "raise the limit or lower memory")
    return limits
