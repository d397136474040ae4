"""What a new tenants.yaml changes, and which of it can't change while the hub and the job service run: pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from .model import Registry
from .problems import Path, show_path

_SECTIONS = (
    *("cluster", "identity", "addresses", "notebook", "jobs"),
    *("isolation", "site", "billing", "approvals", "policies", "git", "telemetry", "idle", "deployments"),
    *("self_service", "notifications"),
)
# What the registry has under another name than the file.
_KEYS: dict[Path, Path] = {("identity", "rules"): ("identity", "tenant_mapping")}
# What is read once, when a process starts: it marks objects, is registered at the identity provider, stands in the
# environment of servers and jobs that run, or says which parts there are.
FIXED: frozenset[Path] = frozenset(
    {
        ("hub",),
        ("identity", "issuer"),
        ("identity", "client_id"),
        ("identity", "username_claim"),
        ("identity", "scopes"),
        ("addresses", "hub_api"),
        ("addresses", "service"),
        ("addresses", "public"),
        ("jobs", "engines"),
        ("deployments", "enabled"),
    }
)


@dataclass(frozen=True, slots=True)
class Update:
    """``added``, ``changed`` and ``removed`` are teams, ``settings`` other keys that have another value.

    ``fixed`` are keys that only a restart changes. While there is one, nothing of the new file is taken.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    fixed: tuple[Path, ...] = ()

    def text(self) -> str:
        """What is other than before, in a line for the log."""
        told = [
            f"{_teams(names)} {verb}"
            for names, verb in ((self.added, "added"), (self.changed, "changed"), (self.removed, "removed"))
            if names
        ]
        if self.settings:
            told.append(f"{', '.join(self.settings)} changed")
        return "; ".join(told) or "nothing that counts changed"


def update_of(old: Registry, new: Registry) -> Update:
    """What ``new`` changes of ``old``."""
    both = [name for name in new.tenants if name in old.tenants]
    paths = list(_changed_keys(old, new))
    moved = [("tenants", name, "vcluster") for name in both if old.tenants[name].vcluster != new.tenants[name].vcluster]
    return Update(
        added=tuple(name for name in new.tenants if name not in old.tenants),
        changed=tuple(name for name in both if old.tenants[name] != new.tenants[name]),
        removed=tuple(name for name in old.tenants if name not in new.tenants),
        settings=tuple(show_path(path) for path in paths),
        fixed=(*(path for path in paths if path in FIXED), *moved),
    )


def lost_teams(old: Registry, new: Registry) -> tuple[str, ...]:
    """Teams that are gone from ``new`` with nobody having said so: several at once, as when a folder was not mounted.

    One alone may leave. Those that ``retired`` names are gone on purpose.
    """
    gone = tuple(name for name in old.tenants if name not in new.tenants and name not in new.retired)
    return gone if len(gone) > 1 else ()


def _changed_keys(old: Registry, new: Registry) -> Iterator[Path]:
    if old.hub != new.hub:
        yield ("hub",)
    for section in _SECTIONS:
        before, after = getattr(old, section), getattr(new, section)
        for field in fields(before):
            if getattr(before, field.name) != getattr(after, field.name):
                path = (section, field.name)
                yield _KEYS.get(path, path)
    if old.catalogue != new.catalogue:
        yield ("profiles",)
    if old.granted != new.granted:
        yield ("tenants",)
    if old.retired != new.retired:
        yield ("retired",)
    if old.environments != new.environments:
        yield ("environments",)


def _teams(names: tuple[str, ...]) -> str:
    return f"{'team' if len(names) == 1 else 'teams'} {', '.join(names)}"
