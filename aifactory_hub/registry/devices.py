"""What slices may be called in ``tenants.yaml``: by profile name or by Kubernetes resource name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aifactory_profiles import card_names, load_model, menu_slices


@dataclass(frozen=True, slots=True)
class DeviceNames:
    """The slices of a cluster. ``resources`` maps each profile name to its Kubernetes resource."""

    resources: Mapping[str, str]
    models: Mapping[str, tuple[str, ...]]

    def resource(self, name: str) -> str | None:
        """The resource that ``name`` means, as profile or resource name; None when it means none."""
        return name if name in self.models else self.resources.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.resources, *self.models)

    def profile(self, resource: str) -> str:
        """The shortest thing to write for a resource: its profile's name."""
        return next((name for name, found in self.resources.items() if found == resource), resource)


def device_names(gpu_models: Iterable[str]) -> DeviceNames:
    """The names that these GPU models give; models without a card give none."""
    known = card_names()
    cards = [load_model(model) for model in dict.fromkeys(gpu_models) if model in known]
    slices = menu_slices(cards)
    models: dict[str, tuple[str, ...]] = {}
    for card, piece in slices.values():
        models[piece.resource] = (*models.get(piece.resource, ()), card.name)
    return DeviceNames({name: piece.resource for name, (_, piece) in slices.items()}, models)
