"""The view of the queue as the API answers it: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from aifactory_profiles import Card, Device

from ..domain.cut_plans import Step, plan_words, recarve, shared_models
from ..domain.formatting import iso
from ..domain.fragmentation import Fragmentation, GpuRoom, fragmentation
from ..domain.gpu_layouts import GpuLayout
from ..domain.home import size_words
from ..domain.menu import TeamLoad
from ..domain.mig_parted import commands, config_text
from ..domain.plan_costs import capacities, more_quota
from ..domain.queue_view import Waiter, demands_of, wanted_of
from ..domain.team_overview import DeviceCount
from ..registry import Registry
from .queue_answer_types import CutGpuAnswer, GpusAnswer, PlanAnswer, PlanStepAnswer, WaiterAnswer

# Requests that a plan is made for: those that have waited the longest.
MOST_PLANNED = 500


def waiter_answer(waiter: Waiter, registry: Registry) -> WaiterAnswer:
    """One line."""
    profile = registry.catalogue.profiles.get(waiter.profile)
    tenant = registry.tenants.get(waiter.tenant)
    return {
        "tenant": waiter.tenant,
        "team": waiter.tenant if tenant is None else tenant.display_name,
        "kind": waiter.kind,
        "owner": waiter.owner,
        "user": waiter.user,
        "profile": waiter.profile,
        "size": waiter.profile if profile is None else size_words(profile, registry.catalogue),
        "devices": _counted(waiter.devices),
        "since": None if waiter.since is None else iso(waiter.since),
        "cause": waiter.reason.cause,
        "why": waiter.reason.why,
        "lets_go": waiter.reason.lets_go,
    }


def unknown_gpus(why: str) -> GpusAnswer:
    """Nothing is known of the GPUs."""
    return {
        "known": False,
        "why": why,
        "gpus": None,
        "sizes": None,
        "free": None,
        "stranded": None,
        "idle": None,
        "partly": None,
        "full": None,
        "unknown": None,
    }


def gpus_answer(gpus: Sequence[GpuLayout], registry: Registry, waiters: Iterable[Waiter]) -> GpusAnswer:
    """How the GPUs are cut, what is free, and what of it is stranded."""
    cards = {card.name: card for card in registry.catalogue.cards}
    found: Fragmentation = fragmentation(gpus, cards, wanted_of(demands_of(waiters)))
    return {
        "known": True,
        "why": None,
        "gpus": [_gpu(room, cards.get(room.gpu.model)) for room in found.gpus],
        "sizes": [
            {
                "resource": size.device.resource,
                "flavor": size.device.flavor,
                "slice": size.slice,
                "total": size.total,
                "free": size.free,
                "gpus": size.gpus,
                "waiting": size.waiting,
                "stranded": size.stranded,
            }
            for size in found.sizes
        ],
        "free": round(float(found.free_share), 2),
        "stranded": round(float(found.stranded_share), 2),
        "idle": found.idle,
        "partly": found.partly,
        "full": found.full,
        "unknown": found.unknown,
    }


def plan_answer(
    gpus: Sequence[GpuLayout], registry: Registry, waiters: Iterable[Waiter], loads: Mapping[str, TeamLoad]
) -> PlanAnswer:
    """Which idle GPUs might be cut how, what that frees and what it costs."""
    cards = {card.name: card for card in registry.catalogue.cards}
    shared = shared_models(device for each in registry.catalogue.profiles.values() for device in each.takes)
    demands = demands_of(waiters)
    plan = recarve(gpus, cards, demands[:MOST_PLANNED], shared=shared)
    usage = {name: load.usage for name, load in loads.items()}
    more = more_quota(plan, registry.tenants, usage)
    return {
        "words": plan_words(plan),
        "steps": [_step(step) for step in plan.steps],
        "candidates": plan.candidates,
        "fits_now": len(plan.fits_now),
        "left": len(plan.left),
        "left_out": max(0, len(demands) - MOST_PLANNED),
        "capacities": [
            {
                "resource": each.device.resource,
                "flavor": each.device.flavor,
                "carved": each.carved,
                "after": each.after,
                "promised": each.promised,
                "short": each.short,
                "teams": list(each.teams),
            }
            for each in capacities(plan, registry.cluster.carved, registry.tenants)
        ],
        "more_quota": None
        if more is None
        else [
            {"tenant": each.tenant, "resource": each.device.resource, "flavor": each.device.flavor, "more": each.more}
            for each in more
        ],
        "config": config_text(plan, gpus),
        "commands": commands(plan, gpus),
    }


def _gpu(room: GpuRoom, card: Card | None) -> CutGpuAnswer:
    gpu = room.gpu
    cut = {} if gpu.unknown else gpu.cut()
    return {
        "node": gpu.node,
        "index": gpu.index,
        "uuid": gpu.uuid,
        "model": gpu.model or gpu.product,
        "unknown": gpu.unknown or None,
        "slices": [
            {"slice": name, "total": count, "free": room.free.get(name, 0), "stranded": room.stranded.get(name, 0)}
            for name, count in sorted(cut.items())
        ],
        "held": gpu.held,
        "largest": room.largest or None,
        "uncut": room.uncut,
        "compute": {} if card is None else {name: card.slice(name).compute for name in sorted(cut)},
        "compute_slices": None if card is None else card.compute_slices,
    }


def _step(step: Step) -> PlanStepAnswer:
    counted = Counter((each.tenant, each.profile) for each in step.starts)
    return {
        "node": step.gpu.node,
        "index": step.gpu.index,
        "uuid": step.gpu.uuid,
        "model": step.gpu.model,
        "before": dict(sorted(step.gpu.cut().items())),
        "after": dict(step.after),
        "starts": [{"tenant": key[0], "profile": key[1], "count": count} for key, count in sorted(counted.items())],
        "held_beside": step.held_beside,
    }


def _counted(devices: Mapping[Device, int]) -> list[DeviceCount]:
    return [{"resource": each.resource, "flavor": each.flavor, "count": count} for each, count in devices.items()]
