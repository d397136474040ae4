"""Contradictions in ``tenants.yaml``: what each key alone can't tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from aifactory_profiles import Card, Device, all_card_names

from .devices import DeviceNames, device_names, usable_cards
from .draft import Draft, DraftCounts, DraftGpu, DraftTenant
from .problems import Path, Problem, listed, suggest

# Says where a key stands ("line 5"), for problems that are about two places.
WhereIs = Callable[[Path], str]


def contradictions(draft: Draft, where_is: WhereIs, own: Mapping[str, Card] | None = None) -> list[Problem]:
    """Everything in the draft that contradicts itself, the cards (the site's ``own`` before ours) or what is carved."""
    devices = device_names((model for _, model in draft.gpu_models), own)
    return [
        *_models(draft, own or {}),
        *_site_profiles(draft, devices),
        *_turns(draft, devices),
        *_carved(draft, devices),
        *_vclusters(draft, where_is),
        *_menus(draft, devices),
        *_quotas(draft, devices),
        *_totals(draft, devices),
        *_borrowing(draft, devices),
        *_bounds(draft, devices),
        *_weights(draft),
    ]


def _models(draft: Draft, own: Mapping[str, Card]) -> Iterator[Problem]:
    known = usable_cards(own)
    for index, model in draft.gpu_models:
        if model not in known:
            # No guess at what is meant: models that differ a lot have names that differ little.
            what, instead = f"no card for GPU model {model!r}", f"the cards are {listed(known)}"
            if model in own or model in all_card_names():
                what = f"nvidia.com/gpu.product of {model} is unknown to its card, so no pod can be kept on its nodes"
            yield Problem(("cluster", "gpu_models", index), what, instead)


def _site_profiles(draft: Draft, devices: DeviceNames) -> Iterator[Problem]:
    for name, made in draft.site_profiles.items():
        if made and name in devices.profiles:
            instead = f"remove `gpu{'' if name in draft.gpus else ': none'}` or rename it"
            yield Problem(("profiles", name, "gpu"), f"{name} is a GPU slice", instead)
        if not made and name not in devices.profiles:
            what = f"no card of cluster.gpu_models has a slice {name!r}"
            otherwise = "for a profile without a GPU add `gpu: none`"
            yield Problem(("profiles", name), what, _instead(name, devices, devices.profiles, otherwise))


def _turns(draft: Draft, devices: DeviceNames) -> Iterator[Problem]:
    """Profiles of one shared device that disagree about how many share it: the device plugin has one number for it."""
    first: dict[Device, tuple[str, int]] = {}
    for name, gpu in draft.gpus.items():
        device = devices.device(gpu.device)
        if device is None or gpu.replicas is None:
            continue
        other, replicas = first.setdefault(device, (name, gpu.replicas))
        if replicas != gpu.replicas:
            what = f"{gpu.replicas} take turns here, but {replicas} in {other}, which is the same device"
            yield Problem(("profiles", name, "replicas"), what, "write the device plugin's replicas in both")


def _carved(draft: Draft, devices: DeviceNames) -> Iterator[Problem]:
    place: Path = ("cluster", "carved")
    yield from _unknown_devices(draft.carved, place, devices)
    yield from _twice(draft.carved, place, devices)


def _vclusters(draft: Draft, where_is: WhereIs) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for tenant in draft.tenants:
        if tenant.vcluster is None:
            continue
        place: Path = ("tenants", tenant.name, "vcluster", "namespace")
        namespace = tenant.vcluster[0]
        if namespace in first:
            other = first[namespace]
            what = f"tenant {other[1]} ({where_is(other)}) has its vCluster in namespace {namespace} already"
            yield Problem(place, what, "give each tenant a vCluster in a namespace of its own")
        first.setdefault(namespace, place)


def _menus(draft: Draft, devices: DeviceNames) -> Iterator[Problem]:
    known = [*devices.profiles, *(name for name, made in draft.site_profiles.items() if made)]
    for tenant in draft.tenants:
        seen: set[str] = set()
        for index, name in tenant.profiles:
            place: Path = ("tenants", tenant.name, "profiles", index)
            if name in seen:
                yield Problem(place, f"profile {name!r} is listed twice", "remove one of the two")
            elif name in devices.profiles:
                yield from _unaffordable(tenant, DraftGpu(name), place, devices)
            elif name in draft.gpus:
                yield from _unaffordable(tenant, draft.gpus[name], place, devices)
            elif name not in known and name not in draft.site_profiles:
                what = f"no card has a profile {name!r}, and `profiles` does not make it"
                yield Problem(place, what, _instead(name, devices, known, f"the profiles are {listed(known)}"))
            seen.add(name)


def _unaffordable(tenant: DraftTenant, gpu: DraftGpu, place: Path, devices: DeviceNames) -> Iterator[Problem]:
    """A GPU profile that the tenant could never start, because it may hold none, or too few, of its devices."""
    device = devices.device(gpu.device)
    if device is None:
        return  # of several models, or of none: the profile itself has that problem
    given = [
        count
        for counts in (tenant.quota, tenant.borrowing)
        for key, count in counts.items()
        if devices.device(key) == device
    ]
    # A count that is no number has been complained of already: the tenant does mean to have some.
    most = sum(count for count in given if count is not None)
    if None not in given and most < gpu.count:
        few = f"only {most} of the {gpu.count} {device} that it takes" if most else f"no {device}"
        what = f"tenant {tenant.name} may hold {few}, so this profile could never start"
        yield Problem(place, what, f"add `{gpu.device}: {gpu.count}` to its quota, or remove the profile")


def _quotas(draft: Draft, devices: DeviceNames) -> Iterator[Problem]:
    carved = {devices.device(name) for name in draft.carved}
    for tenant in draft.tenants:
        for section, counts in _sections(tenant):
            place: Path = ("tenants", tenant.name, section)
            yield from _unknown_devices(counts, place, devices)
            yield from _twice(counts, place, devices)
            for name in counts:
                device = devices.device(name)
                if device is not None and device not in carved:
                    what = f"{name} is not carved on this cluster"
                    instead = f"carved are {listed(draft.carved)}; add it to cluster.carved, or remove it here"
                    yield Problem((*place, name), what, instead)


def _sections(tenant: DraftTenant) -> Iterator[tuple[str, DraftCounts]]:
    """Every mapping of a tenant that counts devices, with its key."""
    yield "quota", tenant.quota
    yield "borrowing", tenant.borrowing
    yield "lending", tenant.lending
    yield "per_user", tenant.per_user


def _bounds(draft: Draft, devices: DeviceNames) -> Iterator[Problem]:
    """Limits that could never bind: more lent than owned, more for one person than the tenant can hold."""
    for tenant in draft.tenants:
        own, borrowed = _by_device(tenant.quota, devices), _by_device(tenant.borrowing, devices)
        for section, counts in (("lending", tenant.lending), ("per_user", tenant.per_user)):
            for name, count in counts.items():
                device = devices.device(name)
                if device is None or count is None:
                    continue
                most = own.get(device, 0) + (borrowed.get(device, 0) if section == "per_user" else 0)
                if count > most:
                    holds = "owns" if section == "lending" else "can hold"
                    what = f"{count} of {name}, but tenant {tenant.name} {holds} {most}"
                    yield Problem(("tenants", tenant.name, section, name), what, f"write {most} or less")


def _weights(draft: Draft) -> Iterator[Problem]:
    """Weights that nothing would look at."""
    if draft.fair_sharing:
        return
    for tenant in draft.tenants:
        if tenant.weighted:
            what = "a weight counts only where Kueue runs with fair sharing"
            instead = "switch it on (docs/quota.md) and write cluster.fair_sharing: true, or remove the weight"
            yield Problem(("tenants", tenant.name, "weight"), what, instead)


def _totals(draft: Draft, devices: DeviceNames) -> Iterator[Problem]:
    """More promised than there is by all quotas together."""
    carved = _by_device(draft.carved, devices)
    quotas = {tenant.name: _by_device(tenant.quota, devices) for tenant in draft.tenants}
    for name in draft.carved:
        device = devices.device(name)
        if device not in carved:
            continue
        shares = [(tenant, quota[device]) for tenant, quota in quotas.items() if quota.get(device)]
        total = sum(count for _, count in shares)
        if total > carved[device]:
            parts = ", ".join(f"{tenant} {count}" for tenant, count in shares)
            what = f"quotas add up to {total} ({parts}), but {carved[device]} are carved"
            yield Problem(("cluster", "carved", name), what, "lower quotas, or carve more")


def _borrowing(draft: Draft, devices: DeviceNames) -> Iterator[Problem]:
    """A tenant that may borrow more than the others own: its limit would be a number that it can never reach."""
    if not draft.quotas_readable:
        return
    quotas = {tenant.name: _by_device(tenant.quota, devices) for tenant in draft.tenants}
    for tenant in draft.tenants:
        for name, borrowed in tenant.borrowing.items():
            device = devices.device(name)
            owned = sum(quota.get(device, 0) for owner, quota in quotas.items() if owner != tenant.name)
            if device is not None and borrowed is not None and borrowed > owned:
                what = f"may borrow {borrowed}, but the other tenants own {owned} together"
                yield Problem(("tenants", tenant.name, "borrowing", name), what, f"write {owned} or less")


def _unknown_devices(names: Iterable[str], place: Path, devices: DeviceNames) -> Iterator[Problem]:
    for name in names:
        if devices.device(name) is not None:
            continue
        what = f"no card of cluster.gpu_models has a slice {name!r}"
        if devices.choices(name):
            what = f"{name} is a slice of several GPU models"
        otherwise = f"the slices are {listed(devices.profiles)}"
        yield Problem((*place, name), what, _instead(name, devices, devices.names, otherwise))


def _instead(name: str, devices: DeviceNames, known: Iterable[str], otherwise: str) -> str:
    """What to write instead of a name that means no device, or several."""
    if choices := devices.choices(name):
        return f"say which: {' or '.join(choices)}"
    return suggest(name, known, otherwise)


def _twice(names: Iterable[str], place: Path, devices: DeviceNames) -> Iterator[Problem]:
    first: dict[Device, str] = {}
    for name in names:
        device = devices.device(name)
        if device is None:
            continue
        if device in first:
            yield Problem((*place, name), f"{name} and {first[device]} are the same", "write one of the two")
        first.setdefault(device, name)


def _by_device(counts: DraftCounts, devices: DeviceNames) -> Mapping[Device | None, int]:
    return {devices.device(name): count for name, count in counts.items() if count is not None}
