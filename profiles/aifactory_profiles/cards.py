"""GPU cards: what one GPU model can be cut into. One YAML file a model, in the folder ``cards``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

FIGURES = ("compute", "memory", "max", "starts", "usable_gib", "resource")
_CARD_FIGURES = ("products", "compute_slices", "memory_slices")
_CARD_KEYS = {"name", "display_name", *_CARD_FIGURES, "sources", "slices"}
_DEVICE_PREFIX = "nvidia.com/"


class CardError(Exception):
    """A card that can't be used, or a model that has none. The text names file, key and what is wrong."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One way to cut a piece off a GPU.

    ``compute`` and ``memory`` are counted in the card's slices, ``starts`` are the memory slices where it
    may begin, ``max_count`` is how many fit on one empty GPU. ``usable_gib`` is what a program can allocate
    (GiB), which is less than the name says; None means that it is not known. ``sources`` says where each
    figure is from.
    """

    name: str
    compute: int
    memory: int
    max_count: int
    starts: tuple[int, ...]
    usable_gib: Decimal | None
    resource: str
    sources: Mapping[str, str]

    @property
    def profile_name(self) -> str:
        """The slice's name on the menu, e.g. ``mig-1g.10gb``: like its resource, so a valid label value."""
        return self.resource.removeprefix(_DEVICE_PREFIX)


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU model. ``products``: its values of the node label ``nvidia.com/gpu.product``, the usual one first."""

    name: str
    display_name: str
    products: tuple[str, ...]
    compute_slices: int
    memory_slices: int
    slices: tuple[Slice, ...]
    sources: Mapping[str, str]


def card_names() -> tuple[str, ...]:
    """The GPU models that have a card."""
    folder = resources.files(__package__) / "cards"
    found = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


@cache
def load_model(model: str) -> Card:
    """The card of a GPU model. Raises CardError when there is none."""
    if model not in card_names():
        raise CardError(f"no card for GPU model {model!r}; there are {', '.join(card_names())}")
    file = resources.files(__package__) / "cards" / f"{model}.yaml"
    card = load_card(file.read_text(encoding="utf-8"), f"cards/{model}.yaml")
    if card.name != model:
        raise CardError(f"cards/{model}.yaml: name: {card.name!r} differs from the file's name")
    return card


def load_card(text: str, source: str) -> Card:
    """Read one card; ``source`` is the name for errors. Raises CardError with the key that is wrong."""
    try:
        data = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise CardError(f"{source}: not valid YAML: {error}") from error
    return _Reader(source).card(data)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns plain YAML data into a card, naming the place of whatever does not fit."""

    source: str

    def card(self, data: object) -> Card:
        card = self._mapping(data, "the card", _CARD_KEYS)
        sources = self._sources(card["sources"], (*_CARD_FIGURES, *FIGURES), "sources")
        self._all_sourced(sources, _CARD_FIGURES, "sources")
        memory_slices = self._count(card["memory_slices"], "memory_slices")
        slices = card["slices"]
        if not isinstance(slices, list) or not slices:
            raise self._error("slices", "must be a list with at least one slice")
        read = tuple(self._slice(item, f"slices[{index}]", sources) for index, item in enumerate(slices))
        compute_slices = self._count(card["compute_slices"], "compute_slices")
        self._check_fit(read, compute_slices, memory_slices)
        return Card(
            name=self._text(card["name"], "name"),
            display_name=self._text(card["display_name"], "display_name"),
            products=self._products(card["products"]),
            compute_slices=compute_slices,
            memory_slices=memory_slices,
            slices=read,
            sources=sources,
        )

    def _slice(self, data: object, key: str, card_sources: Mapping[str, str]) -> Slice:
        item = self._mapping(data, key, {"name", *FIGURES}, optional={"sources"})
        own = self._sources(item.get("sources", {}), FIGURES, f"{key}.sources")
        sources = {figure: text for figure, text in card_sources.items() if figure in FIGURES} | own
        unknown = item["usable_gib"] == "unknown"
        self._all_sourced(sources, [f for f in FIGURES if not (unknown and f == "usable_gib")], f"{key}.sources")
        starts = item["starts"]
        if not isinstance(starts, list) or not starts:
            raise self._error(f"{key}.starts", "must be a list of memory slice numbers")
        return Slice(
            name=self._text(item["name"], f"{key}.name"),
            compute=self._count(item["compute"], f"{key}.compute"),
            memory=self._count(item["memory"], f"{key}.memory"),
            max_count=self._count(item["max"], f"{key}.max"),
            starts=tuple(self._count(start, f"{key}.starts", least=0) for start in starts),
            usable_gib=None if unknown else self._gib(item["usable_gib"], f"{key}.usable_gib"),
            resource=self._resource(item["resource"], f"{key}.resource"),
            sources=sources,
        )

    def _check_fit(self, slices: Sequence[Slice], compute_slices: int, memory_slices: int) -> None:
        names = [piece.name for piece in slices]
        if len(set(names)) != len(names):
            raise self._error("slices", "two slices have one name")
        for index, piece in enumerate(slices):
            key = f"slices[{index}]"
            if max(piece.starts) + piece.memory > memory_slices:
                raise self._error(f"{key}.starts", f"{piece.name} would reach beyond slice {memory_slices}")
            if piece.max_count > len(piece.starts):
                raise self._error(
                    f"{key}.max", f"{piece.max_count} of {piece.name} have only {len(piece.starts)} starts"
                )
            if piece.max_count * piece.compute > compute_slices:
                raise self._error(
                    f"{key}.max", f"{piece.max_count} of {piece.name} need more than {compute_slices} compute"
                )

    def _mapping(
        self, data: object, key: str, required: set[str], *, optional: set[str] | None = None
    ) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise self._error(key, "must be a mapping")
        if missing := sorted(required - set(data)):
            raise self._error(key, f"lacks {', '.join(missing)}")
        if unknown := sorted(map(str, set(data) - required - (optional or set()))):
            raise self._error(key, f"has unknown keys: {', '.join(unknown)}")
        return data

    def _sources(self, data: object, known: Sequence[str], key: str) -> dict[str, str]:
        if not isinstance(data, dict) or not all(isinstance(text, str) and text for text in data.values()):
            raise self._error(key, "must map figures to the text of their source")
        if unknown := sorted(map(str, set(data) - set(known))):
            raise self._error(key, f"names figures that do not exist: {', '.join(unknown)}")
        return dict(data)

    def _all_sourced(self, sources: Mapping[str, str], figures: Sequence[str], key: str) -> None:
        if missing := [figure for figure in figures if figure not in sources]:
            raise self._error(key, f"no source for {', '.join(missing)}")

    def _products(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise self._error("products", "must be a list of nvidia.com/gpu.product values")
        return tuple(self._text(item, "products") for item in value)

    def _resource(self, value: object, key: str) -> str:
        text = self._text(value, key)
        if not text.startswith(_DEVICE_PREFIX):
            raise self._error(key, f"{text!r} does not start with {_DEVICE_PREFIX}")
        return text

    def _text(self, value: object, key: str) -> str:
        if not isinstance(value, str) or not value:
            raise self._error(key, f"{value!r} is not text")
        return value

    def _count(self, value: object, key: str, *, least: int = 1) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._error(key, f"{value!r} is not a whole number from {least}")
        return value

    def _gib(self, value: object, key: str) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise self._error(key, f"{value!r} is neither a number of GiB nor `unknown`")
        return Decimal(str(value))

    def _error(self, key: str, text: str) -> CardError:
        return CardError(f"{self.source}: {key}: {text}")
