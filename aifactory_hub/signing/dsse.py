"""Envelopes of DSSE 1.0 (github.com/secure-systems-lab/dsse), which hold a statement and its signature."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class BadEnvelope(Exception):
    """It is not an envelope of one signed statement; the text says why."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload with one signature; ``key`` is the id of the key that made it."""

    payload: bytes
    key: str
    signature: bytes
    payload_type: str = PAYLOAD_TYPE

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is over: DSSE's pre-authentication encoding, which has the payload's type."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)

    def statement(self) -> dict[str, Any]:
        """The payload as a JSON object. Raises BadEnvelope."""
        try:
            found = json.loads(self.payload)
        except (ValueError, RecursionError) as error:
            raise BadEnvelope("the payload is not JSON") from error
        if self.payload_type != PAYLOAD_TYPE or not isinstance(found, dict):
            raise BadEnvelope(f"the payload is not a statement of in-toto ({self.payload_type[:80]!r})")
        return found

    def as_json(self) -> dict[str, Any]:
        """The envelope as DSSE writes it."""
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": self.key, "sig": base64.b64encode(self.signature).decode()}],
        }

    def text(self) -> str:
        """``as_json`` as one line."""
        return canonical(self.as_json()).decode()


def canonical(value: Any) -> bytes:
    """A JSON value as bytes, the same for equal values: keys in order, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def seal(statement: Mapping[str, Any], key: str, sign: Callable[[bytes], bytes]) -> Envelope:
    """The statement in an envelope, signed by ``sign`` with the key of this id."""
    unsigned = Envelope(canonical(statement), key, b"")
    return Envelope(unsigned.payload, key, sign(unsigned.signed))


def read_envelope(text: str | bytes) -> Envelope:
    """The envelope of a JSON text. Raises BadEnvelope."""
    try:
        return envelope_of(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise BadEnvelope("the envelope is not JSON") from error


def envelope_of(body: Any) -> Envelope:
    """The envelope of a JSON value. Raises BadEnvelope; one with several signatures is refused too."""
    try:
        (signature,) = body["signatures"]
        payload, made = _bytes(body["payload"]), _bytes(signature["sig"])
        return Envelope(payload, str(signature.get("keyid", "")), made, str(body["payloadType"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadEnvelope("the envelope has not the fields payload, payloadType and one signature") from error


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
