"""The engines of this installation, by name: from entry points, so that one more is a package away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from ..domain.engines import EngineFacts, EngineNeeds
from .base import Engine, EngineUnavailable, Site
from .serving.kubernetes import NEEDS

# Each names a callable that is given a Site and returns a Engine.
GROUP = "aifactory_hub.engines"


class UnknownEngine(Exception):
    """tenants.yaml names an engine that no installed package brings, or one that can't work here."""


class Engines:
    """Those that jobs may ask for; the first is the one of jobs that ask for none."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        self._by_name = {engine.facts.name: engine for engine in engines}

    @property
    def facts(self) -> Mapping[str, EngineFacts]:
        """What may be asked of each, by name."""
        return {name: engine.facts for name, engine in self._by_name.items()}

    def of(self, name: str | None) -> Engine:
        """The engine of a job. Raises EngineUnavailable for one that was taken away while a job of it goes on:
        of that job nothing is known, so nothing may be concluded."""
        if name is None:
            return next(iter(self))
        if name not in self._by_name:
            raise EngineUnavailable(f"engine {name} is not set up here any more (jobs.engines in tenants.yaml)")
        return self._by_name[name]

    def __iter__(self) -> Iterator[Engine]:
        return iter(self._by_name.values())

    async def pods_gone(self, tenant: str, run_id: str) -> bool:
        """Whether no engine has a pod of the run. Raises EngineUnavailable."""
        return all([await engine.pods_gone(tenant, run_id) for engine in self])

    async def close(self) -> None:
        """Let go of all connections."""
        await asyncio.gather(*(engine.close() for engine in self))


def load_engines(names: Iterable[str], site: Site) -> Engines:
    """The engines of these names, in this order. Raises UnknownEngine."""
    installed = {point.name: point for point in entry_points(group=GROUP)}
    return Engines([_load(name, installed, site) for name in names])


def engine_needs(names: Iterable[str]) -> list[EngineNeeds]:
    """What the engines of these names need in a team's vCluster: their ``needs``, nothing for an engine without.

    Raises UnknownEngine.
    """
    installed = {point.name: point for point in entry_points(group=GROUP)}
    return [getattr(_find(name, installed), "needs", EngineNeeds()) for name in names]


def needs_of_site(names: Iterable[str], *, deployments: bool) -> list[EngineNeeds]:
    """The same, with what deployments need where the site has them. Raises UnknownEngine."""
    return [*engine_needs(names), *([NEEDS] if deployments else [])]


def _find(name: str, installed: Mapping[str, EntryPoint]) -> Callable[[Site], Engine]:
    if name not in installed:
        raise UnknownEngine(f"jobs.engines: there is no engine {name!r}. Installed: {', '.join(sorted(installed))}.")
    found: Callable[[Site], Engine] = installed[name].load()
    return found


def _load(name: str, installed: Mapping[str, EntryPoint], site: Site) -> Engine:
    make = _find(name, installed)
    try:
        made = make(site)
    except ValueError as error:
        raise UnknownEngine(f"jobs.engines: {error}") from error
    return made
