"""The spawn page's menu as HTML. What is said is decided in ``domain.menu``; here it is put into words and markup."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from aifactory_hub.domain.environment_fit import Fit, Pairing
from aifactory_hub.domain.environments import Offering
from aifactory_hub.domain.formatting import cores, gpu_words, iso, money, size, span, wait_words
from aifactory_hub.domain.menu import Availability, Offer, ProfileAvailability, TeamLoad, badge_words, offers
from aifactory_hub.domain.spawns import SpawnRequest
from aifactory_hub.domain.tenants import Role, Tenant
from aifactory_profiles import Catalogue, Profile

from .choices import joined, waiting
from .environment_rows import EnvironmentPart, build_environments, misfits, pair_data, words_of

# Fewer rows than these are found faster by looking than by searching.
SEARCH_FROM = 12
_NO_ENVIRONMENTS = Offering()
CHOOSABLE = (Availability.FREE, Availability.QUEUE)


@dataclass(frozen=True, slots=True)
class Row:
    """One profile. ``value`` is what the form sends; it says so where choosing the row means to wait."""

    offer: Offer
    value: str
    chosen: bool = False

    @property
    def profile(self) -> Profile:
        return self.offer.profile

    @property
    def choosable(self) -> bool:
        return self.offer.standing.availability in CHOOSABLE


@dataclass(frozen=True, slots=True)
class TeamCard:
    """One team. ``unavailable`` is why nothing can be started in it now, or None; ``budgets`` is how they stand."""

    name: str
    title: str
    role: str
    rows: tuple[Row, ...]
    unavailable: str | None = None
    chosen: bool = False
    budgets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Menu:
    """All that the page shows, as of ``now`` (seconds since 1970)."""

    teams: tuple[TeamCard, ...]
    catalogue: Catalogue
    simulated: bool
    now: float
    environments: EnvironmentPart = field(default_factory=EnvironmentPart)
    tenants: tuple[Tenant, ...] = ()

    @property
    def only(self) -> TeamCard | None:
        """The team of somebody who has but one."""
        return self.teams[0] if len(self.teams) == 1 else None

    @property
    def searchable(self) -> bool:
        return any(len(team.rows) >= SEARCH_FROM for team in self.teams)


def build_menu(
    tenants: Mapping[str, Tenant],
    memberships: Mapping[str, Role],
    team_loads: Mapping[str, TeamLoad],
    catalogue: Catalogue,
    *,
    simulated: bool,
    preferred: SpawnRequest,
    user: str | None = None,
    budgets: Mapping[str, Sequence[str]] | None = None,
    offering: Offering = _NO_ENVIRONMENTS,
) -> Menu:
    """The menu of ``user`` with these memberships; ``preferred`` is what was chosen before, if it can still be had.

    ``budgets`` is how the teams' budgets stand, in sentences.
    """
    names = usable_teams(tenants, memberships)
    several = len(names) > 1
    cards = [
        _card(tenants[name], memberships[name], team_loads[name], catalogue, several=several, user=user)
        for name in names
    ]
    cards = [replace(card, budgets=tuple((budgets or {}).get(card.name, ()))) for card in cards]
    now = min((team_loads[name].now for name in names), default=0.0)
    mine = tuple(tenants[name] for name in names)
    first = _first_team(cards, preferred)
    part = build_environments(offering, names, first, preferred.environment)
    refused = _refused(part, next((each for each in mine if each.name == first), None), catalogue)
    return Menu(_choose(cards, first, preferred, refused), catalogue, simulated, now, part, mine)


def _refused(part: EnvironmentPart, tenant: Tenant | None, catalogue: Catalogue) -> frozenset[str]:
    """The profiles that do not go with the environment that is chosen."""
    if part.chosen is None or tenant is None:
        return frozenset()
    found = misfits(part.chosen.environment, tenant, catalogue, part.driver)
    return frozenset(name for name, pairing in found.items() if pairing.fit is Fit.REFUSES)


def usable_teams(tenants: Mapping[str, Tenant], memberships: Mapping[str, Role]) -> list[str]:
    """The teams that somebody with these memberships may start servers in, in the registry's order."""
    return [name for name in tenants if memberships.get(name, Role.VIEWER) >= Role.MEMBER]


