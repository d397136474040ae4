"""What somebody asks for of a team, and what is answered: granted, to be approved by whom, or refused. Pure.

The same decision is made when somebody tries a form, when they send it, and when the last vote has come: what was free
then may be promised by now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Literal

from aifactory_profiles import Device

from .approvals import Reason
from .formatting import moment
from .globs import any_fits
from .quota import Quota
from .refusals import Refusal, RefusalReason
from .self_service import SelfService, TeamTemplate
from .team_requests import Room, rooms
from .tenants import Tenant
from .verdicts import Need

_DAY = 86400.0


class WishKind(StrEnum):
    """NEW: a team that is not there yet. RENEWAL: a team that was asked for lasts longer."""

    NEW = "new"
    RENEWAL = "renewal"


@dataclass(frozen=True, slots=True)
class TeamWish:
    """What is asked for. ``quota`` and ``borrowing`` count devices by their names in tenants.yaml.

    ``members`` and ``admins`` are groups of the identity provider. ``expires`` is the last day, as ``2027-03-31``, or
    empty: as long as the template allows. A renewal says ``name``, ``expires`` and ``reason`` only.
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
    for, ``now`` epoch seconds.
    """

    self_service: SelfService
    tenants: Mapping[str, Tenant]
    carved: Mapping[Device, int]
    held: Mapping[str, Mapping[Device, int] | None] = field(default_factory=dict)
    asked: int = 0
    now: float = 0.0


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


def decide_wish(wish: TeamWish, site: SiteNow) -> Decision:
    """What is answered to the wish now."""
    return _renewal(wish, site) if wish.kind is WishKind.RENEWAL else _new_team(wish, site)


def _new_team(wish: TeamWish, site: SiteNow) -> Decision:
    service = site.self_service
    template = service.templates.get(wish.template)
    if template is None:
        return Decision(_no_template(wish, service))
    against = _who_is_there(wish, site) or _groups(wish, template) or _sizes(wish, template, service)
    if against is not None:
        return Decision(against)
    expires, late = _last_day(wish.expires, template, site.now)
    if late is not None:
        return Decision(late)
    quota = {name: (service.names[name], count) for name, count in wish.quota.items()}
    found = rooms(quota, site.carved, site.tenants.values())
    owned = dict(quota.values())
    decision = Decision(
        refusal=_does_not_fit(found),
        needs=template.needs(owned),
        reasons=template.reasons(owned, {device: service.name_of(device) for device in service.names.values()}),
        rooms=found,
        effects=effects_of(owned, site),
        expires=expires,
    )
    return decision if decision.refusal is None else _with_offer(decision, wish, template, service)


def _renewal(wish: TeamWish, site: SiteNow) -> Decision:
    tenant = site.tenants.get(wish.name)
    template = None if tenant is None else site.self_service.templates.get(tenant.template)
    if tenant is None or template is None:
        message = f"There is no team {wish.name!r} that was asked for, so its end is the site's to change."
        return Decision(Refusal(RefusalReason.TEAM_UNKNOWN, message, field="name"))
    if tenant.retirement is not None and tenant.retirement.notice is None:
        message = f"The site ends team {wish.name} at {moment(tenant.retirement.at)}: ask whom it names."
        return Decision(Refusal(RefusalReason.TEAM_RETIRED, message, field="name"))
    expires, late = _last_day(wish.expires, template, site.now)
    if late is not None:
        return Decision(late)
    if tenant.retirement is not None and expires and end_of(expires) <= tenant.retirement.at:
        message = f"Team {wish.name} lasts until {moment(tenant.retirement.at)} already: name a later day."
        return Decision(Refusal(RefusalReason.BAD_FIELD, message, field="expires"))
    names = {device: site.self_service.name_of(device) for device in site.self_service.names.values()}
    owned = tenant.quota.nominal
    return Decision(needs=template.needs(owned), reasons=template.reasons(owned, names), expires=expires)


def effects_of(owned: Mapping[Device, int], site: SiteNow) -> tuple[Effect, ...] | None:
    """Who borrows what would be taken back, were this owned by a new team and used; None while nobody can say it."""
    found: list[Effect] = []
    for device, count in owned.items():
        held = {name: None if each is None else each.get(device, 0) for name, each in site.held.items()}
        if any(each is None for each in held.values()):
            return None
        over = sum(each or 0 for each in held.values()) + count - site.carved.get(device, 0)
        for name, each in sorted(held.items()):
            borrowed = (each or 0) - _owned(site.tenants.get(name), device)
            if over > 0 and borrowed > 0:
                found.append(Effect(name, site.self_service.name_of(device), min(over, borrowed)))
                over -= min(over, borrowed)
    return tuple(found)


def _owned(tenant: Tenant | None, device: Device) -> int:
    return 0 if tenant is None else tenant.quota.nominal.get(device, 0)


def _no_template(wish: TeamWish, service: SelfService) -> Refusal:
    if not service.templates:
        message = (
            "Nobody can ask for a team here: tenants.yaml has no templates in `self_service`. Ask the platform team."
        )
        return Refusal(RefusalReason.NO_SELF_SERVICE, message)
    known = ", ".join(service.templates)
    message = f"There is no template {wish.template!r}. The templates are: {known}."
    return Refusal(RefusalReason.BAD_FIELD, message, field="template")


def _who_is_there(wish: TeamWish, site: SiteNow) -> Refusal | None:
    if wish.name in site.tenants:
        message = f"There is a team {wish.name!r} already: choose another name."
        return Refusal(RefusalReason.TEAM_EXISTS, message, field="name")
    namespace = f"vc-{wish.name}"
    if any(tenant.vcluster.namespace == namespace for tenant in site.tenants.values()):
        message = f"The namespace {namespace} is another team's: choose another name."
        return Refusal(RefusalReason.TEAM_EXISTS, message, field="name")
    most = site.self_service.teams_per_person
    if site.asked >= most:
        message = f"You have asked for {site.asked} teams, and one person may ask for {most}."
        return Refusal(RefusalReason.TOO_MANY_TEAMS, message, asked=site.asked + 1, used=site.asked, limit=most)
    return None


def _groups(wish: TeamWish, template: TeamTemplate) -> Refusal | None:
    if not (*wish.members, *wish.admins):
        message = "Name a group of the identity provider whose people are the team's."
        return Refusal(RefusalReason.BAD_FIELD, message, field="members")
    for name, groups in (("members", wish.members), ("admins", wish.admins)):
        for group in groups:
            if not any_fits(group, template.groups):
                allowed = ", ".join(template.groups)
                message = f"The template {template.name} does not allow the group {group!r}. It allows: {allowed}."
                return Refusal(RefusalReason.BAD_FIELD, message, field=name)
    return None


def _sizes(wish: TeamWish, template: TeamTemplate, service: SelfService) -> Refusal | None:
    for name, asked, most in (
        ("quota", wish.quota, template.most),
        ("borrowing", wish.borrowing, template.most_borrowed),
    ):
        for device, count in asked.items():
            if device not in service.names:
                known = ", ".join(service.name_of(each) for each in most) or "none"
                message = f"There is no device {device!r} in the template {template.name}. It has: {known}."
                return Refusal(RefusalReason.BAD_FIELD, message, field=name)
            limit = most.get(service.names[device], 0)
            if count > limit:
                message = f"You ask for {count} {device}, and the template {template.name} has {limit} at most."
                return Refusal(RefusalReason.ABOVE_TEMPLATE, message, field=name, asked=count, limit=limit)
    return None


def end_of(day: str) -> float:
    """The end of a day such as ``2027-03-31`` in UTC, in epoch seconds. Raises ValueError for what is none."""
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC).timestamp() + _DAY


def _last_day(asked: str, template: TeamTemplate, now: float) -> tuple[str, Refusal | None]:
    """The last day that the wish comes to (empty: for ever), or why it can't be the one that was asked for."""
    latest = "" if template.lasts is None else datetime.fromtimestamp(now + template.lasts, UTC).date().isoformat()
    if not asked:
        return latest, None
    try:
        end = end_of(asked)
    except ValueError:
        message = f"{asked!r} is not a day: write year, month and day, for example 2027-03-31."
        return "", Refusal(RefusalReason.BAD_FIELD, message, field="expires")
    if end <= now:
        return "", Refusal(RefusalReason.BAD_FIELD, f"{asked} is over: name a day to come.", field="expires")
    if latest and asked > latest:
        message = f"A team of the template {template.name} lasts until {latest} at most, and can be renewed then."
        return "", Refusal(RefusalReason.ABOVE_TEMPLATE, message, field="expires")
    return asked, None


