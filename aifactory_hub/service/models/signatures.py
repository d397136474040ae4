"""Signs statements with the key that is in use, and keeps keys: made, put out of use, revoked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...domain.formatting import iso_millis
from ...signing.dsse import seal
from ...signing.keys import Custody, CustodyError, KeyFacts, key_id
from ...signing.oms import STATEMENT_TYPE
from ...store.model_registry import ModelRegistry
from ...store.statements import KEYS, Draft

_KEY_EVENT = "urn:aifactory-hub:signing-key:v1"


class Signatures:
    """Signs for the registry. Methods block."""

    def __init__(self, registry: ModelRegistry, custody: Custody, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._custody = custody
        self._clock = clock

    def draft(self, kind: str, subject: str, version: str | None, statement: Mapping[str, Any]) -> Draft:
        """The statement, signed, as it goes into the chain. Raises CustodyError."""
        with self._registry.in_turn():
            return self._signed(self._current(), kind, subject, version, statement)

    def keys(self) -> dict[str, KeyFacts]:
        """All keys, the oldest first."""
        return self._registry.keys()

    def rotate(self, by: str) -> KeyFacts:
        """Make a new key, which signs from now on. Statements of the former ones stay good. Raises CustodyError."""
        with self._registry.in_turn():
            public = self._custody.create()
            made = KeyFacts(key_id(public), public)
            event = _event("created", made.id, public, by, self._clock(), "")

            def draft(_number: int) -> Draft:
                return self._signed(made.id, KEYS, made.id, None, event)

            self._registry.add_key(made, self._clock(), draft)
        return made

    def revoke(self, key: str, by: str, why: str) -> bool:
        """Believe nothing of what the key has signed from now on; False where it was revoked before or there is none.

        A new key is made first when it is the one in use, so that there is always one. Raises CustodyError.
        """
        with self._registry.in_turn():
            known = self._registry.keys().get(key)
            if known is None or known.revoked is not None:
                return False
            if known.last is None:
                self.rotate(by)
            now = self._clock()
            event = _event("revoked", key, known.public, by, now, why)
            draft = self._signed(self._current(), KEYS, key, None, event)
            return self._registry.revoke_key(key, why, now, draft)

    def trial(self) -> tuple[str | None, str]:
        """The key in use, None before the first statement, and why nothing can be signed with it; empty when it can."""
        key = self._in_use()
        if key is None:
            return None, ""
        try:
            self._custody.sign(key, b"aifactory-hub: whether this key can sign")
        except CustodyError as error:
            return key, str(error)
        return key, ""

    def _in_use(self) -> str | None:
        for key in self._registry.keys().values():
            if key.last is None and key.revoked is None:
                return key.id
        return None

    def _current(self) -> str:
        """The key in use, made when there is none yet."""
        return self._in_use() or self.rotate("the service").id

    def _signed(self, key: str, kind: str, subject: str, version: str | None, statement: Mapping[str, Any]) -> Draft:
        envelope = seal(statement, key, lambda content: self._custody.sign(key, content))
        return Draft(kind, subject, version, key, envelope.text())


def _event(what: str, key: str, public: str, by: str, at: float, why: str) -> dict[str, Any]:
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": f"signing-key/{key}", "digest": {"sha256": key}}],
        "predicateType": _KEY_EVENT,
        "predicate": {"event": what, "public": public, "by": by, "at": iso_millis(at), "why": why},
    }


def custody_words(error: CustodyError) -> str:
    """What is said to a person when nothing can be signed now."""
    return f"Nothing can be signed now: {error}. Nothing was changed; tell the administrator, and try again."
