"""What devices may be called in ``tenants.yaml``: by profile name or by Kubernetes resource name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aifactory_profiles import SHARED_GPU, WHOLE_GPU, Card, Device, card_names, load_model, menu_slices


@dataclass(frozen=True, slots=True)
class DeviceNames:
    """The devices of a cluster. ``profiles`` maps each slice's profile name to its device, ``whole`` the names of GPUs
    that are not cut to theirs: ``<model>:gpu``, ``<model>:gpu.shared``, and without the model where there is only one.

    ``resources`` maps a Kubernetes resource name to its devices: several where GPU models share the name.
    """

    profiles: Mapping[str, Device]
    resources: Mapping[str, tuple[Device, ...]]
    whole: Mapping[str, Device] = field(default_factory=dict)

    def device(self, name: str) -> Device | None:
        """The device that ``name`` means, as profile or resource name; None when it means none, or several."""
        meant = self.resources.get(name, ())
        return meant[0] if len(meant) == 1 else self.profiles.get(name) or self.whole.get(name)

    def choices(self, name: str) -> tuple[str, ...]:
        """What to write instead of a name that means several devices; nothing for any other name."""
        short = {device: profile for profile, device in {**self.profiles, **self.whole}.items()}
        meant = self.resources.get(name) or self.resources.get(f"nvidia.com/{name}") or ()
        return tuple(short[device] for device in meant) if len(meant) > 1 else ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that means exactly one device."""
        return (*self.profiles, *self.whole, *(name for name, meant in self.resources.items() if len(meant) == 1))


def usable_cards(own: Mapping[str, Card]) -> dict[str, Card]:
    """Every card that a cluster can name: those of the hub, and a site's own before them."""
    ours = {name: load_model(name) for name in card_names() if name not in own}
    return ours | {name: card for name, card in own.items() if card.products}


def device_names(gpu_models: Iterable[str], own: Mapping[str, Card] | None = None) -> DeviceNames:
    """The names that these GPU models give; models without a card give none. ``own`` are the site's own cards."""
    known = usable_cards(own or {})
    cards = [known[model] for model in dict.fromkeys(gpu_models) if model in known]
    profiles = {name: Device(card.name, piece.resource) for name, (card, piece) in menu_slices(cards).items()}
    kinds = {"gpu": WHOLE_GPU, "gpu.shared": SHARED_GPU}
    whole = {f"{card.name}:{name}": Device(card.name, kinds[name]) for card in cards for name in kinds}
    if len(cards) == 1:
        whole |= {name: Device(cards[0].name, resource) for name, resource in kinds.items()}
    resources: dict[str, tuple[Device, ...]] = {}
    for device in dict.fromkeys((*profiles.values(), *whole.values())):
        resources[device.resource] = (*resources.get(device.resource, ()), device)
    return DeviceNames(profiles, resources, whole)
