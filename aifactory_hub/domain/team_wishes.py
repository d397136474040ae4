"""What somebody asks for of a team, the request that they sent, and what the granted ones come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from aifactory_profiles import Device

from .approvals import Reason
from .quota import Quota
from .refusals import Refusal
from .self_service import SelfService
from .team_requests import Room
from .tenants import Tenant
from .verdicts import Need


class WishKind(StrEnum):
    """NEW: a team that is not there yet. RENEWAL: a team that was asked for lasts longer. CHANGE: it gets another size,
    other groups or another name for people."""

    NEW = "new"
    RENEWAL = "renewal"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class TeamWish:
    """What is asked for. ``quota`` and ``borrowing`` count devices by their names in tenants.yaml.

    ``members`` and ``admins`` are groups of the identity provider. ``expires`` is the last day, as ``2027-03-31``, or
    empty: as long as the template allows.

    A renewal says ``name``, ``expires`` and ``reason`` only. A change says all that the team is then, and ``before``
    what of that is different now, in the words of those who vote.
    """

    name: str
    template: str = ""
    display_name: str = ""
    members: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    quota: Mapping[str, int] = field(default_factory=dict)
    borrowing: Mapping[str, int] = field(default_factory=dict)
    expires: str = ""
    reason: str = ""
    kind: WishKind = WishKind.NEW
    before: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TeamChange:
    """What of a team is to be different. None, and a device that is not named: as it is. A count of 0 takes it away."""

    name: str
    reason: str
    display_name: str | None = None
    members: tuple[str, ...] | None = None
    admins: tuple[str, ...] | None = None
    quota: Mapping[str, int] = field(default_factory=dict)
    borrowing: Mapping[str, int] = field(default_factory=dict)

    def of(self, current: TeamWish) -> TeamWish:
        """All that the team is with this change."""
        wish = replace(
            current,
            kind=WishKind.CHANGE,
            reason=self.reason,
            display_name=current.display_name if self.display_name is None else self.display_name,
            members=current.members if self.members is None else self.members,
            admins=current.admins if self.admins is None else self.admins,
            quota=_counted(current.quota, self.quota),
            borrowing=_counted(current.borrowing, self.borrowing),
            before={},
        )
        now, then = _described(current), _described(wish)
        return replace(wish, before={part: now[part] for part in now if now[part] != then[part]})


def _counted(now: Mapping[str, int], changes: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in {**now, **changes}.items() if count}


class RequestState(StrEnum):
    """WAITING for votes; GRANTED: the team is there or is being made. Nothing leads out of the others.

    REMOVED: an administrator took a granted team out of those that were asked for.
    """

    WAITING = "WAITING"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    REMOVED = "REMOVED"


@dataclass(frozen=True, slots=True)
class TeamRequest:
    """A wish that somebody sent. Times are epoch seconds. ``digest`` covers the wish, ``why`` says how it ended."""

    id: str
    wish: TeamWish
    digest: str
    asked_by: str
    asked_at: float
    changed_at: float
    state: RequestState = RequestState.WAITING
    why: str = ""


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One thing that happened to a request, and who did it."""

    at: float
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What another team would feel: it has ``count`` devices of a kind that would be taken back from it."""

    tenant: str
    device: str
    count: int

    def sentence(self) -> str:
        """For people."""
        return f"team {self.tenant} borrows {self.count} {self.device} that would be taken back from it"


@dataclass(frozen=True, slots=True)
class SiteNow:
    """What the decision is made from. ``tenants`` are all teams, those that are granted and not made yet among them.

    ``held`` is what each team holds now, None where nobody can say it. ``asked`` is how many teams the person has asked
    for, ``granted`` the teams that were asked for and granted, ``now`` epoch seconds.
    """

    self_service: SelfService
    tenants: Mapping[str, Tenant]
    carved: Mapping[Device, int]
    held: Mapping[str, Mapping[Device, int] | None] = field(default_factory=dict)
    asked: int = 0
    now: float = 0.0
    granted: Mapping[str, TeamWish] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. Without ``refusal`` and ``needs`` it is granted at once.

    ``rooms`` says what is promised to nobody, ``offer`` and ``offer_borrowed`` the largest that fits. ``effects`` is
    what other teams would feel, None while nobody can say it. ``expires`` is the last day that it comes to.
    """

    refusal: Refusal | None = None
    needs: tuple[Need, ...] = ()
    reasons: tuple[Reason, ...] = ()
    rooms: tuple[Room, ...] = ()
    offer: Mapping[str, int] = field(default_factory=dict)
    offer_borrowed: Mapping[str, int] = field(default_factory=dict)
    effects: tuple[Effect, ...] | None = ()
    expires: str = ""

    @property
    def outcome(self) -> Literal["granted", "needs-approval", "refused"]:
        """``granted``, ``needs-approval`` or ``refused``."""
        if self.refusal is not None:
            return "refused"
        return "needs-approval" if self.needs else "granted"


