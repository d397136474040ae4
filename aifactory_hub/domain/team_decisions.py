"""What is answered to who asks for a team: granted, to be approved by whom, or refused with what fits. Pure.

The same decision is made when somebody tries a form, when they send it, and when the last vote has come: what was free
then may be promised by now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

from aifactory_profiles import Device

from .formatting import moment
from .globs import any_fits
from .refusals import Refusal, RefusalReason
from .self_service import SelfService, TeamTemplate
from .team_requests import Room, rooms
from .team_wishes import Decision, Effect, SiteNow, TeamWish, WishKind
from .tenants import Tenant

_DAY = 86400.0


def decide_wish(wish: TeamWish, site: SiteNow) -> Decision:
    """What is answered to the wish now."""
    decided = {WishKind.NEW: _new_team, WishKind.RENEWAL: _renewal, WishKind.CHANGE: _change}
    return decided[wish.kind](wish, site)


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
        reasons=template.reasons(owned, _names(service)),
        rooms=found,
        effects=effects_of(owned, site),
        expires=expires,
    )
    return decision if decision.refusal is None else _with_offer(decision, wish, template, service)


def _renewal(wish: TeamWish, site: SiteNow) -> Decision:
    found = _asked_for(wish, site)
    if isinstance(found, Refusal):
        return Decision(found)
    tenant, template = found
    expires, late = _last_day(wish.expires, template, site.now)
    if late is not None:
        return Decision(late)
    if tenant.retirement is not None and expires and end_of(expires) <= tenant.retirement.at:
        message = f"Team {wish.name} lasts until {moment(tenant.retirement.at)} already: name a later day."
        return Decision(Refusal(RefusalReason.BAD_FIELD, message, field="expires"))
    owned = tenant.quota.nominal
    return Decision(
        needs=template.needs(owned), reasons=template.reasons(owned, _names(site.self_service)), expires=expires
    )


def _change(wish: TeamWish, site: SiteNow) -> Decision:
    """Who would approve the team as it is then approves it, unless it only gets less."""
    found = _asked_for(wish, site)
    current = site.granted.get(wish.name)
    if isinstance(found, Refusal):
        return Decision(found)
    if current is None:
        return Decision(not_asked_for(wish.name, wish.kind))
    if not wish.before:
        message = f"Team {wish.name} is like that already: say what is to be different."
        return Decision(Refusal(RefusalReason.BAD_FIELD, message, field="quota"))
    tenant, template = found
    service = site.self_service
    against = _groups(wish, template) or _sizes(wish, template, service)
    if against is not None:
        return Decision(against)
    owned = {service.names[name]: count for name, count in wish.quota.items()}
    more = {device: count for device, count in owned.items() if count > tenant.quota.nominal.get(device, 0)}
    others = replace(
        site,
        tenants={name: each for name, each in site.tenants.items() if name != wish.name},
        held={name: each for name, each in site.held.items() if name != wish.name},
    )
    asked = {name: (service.names[name], count) for name, count in wish.quota.items() if service.names[name] in more}
    decision = Decision(
        rooms=rooms(asked, site.carved, others.tenants.values(), to="no other team"),
        effects=effects_of(more, others),
        expires=wish.expires,
    )
    decision = replace(decision, refusal=_does_not_fit(decision.rooms))
    if decision.refusal is not None:
        return _with_offer(decision, wish, template, service, has=current.quota)
    if not more and not _gets_more(wish, current):
        return decision
    return replace(decision, needs=template.needs(owned), reasons=template.reasons(owned, _names(service)))


def _gets_more(wish: TeamWish, current: TeamWish) -> bool:
    """Whether it may borrow more than now, or is for people whom it is not for now."""
    borrowed = any(count > current.borrowing.get(name, 0) for name, count in wish.borrowing.items())
    return borrowed or not set(wish.members) <= set(current.members) or not set(wish.admins) <= set(current.admins)


def _asked_for(wish: TeamWish, site: SiteNow) -> tuple[Tenant, TeamTemplate] | Refusal:
    """The team and its template, where it was asked for and the site does not end it."""
    tenant = site.tenants.get(wish.name)
    template = None if tenant is None else site.self_service.templates.get(tenant.template)
    if tenant is None or template is None:
        return not_asked_for(wish.name, wish.kind)
    if tenant.retirement is not None and tenant.retirement.notice is None:
        message = f"The site ends team {wish.name} at {moment(tenant.retirement.at)}: ask whom it names."
        return Refusal(RefusalReason.TEAM_RETIRED, message, field="name")
    return tenant, template


def not_asked_for(name: str, kind: WishKind) -> Refusal:
    """The refusal of more time or another size for a team that nobody asked for."""
    what = "its end" if kind is WishKind.RENEWAL else "its size"
    message = f"There is no team {name!r} that was asked for, so {what} is the site's to change."
    return Refusal(RefusalReason.TEAM_UNKNOWN, message, field="name")


def _names(service: SelfService) -> dict[Device, str]:
    return {device: service.name_of(device) for device in service.names.values()}


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


def _with_offer(
    decision: Decision,
    wish: TeamWish,
    template: TeamTemplate,
    service: SelfService,
    has: Mapping[str, int] | None = None,
) -> Decision:
    """With the largest that fits: owned, and beside that borrowed as far as the template lets a team borrow.

    What a team ``has`` already stays its own.
    """
    fitting = {room.name: max(room.fits, (has or {}).get(room.name, 0)) for room in decision.rooms}
    owned = {name: count for name, count in {**wish.quota, **fitting}.items() if count}
    borrowed = dict(wish.borrowing)
    for room in decision.rooms:
        most = template.most_borrowed.get(service.names[room.name], 0)
        more = min(borrowed.get(room.name, 0) + room.to_borrow, most)
        if more:
            borrowed[room.name] = more
    return replace(decision, needs=(), reasons=(), offer=owned, offer_borrowed=borrowed)
