"""A team's environments as JSON: the same decisions as on the spawn page."""

from __future__ import annotations

from typing_extensions import TypedDict

from aifactory_profiles import Catalogue

from .environment_fit import Sizes, misfit_words, pairings
from .environments import Environment, Offering, Version, usable
from .formatting import iso
from .spawns import menu
from .tenants import Tenant


class EnvironmentVersionAnswer(TypedDict):
    """One version. ``packages`` null: the site has no lock of it."""

    version: str
    image: str
    state: str
    until: str | None
    successor: str | None
    why: str
    startable: bool
    packages: dict[str, str] | None


class PairingAnswer(TypedDict):
    """How the environment goes with a profile: fits, warns or refuses; ``instead`` is the smallest that fits."""

    profile: str
    fit: str
    why: str
    instead: str | None


class EnvironmentAnswer(TypedDict):
    """One environment; ``first`` null: no version of it may be started now."""

    environment: str
    display_name: str
    description: str
    kind: str
    first: str | None
    versions: list[EnvironmentVersionAnswer]
    profiles: list[PairingAnswer]


class EnvironmentsAnswer(TypedDict):
    """Those that the team has; none where every server is JupyterLab in the site's one image."""

    tenant: str
    environments: list[EnvironmentAnswer]


def environments_answer(tenant: Tenant, catalogue: Catalogue, offering: Offering) -> EnvironmentsAnswer:
    """The team's environments at the offering's time, in the registry's order."""
    sizes = Sizes(menu(tenant, catalogue), catalogue.cards, offering.driver)
    mine = usable(tenant.name, offering.environments)
    return {"tenant": tenant.name, "environments": [_environment(each, sizes, offering.now) for each in mine]}


def _environment(environment: Environment, sizes: Sizes, now: float) -> EnvironmentAnswer:
    first = environment.first_choice(now)
    return {
        "environment": environment.name,
        "display_name": environment.display_name,
        "description": environment.description,
        "kind": environment.kind.value,
        "first": None if first is None else first.name,
        "versions": [_version(each, now) for each in environment.versions.values()],
        "profiles": _profiles(environment, sizes),
    }


def _version(version: Version, now: float) -> EnvironmentVersionAnswer:
    return {
        "version": version.name,
        "image": version.image,
        "state": version.state.value,
        "until": None if version.until is None else iso(version.until),
        "successor": version.successor,
        "why": version.why,
        "startable": version.startable(now),
        "packages": None if version.packages is None else dict(version.packages),
    }


def _profiles(environment: Environment, sizes: Sizes) -> list[PairingAnswer]:
    return [
        {
            "profile": name,
            "fit": pairing.fit.value,
            "why": misfit_words(pairing) if pairing.fit.value == "refuses" else pairing.why,
            "instead": pairing.instead,
        }
        for name, pairing in pairings(environment.needs, sizes).items()
    ]
