"""Mails over real SMTP: TLS is verified, no password is sent without it, and answers are read."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.mail.letter import letter
from aifactory_hub.mail.smtp import NotSent, SmtpServer
from aifactory_hub.settings import MailTls, Secret

from ..support.mail_server import PASSWORD, SENDER, mail_server


def mail_to(to: str, subject: str = "2 jobs failed", text: str = "train: exit code 1\n"):  # type: ignore[no-untyped-def]
    return letter(sender=SENDER, to=to, subject=subject, text=text, message_id="d1", at=1_800_000_000.0)


@pytest.mark.parametrize("tls", list(MailTls))
async def test_a_mail_arrives(tmp_path: Path, tls: MailTls) -> None:
    async with mail_server(tmp_path, tls=tls) as server:
        await SmtpServer(server.settings).send(mail_to("ada@example.org", "Überlauf: 2 jobs failed", "größer\n"))
    (got,) = server.got
    assert (got["From"], got["To"], got["Subject"]) == (SENDER, "ada@example.org", "Überlauf: 2 jobs failed")
    assert got["Message-ID"] == "<d1@example.org>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert (got.get_content_type(), got.get_content().replace("\r\n", "\n")) == ("text/plain", "größer\n")
    assert server.recipients == ["ada@example.org"]
    assert server.encrypted == [tls is not MailTls.NONE]


async def test_a_certificate_that_nobody_vouches_for_gets_no_password(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as server:
        unknown = replace(server.settings, ca_file=None)
        with pytest.raises(NotSent, match="certificate can't be trusted") as refused:
            await SmtpServer(unknown).send(mail_to("ada@example.org"))
    assert not refused.value.final
    assert (server.sign_ins, server.got) == ([], [])


async def test_a_certificate_that_has_expired_gets_no_password(tmp_path: Path) -> None:
    async with mail_server(tmp_path, days=-1) as server:
        with pytest.raises(NotSent, match="certificate can't be trusted"):
            await SmtpServer(server.settings).send(mail_to("ada@example.org"))
    assert server.sign_ins == []


@pytest.mark.parametrize("signed", [{}, {"user": "hub", "password": Secret(PASSWORD)}], ids=["no sign-in", "sign-in"])
async def test_a_server_that_offers_no_tls_gets_nothing(tmp_path: Path, signed: dict[str, Any]) -> None:
    async with mail_server(tmp_path, tls=MailTls.NONE) as server:
        asked = replace(server.settings, tls=MailTls.STARTTLS, **signed)
        with pytest.raises(NotSent, match="can't be reached or does not do what it has to") as refused:
            await SmtpServer(asked).send(mail_to("ada@example.org"))
    assert not refused.value.final
    assert server.got == []


async def test_a_wrong_password_is_tried_again_and_never_told(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as server:
        wrong = replace(server.settings, password=Secret("hunter2"))
        with pytest.raises(NotSent, match="refused the sign-in") as refused:
            await SmtpServer(wrong).send(mail_to("ada@example.org"))
    assert not refused.value.final
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("answer", "final"), [("450 4.2.0 try later", False), ("550 5.1.1 no such user", True)])
async def test_what_the_server_says_of_a_recipient(tmp_path: Path, answer: str, final: bool) -> None:
    async with mail_server(tmp_path) as server:
        server.answer = lambda to: answer
        with pytest.raises(NotSent) as refused:
            await SmtpServer(server.settings).send(mail_to("ada@example.org"))
    assert refused.value.final is final
    assert answer[4:] in str(refused.value)
    assert server.got == []


async def test_a_server_that_is_away_and_one_that_says_nothing(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as server:
        settings = server.settings
    with pytest.raises(NotSent, match="can't be reached") as refused:
        await SmtpServer(settings).send(mail_to("ada@example.org"))
    assert not refused.value.final
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = replace(settings, port=silent.getsockname()[1])
        with pytest.raises(NotSent, match="did not answer in time"):
            await SmtpServer(there, timeout=0.2).send(mail_to("ada@example.org"))


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.org\nBcc: eve@example.org",
        "ada@example.org, eve@example.org",
        "Ada <ada@example.org>",
        "ada",
        "@example.org",
        "ada@example..org",
        "a" * 250 + "@example.org",
        "",
    ],
)
def test_what_is_no_address_gets_no_mail(to: str) -> None:
    with pytest.raises(ValueError, match="is not a mail address"):
        mail_to(to)


@pytest.mark.parametrize("subject", ["done\nBcc: eve@example.org", "done\r\n\r\nbody", "a\u2028b", "a\x00b"])
def test_a_subject_never_begins_another_header(subject: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        mail_to("ada@example.org", subject)
