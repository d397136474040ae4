"""Who asks, and for which tenants: decided from what the hub says of a token, without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jupyterhub.services.auth import check_scopes

from ...constants import SCOPE_PLATFORM, SCOPE_READ
from ...domain.refusals import Refusal, RefusalReason
from ...domain.tenants import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """A token's owner. ``scopes`` are the token's; ``roles`` are the owner's, by tenant, as the provider said last.

    ``admin``: the owner is an administrator of the hub, whatever the token is for. ``approves`` are the groups of
    approvers that the owner is in.
    """

    name: str
    scopes: frozenset[str]
    roles: Mapping[str, Role] = field(default_factory=dict)
    admin: bool = False
    approves: frozenset[str] = frozenset()

    @property
    def administers_platform(self) -> bool:
        """Whether this is an administrator of the hub, with a token that is for administrating: a notebook's is not."""
        return self.admin and bool(check_scopes({SCOPE_PLATFORM}, set(self.scopes)))

    def tenants(self, scope: str, known: Iterable[str]) -> tuple[str, ...]:
        """Those of the ``known`` tenants for which the token has ``scope`` and its owner the role that it takes.

        Always asked with the tenant's filter: the bare scope is met by nobody who has only a filtered one.
        """
        least = Role.VIEWER if scope == SCOPE_READ else Role.MEMBER
        return tuple(
            t
            for t in known
            if t in self.roles
            and self.roles[t] >= least
            and check_scopes({f"{scope}!group=tenant-{t}"}, set(self.scopes))
        )

    def administers(self, tenant: str) -> bool:
        """Whether the user is an admin of the tenant."""
        return self.roles.get(tenant) is Role.ADMIN


def is_token_of(caller: Caller, server: str) -> bool:
    """Whether the token is that of the caller's own running server of this name, which may reach no other."""
    return f"access:servers!server={caller.name}/{server}" in caller.scopes


def choose_tenant(asked: str | None, allowed: Sequence[str]) -> str | Refusal:
    """The tenant to act in. A tenant that is not allowed and one that does not exist are refused in the same words."""
    if not allowed:
        message = "Your token is for no team. In a notebook, restart your server after you joined a team."
        return Refusal(RefusalReason.NOT_A_MEMBER, message, field="tenant")
    choices = ", ".join(allowed)
    if asked is None:
        if len(allowed) == 1:
            return allowed[0]
        message = f"Your token is for several teams: say which. Choices: {choices}."
        return Refusal(RefusalReason.CHOICE_MISSING, message, field="tenant")
    if asked not in allowed:
        message = f"Your token is not for team {asked!r}. It is for: {choices}."
        return Refusal(RefusalReason.NOT_A_MEMBER, message, field="tenant")
    return asked