def _does_not_fit(found: Iterable[Room]) -> Refusal | None:
    for room in found:
        if room.fits < room.asked:
            return Refusal(
                RefusalReason.NOT_ENOUGH_LEFT,
                room.sentence(),
                field="quota",
                resource=room.name,
                asked=room.asked,
                used=room.promised,
                limit=room.carved,
            )
    return None


def _with_offer(decision: Decision, wish: TeamWish, template: TeamTemplate, service: SelfService) -> Decision:
    """With the largest that fits: owned, and beside that borrowed as far as the template lets a team borrow."""
    owned = {room.name: room.fits for room in decision.rooms if room.fits}
    borrowed = dict(wish.borrowing)
    for room in decision.rooms:
        most = template.most_borrowed.get(service.names[room.name], 0)
        more = min(borrowed.get(room.name, 0) + room.to_borrow, most)
        if more:
            borrowed[room.name] = more
    return Decision(
        refusal=decision.refusal,
        rooms=decision.rooms,
        offer=owned,
        offer_borrowed=borrowed,
        effects=decision.effects,
        expires=decision.expires,
    )


def granted_wishes(requests: Iterable[TeamRequest]) -> dict[str, TeamWish]:
    """The teams of granted requests by name; a renewal that was granted later moves its team's last day."""
    in_order = sorted(requests, key=lambda each: (each.changed_at, each.wish.expires))
    made = {each.wish.name: each for each in in_order if each.wish.kind is WishKind.NEW}
    found = {name: each.wish for name, each in made.items()}
    for renewal in (each for each in in_order if each.wish.kind is WishKind.RENEWAL):
        name = renewal.wish.name
        # One of an earlier team of this name is none of this one.
        if name in made and renewal.changed_at >= made[name].changed_at:
            found[name] = replace(found[name], expires=renewal.wish.expires)
    return found


def parts_of(wish: TeamWish) -> dict[str, str]:
    """All that decides what the team would be, as those who vote read it."""
    parts = {"team": wish.name, "kind": wish.kind.value, "expires": wish.expires or "never", "reason": wish.reason}
    if wish.kind is WishKind.RENEWAL:
        return parts
    return parts | {
        "template": wish.template,
        "display name": wish.display_name or wish.name,
        "members": ", ".join(wish.members),
        "administrators": ", ".join(wish.admins),
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
