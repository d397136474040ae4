"""Environments: what a server is, at which version, and on which profiles it fits. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .formatting import moment
from .refusals import Refusal, RefusalReason
from .tenants import Tenant

# Between the name of an environment and its version, in forms, options and answers.
AT = "@"


class Kind(StrEnum):
    """What answers in the browser."""

    LAB = "lab"
    CODE = "code"
    MARIMO = "marimo"
    COMMAND = "command"


class State(StrEnum):
    """How a version stands. DEPRECATED may be started until its day, BLOCKED may not."""

    CURRENT = "current"
    DEPRECATED = "deprecated"
    BLOCKED = "blocked"


class GpuUse(StrEnum):
    """Whether an environment's programs use a GPU."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an environment. ``until`` (seconds since 1970) ends a deprecated one, ``successor`` names the
    version that follows, ``packages`` are those of its lock file; None: it has none."""

    name: str
    image: str
    state: State = State.CURRENT
    until: float | None = None
    successor: str | None = None
    why: str = ""
    packages: Mapping[str, str] | None = None

    def startable(self, now: float) -> bool:
        """Whether a server may start with it."""
        return self.state is not State.BLOCKED and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True)
class Needs:
    """The least that an environment needs. ``memory_bytes`` is of the server, ``device_bytes`` of one GPU or slice;
    ``driver`` is the oldest version of NVIDIA's driver, as numbers. None: it says nothing of it."""

    memory_bytes: int | None = None
    gpu: GpuUse = GpuUse.OPTIONAL
    driver: tuple[int, ...] | None = None
    device_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """What a server is made of. ``versions`` are in the order of the registry, ``teams`` None means all teams.

    ``command`` is what a server of the kind COMMAND runs; ``hooks`` run before each server, as the person.
    ``reports`` says that servers tell whether they are used.
    """

    name: str
    display_name: str
    kind: Kind
    versions: Mapping[str, Version]
    description: str = ""
    needs: Needs = Needs()
    teams: tuple[str, ...] | None = None
    hooks: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    reports: bool = True

    def first_choice(self, now: float) -> Version | None:
        """The version that is offered first: the first that is current, else the first that may start."""
        versions = self.versions.values()
        current = (each for each in versions if each.state is State.CURRENT)
        return next(current, None) or next((each for each in versions if each.startable(now)), None)


@dataclass(frozen=True, slots=True)
class Choice:
    """An environment at a version: what a server has until it ends."""

    environment: Environment
    version: Version

    @property
    def name(self) -> str:
        """``lab-torch@2026.11``"""
        return f"{self.environment.name}{AT}{self.version.name}"


@dataclass(frozen=True, slots=True)
class PackageChange:
    """One package that two versions do not share alike; None where one has it not."""

    package: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Offering:
    """The environments of a site at ``now`` (seconds since 1970), with the driver of its nodes. None: not known."""

    environments: Mapping[str, Environment] = field(default_factory=dict)
    driver: tuple[int, ...] | None = None
    now: float = 0.0


def usable(tenant: str, environments: Mapping[str, Environment]) -> tuple[Environment, ...]:
    """The environments that a team may start, in the registry's order."""
    return tuple(each for each in environments.values() if each.teams is None or tenant in each.teams)


def choose_environment(
    asked: str | None, tenant: Tenant, environments: Mapping[str, Environment], now: float
) -> Choice | Refusal | None:
    """The environment and version that were asked for, as ``name`` or ``name@version``; None where the site has none.

    Without a version it is the current one; without a name, the team's first environment. A version that is blocked,
    or deprecated and past its day, is refused with its reason and what follows it.
    """
    if not environments:
        if asked:
            message = f"There is no environment {asked!r}: this site has but one, so leave it out."
            return Refusal(RefusalReason.BAD_FIELD, message, field="environment")
        return None
    mine = {each.name: each for each in usable(tenant.name, environments)}
    if not mine:
        message = f"Team {tenant.name} has no environment to start. Ask an administrator of the hub."
        return Refusal(RefusalReason.ENVIRONMENT_NOT_ALLOWED, message, field="environment")
    name, _, version = (asked or next(iter(mine))).partition(AT)
    if name not in mine:
        message = f"Team {tenant.name} has no environment {name!r}. Its environments: {', '.join(mine)}."
        return Refusal(RefusalReason.ENVIRONMENT_NOT_ALLOWED, message, field="environment")
    return choose_version(mine[name], version, now)


