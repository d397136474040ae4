"""Quantities as a type: strings such as "10Gi" exist only at the edges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MEMORY = re.compile(r"(\d+)(Ki|Mi|Gi|Ti|k|M|G|T|)")
_CPU = re.compile(r"(\d+)m|(\d+)(?:\.(\d{1,3}))?")


def parse_memory(text: str) -> int:
    """Bytes of a Kubernetes memory quantity such as ``512Mi``. Raises ValueError."""
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a memory quantity; write for example 512Mi or 16Gi")
    number, unit = match.groups()
    return int(number) * (_BINARY.get(unit) or _DECIMAL[unit])


def parse_cpu(text: str) -> int:
    """Thousandths of a core of a Kubernetes CPU quantity: ``500m``, ``2`` or ``1.5``. Raises ValueError."""
    match = _CPU.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a CPU quantity; write for example 500m, 2 or 1.5")
    milli, whole, fraction = match.groups()
    if milli is not None:
        return int(milli)
    return int(whole) * 1000 + int((fraction or "").ljust(3, "0"))


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
