"""What devices may be called in ``tenants.yaml``: by profile name or by Kubernetes resource name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aifactory_profiles import Device, card_names, load_model, menu_slices


@dataclass(frozen=True, slots=True)
class DeviceNames:
    """The devices of a cluster. ``profiles`` maps each profile name to its device.

    ``resources`` maps a Kubernetes resource name to its devices: several where GPU models share the name.
    """

    profiles: Mapping[str, Device]
    resources: Mapping[str, tuple[Device, ...]]

    def device(self, name: str) -> Device | None:
        """The device that ``name`` means, as profile or resource name; None when it means none, or several."""
        meant = self.resources.get(name, ())
        return meant[0] if len(meant) == 1 else self.profiles.get(name)

    def choices(self, name: str) -> tuple[str, ...]:
        """What to write instead of a name that means several devices; nothing for any other name."""
        short = {device: profile for profile, device in self.profiles.items()}
        meant = self.resources.get(name) or self.resources.get(f"nvidia.com/{name}") or ()
        return tuple(short[device] for device in meant) if len(meant) > 1 else ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that means exactly one device."""
        return (*self.profiles, *(name for name, meant in self.resources.items() if len(meant) == 1))


def device_names(gpu_models: Iterable[str]) -> DeviceNames:
    """The names that these GPU models give; models without a card give none."""
    known = card_names()
    cards = [load_model(model) for model in dict.fromkeys(gpu_models) if model in known]
    profiles = {name: Device(card.name, piece.resource) for name, (card, piece) in menu_slices(cards).items()}
    resources: dict[str, tuple[Device, ...]] = {}
    for device in profiles.values():
        resources[device.resource] = (*resources.get(device.resource, ()), device)
    return DeviceNames(profiles, resources)
