"""A message as a mail: headers and one part of plain text."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

from ..domain.mail_addresses import domain_of, is_mail_address
from ..untrusted.texts import unprintable


def letter(*, sender: str, to: str, subject: str, text: str, message_id: str, at: float) -> EmailMessage:
    """The mail. ``message_id`` stays the same for each try, so that mail servers know a copy. ``at`` in epoch seconds.

    Raises ValueError for an address that is none, and for a subject of more than one line.
    """
    for address in (sender, to):
        if not is_mail_address(address):
            raise ValueError(f"{address!r} is not a mail address")
    if unprintable(subject) is not None:
        raise ValueError("a subject is one line of printable characters")
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = datetime.fromtimestamp(at, UTC)
    mail["Message-ID"] = f"<{message_id}@{domain_of(sender)}>"
    # RFC 3834: no absence note answers it.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text, charset="utf-8")
    return mail
