"""What is kept of a sign-in: tenants and roles, under one key of JupyterHub's encrypted auth_state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..domain.mapping import TenantMapping
from ..domain.membership_policy import SessionStatus
from ..domain.tenants import Role

KEY = "aifactory"
VERSION = 1
# More groups than this are not kept: auth_state is read at every request.
_MOST_GROUPS = 200

_ROLES = {role.label: role for role in Role}


@dataclass(frozen=True, slots=True)
class StoredSession:
    """What the identity provider said last. Times are epoch seconds.

    ``session`` is the provider's session (sid), ``session_ends`` when its refresh token ends by itself. ``in_doubt``:
    the last renewal got no answer. ``standing`` is other than KNOWN when the session is over. ``groups`` are those that
    a rule claims, None when they are not known or too many: see ``roles_by``. ``email`` is the address that the
    provider gives, None where it says that it has not verified it; ``email_verified``: it says that it has.
    """

    subject: str
    issuer: str
    tenants: Mapping[str, Role]
    resolved_at: float
    session: str | None = None
    session_ends: float | None = None
    signed_out: bool = False
    in_doubt: bool = False
    standing: SessionStatus = SessionStatus.KNOWN
    groups: tuple[str, ...] | None = None
    email: str | None = None
    email_verified: bool = False

    def standing_at(self, now: float, stale_grace: float) -> SessionStatus:
        """What is known at ``now``: the provider's word counts for ``stale_grace`` seconds."""
        if self.standing is SessionStatus.KNOWN and now - self.resolved_at >= stale_grace:
            return SessionStatus.UNKNOWN
        return self.standing

    def closed(self, standing: SessionStatus) -> StoredSession:
        """The same with its session over."""
        return replace(self, standing=standing)

    def roles_by(self, mapping: TenantMapping) -> dict[str, Role]:
        """The roles that were resolved, less what the registry's rules of today no longer give.

        So that a rule that was removed takes a team away although the provider cannot be asked.
        """
        if self.groups is None:
            return {tenant: role for tenant, role in self.tenants.items() if tenant in mapping.tenants}
        today = mapping.roles(self.groups)
        return {tenant: min(role, today[tenant]) for tenant, role in self.tenants.items() if tenant in today}

    def approves_by(self, mapping: TenantMapping) -> tuple[str, ...]:
        """The groups of approvers that they are in, by the registry of today; none while their groups are not known."""
        return mapping.approver_groups(self.groups or ())

    def address(self, *, trust_unverified: bool) -> str | None:
        """The address that messages to this person go to. None where the provider gives none, has closed the account,
        or has not said that it is verified and ``trust_unverified`` is off."""
        if self.standing is SessionStatus.ENDED:
            return None
        return self.email if self.email_verified or trust_unverified else None

    @property
    def unverified(self) -> bool:
        """Whether there is an address of which the provider does not say whether it is verified."""
        return self.email is not None and not self.email_verified and self.standing is not SessionStatus.ENDED

    def to_auth_state(self) -> dict[str, Any]:
        """The value under KEY."""
        return {
            "v": VERSION,
            "sub": self.subject,
            "iss": self.issuer,
            "tenants": {tenant: role.label for tenant, role in sorted(self.tenants.items())},
            "resolved_at": self.resolved_at,
            "sid": self.session,
            "session_ends": self.session_ends,
            "signed_out": self.signed_out,
            "in_doubt": self.in_doubt,
            "standing": self.standing.value,
            "groups": None if self.groups is None else list(self.groups),
            "email": self.email,
            "email_verified": self.email_verified,
        }


def read_kept(auth_state: Mapping[str, Any] | None) -> StoredSession | None:
    """What is kept; None when nothing is, or it is of another version or not understood: deny unless allowed."""
    kept = (auth_state or {}).get(KEY)
    if not isinstance(kept, Mapping) or kept.get("v") != VERSION or not isinstance(kept.get("tenants"), Mapping):
        return None
    try:
        return StoredSession(
            subject=str(kept["sub"]),
            issuer=str(kept["iss"]),
            tenants={tenant: _ROLES[role] for tenant, role in kept["tenants"].items() if role in _ROLES},
            resolved_at=float(kept["resolved_at"]),
            session=kept.get("sid"),
            session_ends=kept.get("session_ends"),
            signed_out=kept.get("signed_out") is True,
            in_doubt=kept.get("in_doubt") is True,
            standing=SessionStatus(kept.get("standing", SessionStatus.KNOWN.value)),
            groups=_texts(kept.get("groups")),
            email=email if isinstance(email := kept.get("email"), str) else None,
            email_verified=kept.get("email_verified") is True,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _texts(value: Any) -> tuple[str, ...] | None:
    return tuple(str(item) for item in value) if isinstance(value, list) else None


def claimed_groups(groups: Sequence[str], mapping: TenantMapping) -> tuple[str, ...] | None:
    """Those of the groups that a rule claims, for ``StoredSession.groups``; None when they are too many to be kept."""
    claimed = tuple(mapping.claimed(groups))
    return claimed if len(claimed) <= _MOST_GROUPS else None


def from_auth_state(auth_state: Mapping[str, Any] | None) -> dict[str, Role]:
    """Tenant -> role as the identity provider said at the last refresh; nothing once the session is over."""
    kept = read_kept(auth_state)
    return dict(kept.tenants) if kept is not None and kept.standing is SessionStatus.KNOWN else {}
