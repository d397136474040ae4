"""GPUs for tests, as they are cut and held, and the samples that a DCGM exporter has of them."""

from __future__ import annotations

from aifactory_hub.domain.gpu_layouts import CutSlice, GpuLayout
from aifactory_hub.domain.pod_samples import Series
from aifactory_profiles import load_model

MODEL = "h100-80gb"
CARDS = {name: load_model(name) for name in (MODEL, "a100-40gb", "rtx-pro-6000-blackwell")}


def gpu(node: str, index: int, *slices: str, model: str = MODEL, held: bool = False, unknown: str = "") -> GpuLayout:
    """A GPU; a slice with a ``*`` behind its name is held."""
    cut = tuple(CutSlice(name.removesuffix("*"), name.endswith("*")) for name in slices)
    return GpuLayout(node, index, f"{node}/{index}", CARDS[model].products[0], model, cut, held, unknown)


def sample(
    host: str = "gpu-1",
    index: int | str = 0,
    slice: str = "",
    id: int | str = 0,
    product: str = "NVIDIA H100 80GB HBM3",
    **labels: str,
) -> Series:
    """One series of the exporter. Without a slice it is of a GPU that is not cut."""
    told = {"Hostname": host, "gpu": str(index), "UUID": f"{host}/{index}", "modelName": product}
    cut = {"GPU_I_PROFILE": slice, "GPU_I_ID": str(id)} if slice else {}
    return Series({"pod": "dcgm-exporter-x", **told, **cut, **labels}, 4.0)
