"""May a ticket be filed? The last question before anything reaches the queue, asked for servers and jobs alike."""

from __future__ import annotations

from .refusals import Refusal, RefusalReason
from .team_end import review_retirement
from .tenants import Tenant
from .tickets import TicketRequest


def review_menu(request: TicketRequest, tenant: Tenant | None, now: float) -> Refusal | None:
    """Why the ticket may not be filed: its team or its profile was taken away since it was asked for, or the team has
    ended. None: it may be.

    What runs already goes on: its ticket is filed so that it is counted.
    """
    if request.running:
        return None
    if tenant is None:
        message = f"Team {request.tenant} is not in tenants.yaml any more, so nothing new starts there."
        return Refusal(RefusalReason.TENANT_UNAVAILABLE, message, field="tenant")
    if (ended := review_retirement(tenant, now)) is not None:
        return ended
    if request.profile not in tenant.profiles:
        choices = ", ".join(tenant.profiles)
        message = f"Team {tenant.name} has no profile {request.profile!r} any more. Its profiles: {choices}."
        return Refusal(RefusalReason.PROFILE_NOT_ALLOWED, message, field="profile")
    return None
