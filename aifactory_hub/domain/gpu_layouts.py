"""How each GPU is cut and which of its slices are held, from samples: pure.

The DCGM exporter has a series for each slice of a GPU, held or free, and one for a GPU that is not cut. It says which
pod holds a slice, but not at every look: so a slice that any sample of the last minutes names a pod for is held, and
where the host's pods hold more than the samples of their node say, nothing of that node is known.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aifactory_profiles import SHARED_GPU, WHOLE_GPU, Card, CardError, Device, too_much

from .pod_samples import Series

_GPU_RESOURCES = "nvidia.com/"
_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?").fullmatch
# Labels with the node's name, the first that a series has: Prometheus' own, and the exporter's in its generations.
_NODE = ("node", "Hostname", "hostname")
_NOT_HEARD = "the host's pods are not heard now, so what they hold can't be compared with the samples"

# Devices that the host's pods hold, by node and resource.
InUse = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class CutSlice:
    """A slice that a GPU is cut into, by the card's name of it."""

    name: str
    held: bool


@dataclass(frozen=True, slots=True)
class GpuLayout:
    """One GPU. ``slices`` is empty for one that is not cut, and ``held`` is whether a pod holds that one whole.

    ``model`` is the card's name, empty where no card of the site has the product. ``unknown`` is why nothing can be
    said of it; empty when its slices are known.
    """

    node: str
    index: int
    uuid: str
    product: str
    model: str = ""
    slices: tuple[CutSlice, ...] = ()
    held: bool = False
    unknown: str = ""

    @property
    def idle(self) -> bool:
        """Whether it is known that nothing on it is held."""
        return not self.unknown and not self.held and not any(each.held for each in self.slices)

    def cut(self) -> Counter[str]:
        """How many slices of each name it is cut into."""
        return Counter(each.name for each in self.slices)

    def free(self) -> Counter[str]:
        """How many of each name nobody holds; empty where that is not known."""
        return Counter() if self.unknown else Counter(each.name for each in self.slices if not each.held)


def device_of(card: Card, name: str) -> Device:
    """What quota counts a slice as. Raises CardError for a slice that the card lacks."""
    return Device(card.name, card.slice(name).resource)


def layouts_of(series: Sequence[Series], cards: Iterable[Card], in_use: InUse | None) -> tuple[GpuLayout, ...]:
    """Each GPU that there are samples of, by node and index. ``in_use`` None: the host's pods are not heard."""
    by_product = {product: card for card in cards for product in card.products}
    exported = any("exported_pod" in each.labels for each in series)
    by_gpu: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for each in series:
        by_gpu[(_node(each), each.labels.get("UUID", ""))].append(each)
    found = [_layout(key, some, by_product, exported=exported) for key, some in by_gpu.items() if all(key)]
    return tuple(sorted(_compared(found, by_product, in_use), key=lambda gpu: (gpu.node, gpu.index, gpu.uuid)))


def _node(each: Series) -> str:
    return next((each.labels[label] for label in _NODE if each.labels.get(label)), "")


def _layout(
    key: tuple[str, str], series: Sequence[Series], by_product: Mapping[str, Card], *, exported: bool
) -> GpuLayout:
    labels = series[0].labels
    product = labels.get("modelName", "").replace(" ", "-")
    card, index = by_product.get(product), labels.get("gpu", "")
    gpu = GpuLayout(key[0], int(index) if index.isdecimal() else -1, key[1], product)
    if gpu.index < 0:
        return replace(gpu, unknown="its samples do not say which GPU of the node it is")
    if not _NODE_NAME(gpu.node):
        return replace(gpu, unknown="its samples name no node that could be one")
    if card is None:
        return replace(gpu, unknown=f"no GPU model of tenants.yaml is called {product or 'as its samples have it'}")
    gpu = replace(gpu, model=card.name)
    names, held = _slices(series, exported=exported)
    if any(len(each) > 1 for each in names.values()):
        return replace(gpu, unknown="it was cut anew a moment ago")
    if not names:
        return replace(gpu, held=any(_names_pod(each, exported=exported) for each in series))
    try:
        cut = {id_: card.slice(min(each)).name for id_, each in names.items()}
        wrong = too_much(card, list(cut.values()))
    except CardError as error:
        wrong = str(error)
    if wrong is not None:
        return replace(gpu, unknown=f"its samples have slices that can't be: {wrong}")
    return replace(
        gpu, slices=tuple(CutSlice(*each) for each in sorted((name, id_ in held) for id_, name in cut.items()))
    )


def _slices(series: Iterable[Series], *, exported: bool) -> tuple[dict[str, set[str]], set[str]]:
    """The names that the slices had, by their ids, and the ids of those that a pod holds."""
    names: dict[str, set[str]] = defaultdict(set)
    held: set[str] = set()
    for each in series:
        id_, name = each.labels.get("GPU_I_ID", ""), each.labels.get("GPU_I_PROFILE", "")
        if id_ and name:
            names[id_].add(name)
            if _names_pod(each, exported=exported):
                held.add(id_)
    return names, held


def _names_pod(each: Series, *, exported: bool) -> bool:
    """Whether a pod holds it. Where one series has an exported pod, ``pod`` alone is the exporter's own."""
    return bool(each.labels.get("exported_pod")) if exported else bool(each.labels.get("pod"))


def _compared(found: Iterable[GpuLayout], by_product: Mapping[str, Card], in_use: InUse | None) -> Iterable[GpuLayout]:
    """With what the host's pods hold: a node whose pods hold more than its samples say is not known."""
    if in_use is None:
        return [replace(gpu, unknown=gpu.unknown or _NOT_HEARD) for gpu in found]
    cards = {card.name: card for card in by_product.values()}
    by_node: dict[str, list[GpuLayout]] = defaultdict(list)
    for gpu in found:
        by_node[gpu.node].append(gpu)
    return [
        replace(gpu, unknown=gpu.unknown or _missing(gpus, cards, in_use.get(node, {})))
        for node, gpus in by_node.items()
        for gpu in gpus
    ]


def _missing(gpus: Sequence[GpuLayout], cards: Mapping[str, Card], pods: Mapping[str, int]) -> str:
    """Why the samples of a node can't be all; empty when they can."""
    seen: Counter[str] = Counter()
    if len({gpu.index for gpu in gpus}) < len(gpus):
        return "two GPUs of its node have one number in the samples: a GPU or an exporter was changed a moment ago"
    for gpu in gpus:
        if gpu.model:
            seen.update(device_of(cards[gpu.model], each.name).resource for each in gpu.slices if each.held)
            seen[WHOLE_GPU] += gpu.held
    for resource, count in pods.items():
        # What takes turns on a GPU has no slice of its own to be compared with.
        told = resource.startswith(_GPU_RESOURCES) and resource != SHARED_GPU
        if told and count > seen[resource]:
            return f"the pods on its node hold {count} {resource}, and the samples say {seen[resource]}"
    return ""
