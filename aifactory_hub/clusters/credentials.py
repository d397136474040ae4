"""Kubeconfig in, credential out: pure but for the files that a host's kubeconfig may name."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

# Bytes. A kubeconfig of vCluster is about 6 KiB, and parsing YAML takes a second for some hundred KiB.
LONGEST_KUBECONFIG = 32 * 1024
# Lists or mappings of one notation.
_MOST_OPENED = 200
# What the parser raises for texts that are no YAML, or nested too deep.
_NO_YAML = (YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
# Where Kubernetes mounts a pod's own service account.
IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class CredentialError(ValueError):
    """The kubeconfig can't be used. The message names the field and never holds a secret."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One API server and how to speak to it. Secrets are left out of ``repr``.

    ``ca``, ``certificate`` and ``key`` are PEM texts. ``token_file`` is read again and again, because Kubernetes
    replaces the token of a running pod about every hour. ``server_name`` is checked against the server's
    certificate where the address is not in it.
    """

    server: str
    ca: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    certificate: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    server_name: str | None = None

    def at(self, server: str) -> Credential:
        """The same credential for the same API server under another address."""
        return replace(self, server=server)


def parse_kubeconfig(text: str, *, folder: Path | None = None) -> Credential:
    """The current context of a kubeconfig. Raises CredentialError, which names the field.

    With ``folder`` the kubeconfig may name files, relative to it. Without (a Secret's content) it may not: what a
    tenant's control plane writes must not make the hub read files. Plugins and unverified TLS are always refused.
    """
    if len(text) > LONGEST_KUBECONFIG:
        raise CredentialError(
            f"the kubeconfig has {len(text)} characters, and more than {LONGEST_KUBECONFIG} are not read"
        )
    # The parser's time grows with the square of the depth.
    if max(text.count(opening) for opening in ("[", "{", "- ", "? ")) > _MOST_OPENED:
        raise CredentialError("the kubeconfig has more lists and mappings than any kubeconfig")
    try:
        config = YAML(typ="safe", pure=True).load(text)
    except _NO_YAML:
        # The parser's own message quotes the lines around, which hold the token.
        raise CredentialError("the kubeconfig is not valid YAML") from None
    if not isinstance(config, Mapping):
        raise CredentialError("the kubeconfig is not a mapping")
    context = _named(config, "contexts", "context", _text(config, "current-context"))
    cluster = _named(config, "clusters", "cluster", _text(context, "cluster"))
    user = _named(config, "users", "user", _text(context, "user"))
    if cluster.get("insecure-skip-tls-verify"):
        raise CredentialError(
            "insecure-skip-tls-verify is set in the kubeconfig: give certificate-authority-data instead"
        )
    for plugin in ("exec", "auth-provider", "username"):
        if plugin in user:
            raise CredentialError(
                f"users[].user.{plugin} in the kubeconfig is not supported: use a token or a certificate"
            )
    token_file = user.get("tokenFile")
    return Credential(
        server=_plain(_text(cluster, "server"), "server").rstrip("/"),
        ca=_pem(cluster, "certificate-authority", folder),
        token=_optional(user, "token"),
        token_file=_path("tokenFile", token_file, folder) if token_file else None,
        certificate=_pem(user, "client-certificate", folder),
        key=_unlocked(_pem(user, "client-key", folder)),
        server_name=_optional(cluster, "tls-server-name"),
    )


def in_cluster(folder: Path = IN_CLUSTER) -> Credential:
    """The credential that Kubernetes gives a pod. Raises CredentialError outside a pod."""
    try:
        ca = (folder / "ca.crt").read_text()
    except OSError as error:
        raise CredentialError(f"no kubeconfig is given and no service account is mounted: {error}") from error
    return Credential(server="https://kubernetes.default.svc", ca=ca, token_file=folder / "token")


def _named(config: Mapping[str, Any], entries: str, kind: str, name: str) -> Mapping[str, Any]:
    listed = config.get(entries)
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, Mapping) and entry.get("name") == name and isinstance(entry.get(kind), Mapping):
            found: Mapping[str, Any] = entry[kind]
            return found
    raise CredentialError(f"the kubeconfig's {entries} have no entry named {name!r}")


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise CredentialError(f"{key} is missing in the kubeconfig")
    return value


def _optional(entry: Mapping[str, Any], key: str) -> str | None:
    value = entry.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise CredentialError(f"{key} in the kubeconfig is no text")
    return _plain(value, key)


def _plain(value: str, key: str) -> str:
    """Only what may stand in an HTTP header or an address."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise CredentialError(f"{key} in the kubeconfig holds a character that it can't have")
    return value


def _unlocked(key: str | None) -> str | None:
    if key is not None and "ENCRYPTED" in key:
        # OpenSSL would ask for the passphrase on the terminal and wait.
        raise CredentialError("client-key-data in the kubeconfig is encrypted: give a key without a passphrase")
    return key


def _pem(entry: Mapping[str, Any], key: str, folder: Path | None) -> str | None:
    data = entry.get(f"{key}-data")
    if data:
        try:
            return base64.b64decode(data, validate=True).decode("ascii")
        except (binascii.Error, ValueError, TypeError):
            raise CredentialError(f"{key}-data in the kubeconfig is not base64 of a PEM text") from None
    if not entry.get(key):
        return None
    path = _path(key, entry[key], folder)
    try:
        return path.read_text()
    except OSError as error:
        raise CredentialError(f"{key} in the kubeconfig names a file that can't be read: {error}") from error


def _path(key: str, value: object, folder: Path | None) -> Path:
    if folder is None:
        raise CredentialError(f"{key} in the kubeconfig names a file: the content must be in the kubeconfig itself")
    return folder / str(value)
