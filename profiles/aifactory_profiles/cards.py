"""The GPU cards that come with this package, one YAML file a model in the folder ``cards``, and a site's own."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from .card import Card, CardError
from .card_reader import read_card as load_card

__all__ = ["all_card_names", "card_names", "card_schema", "load_card", "load_model"]


def all_card_names() -> tuple[str, ...]:
    """Every GPU model that has a card."""
    folder = resources.files(__package__) / "cards"
    found = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


@cache
def card_names() -> tuple[str, ...]:
    """The GPU models that a site can name: those with a card that knows the label of their nodes.

    Without the label a pod can't be kept on the nodes of its GPU model.
    """
    return tuple(name for name in all_card_names() if load_model(name).products)


@cache
def load_model(model: str) -> Card:
    """The card of a GPU model. Raises CardError when there is none."""
    if model not in all_card_names():
        raise CardError(f"no card for GPU model {model!r}; there are {', '.join(all_card_names())}")
    file = resources.files(__package__) / "cards" / f"{model}.yaml"
    card = load_card(file.read_text(encoding="utf-8"), f"cards/{model}.yaml")
    if card.name != model:
        raise CardError(f"cards/{model}.yaml: name: {card.name!r} differs from the file's name")
    return card


def card_schema() -> dict[str, Any]:
    """The JSON Schema of a card, for editors and for checks outside of this package."""
    file = resources.files(__package__) / "card.schema.json"
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema
