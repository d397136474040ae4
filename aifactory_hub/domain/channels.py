"""What people and teams choose to be told, and where a team's chat is. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much somebody is told. FAILURES: what failed, and what waits for them. ALL: also what succeeded."""

    OFF = "off"
    FAILURES = "failures"
    ALL = "all"


class MessageFormat(StrEnum):
    """The form of a message to a webhook. STANDARD is that of the Standard Webhooks specification."""

    STANDARD = "standard"
    SLACK = "slack"
    TEAMS = "teams"


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a team is told of its jobs, approvals and budgets: the webhook of a chat."""

    url: str
    format: MessageFormat = MessageFormat.STANDARD
    level: Level = Level.FAILURES
