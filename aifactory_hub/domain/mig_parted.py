"""A plan as the file that nvidia-mig-parted reads, and the lines that a person types: pure.

The form is that of https://github.com/NVIDIA/mig-parted: a configuration names each GPU of a node by its number. All
GPUs of a node are in it, as they are cut now where the plan leaves them alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from .cut_plans import Plan
from .gpu_layouts import GpuLayout

_LABEL = "nvidia.com/mig.config"

# How each GPU of a node is to be cut, by its number; None for one that is not cut.
_Node = tuple[tuple[int, tuple[tuple[str, int], ...] | None], ...]


def configurations(plan: Plan, gpus: Iterable[GpuLayout]) -> dict[str, str]:
    """The name of the configuration that each node of the plan gets. Nodes that become alike share one."""
    names: dict[_Node, str] = {}
    return {node: names.setdefault(wanted, f"recarve-{len(names) + 1}") for node, wanted in _wanted(plan, gpus).items()}


def config_text(plan: Plan, gpus: Sequence[GpuLayout]) -> str:
    """The file, as YAML; empty for a plan without steps."""
    if not plan.steps:
        return ""
    lines, written = ["version: v1", "mig-configs:"], set()
    wanted = _wanted(plan, gpus)
    for node, name in configurations(plan, gpus).items():
        if name not in written:
            written.add(name)
            lines += [f"  {name}:", *_entries(wanted[node])]
    return "\n".join(lines) + "\n"


def commands(plan: Plan, gpus: Iterable[GpuLayout]) -> list[str]:
    """What a person types for each node, once the file is where the GPU Operator reads it."""
    found = []
    for node, name in configurations(plan, gpus).items():
        found += [
            f"kubectl cordon {node}",
            f"kubectl label node {node} {_LABEL}={name} --overwrite",
            f"kubectl get node {node} -L {_LABEL}.state --watch  # until it is success",
            f"kubectl uncordon {node}",
        ]
    return found


def _wanted(plan: Plan, gpus: Iterable[GpuLayout]) -> dict[str, _Node]:
    after: dict[str, Mapping[str, int]] = {step.gpu.uuid: step.after for step in plan.steps}
    nodes: dict[str, list[GpuLayout]] = {step.gpu.node: [] for step in plan.steps}
    for gpu in gpus:
        if gpu.node in nodes:
            nodes[gpu.node].append(gpu)
    return {
        node: tuple(
            (gpu.index, tuple(sorted(cut.items())) or None)
            for gpu in sorted(some, key=lambda gpu: gpu.index)
            for cut in [dict(after.get(gpu.uuid, gpu.cut()))]
        )
        for node, some in nodes.items()
    }


def _entries(node: _Node) -> list[str]:
    alike: dict[tuple[tuple[str, int], ...] | None, list[int]] = {}
    for index, cut in node:
        alike.setdefault(cut, []).append(index)
    lines = []
    for cut, indices in alike.items():
        lines += [
            f"    - devices: [{', '.join(map(str, indices))}]",
            f"      mig-enabled: {json.dumps(cut is not None)}",
        ]
        if cut is not None:
            lines += ["      mig-devices:", *(f"        {json.dumps(name)}: {count}" for name, count in cut)]
    return lines
