"""Which idle GPUs to cut how, so that more of what waits fits: pure. A person applies it, nothing here does.

A GPU with a held slice is never touched, and every new cut is one that the card says can be. GPUs are taken one after
the other, each time the one and the cut that let most of what waits start; so few are changed, though not always the
fewest. What waits already fits on free slices is counted first: for it nothing is cut, its quota is what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aifactory_profiles import SHARED_GPU, WHOLE_GPU, Card, Device, Fit, fits

from .gpu_layouts import GpuLayout, device_of

# GPUs that one plan changes at most: a person reads it and carries it out by hand.
MOST_STEPS = 20

Cut = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Demand:
    """Something that waits for ``devices``; ``since`` is epoch seconds. It starts with all of them or not at all.

    ``admitted``: it has its quota already, and only the slices are missing.
    """

    tenant: str
    profile: str
    devices: Mapping[Device, int]
    since: float | None = None
    admitted: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Cut ``gpu`` as ``after`` says: then ``starts`` fit. ``held_beside`` are held on the other GPUs of its node."""

    gpu: GpuLayout
    after: Mapping[str, int]
    starts: tuple[Demand, ...]
    held_beside: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in their order. ``fits_now`` of what waits fit on slices that are free already.

    ``changes`` are the devices that the cluster has more or less of afterwards. ``left`` of what waits fit nowhere even
    then. ``candidates`` GPUs are idle, so might be cut anew.
    """

    steps: tuple[Step, ...]
    fits_now: tuple[Demand, ...]
    left: tuple[Demand, ...]
    changes: Mapping[Device, int]
    candidates: int


def recarve(
    gpus: Sequence[GpuLayout], cards: Mapping[str, Card], waiting: Sequence[Demand], *, shared: Iterable[str] = ()
) -> Plan:
    """The plan for ``waiting``, of which those that have waited the longest come first in what is placed.

    GPUs of the models in ``shared`` that are not cut are left alone: nobody can tell how many share them. So are those
    of a node of which one GPU is not known, because a node is cut by one configuration. A job that fits only once
    several GPUs are cut anew together is not planned for.
    """
    kept = frozenset(shared)
    ordered = sorted(waiting, key=lambda each: (each.since is None, each.since or 0.0))
    held, unclear = _held_by_node(gpus), {gpu.node for gpu in gpus if gpu.unknown}
    spare = {gpu.uuid: gpu for gpu in gpus if gpu.node not in unclear and _may_be_cut(gpu, cards, kept)}
    search = _Search(gpus, cards, ordered)
    candidates, free = len(spare), search.free()
    steps: list[Step] = []
    now = placed = search.placed(free)
    while spare and len(steps) < MOST_STEPS:
        found = search.best(spare.values(), free, placed)
        if found is None:
            break
        gpu, cut = found
        free = search.with_cut(free, gpu, cut)
        after = search.placed(free)
        starts = tuple(ordered[index] for index in sorted(after - placed))
        steps.append(Step(gpu, dict(sorted(Counter(cut).items())), starts, held[gpu.node]))
        placed = after
        del spare[gpu.uuid]
    return Plan(
        steps=tuple(steps),
        fits_now=tuple(ordered[index] for index in sorted(now)),
        left=tuple(each for index, each in enumerate(ordered) if index not in placed),
        changes=_changes(steps, cards),
        candidates=candidates,
    )


def plan_words(plan: Plan) -> str:
    """What the plan comes to, in a sentence or two."""
    fits, left, starts = len(plan.fits_now), len(plan.left), sum(len(step.starts) for step in plan.steps)
    said = []
    if fits:
        said.append(f"{fits} of what waits would fit on slices that are free now: quota is missing, not slices.")
    if plan.steps:
        gpus = "1 idle GPU" if len(plan.steps) == 1 else f"{len(plan.steps)} idle GPUs"
        said.append(f"Cut anew, {gpus} would have room for {starts} more.")
        said += [f"There would still be no slice for {left}."] if left else []
    elif left and not plan.candidates:
        said.append(f"There is no slice for {left} of what waits, and no GPU is idle that might be cut anew.")
    elif left:
        said.append(f"There is no slice for {left} of what waits, and no other cut of an idle GPU has room for more.")
    return " ".join(said) or "Nothing waits for slices."


class _Search:
    """Looks for the next GPU to cut; nothing of it changes but what it remembers of cuts that fit."""

    def __init__(self, gpus: Sequence[GpuLayout], cards: Mapping[str, Card], waiting: Sequence[Demand]) -> None:
        self._gpus, self._cards, self._waiting = gpus, cards, waiting
        self._held = _held_by_node(gpus)
        self._fits: dict[tuple[str, Cut], bool] = {}

    def free(self) -> Counter[Device]:
        """What is free on all GPUs as they are."""
        found: Counter[Device] = Counter()
        for gpu in self._gpus:
            found.update(self._devices(gpu, gpu.free().elements()))
        return found

    def with_cut(self, free: Counter[Device], gpu: GpuLayout, cut: Cut) -> Counter[Device]:
        """What is free once that idle GPU is cut so."""
        after = Counter(free)
        after.subtract(self._devices(gpu, gpu.free().elements()))
        after.update(self._devices(gpu, cut))
        return after

    def placed(self, free: Mapping[Device, int]) -> frozenset[int]:
        """Which of what waits fit on so many free devices, in its order; by index."""
        left, found = Counter(free), set()
        for index, each in enumerate(self._waiting):
            if each.devices and all(left[device] >= count for device, count in each.devices.items()):
                left.subtract(each.devices)
                found.add(index)
        return frozenset(found)

    def best(
        self, spare: Iterable[GpuLayout], free: Counter[Device], placed: frozenset[int]
    ) -> tuple[GpuLayout, Cut] | None:
        """The GPU and its cut after which most fits beside what fits already; None when none lets more fit.

        Among equals the one that loses the least of what the GPU had, then one on a node on which nothing is held.
        """
        missing = [each for index, each in enumerate(self._waiting) if index not in placed]
        ranked = []
        for gpu in _one_of_each(spare, self._held):
            for cut in self._cuts(gpu, missing):
                after = self.placed(self.with_cut(free, gpu, cut))
                if placed < after:
                    lost = sum((gpu.cut() - Counter(cut)).values())
                    ranked.append(((-len(after), lost, self._held[gpu.node], gpu.uuid, cut), gpu, cut))
        if not ranked:
            return None
        _, gpu, cut = min(ranked, key=lambda each: each[0])
        return gpu, cut

    def _devices(self, gpu: GpuLayout, names: Iterable[str]) -> list[Device]:
        return [device_of(self._cards[gpu.model], name) for name in names]

    def _cuts(self, gpu: GpuLayout, missing: Sequence[Demand]) -> Iterator[Cut]:
        """Cuts that might help: of what waits, the longest or the smallest first, then what there was before."""
        card, old = self._cards[gpu.model], sorted(gpu.cut().elements())
        orders, sizes = _orders(card, missing)
        seen = {tuple(old)}
        for order in orders:
            most = self._filled(card, (), order)
            for count in range(len(most), 0, -1):
                kept = self._filled(card, most[:count], [(name,) for name in old])
                full = tuple(sorted(self._filled(card, kept, [(name,) for name in sizes for _ in range(7)])))
                if full not in seen:
                    seen.add(full)
                    yield full

    def _filled(self, card: Card, cut: Cut, more: Iterable[Cut]) -> Cut:
        """``cut`` with as much of ``more`` as certainly fits besides."""
        refused: set[Cut] = set()
        for names in more:
            if names in refused:
                continue
            if self._fit(card, (*cut, *names)):
                cut = (*cut, *names)
            else:
                refused.add(names)
        return cut

    def _fit(self, card: Card, names: Cut) -> bool:
        """Whether an empty GPU can certainly be cut so."""
        key = (card.name, tuple(sorted(names)))
        if key not in self._fits:
            self._fits[key] = len(names) <= card.compute_slices and fits(card, names) is Fit.YES
        return self._fits[key]


def _orders(card: Card, missing: Iterable[Demand]) -> tuple[list[list[Cut]], list[str]]:
    """Orders in which a GPU may be filled with what is missing, and the sizes that are, the smallest first."""
    names = {device_of(card, piece.name): piece.name for piece in card.slices}
    wanted = [
        tuple(
            names[device] for device, count in each.devices.items() for _ in range(min(count, card.compute_slices + 1))
        )
        for each in missing
        if each.devices.keys() <= names.keys()
    ]
    sizes = sorted({name for some in wanted for name in some}, key=lambda name: card.slice(name).compute)
    small = sorted(wanted, key=lambda some: sum(card.slice(name).compute for name in some))
    return [wanted, small, *_alone(card, sizes)], sizes


def _alone(card: Card, sizes: Iterable[str]) -> Iterator[list[Cut]]:
    for name in sizes:
        yield [(name,) for _ in range(card.slice(name).max_count)]


def _may_be_cut(gpu: GpuLayout, cards: Mapping[str, Card], shared: frozenset[str]) -> bool:
    return gpu.idle and gpu.model in cards and (bool(gpu.slices) or gpu.model not in shared)


def _one_of_each(spare: Iterable[GpuLayout], held: Mapping[str, int]) -> Iterable[GpuLayout]:
    """Of GPUs of one model that are cut alike one is as good as the other: that with the least held beside it."""
    alike: dict[tuple[str, tuple[str, ...]], GpuLayout] = {}
    for gpu in sorted(spare, key=lambda gpu: (held[gpu.node], gpu.node, gpu.index)):
        alike.setdefault((gpu.model, tuple(sorted(gpu.cut().elements()))), gpu)
    return alike.values()


def _held_by_node(gpus: Iterable[GpuLayout]) -> Counter[str]:
    """How many slices or whole GPUs pods hold on each node, as far as is known. An idle GPU adds none of its own."""
    found: Counter[str] = Counter()
    for gpu in gpus:
        found[gpu.node] += gpu.held + sum(piece.held for piece in gpu.slices)
    return found


def _changes(steps: Iterable[Step], cards: Mapping[str, Card]) -> dict[Device, int]:
    found: Counter[Device] = Counter()
    for step in steps:
        card, before = cards[step.gpu.model], step.gpu.cut()
        if not before:
            found[Device(card.name, WHOLE_GPU)] -= 1
        for name in {*before, *step.after}:
            found[device_of(card, name)] += step.after.get(name, 0) - before[name]
    return {device: count for device, count in sorted(found.items()) if count}


def shared_models(devices: Iterable[Device]) -> frozenset[str]:
    """The models of which GPUs are shared by turns."""
    return frozenset(device.flavor for device in devices if device.resource == SHARED_GPU)
