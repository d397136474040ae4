"""Names and units of what is read from Prometheus: the one place that knows them.

The DCGM exporter renamed what it exports in its version 4.9.0 and changed units: GPU memory from MiB to bytes. Its
release note says by which rule, and names that end in their unit follow from it. A site with other names, such as of a
collector file of its own, says them in ``telemetry.names``. What has no sample under any of its names is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_MIB = 2**20


class Signal(StrEnum):
    """What is measured. ENGINE and DRAM: the part of time in which the slice computes and in which its memory moves
    data, 0 to 1. GPU_MEMORY: bytes of the slice's memory in use. XID: the last Xid error of the GPU, 0 for none. CPU:
    seconds of CPU that a container has used, ever more. MEMORY: bytes of its memory that can't be given back."""

    ENGINE = "engine"
    DRAM = "dram"
    GPU_MEMORY = "gpu_memory"
    XID = "xid"
    CPU = "cpu"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Exported:
    """A name under which a signal is exported, by ``source``; values times ``factor`` are in the signal's unit."""

    name: str
    source: str
    factor: float = 1.0


# Before 4.9.0, and from it on.
DCGM_4_8, DCGM_4_9, KUBELET = "dcgm-4.8", "dcgm-4.9", "kubelet"

TABLE: Mapping[Signal, tuple[Exported, ...]] = {
    Signal.ENGINE: (
        Exported("DCGM_FI_PROF_GR_ENGINE_ACTIVE", DCGM_4_8),
        Exported("DCGM_FI_PROF_GR_ENGINE_ACTIVE_RATIO", DCGM_4_9),
    ),
    Signal.DRAM: (
        Exported("DCGM_FI_PROF_DRAM_ACTIVE", DCGM_4_8),
        Exported("DCGM_FI_PROF_DRAM_ACTIVE_RATIO", DCGM_4_9),
    ),
    Signal.GPU_MEMORY: (
        Exported("DCGM_FI_DEV_FB_USED", DCGM_4_8, _MIB),
        Exported("DCGM_FI_DEV_FB_USED_BYTES", DCGM_4_9),
    ),
    Signal.XID: (Exported("DCGM_FI_DEV_XID_ERRORS", DCGM_4_8), Exported("DCGM_FI_DEV_XID_LAST", DCGM_4_9)),
    Signal.CPU: (Exported("container_cpu_usage_seconds_total", KUBELET),),
    Signal.MEMORY: (Exported("container_memory_working_set_bytes", KUBELET),),
}


def names_of(signal: Signal, own: Mapping[str, str] | None = None) -> tuple[Exported, ...]:
    """Where the signal may be: under the site's ``own`` name first, whose values are in the signal's unit."""
    name = (own or {}).get(signal.value)
    known = tuple(each for each in TABLE[signal] if each.name != name)
    return known if name is None else (Exported(name, "site"), *known)


def in_unit(signal: Signal, name: str, value: float, own: Mapping[str, str] | None = None) -> float:
    """``value`` of the series ``name`` in the signal's unit. Raises KeyError for a name that is not the signal's."""
    for exported in names_of(signal, own):
        if exported.name == name:
            return value * exported.factor
    raise KeyError(name)
