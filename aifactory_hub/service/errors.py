"""Every answer other than success: one form for all of them, RFC 9457's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..domain.refusals import Refusal, RefusalReason
from .answer_types import Problem

# How long a client may wait before it asks again, in seconds.
_RETRY_AFTER = 3
MEDIA_TYPE = "application/problem+json"
# A name, not an address: there is nothing to be fetched, and a program compares it as it compares ``reason``.
_TYPE = "urn:aifactory-hub:problem:"


class ServiceError(Exception):
    """An answer other than success: ``reason`` is a stable slug for programs, ``detail`` a sentence for people."""

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        field: str | None = None,
        numbers: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.field = field
        self.numbers = dict(numbers or {})

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with the status."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        return {"Retry-After": str(_RETRY_AFTER)} if self.status in (429, 503) else {}

    def body(self) -> Problem:
        """As JSON."""
        said: Problem = {
            "type": f"{_TYPE}{self.reason}",
            "title": self.reason.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "reason": self.reason,
            "field": self.field,
        }
        return cast("Problem", {**said, **self.numbers})


def from_refusal(refusal: Refusal) -> ServiceError:
    """The answer that carries a refusal, with its numbers."""
    numbers = {
        name: getattr(refusal, name)
        for name in ("resource", "flavor", "asked", "used", "limit")
        if getattr(refusal, name) is not None
    }
    if refusal.fits_now:
        numbers["fits_now"] = list(refusal.fits_now)
    if refusal.findings:
        numbers["findings"] = [dict(finding) for finding in refusal.findings]
        numbers["verdict"] = refusal.verdict
    reason = refusal.reason
    return ServiceError(int(reason.status), reason.value, refusal.message, field=refusal.field, numbers=numbers)


def unknown_job(job_id: str) -> ServiceError:
    """Said alike of a job that does not exist and of another tenant's: ids are not for guessing."""
    return ServiceError(404, "unknown-job", f"There is no job {job_id!r} in your teams.", field="id")


def not_signed_in(message: str) -> ServiceError:
    """No token, or one that the hub doesn't know."""
    return ServiceError(401, "not-signed-in", message)


def forbidden(message: str) -> ServiceError:
    """Known, but not allowed."""
    return ServiceError(403, "forbidden", message)


def unavailable(reason: str, message: str) -> ServiceError:
    """Something that is needed for the answer does not answer now."""
    return ServiceError(503, reason, message)


def bad_field(field: str, message: str) -> ServiceError:
    """The caller's mistake, at a named place."""
    return ServiceError(400, RefusalReason.BAD_FIELD.value, message, field=field)


def gone(what: str, kept: int) -> ServiceError:
    """Something that was kept as long as the registry says; ``kept`` in seconds."""
    days = f"{kept / 86400:g}"
    return ServiceError(410, "not-kept", f"{what} is not kept any more: it was removed, or its {days} days are over.")
