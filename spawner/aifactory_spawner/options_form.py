"""The spawn page's menu: what is told is decided here as plain values, and only then made into HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from jinja2 import Environment, PackageLoader

from aifactory_hub.domain.quota import Holder, Quota, Usage, room_for
from aifactory_hub.domain.spawns import SpawnRequest, TenantFacts, menu
from aifactory_hub.domain.tenants import Role, Tenant
from aifactory_profiles import Catalogue, Profile, format_bytes

from .choices import joined


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One line of the menu. ``holders`` is told when it is full."""

    value: str
    name: str
    title: str
    description: str
    cpu: str
    memory: str
    device: str
    price: str
    free: str
    fits: bool
    holders: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class TeamCard:
    """One team. ``unavailable`` is why nothing can be started in it now, or None."""

    name: str
    title: str
    role: str
    rows: tuple[ProfileRow, ...]
    unavailable: str | None = None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Menu:
    """All that the page shows."""

    teams: tuple[TeamCard, ...]
    simulated: bool

    @property
    def only(self) -> TeamCard | None:
        """The team of somebody who has but one."""
        return self.teams[0] if len(self.teams) == 1 else None


def build_menu(
    tenants: Mapping[str, Tenant],
    memberships: Mapping[str, Role],
    facts: Mapping[str, TenantFacts],
    catalogue: Catalogue,
    *,
    simulated: bool,
    preferred: SpawnRequest,
) -> Menu:
    """The menu of somebody with these memberships; ``preferred`` is what was chosen before, if it still fits."""
    names = usable_teams(tenants, memberships)
    cards = [_card(tenants[name], memberships[name], facts[name], catalogue, several=len(names) > 1) for name in names]
    return Menu(_choose(cards, preferred), simulated)


def usable_teams(tenants: Mapping[str, Tenant], memberships: Mapping[str, Role]) -> list[str]:
    """The teams that somebody with these memberships may start servers in, in the registry's order."""
    return [name for name in tenants if memberships.get(name, Role.VIEWER) >= Role.MEMBER]


def _card(tenant: Tenant, role: Role, facts: TenantFacts, catalogue: Catalogue, *, several: bool) -> TeamCard:
    unavailable = facts.unavailable
    if unavailable is None and facts.usage is None:
        unavailable = "the cluster does not say now what is in use"
    usage = facts.usage if unavailable is None else None
    rows = tuple(_row(tenant, profile, usage, several=several) for profile in menu(tenant, catalogue))
    return TeamCard(tenant.name, tenant.display_name, role.label, rows, unavailable)


def _row(tenant: Tenant, profile: Profile, usage: Usage | None, *, several: bool) -> ProfileRow:
    requests, limits = profile.requests, profile.limits
    fits = usage is not None and room_for(tenant.quota, usage, profile) != 0
    price = profile.price_per_hour
    return ProfileRow(
        value=joined(tenant.name, profile.name) if several else profile.name,
        name=profile.name,
        title=profile.display_name if profile.display_name != profile.name else "",
        description=profile.description,
        cpu=_span(_cores(requests.cpu_millicores), _cores(limits.cpu_millicores)),
        memory=_span(_size(requests.memory_bytes), _size(limits.memory_bytes)),
        device=", ".join(f"{count} x {name.rpartition('/')[2]}" for name, count in profile.devices.items()),
        price="" if price is None else f"{_money(price)} per hour",
        free=_free(tenant.quota, usage, profile),
        fits=fits,
        holders="" if fits or usage is None else _holders(usage.holders, profile),
    )


def _free(quota: Quota, usage: Usage | None, profile: Profile) -> str:
    if usage is None:
        return ""
    free, most = room_for(quota, usage, profile), room_for(quota, Usage(), profile)
    if free is None:
        return "no GPU quota needed"
    return f"{free} of {most} free" if free else "full" if most else "no quota"


def _holders(holders: Sequence[Holder], profile: Profile) -> str:
    held: dict[str, int] = {}
    for holder in holders:
        count = sum(holder.devices.get(device, 0) for device in profile.takes)
        if count:
            held[holder.user] = held.get(holder.user, 0) + count
    return ", ".join(f"{user} ({count})" for user, count in sorted(held.items()))


def _choose(cards: Sequence[TeamCard], preferred: SpawnRequest) -> tuple[TeamCard, ...]:
    """Mark one team and one profile of each team as chosen: what was chosen before, else the first that fits."""
    open_teams = [card.name for card in cards if card.unavailable is None]
    first = next((name for name in open_teams if name == preferred.tenant), next(iter(open_teams), None))
    chosen = []
    for card in cards:
        fitting = [row.value for row in card.rows if row.fits]
        wanted = [v for v in fitting if v in (preferred.profile, joined(card.name, preferred.profile or ""))]
        value = next(iter(wanted or fitting), None) if card.name == first else None
        rows = tuple(replace(row, chosen=row.value == value) for row in card.rows)
        chosen.append(replace(card, rows=rows, chosen=card.name == first))
    return tuple(chosen)


def _cores(millicores: int) -> str:
    return f"{millicores / 1000:g}"


def _size(count: int) -> str:
    text = format_bytes(count)
    return f"{text[:-2]} {text[-2:]}B" if text.endswith("i") else f"{count} bytes"


def _money(price: Decimal) -> str:
    """At least two decimals, and all of those that the price has."""
    shortest = price.normalize()
    return f"{price:.2f}" if int(shortest.as_tuple().exponent) > -2 else f"{shortest:f}"


def _span(least: str, most: str) -> str:
    return least if least == most else f"{least} to {most}"


def render(shown: Menu, *, xsrf: str = "") -> str:
    """The form's inner HTML. Works without JavaScript."""
    environment = Environment(
        loader=PackageLoader("aifactory_spawner"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("options_form.html").render(menu=shown, xsrf=xsrf)
