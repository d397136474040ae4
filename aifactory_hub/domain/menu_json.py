"""A team's menu as JSON: the same for the hub's page, the job service's API and the command line."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from aifactory_profiles import Catalogue

from .formatting import gpu_words, iso, wait_words
from .menu import Held, Offer, ProfileAvailability, Share, TeamLoad, offers
from .tenants import Tenant
from .wait_forecast import Wait


class GpuAnswer(TypedDict):
    """``usable_gib`` is what a program can allocate; null where nobody has measured it."""

    model: str
    slice: str | None
    words: str
    usable_gib: str | None


class AmountAnswer(TypedDict):
    """What is guaranteed, and the most that may be used."""

    request: int
    limit: int


class ShareAnswer(TypedDict):
    """``free`` of ``total``, in pieces of the profile; null: not known."""

    free: int | None
    total: int


class WaitAnswer(TypedDict):
    """Seconds; null: not known. Four waits of five end between ``low`` and ``high``; none is longer than ``most``."""

    low: float | None
    high: float | None
    most: float | None
    words: str


class HeldAnswer(TypedDict):
    """Who holds pieces of the profile; ``ends_by`` null: nothing ends it, or not known."""

    kind: str
    user: str
    count: int
    ends_by: str | None


class ProfileAnswer(TypedDict):
    """One line of the menu. ``availability``: free, queue, never, jobs, limited, unavailable or unknown.

    ``borrowed_is_kept`` says that a notebook keeps what it borrows; null where there is nothing to borrow.
    """

    profile: str
    display_name: str
    description: str
    gpu: GpuAnswer | None
    devices: dict[str, int]
    cpu_millicores: AmountAnswer
    memory_bytes: AmountAnswer
    price_per_hour: str | None
    currency: str | None
    availability: str
    free_now: int | None
    team: ShareAnswer | None
    borrowable: int | None
    borrowed_is_kept: bool | None
    cluster: ShareAnswer | None
    waiting: int | None
    wait: WaitAnswer | None
    held_by: list[HeldAnswer]
    reason: str
    advice: list[str]


class MenuAnswer(TypedDict):
    """All lines. ``known`` false: the cluster did not say what is in use, so every count is null, never 0."""

    tenant: str
    display_name: str
    as_of: str
    known: bool
    unavailable: str | None
    simulated: bool
    profiles: list[ProfileAnswer]


def menu_answer(
    tenant: Tenant, catalogue: Catalogue, team_load: TeamLoad, *, simulated: bool, user: str | None = None
) -> MenuAnswer:
    """The tenant's menu at the time of the team's load, for a notebook of ``user``."""
    return {
        "tenant": tenant.name,
        "display_name": tenant.display_name,
        "as_of": iso(team_load.now),
        "known": team_load.usage is not None,
        "unavailable": team_load.unavailable,
        "simulated": simulated,
        "profiles": [_profile(offer, catalogue) for offer in offers(tenant, catalogue, team_load, user)],
    }


def _profile(offer: Offer, catalogue: Catalogue) -> ProfileAnswer:
    profile, standing = offer.profile, offer.standing
    price = profile.price_per_hour
    return {
        "profile": profile.name,
        "display_name": profile.display_name,
        "description": profile.description,
        "gpu": _gpu(offer, catalogue),
        "devices": dict(profile.devices),
        "cpu_millicores": {"request": profile.requests.cpu_millicores, "limit": profile.limits.cpu_millicores},
        "memory_bytes": {"request": profile.requests.memory_bytes, "limit": profile.limits.memory_bytes},
        "price_per_hour": None if price is None else str(price),
        "currency": profile.currency or None,
        "availability": standing.availability.value,
        "free_now": standing.free_now,
        "team": _share(standing.team),
        "borrowable": standing.borrowable,
        "borrowed_is_kept": not standing.returnable if standing.borrowable else None,
        "cluster": _share(standing.cluster),
        "waiting": standing.waiting,
        "wait": _wait(standing),
        "held_by": _held(standing.held),
        "reason": standing.reason,
        "advice": list(standing.advice),
    }


def _gpu(offer: Offer, catalogue: Catalogue) -> GpuAnswer | None:
    profile = offer.profile
    card = next((card for card in catalogue.cards if card.name == profile.gpu_model), None)
    if card is None or profile.gpu_model is None:
        return None
    usable = None if profile.slice is None else card.slice(profile.slice).usable_gib
    return {
        "model": profile.gpu_model,
        "slice": profile.slice,
        "words": gpu_words(profile, catalogue.cards),
        "usable_gib": None if usable is None else str(usable),
    }


def _share(share: Share | None) -> ShareAnswer | None:
    return None if share is None else {"free": share.free, "total": share.total}


def _wait(standing: ProfileAvailability) -> WaitAnswer | None:
    """None where waiting is no question."""
    wait = standing.wait
    if standing.waiting is None and not wait.known:
        return None
    return wait_answer(wait)


def wait_answer(wait: Wait) -> WaitAnswer:
    """A forecast, also in words."""
    return {"low": wait.low, "high": wait.high, "most": wait.most, "words": wait_words(wait)}


def _held(held: Sequence[Held]) -> list[HeldAnswer]:
    return [
        {"kind": h.kind, "user": h.user, "count": h.count, "ends_by": None if h.ends_by is None else iso(h.ends_by)}
        for h in held
    ]
