"""Hands mails to the site's mail server over SMTP, with its certificate verified."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol

import aiosmtplib

from ..domain.mail_addresses import domain_of
from ..settings import MailSettings, MailTls

log = logging.getLogger(__name__)

# Seconds for one command, and for a whole mail.
_COMMAND_TIMEOUT, _TIMEOUT = 20.0, 60.0


class NotSent(Exception):
    """The mail was not taken; the text says why. ``final``: the server will not take it later either."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class MailServer(Protocol):
    """Takes mails."""

    @property
    def sender(self) -> str:
        """The address that mails come from."""

    async def send(self, mail: EmailMessage) -> None:
        """Hand one mail over. Raises NotSent."""


@dataclass(frozen=True)
class SmtpServer:
    """The server of these settings. Each mail has a connection of its own, so that none waits for another."""

    settings: MailSettings
    timeout: float = _TIMEOUT
    _context: ssl.SSLContext = field(init=False, repr=False)

    def __post_init__(self) -> None:
        authorities = self.settings.ca_file
        context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
        object.__setattr__(self, "_context", context)

    @property
    def sender(self) -> str:
        """See MailServer."""
        return self.settings.sender

    async def send(self, mail: EmailMessage) -> None:
        """See MailServer. Nothing but the server's answer to this mail's recipient or text is final: a password that
        ran out, or a certificate, is put right by somebody, and nothing is lost until then."""
        try:
            async with asyncio.timeout(self.timeout):
                await self._send(mail)
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError) as error:
            code, said = _answer(error)
            raise NotSent(f"the mail server answered {code}: {said}", final=500 <= code < 600) from error
        except aiosmtplib.SMTPAuthenticationError as error:
            raise NotSent(f"the mail server refused the sign-in ({error.code})") from error
        except aiosmtplib.SMTPResponseException as error:
            raise NotSent(f"the mail server answered {error.code}: {_short(error.message)}") from error
        except (aiosmtplib.SMTPException, TimeoutError, OSError, ValueError) as error:
            log.info("mail server %s:%d: %s: %s", self.settings.host, self.settings.port, type(error).__name__, error)
            raise NotSent(_unreachable(error)) from error

    async def _send(self, mail: EmailMessage) -> None:
        to, password = str(mail["To"]), self.settings.password
        await aiosmtplib.send(
            mail,
            sender=self.settings.sender,
            recipients=[to],
            hostname=self.settings.host,
            port=self.settings.port,
            username=self.settings.user,
            password=None if password is None else password.reveal(),
            use_tls=self.settings.tls is MailTls.TLS,
            # True: a server that does not offer it gets nothing. None would go on without.
            start_tls=self.settings.tls is MailTls.STARTTLS,
            tls_context=self._context,
            # Else the name of this machine would be looked up, in the event loop.
            local_hostname=domain_of(self.settings.sender),
            timeout=_COMMAND_TIMEOUT,
        )


def _answer(error: aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPDataError) -> tuple[int, str]:
    """The server's code and words."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        first = error.recipients[0]
        return first.code, _short(first.message)
    return error.code, _short(error.message)


def _short(words: str) -> str:
    return " ".join(words.split())[:200]


def _unreachable(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the mail server's certificate can't be trusted: {_short(cause.verify_message)}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError):
        return "the mail server did not answer in time"
    return f"the mail server can't be reached or does not do what it has to: {_short(str(error))}"
