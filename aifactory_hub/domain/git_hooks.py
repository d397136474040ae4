"""Deliveries of Git hosts: who signed them, and the little that is read of them.

A delivery is a doorbell. It makes the service ask the repository; what runs comes from the refs that are seen then.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..untrusted.texts import escaped
from .git_refs import BRANCHES, OBJECT_ID


class Provider(StrEnum):
    """Whose deliveries a trigger takes. It is said with the trigger and never guessed from headers, because some hosts
    send others' headers too. LOCAL: a folder of this machine, which delivers nothing."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    BITBUCKET = "bitbucket"
    LOCAL = "local"


def signed(provider: Provider, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets, of which two are good while they are changed, has signed the body.

    All secrets are tried, and in constant time: how long it takes says nothing.
    """
    answers = [_SIGNED[provider](headers, body, secret) for secret in secrets]
    return any(answers)


def _hex_signature(header: str, prefix: str) -> Callable[[Mapping[str, str], bytes, str], bool]:
    def check(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        expected = prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return _same(expected, headers.get(header, ""))

    return check


def _gitlab(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """As Standard Webhooks have it where the host signs, else the plain secret."""
    said = headers.get("webhook-signature")
    if said is None:
        return _same(secret, headers.get("x-gitlab-token", ""))
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return False
    parts = (headers.get("webhook-id", ""), headers.get("webhook-timestamp", ""))
    content = b".".join([*(part.encode("utf-8", "surrogatepass") for part in parts), body])
    expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    answers = [_same(expected, one) for one in said.split(" ")[:10]]
    return any(answers)


def _never(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    return False


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


_SIGNED: Mapping[Provider, Callable[[Mapping[str, str], bytes, str], bool]] = {
    Provider.GITHUB: _hex_signature("x-hub-signature-256", "sha256="),
    Provider.GITEA: _hex_signature("x-gitea-signature", ""),
    Provider.BITBUCKET: _hex_signature("x-hub-signature", "sha256="),
    Provider.GITLAB: _gitlab,
    Provider.LOCAL: _never,
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is kept of a delivery: nothing of it decides what runs. ``pushed`` are the commits that it says refs name
    now, and ``by`` who pushed them."""

    id: str = ""
    event: str = ""
    ref: str = ""
    by: str = ""
    pushed: tuple[str, ...] = ()
    forced: bool | None = None


_EVENT = {
    Provider.GITHUB: "x-github-event",
    Provider.GITLAB: "x-gitlab-event",
    Provider.GITEA: "x-gitea-event",
    Provider.BITBUCKET: "x-event-key",
}
_ID = {
    Provider.GITHUB: ("x-github-delivery",),
    Provider.GITLAB: ("webhook-id", "idempotency-key", "x-gitlab-event-uuid"),
    Provider.GITEA: ("x-gitea-delivery",),
    Provider.BITBUCKET: ("x-request-uuid", "x-request-id"),
}
_LONGEST = 255


def read_delivery(provider: Provider, headers: Mapping[str, str], body: Any) -> Delivery:
    """What a delivery says, whatever its form: what is not as expected is left out."""
    found = body if isinstance(body, dict) else {}
    names = (headers.get(name, "") for name in _ID.get(provider, ()))
    pushes = _bitbucket(found) if provider is Provider.BITBUCKET else [(found.get("ref"), found.get("after"))]
    forced = [found.get("forced")] if provider is not Provider.BITBUCKET else _forced_changes(found)
    return Delivery(
        id=_text(next((name for name in names if name), "")),
        event=_text(headers.get(_EVENT.get(provider, ""), "")),
        ref=_text(next((ref for ref, _ in pushes if isinstance(ref, str)), "")),
        by=_text(_who(found)),
        pushed=tuple(sha for _, sha in pushes if isinstance(sha, str) and OBJECT_ID.fullmatch(sha))[:100],
        forced=next((each for each in forced if isinstance(each, bool)), None),
    )


def _bitbucket(body: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Cloud's pushes, and a Data Center's, which has its changes beside each other."""
    push = body.get("push")
    listed = push.get("changes") if isinstance(push, dict) else body.get("changes")
    found: list[tuple[Any, Any]] = []
    for change in (each for each in (listed if isinstance(listed, list) else [])[:100] if isinstance(each, dict)):
        new = change.get("new")
        if isinstance(new, dict):
            target = new.get("target")
            name = new.get("name")
            ref = f"{BRANCHES}{name}" if isinstance(name, str) else None
            found.append((ref, target.get("hash") if isinstance(target, dict) else None))
        else:
            found.append((change.get("refId"), change.get("toHash")))
    return found


def _forced_changes(body: Mapping[str, Any]) -> list[Any]:
    push = body.get("push")
    listed = push.get("changes") if isinstance(push, dict) else None
    return [each.get("forced") for each in (listed if isinstance(listed, list) else []) if isinstance(each, dict)]


def _who(body: Mapping[str, Any]) -> Any:
    """The name of the account that pushed."""
    if isinstance(body.get("user_username"), str):
        return body["user_username"]
    for place, fields in (
        ("sender", ("login", "username")),
        ("actor", ("nickname", "display_name", "name")),
        ("pusher", ("name", "login", "username")),
    ):
        person = body.get(place)
        for field in fields:
            if isinstance(person, dict) and isinstance(person.get(field), str):
                return person[field]
    return ""


def _text(value: Any) -> str:
    return escaped(value)[:_LONGEST] if isinstance(value, str) else ""
