"""The environment, read in this module only and parsed once into values."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from .domain.mail_addresses import is_loopback, is_mail_address

T = TypeVar("T")

_CRYPT_KEY_HINT = "a key of 32 bytes in hex, for example what `openssl rand -hex 32` prints"
_HISTORY = "aifactory-run-lengths.json"
_DATABASE = "sqlite:///aifactory-service.sqlite"
_CA_FILE = "AIFACTORY_HUB_CA_FILE"
_SHARED_HINT = "a long random text, for example what `openssl rand -hex 32` prints; the hub and the service share it"


class SettingsError(Exception):
    """Environment variables that are missing or bad; one line for each in ``problems``."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is never printed by accident; ``reveal`` says where it is used."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Bind:
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """How a process on the same machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{host}:{self.port}"


class MailTls(StrEnum):
    """How the connection to the mail server is protected: by STARTTLS on it, by TLS from the first byte, not at all."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The mail server. ``sender`` is an address, ``password`` None where it wants no sign-in.

    ``ca_file`` has the authorities that vouch for it, where no public one does.
    """

    host: str
    port: int
    tls: MailTls
    sender: str
    user: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None


# Where mail servers take messages of programs: submission, and submission with TLS from the first byte.
_MAIL_PORTS = {MailTls.STARTTLS: "587", MailTls.TLS: "465", MailTls.NONE: "25"}


@dataclass(frozen=True, slots=True)
class HubSettings:
    """What the hub's process needs besides tenants.yaml."""

    tenants: Path
    client_secret: Secret
    service_token: Secret
    service_bind: Bind
    kubeconfig: str | None = None
    history: Path = Path(_HISTORY)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What the service's process needs besides tenants.yaml."""

    tenants: Path
    service_token: Secret
    hub_api_url: str
    prefix: str
    bind: Bind
    database: str
    files: Path
    objects: str | None = None
    kubeconfig: str | None = None
    metrics_token: Secret | None = None
    provisioner_token: Secret | None = None
    mail: MailSettings | None = None


def read_hub_settings(environment: Mapping[str, str] | None = None) -> HubSettings:
    """The hub's settings. Raises SettingsError with everything that is wrong."""
    reader = _Reader(os.environ if environment is None else environment)
    settings = HubSettings(
        tenants=Path(reader.text("AIFACTORY_HUB_TENANTS", "tenants.yaml")),
        client_secret=Secret(
            reader.required("AIFACTORY_HUB_CLIENT_SECRET", "the secret of the hub's client at the identity provider")
        ),
        service_token=Secret(reader.required("AIFACTORY_HUB_SERVICE_TOKEN", _SHARED_HINT)),
        service_bind=reader.parsed("AIFACTORY_HUB_SERVICE_BIND", "127.0.0.1:8091", _parse_bind),
        kubeconfig=reader.text("KUBECONFIG", "") or None,
        history=Path(reader.text("AIFACTORY_HUB_HISTORY", _HISTORY)),
        ca_file=reader.parsed(_CA_FILE, "", _parse_ca_file),
    )
    # JupyterHub reads this one itself, but would fail with a traceback, and only at the first sign-in.
    reader.required("JUPYTERHUB_CRYPT_KEY", _CRYPT_KEY_HINT)
    reader.finish()
    return settings


def read_service_settings(environment: Mapping[str, str] | None = None) -> ServiceSettings:
    """The service's settings. Raises SettingsError with everything that is wrong."""
    reader = _Reader(os.environ if environment is None else environment)
    token = reader.text("AIFACTORY_HUB_SERVICE_TOKEN", "") or reader.text("JUPYTERHUB_API_TOKEN", "")
    if not token:
        reader.required("AIFACTORY_HUB_SERVICE_TOKEN", _SHARED_HINT)
    settings = ServiceSettings(
        tenants=Path(reader.text("AIFACTORY_HUB_TENANTS", "tenants.yaml")),
        service_token=Secret(token),
        hub_api_url=reader.required("JUPYTERHUB_API_URL", "the hub's API, for example http://hub:8081/hub/api"),
        prefix=reader.parsed("JUPYTERHUB_SERVICE_PREFIX", "/services/aifactory/", _parse_prefix),
        bind=reader.parsed("AIFACTORY_HUB_SERVICE_BIND", "127.0.0.1:8091", _parse_bind),
        database=reader.text("AIFACTORY_HUB_SERVICE_DATABASE", _DATABASE),
        files=Path(reader.text("AIFACTORY_HUB_SERVICE_FILES", "aifactory-files")),
        objects=reader.parsed("AIFACTORY_HUB_SERVICE_OBJECTS", "", _parse_bucket) or None,
        kubeconfig=reader.text("KUBECONFIG", "") or None,
        metrics_token=Secret(metrics) if (metrics := reader.text("AIFACTORY_HUB_METRICS_TOKEN", "")) else None,
        provisioner_token=read_provisioner_token(environment),
        mail=_read_mail(reader),
    )
    reader.finish()
    return settings


