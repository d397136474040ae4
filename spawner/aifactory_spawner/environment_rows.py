"""What the spawn page shows of environments: a row for each, its versions, and which sizes do not go with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aifactory_hub.domain.environment_fit import Fit, Pairing, Sizes, misfit_words, pairings
from aifactory_hub.domain.environments import (
    Choice,
    Environment,
    Kind,
    Needs,
    Offering,
    State,
    Version,
    changes_words,
    choose_version,
    succession,
    usable,
    version_words,
)
from aifactory_hub.domain.formatting import size
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.spawns import menu
from aifactory_hub.domain.tenants import Tenant
from aifactory_profiles import Catalogue

_KINDS = {Kind.LAB: "JupyterLab", Kind.CODE: "VS Code", Kind.MARIMO: "marimo", Kind.COMMAND: "an app"}


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version. ``value`` is what the form sends, ``about`` how the version stands."""

    version: Version
    value: str
    about: str
    startable: bool
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """One environment. ``teams`` have it; ``first`` is the version of its own button, None where none may start.

    ``offer`` says what follows the version that somebody had.
    """

    environment: Environment
    teams: tuple[str, ...]
    first: VersionRow | None
    others: tuple[VersionRow, ...] = ()
    offer: str = ""

    @property
    def kind(self) -> str:
        return _KINDS[self.environment.kind]

    @property
    def needs(self) -> str:
        """``8 GiB memory, a GPU``"""
        needs = self.environment.needs
        told = [f"{size(needs.memory_bytes)} memory"] if needs.memory_bytes else []
        told += {"required": ["a GPU"], "none": ["no GPU"]}.get(needs.gpu.value, [])
        told += [f"{size(needs.device_bytes)} GPU memory"] if needs.device_bytes else []
        return ", ".join(told)

    @property
    def chosen(self) -> VersionRow | None:
        return next((each for each in (self.first, *self.others) if each is not None and each.chosen), None)


@dataclass(frozen=True, slots=True)
class EnvironmentPart:
    """All environments of a page, and the driver that sizes are held against."""

    rows: tuple[EnvironmentRow, ...] = ()
    driver: tuple[int, ...] | None = None

    @property
    def chosen(self) -> EnvironmentRow | None:
        return next((row for row in self.rows if row.chosen is not None), None)


def build_environments(
    offering: Offering, teams: Sequence[str], team: str | None, preferred: str | None
) -> EnvironmentPart:
    """The part for somebody in ``teams``, of which ``team`` is chosen; ``preferred`` is what they had.

    What they had is chosen again if it may start, else what follows it, else the team's first environment.
    """
    found = {name: usable(name, offering.environments) for name in teams}
    rows = [
        _row(each, tuple(name for name in teams if each in found[name]), preferred, offering.now)
        for each in offering.environments.values()
        if any(each in mine for mine in found.values())
    ]
    first = next((row for row in rows if row.first is not None and team in row.teams), None)
    if first is not None and not any(row.chosen is not None and team in row.teams for row in rows):
        rows = [_chosen(row) if row is first else row for row in rows]
    return EnvironmentPart(tuple(rows), offering.driver)


def _chosen(row: EnvironmentRow) -> EnvironmentRow:
    return row if row.first is None else replace(row, first=replace(row.first, chosen=True))


def _row(environment: Environment, teams: tuple[str, ...], preferred: str | None, now: float) -> EnvironmentRow:
    had, _, version = (preferred or "").partition("@")
    asked = _had(environment, version, now) if had == environment.name else None
    first = environment.first_choice(now)
    rows = [_version(environment, each, now, asked) for each in environment.versions.values()]
    offer = _offer(environment, version, now) if had == environment.name else ""
    return EnvironmentRow(
        environment,
        teams,
        next((row for row in rows if row.version is first), None),
        tuple(row for row in rows if row.version is not first),
        offer,
    )


def _had(environment: Environment, version: str, now: float) -> str | None:
    """The version to choose for somebody who had ``version``; "" is the one that is offered first."""
    found = choose_version(environment, version, now)
    if isinstance(found, Choice):
        return found.version.name
    following = succession(environment, version, now)
    first = environment.first_choice(now)
    return following.after.name if following is not None else None if first is None else first.name


def _version(environment: Environment, version: Version, now: float, asked: str | None) -> VersionRow:
    startable = version.startable(now)
    about = version_words(version)
    if not startable and version.state is not State.BLOCKED:
        about = about.replace("deprecated until", "ended after", 1)
    value = Choice(environment, version).name
    return VersionRow(version, value, about, startable, chosen=startable and version.name == asked)


def _offer(environment: Environment, version: str, now: float) -> str:
    """What follows the version that somebody had, and what changes with it."""
    found = succession(environment, version, now)
    if found is None:
        old = environment.versions.get(version)
        refused = None if old is None else choose_version(environment, version, now)
        return refused.message if isinstance(refused, Refusal) else ""
    stands = version_words(found.before)
    had = f"Your last server had {version}{f', {stands}' if stands else ''}."
    return f"{had} {found.after.name} follows it: {changes_words(found.changes)}."


@dataclass(slots=True)
class _Pairs:
    """How needs and menus go together: decided once for each pair of them of the catalogue that is in use."""

    catalogue: Catalogue
    _made: dict[Any, Mapping[str, Pairing]] = field(default_factory=dict)

    def of(self, needs: Needs, tenant: Tenant, driver: tuple[int, ...] | None) -> Mapping[str, Pairing]:
        """What is worth telling, by profile."""
        key = (needs, tenant.profiles, driver)
        found = self._made.get(key)
        if found is None:
            sizes = Sizes(menu(tenant, self.catalogue), self.catalogue.cards, driver)
            told = {name: each for name, each in pairings(needs, sizes).items() if each.fit is not Fit.FITS}
            found = self._made[key] = told
        return found


_pairs = _Pairs(Catalogue({}))


def misfits(
    environment: Environment, tenant: Tenant, catalogue: Catalogue, driver: tuple[int, ...] | None
) -> Mapping[str, Pairing]:
    """Of the team's profiles those that do not go with the environment, or not well."""
    global _pairs
    if _pairs.catalogue is not catalogue:
        _pairs = _Pairs(catalogue)
    return _pairs.of(environment.needs, tenant, driver)


def words_of(pairing: Pairing) -> str:
    """What the row of a size says of its environment."""
    return misfit_words(pairing) if pairing.fit is Fit.REFUSES else pairing.why


def pair_data(part: EnvironmentPart, tenants: Iterable[Tenant], catalogue: Catalogue, identity: Any) -> dict[str, Any]:
    """What a page needs to follow a choice: texts by number, and for each environment its misfits by row.

    A row's entry is the number of its text, negative (less one) where it only warns. With the text goes the row of the
    size that fits instead.
    """
    texts: dict[tuple[str, str], int] = {}
    environments: dict[str, dict[str, int]] = {}
    for row in part.rows:
        rows = environments[row.environment.name] = {}
        for tenant in tenants:
            if tenant.name not in row.teams:
                continue
            for name, pairing in misfits(row.environment, tenant, catalogue, part.driver).items():
                instead = "" if pairing.instead is None else identity(tenant.name, pairing.instead)
                number = texts.setdefault((words_of(pairing), instead), len(texts))
                rows[identity(tenant.name, name)] = number if pairing.fit is Fit.REFUSES else -number - 1
    return {"environments": environments, "texts": list(texts)}
