"""Every expected "no", as a value that says why and with which numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RefusalReason(StrEnum):
    """Stable slugs: they appear in API answers and metrics, so a published one never changes its meaning."""

    NOT_A_MEMBER = "not-a-member"
    ROLE_TOO_LOW = "role-too-low"
    UNKNOWN_TENANT = "unknown-tenant"
    UNKNOWN_PROFILE = "unknown-profile"
    PROFILE_NOT_ALLOWED = "profile-not-allowed"
    CHOICE_MISSING = "choice-missing"
    BAD_FIELD = "bad-field"
    QUOTA_EXCEEDED = "quota-exceeded"
    NEVER_FITS = "never-fits"
    USER_LIMIT = "user-limit"
    TENANT_UNAVAILABLE = "tenant-unavailable"
    QUOTA_UNKNOWN = "quota-unknown"
    TOO_LARGE = "too-large"
    IDEMPOTENCY_CONFLICT = "idempotency-conflict"
    NO_ROOM = "no-room"
    DISK_FULL = "disk-full"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not happen now, for a person (``message``) and for a program (the rest).

    ``resource``, ``asked``, ``used`` and ``limit`` are set for quota refusals: the device resource in question
    and how many. ``fits_now`` names the profiles that the person could take instead this minute.
    """

    reason: RefusalReason
    message: str
    field: str | None = None
    resource: str | None = None
    flavor: str | None = None
    asked: int | None = None
    used: int | None = None
    limit: int | None = None
    fits_now: tuple[str, ...] = ()