def granted_wishes(requests: Iterable[TeamRequest]) -> dict[str, TeamWish]:
    """The teams of granted requests by name, as what was granted later has made them."""
    in_order = sorted(requests, key=lambda each: (each.changed_at, each.wish.expires))
    made = {each.wish.name: each for each in in_order if each.wish.kind is WishKind.NEW}
    found = {name: each.wish for name, each in made.items()}
    for later in (each for each in in_order if each.wish.kind is not WishKind.NEW):
        name = later.wish.name
        # One of an earlier team of this name is none of this one.
        if name in made and later.changed_at >= made[name].changed_at:
            found[name] = _followed(found[name], later.wish)
    return found


def _followed(team: TeamWish, later: TeamWish) -> TeamWish:
    if later.kind is WishKind.RENEWAL:
        return replace(team, expires=later.expires)
    changed = ("display_name", "members", "admins", "quota", "borrowing")
    return replace(team, **{name: getattr(later, name) for name in changed})


def parts_of(wish: TeamWish) -> dict[str, str]:
    """All that decides what the team would be, as those who vote read it."""
    parts = {"team": wish.name, "kind": wish.kind.value, "reason": wish.reason}
    if wish.kind is WishKind.CHANGE:
        then = {
            part: f"{text} (now: {wish.before[part]})" for part, text in _described(wish).items() if part in wish.before
        }
        return {**parts, "template": wish.template, **_described(wish), **then}
    parts["expires"] = wish.expires or "never"
    return parts if wish.kind is WishKind.RENEWAL else {**parts, "template": wish.template, **_described(wish)}


def _described(wish: TeamWish) -> dict[str, str]:
    """What a change can change."""
    return {
        "display name": wish.display_name or wish.name,
        "members": ", ".join(wish.members) or "none",
        "administrators": ", ".join(wish.admins) or "none",
        "owns": _listed(wish.quota),
        "may borrow": _listed(wish.borrowing),
    }


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"


def section_of(wish: TeamWish) -> dict[str, object]:
    """What stands in the granted team's file: whatever else a team is, its template says."""
    section: dict[str, object] = {"display_name": wish.display_name} if wish.display_name else {}
    section |= {
        "template": wish.template,
        "groups": [
            *({"group": group, "role": "member"} for group in wish.members),
            *({"group": group, "role": "admin"} for group in wish.admins),
        ],
    }
    section |= {"quota": dict(wish.quota)} if wish.quota else {}
    section |= {"borrowing": dict(wish.borrowing)} if wish.borrowing else {}
    return section | ({"expires": wish.expires} if wish.expires else {})


def quota_of(wish: TeamWish, service: SelfService) -> Quota:
    """What the team owns and may borrow; names that are no device any more count for nothing."""
    owned, borrowed = (
        {service.names[name]: count for name, count in counts.items() if name in service.names}
        for counts in (wish.quota, wish.borrowing)
    )
    return Quota(nominal=owned, borrowing=borrowed)
