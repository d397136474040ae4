"""Quantities as a type: strings such as "10Gi" exist only at the edges."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
# The grammar of Kubernetes' resource.Quantity. The suffix E needs no number behind it, the exponent e or E does.
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([KMGTPE]i|[numkMGTPE]?)|[eE]([+-]?[0-9]{1,3}))")
_LONGEST = 64
_LARGEST = 2**63 - 1


def parse_quantity(text: str) -> Fraction:
    """The exact value of a Kubernetes quantity: ``500m``, ``1.5Gi``, ``1e9``. Raises ValueError.

    At most 2**63 - 1, as in Kubernetes.
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(f"{text[:_LONGEST]!r} is not a Kubernetes quantity; write for example 500m, 2, 1.5 or 16Gi")
    number, suffix, exponent = match.groups()
    factor = Fraction(_BINARY[suffix]) if suffix in _BINARY else Fraction(10) ** int(exponent or _DECIMAL[suffix])
    value = Fraction(number) * factor
    if abs(value) > _LARGEST:
        raise ValueError(f"{text!r} is more than Kubernetes can count (2**63 - 1)")
    return value


def parse_memory(text: str) -> int:
    """Bytes of a Kubernetes memory quantity such as ``512Mi``, rounded up. Raises ValueError, also below 0."""
    return _natural(text, 1)


def parse_cpu(text: str) -> int:
    """Thousandths of a core of a Kubernetes CPU quantity, rounded up: ``500m``, ``2`` or ``1.5``. Raises ValueError."""
    return _natural(text, 1000)


def _natural(text: str, unit: int) -> int:
    value = parse_quantity(text)
    if value < 0:
        raise ValueError(f"{text!r} is below 0")
    return math.ceil(value * unit)


def format_bytes(count: int) -> str:
    """The largest binary unit that says ``count`` bytes exactly."""
    for unit, size in reversed(_BINARY.items()):
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


@dataclass(frozen=True, slots=True)
class Resources:
    """What a pod takes: CPU in thousandths of a core, memory in bytes, devices by Kubernetes resource name.

    Devices that are zero are dropped, so two equal amounts compare equal however they were made.
    """

    cpu_millicores: int = 0
    memory_bytes: int = 0
    devices: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {name: count for name, count in sorted(self.devices.items()) if count}
        object.__setattr__(self, "devices", MappingProxyType(kept))

    def __hash__(self) -> int:
        return hash((self.cpu_millicores, self.memory_bytes, tuple(self.devices.items())))

    def __add__(self, other: Resources) -> Resources:
        names = {*self.devices, *other.devices}
        return Resources(
            self.cpu_millicores + other.cpu_millicores,
            self.memory_bytes + other.memory_bytes,
            {n: self.devices.get(n, 0) + other.devices.get(n, 0) for n in names},
        )

    def __sub__(self, other: Resources) -> Resources:
        names = {*self.devices, *other.devices}
        return Resources(
            self.cpu_millicores - other.cpu_millicores,
            self.memory_bytes - other.memory_bytes,
            {n: self.devices.get(n, 0) - other.devices.get(n, 0) for n in names},
        )

    def kubernetes(self) -> dict[str, str]:
        """As the ``requests`` or ``limits`` of a container."""
        quantities = {"cpu": f"{self.cpu_millicores}m", "memory": format_bytes(self.memory_bytes)}
        return quantities | {name: str(count) for name, count in self.devices.items()}
