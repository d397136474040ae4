"""Whose a pod is and what it holds, from what the hub decided when it started: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from aifactory_profiles import Catalogue, Profile, share
from aifactory_profiles.catalogue import menu_slices

from .. import constants
from .names import label_value, slug
from .pods import PodFact
from .tenants import Tenant
from .usage import UNKNOWN_PROFILE, UNKNOWN_USER, Attribution, Possession

# Pods of a vCluster's own parts, such as its name server. Without devices they are no one's use.
_SYSTEM = "kube-system"
KIND_POD = "pod"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who started something and of which profile, as ``attribution`` has it."""

    user: str
    profile: str
    attribution: Attribution


def is_metered(pod: PodFact) -> bool:
    """Whether what the pod holds counts: all but the parts of a vCluster itself."""
    return pod.namespace != _SYSTEM or bool(pod.devices)


def owner_of(pod: PodFact, hub: str) -> tuple[str, str]:
    """Kind and id of the server, run or release that the pod says it is of. ("pod", "") where it is of none, or not in
    the namespace of its kind."""
    kind, owner = pod.labels.get(constants.LABEL_OWNER_KIND, ""), pod.labels.get(constants.LABEL_OWNER, "")
    where = {
        constants.KIND_SERVER: constants.NOTEBOOKS_NAMESPACE,
        constants.KIND_JOB: constants.JOBS_NAMESPACE,
        constants.KIND_DEPLOYMENT: constants.JOBS_NAMESPACE,
    }
    ours = pod.labels.get(constants.LABEL_HUB) in (hub, slug(hub)) and bool(owner)
    return (kind, owner) if ours and where.get(kind) == pod.namespace else (KIND_POD, "")


def label_claim(pod: PodFact) -> Claim | None:
    """What the pod's own labels say, where nobody else knows."""
    user = pod.labels.get(constants.LABEL_USER)
    if not user:
        return None
    return Claim(user, pod.labels.get(constants.LABEL_PROFILE, UNKNOWN_PROFILE), Attribution.LABEL)


def possession(
    tenant: Tenant, pod: PodFact, owner: tuple[str, str], claim: Claim | None, catalogue: Catalogue, *, simulated: bool
) -> Possession:
    """What the pod holds.

    Its profile is the one that was decided, if that takes just what the pod has; else one of the team's that does.
    """
    profile = _profile(tenant, pod, claim, catalogue)
    return Possession(
        tenant=tenant.name,
        user=UNKNOWN_USER if claim is None else claim.user,
        profile=UNKNOWN_PROFILE if profile is None else profile.name,
        kind=owner[0],
        owner=owner[1],
        name=pod.name,
        node=pod.node or "",
        devices=_devices(pod, profile),
        gpus=_gpus(pod, profile, catalogue),
        attribution=Attribution.NONE if claim is None else claim.attribution,
        simulated=simulated,
    )


def _profile(tenant: Tenant, pod: PodFact, claim: Claim | None, catalogue: Catalogue) -> Profile | None:
    devices = dict(pod.devices)
    if claim is not None:
        for profile in catalogue.profiles.values():
            named = claim.profile in (profile.name, label_value(profile.name))
            if named and dict(profile.devices) == devices:
                return profile
    if not devices:
        return None
    fits = [catalogue.profiles[name] for name in tenant.profiles if dict(catalogue.profiles[name].devices) == devices]
    return fits[0] if fits else None


def _devices(pod: PodFact, profile: Profile | None) -> Mapping[str, int]:
    flavor = "" if profile is None else profile.flavor
    return {f"{flavor}/{resource}" if flavor else resource: count for resource, count in pod.devices}


def _gpus(pod: PodFact, profile: Profile | None, catalogue: Catalogue) -> Fraction | None:
    if not pod.devices:
        return Fraction(0)
    return None if profile is None else gpu_part(profile, catalogue)


def gpu_part(profile: Profile, catalogue: Catalogue) -> Fraction | None:
    """How much of a GPU the profile is, of its compute or memory, whichever is more. None: the card does not say."""
    if profile.gpu_model is None:
        return Fraction(0)
    if profile.slice is None:
        return Fraction(sum(profile.devices.values()), profile.shared_by or 1)
    for card, piece in menu_slices(catalogue.cards).values():
        if (card.name, piece.name) == (profile.gpu_model, profile.slice):
            return share(card, piece)
    return None
