"""What messages say: subject and lines of plain text. Names that people chose are put on one line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from ..untrusted.texts import escaped
from .formatting import in_zone
from .notifications import Kind, NoMail, Notification, in_order

# Characters of a name, of a reason, and of a subject.
_LONGEST_TITLE, _LONGEST_WORDS, _LONGEST_SUBJECT = 120, 300, 150
# Of one kind so many are named; the others are counted.
_MOST_NAMED = 25

# One of it, and several.
_HEADINGS = {
    Kind.JOB_FAILED: ("1 job failed", "{} jobs failed"),
    Kind.JOB_CANCELLED: ("1 job was cancelled", "{} jobs were cancelled"),
    Kind.JOB_HELD: ("1 job is held", "{} jobs are held"),
    Kind.APPROVAL_EMERGENCY: ("1 approval was given in an emergency", "{} approvals were given in an emergency"),
    Kind.APPROVAL_WAITS: ("1 approval waits for votes", "{} approvals wait for votes"),
    Kind.APPROVAL_REFUSED: ("1 approval was not given", "{} approvals were not given"),
    Kind.SERVER_IDLE: ("1 server is idle", "{} servers are idle"),
    Kind.BUDGET: ("1 budget reached a step", "{} budgets reached a step"),
    Kind.TEAM_REFUSED: ("1 request for a team was refused", "{} requests for teams were refused"),
    Kind.TEAM_GRANTED: ("1 request for a team was granted", "{} requests for teams were granted"),
    Kind.JOB_SUCCEEDED: ("1 job succeeded", "{} jobs succeeded"),
}
_ALONE = {
    Kind.JOB_FAILED: "{} failed",
    Kind.JOB_CANCELLED: "{} was cancelled",
    Kind.JOB_HELD: "{} is held",
    Kind.APPROVAL_EMERGENCY: "{} was approved in an emergency",
    Kind.APPROVAL_WAITS: "{} waits for votes",
    Kind.APPROVAL_REFUSED: "{} was not approved",
    Kind.SERVER_IDLE: "{} is idle",
    Kind.BUDGET: "{} reached a step",
    Kind.TEAM_REFUSED: "Team {} was refused",
    Kind.TEAM_GRANTED: "Team {} was granted",
    Kind.JOB_SUCCEEDED: "{} succeeded",
}
# What people choose from.
CHOICES = {
    Kind.JOB_FAILED: "a job of mine failed",
    Kind.JOB_CANCELLED: "somebody else cancelled a job of mine",
    Kind.JOB_HELD: "a job of mine is held",
    Kind.APPROVAL_EMERGENCY: "somebody approved alone, in an emergency, what I could have voted on or have a part in",
    Kind.APPROVAL_WAITS: "an approval waits for my vote",
    Kind.APPROVAL_REFUSED: "an approval that I asked for was not given",
    Kind.SERVER_IDLE: "a server of mine is idle, or was stopped for that",
    Kind.BUDGET: "a budget of mine, or of a team that I administer, reached a step",
    Kind.TEAM_REFUSED: "a team that I asked for was refused",
    Kind.TEAM_GRANTED: "a team that I asked for was granted",
    Kind.JOB_SUCCEEDED: "a job of mine succeeded",
}
NO_MAIL = {
    NoMail.SITE: "This site sends no mail. Its administrator can name a mail server. What you choose is kept.",
    NoMail.UNVERIFIED: (
        "Your identity provider gives an address of yours and does not say that it is verified, so no mail goes there. "
        "Verify it at the identity provider, then sign in at the hub again. If it is verified, an administrator of the "
        "hub can set notifications.trust_addresses."
    ),
    NoMail.ABSENT: (
        "Your identity provider gives no verified address of yours, so no mail can be sent to you. Enter and verify "
        "one at the identity provider, or ask who looks after your account there; then sign in at the hub again."
    ),
}


@dataclass(frozen=True, slots=True)
class SiteWords:
    """What texts need of the site: its name, the zone of its times, and the address of the service's pages, if any."""

    name: str
    zone: ZoneInfo
    pages: str | None = None

    def link(self, path: str) -> str | None:
        """The page at this path; None where nobody knows the address of pages."""
        return None if self.pages is None or not path else self.pages.rstrip("/") + "/" + path


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a message. A heading has nothing but its text; ``more`` says why."""

    text: str
    heading: bool = False
    more: str = ""
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is told at once."""

    subject: str
    lines: tuple[Line, ...]


def one_line(text: str, most: int) -> str:
    """``text`` on one line of at most ``most`` characters, without any that can't be printed."""
    flat = escaped(" ".join(text.split()))
    return flat if len(flat) <= most else flat[: most - 3] + "..."


def message_of(notifications: Sequence[Notification], site: SiteWords) -> Message:
    """One message for all of them, failures first."""
    ordered = in_order(notifications)
    lines: list[Line] = []
    for kind, group in groupby(ordered, key=lambda each: each.kind):
        same = list(group)
        lines.append(Line(_heading(kind, len(same)), heading=True))
        lines += [_line(each, site) for each in same[:_MOST_NAMED]]
        if len(same) > _MOST_NAMED:
            lines.append(Line(f"and {len(same) - _MOST_NAMED} more"))
    return Message(_subject(ordered), tuple(lines))


def mail_text(message: Message, site: SiteWords, why: str) -> str:
    """The message as the body of a mail; ``why`` says at its end why somebody gets it."""
    parts: list[str] = []
    for line in message.lines:
        if line.heading:
            parts += ["", f"{line.text}:"]
            continue
        parts.append(f"- {line.text}")
        parts += [f"  {part}" for part in (line.more, line.link or "") if part]
    return "\n".join([*parts[1:], "", "-- ", f"{one_line(site.name, _LONGEST_TITLE)}: {why}", ""])


def _heading(kind: Kind, count: int) -> str:
    one, several = _HEADINGS[kind]
    return one if count == 1 else several.format(count)


def _subject(ordered: Sequence[Notification]) -> str:
    if len(ordered) == 1:
        only = ordered[0]
        text = _ALONE[only.kind].format(one_line(only.title, _LONGEST_TITLE))
    else:
        counts = [(kind, len(list(group))) for kind, group in groupby(ordered, key=lambda each: each.kind)]
        text = ", ".join(_heading(kind, count) for kind, count in counts)
    teams = {each.tenant for each in ordered}
    where = f" in team {teams.pop()}" if len(teams) == 1 and "" not in teams else ""
    return one_line(f"{text}{where}", _LONGEST_SUBJECT)


def _line(each: Notification, site: SiteWords) -> Line:
    where = f" in team {each.tenant}" if each.tenant else ""
    at = f"{datetime.fromtimestamp(each.at, site.zone):%Y-%m-%d %H:%M %Z}"
    text = f"{one_line(each.title, _LONGEST_TITLE)}{where}, {at}"
    return Line(text, more=one_line(in_zone(each.words, site.zone), _LONGEST_WORDS), link=site.link(each.path))
