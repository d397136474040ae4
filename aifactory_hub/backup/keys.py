"""The service's private keys in one file, encrypted with a key that is kept elsewhere."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..domain.backups import BackupError

ENCRYPTED = "keys.enc"
# Bytes. What is encrypted names itself, so that no other file of ours is taken for it.
_NONCE = 12
_FOR = b"aifactory-hub backup keys 1"


def read_key(path: Path) -> bytes:
    """The key in a file: 64 hex digits. Raises BackupError."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"{path} can't be read: write into it what `openssl rand -hex 32` prints") from error
    if re.fullmatch(r"[0-9a-fA-F]{64}", text) is None:
        raise BackupError(f"{path} has no key of 64 hex digits: write into it what `openssl rand -hex 32` prints")
    return bytes.fromhex(text)


def encrypt(root: Path, names: Sequence[str], key: bytes) -> bytes:
    """These files of ``root``, encrypted."""
    content = {name: base64.b64encode((root / name).read_bytes()).decode() for name in names}
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, json.dumps(content).encode(), _FOR)


def decrypt(data: bytes, key: bytes) -> dict[str, bytes]:
    """Name -> content. Raises BackupError for another key, or a file that is damaged."""
    try:
        content = json.loads(AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], _FOR))
        return {str(name): base64.b64decode(text) for name, text in content.items()}
    except (InvalidTag, ValueError) as error:
        raise BackupError(f"{ENCRYPTED} can't be decrypted: another key, or a damaged file") from error


def bring_keys_back(found: Mapping[str, bytes], target: Path) -> None:
    """Write them, for their owner alone. Raises BackupError for a name that leads elsewhere."""
    for name, content in found.items():
        if name.startswith("/") or ".." in name.split("/"):
            raise BackupError(f"{ENCRYPTED} has {name!r}, which is no name of a key")
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
