"""What NVML, the driver's library, says of the GPUs in this machine. It is only asked; nothing is changed."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from aifactory_profiles import SeenGpu, SeenSlice


def read_gpus(nvml: Any) -> tuple[SeenGpu, ...]:
    """The machine's GPUs. ``nvml`` is the module ``pynvml``; raises its NVMLError when the driver does not answer."""
    nvml.nvmlInit()
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        return tuple(SeenGpu(_text(nvml.nvmlDeviceGetName(each)), tuple(_slices(nvml, each))) for each in handles)
    finally:
        nvml.nvmlShutdown()


def _slices(nvml: Any, device: Any) -> Iterator[SeenSlice]:
    for number in range(nvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
        try:
            info = nvml.nvmlDeviceGetGpuInstanceProfileInfo(device, number)
        except nvml.NVMLError:
            continue  # not a slice of this GPU, or of this driver
        places = _places(nvml, device, info.id)
        yield SeenSlice(
            name=_text(info.name).removeprefix("MIG "),
            compute=info.sliceCount,
            max_count=info.instanceCount,
            usable_gib=Decimal(info.memorySizeMB) / 1024,
            memory=places[0][1] if places else None,
            starts=tuple(start for start, _ in places) if places else None,
        )


def _places(nvml: Any, device: Any, profile_id: int) -> list[tuple[int, int]]:
    """Start and size of each place; none where the driver does not say, as when MIG is off."""
    count = ctypes.c_uint()
    try:
        # First how many there are, then they.
        nvml.nvmlDeviceGetGpuInstancePossiblePlacements(device, profile_id, None, ctypes.byref(count))
        found = (nvml.c_nvmlGpuInstancePlacement_t * count.value)()
        nvml.nvmlDeviceGetGpuInstancePossiblePlacements(device, profile_id, found, ctypes.byref(count))
    except nvml.NVMLError:
        return []
    return [(place.start, place.size) for place in found[: count.value]]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
