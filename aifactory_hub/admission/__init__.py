"""The right to run: tickets, queued and admitted by a quota engine."""

from .base import Admission, AdmissionRefused, AdmissionUnavailable, NotAdmitted, UserLimitReached
from .gated import GatedAdmission, MenuPolicy, PolicyRefused, TicketPolicy
from .in_process import InProcessAdmission
from .kueue import KueueAdmission
from .ticket_changes import ChangeStream

__all__ = [
    "Admission",
    "AdmissionRefused",
    "AdmissionUnavailable",
    "ChangeStream",
    "GatedAdmission",
    "InProcessAdmission",
    "KueueAdmission",
    "MenuPolicy",
    "NotAdmitted",
    "PolicyRefused",
    "TicketPolicy",
    "UserLimitReached",
]