def _card(
    tenant: Tenant, role: Role, team_load: TeamLoad, catalogue: Catalogue, *, several: bool, user: str | None
) -> TeamCard:
    made = offers(tenant, catalogue, team_load, user)
    rows = tuple(Row(offer, _value(tenant.name, offer, several)) for offer in made)
    unavailable = team_load.unavailable
    if unavailable is None and team_load.usage is None and made:
        unavailable = made[0].standing.reason
    return TeamCard(tenant.name, tenant.display_name, role.label, rows, unavailable)


def _value(tenant: str, offer: Offer, several: bool) -> str:
    name = offer.profile.name
    if offer.standing.availability is Availability.QUEUE:
        return waiting(tenant, name)
    return joined(tenant, name) if several else name


def _first_team(cards: Sequence[TeamCard], preferred: SpawnRequest) -> str | None:
    open_teams = [card.name for card in cards if card.unavailable is None]
    return next((name for name in open_teams if name == preferred.tenant), next(iter(open_teams), None))


def _choose(
    cards: Sequence[TeamCard], first: str | None, preferred: SpawnRequest, refused: Collection[str]
) -> tuple[TeamCard, ...]:
    """Mark one team and one profile as chosen: what was chosen before, else the first that is free."""
    return tuple(_chosen(card, preferred.profile, refused) if card.name == first else card for card in cards)


def _chosen(card: TeamCard, wanted: str | None, refused: Collection[str]) -> TeamCard:
    choosable = [row for row in card.rows if row.choosable and row.profile.name not in refused]
    free = (row for row in choosable if row.offer.standing.availability is Availability.FREE)
    row = next((row for row in choosable if row.profile.name == wanted), None) or next(free, None)
    rows = tuple([replace(each, chosen=True) if each is row else each for each in card.rows])
    return replace(card, rows=rows, chosen=True)


def render(shown: Menu, *, xsrf: str = "", refresh_url: str = "", last_end: str = "", note: str = "") -> str:
    """The form's inner HTML. Works without JavaScript; with it, counts are asked for again at ``refresh_url``.

    Above it stand ``last_end``, why the server that is to be started ended the last time, and ``note``.
    """
    texts = _Texts()
    faces = _faces_of(shown.catalogue)
    rows = {team.name: _rows(team, faces, texts, _told(shown, team.name)) for team in shown.teams}
    page = _template("options_form.html")
    as_of = iso(shown.now)
    return page.render(
        menu=shown,
        rows=rows,
        pairs=_pairs_json(shown),
        xsrf=xsrf,
        refresh_url=refresh_url,
        as_of=as_of,
        last_end=last_end,
        note=note,
    )


def _told(shown: Menu, team: str) -> Mapping[str, Pairing]:
    """What the rows of a team say of the environment that is chosen, by profile."""
    chosen = shown.environments.chosen
    tenant = next((each for each in shown.tenants if each.name == team), None)
    if chosen is None or tenant is None or team not in chosen.teams:
        return {}
    return misfits(chosen.environment, tenant, shown.catalogue, shown.environments.driver)


def _pairs_json(shown: Menu) -> Markup:
    """For a script of the page; without what would end it."""
    if not shown.environments.rows:
        return Markup("")
    data = pair_data(shown.environments, shown.tenants, shown.catalogue, _identity)
    return Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S704 - escaped


