"""A real mail server on a port of its own, which keeps what it takes and answers as a test says."""

from __future__ import annotations

import asyncio
import email
import email.policy
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from aifactory_hub.settings import MailSettings, MailTls, Secret

from .certificates import server_tls

USER, PASSWORD = "hub", "mail-password"
SENDER = "hub@example.org"


@dataclass
class TestMailServer:
    """``got`` are the mails that it took. ``answer`` says by the recipient how one is answered; None: it is taken."""

    __test__ = False

    settings: MailSettings
    got: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    sign_ins: list[bytes] = field(default_factory=list)
    answer: Callable[[str], str | None] = lambda to: None
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if (refused := self.answer(address)) is not None:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.got.append(mail)
        self.recipients += envelope.rcpt_tos
        self.encrypted.append(server.transport.get_extra_info("cipher") is not None)
        return "250 OK"

    @property
    def texts(self) -> list[str]:
        """The bodies of what came."""
        return [str(mail.get_content()) for mail in self.got]


@asynccontextmanager
async def mail_server(folder: Path, *, tls: MailTls = MailTls.STARTTLS, days: int = 1) -> AsyncIterator[TestMailServer]:
    """The server, and the settings with which it is reached; signing in is asked for wherever there is TLS."""
    certificates, ca_file = server_tls(days=days), folder / "mail-ca.pem"
    ca_file.write_text(certificates.ca, encoding="utf-8")
    server = TestMailServer(MailSettings("127.0.0.1", 1, tls, SENDER))

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, said: Any) -> AuthResult:
        server.sign_ins.append(said.password)
        known = said.password == PASSWORD.encode() and said.login == USER.encode()
        return AuthResult(success=known, handled=known)

    def protocol() -> SMTP:
        options: dict[str, Any] = {"hostname": "mail.test", "ident": "test"}
        if tls is not MailTls.NONE:
            options |= {"authenticator": authenticate, "auth_required": True}
        if tls is MailTls.STARTTLS:
            options |= {"tls_context": certificates.context, "require_starttls": True}
        if tls is MailTls.TLS:
            options |= {"auth_require_tls": False}
        with warnings.catch_warnings():
            # It does not know that the connection itself is encrypted.
            warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")
            return SMTP(server, **options)

    outer = certificates.context if tls is MailTls.TLS else None
    listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=outer)
    port = listening.sockets[0].getsockname()[1]
    signed = {} if tls is MailTls.NONE else {"user": USER, "password": Secret(PASSWORD), "ca_file": ca_file}
    server.settings = MailSettings("127.0.0.1", port, tls, SENDER, **signed)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()
