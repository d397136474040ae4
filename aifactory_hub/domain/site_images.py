"""Which images a site needs: those that tenants.yaml names, and those of rendered objects. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_BY_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_CONTAINERS = ("containers", "initContainers")


@dataclass(frozen=True, slots=True)
class NeededImage:
    """``image`` as it is pulled; ``needed_by`` what names it. ``fixed``: by digest, so that it never changes."""

    image: str
    needed_by: tuple[str, ...]

    @property
    def fixed(self) -> bool:
        return _BY_DIGEST.fullmatch(self.image) is not None


def together(found: Iterable[tuple[str, str]]) -> list[NeededImage]:
    """Each image once, by name, with all that needs it. ``found`` are images and what needs each."""
    users: dict[str, list[str]] = {}
    for image, user in found:
        users.setdefault(image, []).append(user)
    return [NeededImage(image, tuple(dict.fromkeys(users[image]))) for image in sorted(users)]


def images_of(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of every pod that the object is or makes, however deep its template is."""
    name = f"{manifest.get('kind', 'object')} {(manifest.get('metadata') or {}).get('name', '')}".strip()
    for image in _in(manifest):
        yield image, name


def _in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in _CONTAINERS and isinstance(inner, list):
                yield from (str(each["image"]) for each in inner if isinstance(each, Mapping) and each.get("image"))
            yield from _in(inner)
    elif isinstance(value, list):
        for each in value:
            yield from _in(each)