def numbers(shown: Menu) -> dict[str, Any]:
    """What changes on the page, for it to put in place: ``rows`` name one of ``states``, whose texts are HTML."""
    texts = _Texts()
    states: dict[str, int] = {}
    rows = {}
    for team in shown.teams:
        for row in team.rows:
            at = states.setdefault(texts.of(row.offer.standing).text, len(states))
            rows[_identity(team.name, row.profile.name)] = {
                "availability": row.offer.standing.availability.value,
                "choosable": row.choosable,
                "value": row.value,
                "state": at,
            }
    unavailable = {team.name: team.unavailable for team in shown.teams}
    return {"as_of": iso(shown.now), "unavailable": unavailable, "rows": rows, "states": list(states)}


class _Shown(NamedTuple):
    """A standing on the page: two attributes of its row, and its HTML."""

    availability: str
    disabled: str
    text: str


@dataclass(slots=True)
class _Texts:
    """Each standing as it is shown, rendered once however many profiles share it."""

    _made: dict[int, tuple[ProfileAvailability, _Shown]] = field(default_factory=dict)

    def of(self, standing: ProfileAvailability) -> _Shown:
        found = self._made.get(id(standing))
        if found is None:
            found = self._made[id(standing)] = (standing, self._make(standing))
        return found[1]

    @staticmethod
    def _make(standing: ProfileAvailability) -> _Shown:
        text = _template("standing.html").render(now=standing).strip()
        return _Shown(standing.availability.value, "" if standing.availability in CHOOSABLE else " disabled", text)


@dataclass(slots=True)
class _Faces:
    """What never changes of a row, rendered once for each team and profile of the one catalogue that a hub has."""

    catalogue: Catalogue
    _made: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def of(self, team: str, row: Row) -> str:
        """A %-format. What changes comes in this order: availability, attributes, environment, standing."""
        key = (team, row.profile.name, row.value)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._make(row.profile, _identity(team, row.profile.name), row.value)
        return found

    def _make(self, profile: Profile, identity: str, value: str) -> str:
        requests, limits = profile.requests, profile.limits
        html = _template("row.html").render(
            id=identity,
            value=value,
            slot="\x00",
            name=profile.name,
            title=_title(profile),
            description=profile.description,
            gpu=gpu_words(profile, self.catalogue.cards),
            cpu=span(cores(requests.cpu_millicores), cores(limits.cpu_millicores)),
            memory=span(size(requests.memory_bytes), size(limits.memory_bytes)),
            price=None if profile.price_per_hour is None else money(profile.price_per_hour, profile.currency),
        )
        return html.replace("%", "%%").replace("\x00", "%s")


_faces = _Faces(Catalogue({}))


def _faces_of(catalogue: Catalogue) -> _Faces:
    global _faces
    if _faces.catalogue is not catalogue:
        _faces = _Faces(catalogue)
    return _faces


def _title(profile: Profile) -> str:
    """The site's own name for it; what the catalogue makes up only repeats the slice."""
    made_up = profile.display_name == profile.name or profile.display_name.startswith(f"{profile.slice} of a")
    return "" if made_up else profile.display_name


def _rows(team: TeamCard, faces: _Faces, texts: _Texts, told: Mapping[str, Pairing]) -> Markup:
    parts = []
    for row in team.rows:
        availability, disabled, text = texts.of(row.offer.standing)
        attributes = f"{disabled} checked" if row.chosen else disabled
        pairing = told.get(row.profile.name)
        words = "" if pairing is None else str(escape(words_of(pairing)))
        parts.append(faces.of(team.name, row) % (availability, attributes, words, text))
    return Markup("".join(parts))  # noqa: S704 - of escaped parts


def _identity(team: str, profile: str) -> str:
    """Of a row's elements. No team's name has a colon."""
    return f"af-{team}:{profile}"


@cache
def _template(name: str) -> Any:
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    made = Environment(loader=PackageLoader("aifactory_spawner"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.filters["iso"] = iso
    made.filters["wait_words"] = wait_words
    made.filters["badge_words"] = badge_words
    return made
