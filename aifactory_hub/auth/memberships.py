"""What is kept of a sign-in: tenants and roles, under one key of JupyterHub's encrypted auth_state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..domain.leaving import Standing
from ..domain.tenants import Role

KEY = "aifactory"
VERSION = 1

_ROLES = {role.label: role for role in Role}


@dataclass(frozen=True, slots=True)
class Kept:
    """What the identity provider said last. Times are epoch seconds.

    ``left`` says since when teams are left. ``session`` is the provider's session (sid), ``session_ends`` when its
    refresh token ends by itself. ``in_doubt``: the last renewal got no answer. ``standing`` is other than KNOWN when
    the session is over.
    """

    subject: str
    issuer: str
    tenants: Mapping[str, Role]
    resolved_at: float
    left: Mapping[str, float] = field(default_factory=dict)
    session: str | None = None
    session_ends: float | None = None
    signed_out: bool = False
    in_doubt: bool = False
    standing: Standing = Standing.KNOWN

    def standing_at(self, now: float, stale_grace: float) -> Standing:
        """What is known at ``now``: the provider's word counts for ``stale_grace`` seconds."""
        if self.standing is Standing.KNOWN and now - self.resolved_at >= stale_grace:
            return Standing.UNKNOWN
        return self.standing

    def closed(self, standing: Standing) -> Kept:
        """The same with its session over."""
        return replace(self, standing=standing)

    def to_auth_state(self) -> dict[str, Any]:
        """The value under KEY."""
        return {
            "v": VERSION,
            "sub": self.subject,
            "iss": self.issuer,
            "tenants": {tenant: role.label for tenant, role in sorted(self.tenants.items())},
            "resolved_at": self.resolved_at,
            "left": dict(self.left),
            "sid": self.session,
            "session_ends": self.session_ends,
            "signed_out": self.signed_out,
            "in_doubt": self.in_doubt,
            "standing": self.standing.value,
        }


def read_kept(auth_state: Mapping[str, Any] | None) -> Kept | None:
    """What is kept; None when nothing is, or it is of another version or not understood: deny unless allowed."""
    kept = (auth_state or {}).get(KEY)
    if not isinstance(kept, Mapping) or kept.get("v") != VERSION or not isinstance(kept.get("tenants"), Mapping):
        return None
    try:
        return Kept(
            subject=str(kept["sub"]),
            issuer=str(kept["iss"]),
            tenants={tenant: _ROLES[role] for tenant, role in kept["tenants"].items() if role in _ROLES},
            resolved_at=float(kept["resolved_at"]),
            left={str(tenant): float(at) for tenant, at in (kept.get("left") or {}).items()},
            session=kept.get("sid"),
            session_ends=kept.get("session_ends"),
            signed_out=kept.get("signed_out") is True,
            in_doubt=kept.get("in_doubt") is True,
            standing=Standing(kept.get("standing", Standing.KNOWN.value)),
        )
    except (KeyError, TypeError, ValueError):
        return None


def from_auth_state(auth_state: Mapping[str, Any] | None) -> dict[str, Role]:
    """Tenant -> role as the identity provider said at the last refresh; nothing once the session is over."""
    kept = read_kept(auth_state)
    return dict(kept.tenants) if kept is not None and kept.standing is Standing.KNOWN else {}
