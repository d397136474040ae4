"""What the registry's slices mean for NVIDIA's mig-parted: which GPU of a node is cut into what. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from aifactory_profiles import WHOLE_GPU, Device
from aifactory_profiles.card import Card
from aifactory_profiles.placement import Fit, fits

from .manifests import Manifest
from .model import Registry
from .output import yaml_documents

# Where the GPU Operator looks for it: helm-values/gpu-operator.yaml.
NAMESPACE = "gpu-operator"
CONFIG_MAP = "aifactory-mig"
Cut = tuple[str, ...]  # the slices of one GPU; none where it stays whole


class MigError(ValueError):
    """The slices can't be cut as ``cluster.carved`` says; the message names the slice."""


def mig_objects(registry: Registry, gpus_per_node: int) -> list[Manifest]:
    """A ConfigMap of plans. A node takes its plan by the label ``nvidia.com/mig.config``.

    A plan's name is ``<model>-<n>``; ``nodes`` in the ConfigMap says how many nodes need it. Raises MigError.
    """
    plans: Manifest = {"all-disabled": [{"devices": "all", "mig-enabled": False}]}
    nodes = []
    for model in registry.cluster.gpu_models:
        card = registry.catalogue.card(model)
        carved = {piece.name: registry.cluster.carved.get(Device(model, piece.resource), 0) for piece in card.slices}
        whole = registry.cluster.carved.get(Device(model, WHOLE_GPU), 0)
        cuts = [*gpu_cuts(card, carved), *[()] * whole]
        chunks = [tuple(cuts[at : at + gpus_per_node]) for at in range(0, len(cuts), gpus_per_node)]
        for number, (chunk, count) in enumerate(Counter(chunks).items(), start=1):
            plans[f"{model}-{number}"] = _plan(chunk)
            nodes.append(f"{model}-{number}: {count} of {gpus_per_node} GPUs")
    config = yaml_documents([{"version": "v1", "mig-configs": plans}])
    metadata = {"name": CONFIG_MAP, "namespace": NAMESPACE}
    data = {"config.yaml": config, "nodes": "\n".join(nodes)}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}]


def gpu_cuts(card: Card, carved: Mapping[str, int]) -> list[Cut]:
    """The GPUs that hold these slices (name -> count), as few as first fit finds: large slices first.

    Raises MigError for a slice that fits on no GPU.
    """
    pieces = sorted(card.slices, key=lambda piece: (-(piece.memory or 0), -piece.compute, piece.name))
    gpus: list[list[str]] = []
    for piece in pieces:
        for _ in range(carved.get(piece.name, 0)):
            _place(card, piece.name, gpus)
    return [tuple(gpu) for gpu in gpus]


def _place(card: Card, name: str, gpus: list[list[str]]) -> None:
    for gpu in gpus:
        # Where the card does not know, it is not tried: a plan that can't be cut stops the node.
        if fits(card, [*gpu, name]) is Fit.YES:
            gpu.append(name)
            return
    if fits(card, [name]) is not Fit.YES:
        raise MigError(f"a {card.display_name} can't be cut into {name}")
    gpus.append([name])


def _plan(cuts: Sequence[Cut]) -> list[Manifest]:
    """GPUs that are cut alike stand together, so that a plan is short."""
    alike: dict[Cut, list[int]] = {}
    for index, cut in enumerate(cuts):
        alike.setdefault(cut, []).append(index)
    return [
        {"devices": devices, "mig-enabled": True, "mig-devices": dict(Counter(cut))}
        if cut
        else {"devices": devices, "mig-enabled": False}
        for cut, devices in alike.items()
    ]
