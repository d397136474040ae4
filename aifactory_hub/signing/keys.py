"""Keys: ECDSA on P-256 with SHA-256. A key's id is the SHA-256 of its public part as PEM, as model signing has it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .dsse import Envelope

_ALGORITHM = ec.ECDSA(hashes.SHA256())
_ID = re.compile(r"[0-9a-f]{64}")


class BadKey(Exception):
    """The text is not the public part of an ECDSA key on P-256."""


class CustodyError(Exception):
    """Whatever keeps the private keys can't sign now; the text says why and names no secret."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key as everybody may know it.

    Statements are numbered in one chain. The key was made before number ``first``; ``last`` is the last one that it
    may have signed, None while it is in use. ``revoked`` says when it was revoked (epoch seconds), ``why`` for what
    reason: nothing that it signed is believed from then on.
    """

    id: str
    public: str
    first: int = 1
    last: int | None = None
    revoked: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one signature: ``problem`` None says that it is good. ``revoked``: the key was revoked."""

    problem: str | None = None
    revoked: bool = False


class Custody(Protocol):
    """Keeps private keys and signs with them: a folder here; a hardware module or a cloud's key service elsewhere."""

    def create(self) -> str:
        """Make a key; its public part as PEM. Raises CustodyError."""

    def sign(self, key: str, content: bytes) -> bytes:
        """The signature over ``content`` with the key of this id. Raises CustodyError."""


class FolderCustody:
    """Private keys as files in a folder that the service alone can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self) -> str:
        """See Custody. The file is whole before it has its name."""
        private = ec.generate_private_key(ec.SECP256R1())
        public = _pem(private.public_key())
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            aside = self._folder / f"{key_id(public)}.new"
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(_private_pem(private))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._path(key_id(public)))
        except OSError as error:
            raise CustodyError(f"the key can't be kept: {error.strerror}") from error
        return public

    def sign(self, key: str, content: bytes) -> bytes:
        """See Custody."""
        try:
            private = serialization.load_pem_private_key(self._path(key).read_bytes(), password=None)
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise CustodyError(f"the private key {key[:12]} can't be read") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey) or key_id(_pem(private.public_key())) != key:
            raise CustodyError(f"the file of the private key {key[:12]} has another key")
        return private.sign(content, _ALGORITHM)

    def _path(self, key: str) -> Path:
        if _ID.fullmatch(key) is None:
            raise CustodyError(f"{key[:80]!r} is not a key's id")
        return self._folder / f"{key}.pem"


def key_id(public: str) -> str:
    """The id of a public key. Raises BadKey."""
    return hashlib.sha256(_pem(_loaded(public)).encode()).hexdigest()


def check(envelope: Envelope, keys: Mapping[str, KeyFacts], *, number: int | None = None) -> Checked:
    """Whether one of these keys made the envelope's signature and might do so.

    ``number`` is the statement's place in the chain; None: not known, so that the key's time is not looked at.
    """
    known = keys.get(envelope.key)
    if known is None:
        return Checked(f"it is signed by a key that is not one of ours ({envelope.key[:12] or 'unnamed'})")
    if not _good(envelope, known.public):
        return Checked("its signature is not right: it was changed after it was signed, or made by another key")
    if known.revoked is not None:
        return Checked(f"it is signed by a revoked key ({known.id[:12]}: {known.why})", revoked=True)
    if number is not None and number < known.first:
        return Checked(f"it is older than the key that signed it ({known.id[:12]})")
    if number is not None and known.last is not None and number > known.last:
        return Checked(f"it was signed after its key was put out of use ({known.id[:12]})")
    return Checked()


def trusted(publics: Iterable[str]) -> dict[str, KeyFacts]:
    """These public keys as ``check`` takes them. Raises BadKey."""
    return {key_id(public): KeyFacts(key_id(public), public) for public in publics}


def _good(envelope: Envelope, public: str) -> bool:
    try:
        _loaded(public).verify(envelope.signature, envelope.signed, _ALGORITHM)
    except (InvalidSignature, BadKey):
        return False
    return True


@lru_cache(maxsize=64)
def _loaded(public: str) -> ec.EllipticCurvePublicKey:
    try:
        found = serialization.load_pem_public_key(public.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey("it is not a public key as PEM") from error
    if not isinstance(found, ec.EllipticCurvePublicKey) or not isinstance(found.curve, ec.SECP256R1):
        raise BadKey("it is not an ECDSA key on P-256")
    return found


def _pem(public: ec.EllipticCurvePublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()


def _private_pem(private: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
