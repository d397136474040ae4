"""JupyterHub's scopes and roles, rendered from the tenant registry: pure functions, nothing written twice.

A role is attached to a hub group, and the authenticator manages the groups, so that rights follow the identity
provider. Nobody gets ``groups``, ``tokens`` or ``admin:auth_state``: with ``groups`` one could join a tenant until
the next refresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..constants import (
    APPROVERS_GROUP,
    JOB_SCOPES,
    SCOPE_CANCEL,
    SCOPE_MEMBERSHIPS,
    SCOPE_PLATFORM,
    SCOPE_PREDICT,
    SCOPE_READ,
    SCOPE_STOP_IDLE,
    SCOPE_SUBMIT,
    SERVICE_NAME,
)

ACCESS_SERVICE = f"access:services!service={SERVICE_NAME}"

_DESCRIPTIONS = {
    SCOPE_SUBMIT: "Submit jobs into the team",
    SCOPE_READ: "Read the team's jobs that one may see",
    SCOPE_CANCEL: "Cancel one's jobs in the team",
    SCOPE_PREDICT: "Ask the team's deployments",
    SCOPE_MEMBERSHIPS: "Ask which teams people are in",
    SCOPE_STOP_IDLE: "Stop servers that are idle",
}


def tenant_filter(tenant: str) -> str:
    """The suffix that narrows a scope to one tenant."""
    return f"!group=tenant-{tenant}"


def custom_scopes() -> dict[str, dict[str, Any]]:
    """``c.JupyterHub.custom_scopes``."""
    return {scope: {"description": text} for scope, text in _DESCRIPTIONS.items()}


def load_roles(tenants: Iterable[str]) -> list[dict[str, Any]]:
    """``c.JupyterHub.load_roles`` for these tenants, and the role of the service."""
    return [role for tenant in sorted(tenants) for role in tenant_roles(tenant)] + [_approver_role(), _service_role()]


def tenant_roles(tenant: str) -> list[dict[str, Any]]:
    """The roles of one tenant, each with the hub groups that have it."""
    group, narrowed = f"tenant-{tenant}", tenant_filter(tenant)
    return [
        {
            "name": f"tenant-{tenant}-member",
            "description": f"Starts servers and jobs in team {tenant}",
            "scopes": [ACCESS_SERVICE, *(scope + narrowed for scope in JOB_SCOPES)],
            "groups": [group],
        },
        {
            "name": f"tenant-{tenant}-viewer",
            "description": f"Sees jobs of team {tenant}",
            "scopes": [ACCESS_SERVICE, SCOPE_READ + narrowed],
            "groups": [f"{group}-viewer"],
        },
        {
            # No right over members' servers: a filter by group covers their servers in other tenants as well.
            "name": f"tenant-{tenant}-admin",
            "description": f"Sees who is in team {tenant}",
            "scopes": [f"list:users{narrowed}", f"read:users:activity{narrowed}"],
            "groups": [f"{group}-admin"],
        },
    ]


def _approver_role() -> dict[str, Any]:
    return {
        "name": f"{SERVICE_NAME}-approver",
        "description": "Approves what a rule of the site holds, also without a team",
        "scopes": [ACCESS_SERVICE],
        "groups": [APPROVERS_GROUP],
    }


def _service_role() -> dict[str, Any]:
    return {
        "name": f"{SERVICE_NAME}-service",
        "description": "What the job service may do at the hub: see who exists and in which groups, stop idle servers",
        "scopes": ["list:users", "read:users:name", "read:users:groups", SCOPE_MEMBERSHIPS, SCOPE_STOP_IDLE],
        "services": [SERVICE_NAME],
    }


def server_token_scopes() -> list[str]:
    """What a server's token asks for at first; the spawner then drops all but the server's own tenant."""
    return ["access:servers!server", "users:activity!user", ACCESS_SERVICE, *JOB_SCOPES]


def session_scopes() -> list[str]:
    """Scopes that a browser's session at the service asks for; the hub grants those that its person has, by team."""
    return [ACCESS_SERVICE, *JOB_SCOPES, SCOPE_PLATFORM]


def keep_tenant(scopes: Iterable[str], tenant: str) -> list[str]:
    """The scopes without those of other tenants; a job scope without a tenant's filter is dropped too."""
    own = tenant_filter(tenant)
    return sorted(
        scope
        for scope in scopes
        if scope.endswith(own) or ("!group=" not in scope and not scope.startswith(JOB_SCOPES))
    )
