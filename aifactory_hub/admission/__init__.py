"""The right to run: tickets, queued and admitted by a quota engine."""

from .base import Admission, AdmissionRefused, AdmissionUnavailable, NotAdmitted, UserLimitReached
from .in_process import InProcessAdmission
from .kueue import KueueAdmission

__all__ = [
    "Admission",
    "AdmissionRefused",
    "AdmissionUnavailable",
    "InProcessAdmission",
    "KueueAdmission",
    "NotAdmitted",
    "UserLimitReached",
]
