"""Tenants that left the registry, and of which something may still run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from .model import Registry


@dataclass(eq=False)
class GoneTenants:
    """Remembers them until nothing of them runs, and calls each of ``forget`` with the name then."""

    forget: tuple[Callable[[str], None], ...]
    names: set[str] = field(default_factory=set)

    def follow(self, old: Registry, new: Registry) -> None:
        """A listener of the registry's provider."""
        self.names = (self.names | old.tenants.keys()) - new.tenants.keys()

    def forget_unused(self, in_use: Collection[str]) -> None:
        """Forget those that are not ``in_use``."""
        for name in sorted(self.names.difference(in_use)):
            for forget in self.forget:
                forget(name)
            self.names.discard(name)
