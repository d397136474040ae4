"""Every expected "no", as a value that says why and with which numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any


class RefusalReason(StrEnum):
    """Stable slugs: they appear in API answers and metrics, so a published one never changes its meaning."""

    NOT_A_MEMBER = "not-a-member"
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
    POLICY = "policy"
    NOT_REGISTRABLE = "not-registrable"
    NOT_VERIFIED = "not-verified"
    QUARANTINED = "quarantined"
    ALIAS_FROZEN = "alias-frozen"
    ALIAS_MOVED = "alias-moved"
    NEVER_HELD = "never-held"
    BUDGET = "budget"
    BUDGET_UNKNOWN = "budget-unknown"
    ENVIRONMENT_NOT_ALLOWED = "environment-not-allowed"
    ENVIRONMENT_BLOCKED = "environment-blocked"
    DOES_NOT_FIT = "does-not-fit"
    SECRET_MISSING = "secret-missing"  # noqa: S105 - a slug
    NO_DEPLOYMENTS = "no-deployments"
    NOT_SERVING = "not-serving"
    TEAM_RETIRED = "team-retired"
    NO_SELF_SERVICE = "no-self-service"
    TEAM_EXISTS = "team-exists"
    TEAM_UNKNOWN = "team-unknown"
    ABOVE_TEMPLATE = "above-template"
    NOT_ENOUGH_LEFT = "not-enough-left"
    TOO_MANY_TEAMS = "too-many-teams"

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status that goes with it, whoever answers."""
        return _STATUS[self]


_STATUS: Mapping[RefusalReason, HTTPStatus] = {
    RefusalReason.NOT_A_MEMBER: HTTPStatus.FORBIDDEN,
    RefusalReason.PROFILE_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    RefusalReason.CHOICE_MISSING: HTTPStatus.BAD_REQUEST,
    RefusalReason.BAD_FIELD: HTTPStatus.BAD_REQUEST,
    RefusalReason.QUOTA_EXCEEDED: HTTPStatus.CONFLICT,
    RefusalReason.NEVER_FITS: HTTPStatus.CONFLICT,
    RefusalReason.USER_LIMIT: HTTPStatus.CONFLICT,
    RefusalReason.TENANT_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    RefusalReason.QUOTA_UNKNOWN: HTTPStatus.SERVICE_UNAVAILABLE,
    RefusalReason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RefusalReason.IDEMPOTENCY_CONFLICT: HTTPStatus.CONFLICT,
    RefusalReason.NO_ROOM: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RefusalReason.DISK_FULL: HTTPStatus.INSUFFICIENT_STORAGE,
    RefusalReason.POLICY: HTTPStatus.FORBIDDEN,
    RefusalReason.NOT_REGISTRABLE: HTTPStatus.CONFLICT,
    RefusalReason.NOT_VERIFIED: HTTPStatus.CONFLICT,
    RefusalReason.QUARANTINED: HTTPStatus.CONFLICT,
    RefusalReason.ALIAS_FROZEN: HTTPStatus.CONFLICT,
    RefusalReason.ALIAS_MOVED: HTTPStatus.CONFLICT,
    RefusalReason.NEVER_HELD: HTTPStatus.CONFLICT,
    RefusalReason.BUDGET: HTTPStatus.CONFLICT,
    RefusalReason.BUDGET_UNKNOWN: HTTPStatus.SERVICE_UNAVAILABLE,
    RefusalReason.ENVIRONMENT_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    RefusalReason.ENVIRONMENT_BLOCKED: HTTPStatus.CONFLICT,
    RefusalReason.DOES_NOT_FIT: HTTPStatus.CONFLICT,
    RefusalReason.SECRET_MISSING: HTTPStatus.CONFLICT,
    RefusalReason.NO_DEPLOYMENTS: HTTPStatus.CONFLICT,
    RefusalReason.NOT_SERVING: HTTPStatus.CONFLICT,
    RefusalReason.TEAM_RETIRED: HTTPStatus.CONFLICT,
    RefusalReason.NO_SELF_SERVICE: HTTPStatus.CONFLICT,
    RefusalReason.TEAM_EXISTS: HTTPStatus.CONFLICT,
    RefusalReason.TEAM_UNKNOWN: HTTPStatus.NOT_FOUND,
    RefusalReason.ABOVE_TEMPLATE: HTTPStatus.CONFLICT,
    RefusalReason.NOT_ENOUGH_LEFT: HTTPStatus.CONFLICT,
    RefusalReason.TOO_MANY_TEAMS: HTTPStatus.CONFLICT,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not happen now, for a person (``message``) and for a program (the rest).

    ``resource``, ``asked``, ``used`` and ``limit`` are set for quota refusals: the device resource in question
    and how many. ``fits_now`` names the profiles that the person could take instead this minute. ``findings`` are what
    all rules of the site said, as JSON, and ``verdict`` is the id under which that is recorded.
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
    findings: tuple[Mapping[str, Any], ...] = ()
    verdict: str = ""