def _read_mail(reader: _Reader) -> MailSettings | None:
    """The mail server; None where no host is set. What is wrong is kept in ``reader``."""
    host = reader.text("AIFACTORY_HUB_MAIL_HOST", "")
    if not host:
        return None
    tls = reader.parsed("AIFACTORY_HUB_MAIL_TLS", MailTls.STARTTLS, _parse_mail_tls)
    sender = reader.parsed("AIFACTORY_HUB_MAIL_SENDER", "", _parse_sender)
    if not sender:
        reader.required("AIFACTORY_HUB_MAIL_SENDER", "the address that messages come from")
    user = reader.text("AIFACTORY_HUB_MAIL_USER", "") or None
    password = _read_mail_password(reader) if user is not None else None
    if tls is MailTls.NONE and user is not None and not is_loopback(host):
        reader.problem("AIFACTORY_HUB_MAIL_TLS is 'none': a password is sent without TLS to no other machine.")
    return MailSettings(
        host=host,
        port=reader.parsed("AIFACTORY_HUB_MAIL_PORT", _MAIL_PORTS[tls], _parse_port),
        tls=tls,
        sender=sender,
        user=user,
        password=password,
        ca_file=reader.parsed("AIFACTORY_HUB_MAIL_CA_FILE", "", _parse_ca_file),
    )


def _read_mail_password(reader: _Reader) -> Secret | None:
    """From the variable or the file that another one names."""
    name, of_file = "AIFACTORY_HUB_MAIL_PASSWORD", "AIFACTORY_HUB_MAIL_PASSWORD_FILE"
    if text := reader.text(name, ""):
        return Secret(text)
    file = reader.text(of_file, "")
    if not file:
        reader.required(name, f"the password of AIFACTORY_HUB_MAIL_USER, or the path of its file in {of_file}")
        return None
    try:
        return Secret(Path(file).read_text(encoding="utf-8").rstrip("\r\n"))
    except (OSError, ValueError) as error:
        reader.problem(f"{of_file} is {file!r}: it can't be read ({type(error).__name__}).")
        return None


def read_provisioner_token(environment: Mapping[str, str] | None = None) -> Secret | None:
    """The token with which the provisioner speaks to the service; None where it does not."""
    reader = _Reader(os.environ if environment is None else environment)
    token = reader.text("AIFACTORY_HUB_PROVISIONER_TOKEN", "")
    return Secret(token) if token else None


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """What a command needs that reads the service's database."""

    tenants: Path
    database: str


def read_database_settings(environment: Mapping[str, str] | None = None) -> DatabaseSettings:
    """Where tenants.yaml and the service's database are."""
    reader = _Reader(os.environ if environment is None else environment)
    return DatabaseSettings(
        tenants=Path(reader.text("AIFACTORY_HUB_TENANTS", "tenants.yaml")),
        database=reader.text("AIFACTORY_HUB_SERVICE_DATABASE", _DATABASE),
    )


def read_ca_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """The authorities of the identity provider, where no public one is. Raises SettingsError."""
    reader = _Reader(os.environ if environment is None else environment)
    file = reader.parsed(_CA_FILE, "", _parse_ca_file)
    reader.finish()
    return file


class _Reader:
    """Takes values out of an environment and collects what is wrong with them, so that all is said at once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name, "").strip() or default

    def required(self, name: str, hint: str) -> str:
        value = self.text(name, "")
        if not value:
            self._problems.append(f"{name} is not set: write {hint}.")
        return value

    def parsed(self, name: str, default: str, parse: Callable[[str], T]) -> T:
        value = self.text(name, default)
        try:
            return parse(value)
        except ValueError as error:
            self._problems.append(f"{name} is {value!r}: {error}.")
            return parse(default)

    def problem(self, text: str) -> None:
        self._problems.append(text)

    def finish(self) -> None:
        if self._problems:
            raise SettingsError(tuple(self._problems))


def _parse_bind(text: str) -> Bind:
    match = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\s/]*):(\d{1,5})", text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError("write <address>:<port>, for example 127.0.0.1:8091")
    return Bind(match[1], int(match[2]))


def _parse_ca_file(text: str) -> Path | None:
    """The file that AIFACTORY_HUB_CA_FILE names; None when it is empty. Raises ValueError."""
    if not text:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(text)
    except OSError as error:  # SSLError is one
        raise ValueError(f"write the path of a file with certificates in PEM form ({error})") from None
    return Path(text)


def _parse_mail_tls(text: str) -> MailTls:
    try:
        return MailTls(text)
    except ValueError:
        raise ValueError("write starttls, tls or none") from None


def _parse_port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError("write a port, for example 587")
    return int(text)


def _parse_sender(text: str) -> str:
    if text and not is_mail_address(text):
        raise ValueError("write one address, for example hub@example.org")
    return text


def _parse_bucket(text: str) -> str:
    if text and re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?", text) is None:
        raise ValueError("write s3://<bucket> or s3://<bucket>/<prefix>")
    return text


def _parse_prefix(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("write a path, for example /services/aifactory/")
    return text.rstrip("/") + "/"
