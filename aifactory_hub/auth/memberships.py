"""What is kept of a sign-in: tenants and roles, under one key of JupyterHub's encrypted auth_state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..domain.tenants import Role

KEY = "aifactory"
VERSION = 1


def to_auth_state(memberships: Mapping[str, Role], *, subject: str, issuer: str, resolved_at: float) -> dict[str, Any]:
    """The value kept; ``resolved_at`` in epoch seconds is when the identity provider said so."""
    return {
        "v": VERSION,
        "sub": subject,
        "iss": issuer,
        "tenants": {tenant: role.label for tenant, role in sorted(memberships.items())},
        "resolved_at": resolved_at,
    }


def from_auth_state(auth_state: Mapping[str, Any] | None) -> dict[str, Role]:
    """Tenant -> role as the identity provider said at the last refresh.

    What is missing, of another version or not understood gives no membership: deny unless allowed.
    """
    kept = (auth_state or {}).get(KEY)
    if not isinstance(kept, Mapping) or kept.get("v") != VERSION or not isinstance(kept.get("tenants"), Mapping):
        return {}
    labels = {role.label: role for role in Role}
    return {tenant: labels[role] for tenant, role in kept["tenants"].items() if role in labels}