def choose_version(environment: Environment, asked: str, now: float) -> Choice | Refusal:
    """A version that may start; "" asks for the current one."""
    if not asked:
        first = environment.first_choice(now)
        if first is None or not first.startable(now):
            message = f"No version of {environment.name} may be started now. Ask an administrator of the hub."
            return Refusal(RefusalReason.ENVIRONMENT_BLOCKED, message, field="environment")
        return Choice(environment, first)
    version = environment.versions.get(asked)
    if version is None:
        known = ", ".join(environment.versions)
        message = f"{environment.name} has no version {asked!r}. Its versions: {known}."
        return Refusal(RefusalReason.ENVIRONMENT_NOT_ALLOWED, message, field="environment")
    if not version.startable(now):
        return Refusal(RefusalReason.ENVIRONMENT_BLOCKED, _ended(environment, version), field="environment")
    return Choice(environment, version)


def _ended(environment: Environment, version: Version) -> str:
    what = "is blocked" if version.until is None or version.state is State.BLOCKED else "has ended"
    why = f": {version.why.rstrip('.')}" if version.why else ""
    instead = f" Choose {environment.name}{AT}{version.successor}." if version.successor else ""
    return f"{environment.name} {version.name} {what}{why}.{instead}"


def version_words(version: Version) -> str:
    """How a version stands, in a few words; "" for one that is current."""
    why = f" ({version.why.rstrip('.')})" if version.why else ""
    if version.state is State.BLOCKED:
        return f"blocked{why}"
    if version.state is State.DEPRECATED:
        until = "" if version.until is None else f" until {moment(version.until - 1)[:10]}"
        return f"deprecated{until}{why}"
    return ""


@dataclass(frozen=True, slots=True)
class Succession:
    """What follows the version that somebody had. ``changes`` are of packages; None where a lock is missing."""

    before: Version
    after: Version
    changes: tuple[PackageChange, ...] | None = field(default=None)


def succession(environment: Environment, version: str, now: float) -> Succession | None:
    """The newest version that follows ``version`` and may start; None when nothing follows it."""
    before = environment.versions.get(version)
    seen, after = {version}, None
    following = None if before is None else before.successor
    while following is not None and following not in seen and following in environment.versions:
        seen.add(following)
        found = environment.versions[following]
        after = found if found.startable(now) else after
        following = found.successor
    if before is None or after is None:
        return None
    known = before.packages is not None and after.packages is not None
    return Succession(before, after, package_changes(before.packages or {}, after.packages or {}) if known else None)


def package_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[PackageChange, ...]:
    """Packages that came, went or have another version, by name."""
    return tuple(
        PackageChange(name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def changes_words(changes: Sequence[PackageChange] | None, most: int = 4) -> str:
    """``2 packages differ: numpy 1.26 to 2.1, torch new``"""
    if changes is None:
        return "which packages differ is not known"
    if not changes:
        return "the packages are the same"
    told = [_change_words(each) for each in changes[:most]]
    more = f" and {len(changes) - most} more" if len(changes) > most else ""
    noun = "package differs" if len(changes) == 1 else "packages differ"
    return f"{len(changes)} {noun}: {', '.join(told)}{more}"


def _change_words(change: PackageChange) -> str:
    if change.before is None:
        return f"{change.package} {change.after} is new"
    if change.after is None:
        return f"{change.package} is gone"
    return f"{change.package} {change.before} to {change.after}"
