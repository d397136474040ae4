"""The environment: everything that is wrong is said at once, and secrets are not shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory_hub.settings import Bind, SettingsError, read_hub_settings, read_service_settings

HUB = {
    "AIFACTORY_HUB_CLIENT_SECRET": "very-secret",
    "AIFACTORY_HUB_SERVICE_TOKEN": "also-secret",
    "JUPYTERHUB_CRYPT_KEY": "00" * 32,
}
SERVICE = {"AIFACTORY_HUB_SERVICE_TOKEN": "also-secret", "JUPYTERHUB_API_URL": "http://hub:8081/hub/api"}


def test_defaults() -> None:
    settings = read_hub_settings(HUB)
    assert settings.tenants == Path("tenants.yaml")
    assert settings.service_bind == Bind("127.0.0.1", 8091)
    assert settings.kubeconfig is None
    assert settings.client_secret.reveal() == "very-secret"
    service = read_service_settings(SERVICE)
    assert service.database == "sqlite:///aifactory-service.sqlite"
    assert service.prefix == "/services/aifactory/"


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(read_hub_settings(HUB)).replace("client_secret", "")
    assert "also-secret" not in f"{read_service_settings(SERVICE).service_token}"


def test_all_that_is_missing_is_said_at_once_with_what_to_write() -> None:
    with pytest.raises(SettingsError) as refused:
        read_hub_settings({"AIFACTORY_HUB_SERVICE_BIND": "8091"})
    assert len(refused.value.problems) == 4
    for name in HUB:
        assert f"{name} is not set: write " in str(refused.value)
    assert "AIFACTORY_HUB_SERVICE_BIND is '8091': write <address>:<port>" in str(refused.value)


@pytest.mark.parametrize("bind", ["8091", "host", "host:0", "host:70000", "http://host:1", "host:x"])
def test_a_bad_address_is_refused(bind: str) -> None:
    with pytest.raises(SettingsError, match="AIFACTORY_HUB_SERVICE_BIND"):
        read_hub_settings({**HUB, "AIFACTORY_HUB_SERVICE_BIND": bind})


@pytest.mark.parametrize(
    ("bind", "url"),
    [("0.0.0.0:1", "http://127.0.0.1:1"), (":1", "http://127.0.0.1:1"), ("10.0.0.2:80", "http://10.0.0.2:80"),
     ("[::1]:80", "http://[::1]:80")],
)  # fmt: skip
def test_how_it_is_reached_on_this_machine(bind: str, url: str) -> None:
    assert read_hub_settings({**HUB, "AIFACTORY_HUB_SERVICE_BIND": bind}).service_bind.url == url


@pytest.mark.parametrize("text", [None, "no certificates here"])
def test_an_authority_that_is_none_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "ca.crt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=f"AIFACTORY_HUB_CA_FILE is '{file}': write the path of a file"):
        read_hub_settings({**HUB, "AIFACTORY_HUB_CA_FILE": str(file)})


def test_the_service_takes_the_token_that_jupyterhub_gives_a_managed_service() -> None:
    given = {"JUPYTERHUB_API_TOKEN": "t", "JUPYTERHUB_API_URL": "http://hub"}
    assert read_service_settings(given).service_token.reveal() == "t"
    with pytest.raises(SettingsError, match="JUPYTERHUB_API_URL"):
        read_service_settings({})


MAIL = {**SERVICE, "AIFACTORY_HUB_MAIL_HOST": "mail.example.org", "AIFACTORY_HUB_MAIL_SENDER": "hub@example.org"}
SIGN_IN = {"AIFACTORY_HUB_MAIL_USER": "hub", "AIFACTORY_HUB_MAIL_PASSWORD": "mail-secret"}


def test_without_a_host_there_is_no_mail() -> None:
    assert read_service_settings(SERVICE).mail is None
    assert read_service_settings({**MAIL, "AIFACTORY_HUB_MAIL_HOST": ""}).mail is None


@pytest.mark.parametrize(("tls", "port"), [("", 587), ("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_mail_server(tls: str, port: int) -> None:
    mail = read_service_settings({**MAIL, "AIFACTORY_HUB_MAIL_TLS": tls}).mail
    assert mail is not None
    assert (mail.host, mail.port, mail.tls.value) == ("mail.example.org", port, tls or "starttls")
    assert (mail.user, mail.password, mail.ca_file) == (None, None, None)


def test_the_password_is_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from a file\n")
    named = {"AIFACTORY_HUB_MAIL_USER": "hub", "AIFACTORY_HUB_MAIL_PASSWORD_FILE": str(file)}
    mail = read_service_settings({**MAIL, **named}).mail
    assert mail is not None and mail.password is not None
    assert mail.password.reveal() == "from a file"
    assert "from a file" not in repr(mail)
    with pytest.raises(SettingsError, match="it can't be read") as refused:
        read_service_settings({**MAIL, **named, "AIFACTORY_HUB_MAIL_PASSWORD_FILE": str(tmp_path / "none")})
    assert "AIFACTORY_HUB_MAIL_PASSWORD_FILE is" in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"AIFACTORY_HUB_MAIL_SENDER": ""}, "AIFACTORY_HUB_MAIL_SENDER is not set"),
        ({"AIFACTORY_HUB_MAIL_SENDER": "Hub <hub@example.org>"}, "write one address, for example hub@example.org"),
        ({"AIFACTORY_HUB_MAIL_SENDER": "a@b.c\nBcc: x@y.z"}, "write one address"),
        ({"AIFACTORY_HUB_MAIL_PORT": "0"}, "write a port, for example 587"),
        ({"AIFACTORY_HUB_MAIL_PORT": "smtp"}, "write a port"),
        ({"AIFACTORY_HUB_MAIL_TLS": "ssl"}, "write starttls, tls or none"),
        ({"AIFACTORY_HUB_MAIL_CA_FILE": "/nowhere"}, "write the path of a file with certificates"),
        ({"AIFACTORY_HUB_MAIL_USER": "hub"}, "AIFACTORY_HUB_MAIL_PASSWORD is not set"),
        ({**SIGN_IN, "AIFACTORY_HUB_MAIL_TLS": "none"}, "a password is sent without TLS to no other machine"),
    ],
)
def test_what_is_wrong_with_the_mail_server_is_said(changed: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        read_service_settings({**MAIL, **changed})
    assert "mail-secret" not in str(refused.value)
    assert len(refused.value.problems) == 1


def test_this_machine_may_be_asked_without_tls() -> None:
    here = {**MAIL, **SIGN_IN, "AIFACTORY_HUB_MAIL_TLS": "none", "AIFACTORY_HUB_MAIL_HOST": "127.0.0.1"}
    assert read_service_settings(here).mail is not None
