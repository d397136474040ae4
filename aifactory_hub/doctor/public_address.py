"""Whether the hub's outside address is the one in tenants.yaml: asked over that address, as a browser would."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx

from ..domain.doctor import Finding, Stage, Verdict
from .authorities import authorities

_SECONDS = 5.0
_CHECK = "the hub's outside address"


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """What was seen at ``addresses.public``.

    ``error`` says why nothing answered. ``status`` is the answer's. ``callback`` is where the hub lets the identity
    provider send browsers back to; None where it names no such place.
    """

    public: str
    error: str = ""
    status: int = 0
    callback: str | None = None


async def ask_for_sign_in(public: str) -> PublicAddress:
    """Begin a sign-in at this address, and follow nothing."""
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False, verify=authorities()) as http:
            answer = await http.get(f"{public}hub/oauth_login")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return PublicAddress(public, error=str(error) or type(error).__name__)
    sent = parse_qs(urlsplit(answer.headers.get("Location", "")).query).get("redirect_uri", [None])
    return PublicAddress(public, status=answer.status_code, callback=sent[0])


def public_finding(seen: PublicAddress | None) -> Finding:
    """What is said of it; None: tenants.yaml names no outside address."""
    if seen is None:
        todo = "set addresses.public to the hub's address in a browser: behind some proxies the guess is wrong"
        return Finding(Stage.PLATFORM, _CHECK, Verdict.WARNING, "not set, so it is guessed from each request", todo)
    wanted = f"{seen.public}hub/oauth_callback"
    if seen.error:
        todo = "ask from a machine that reaches it, or correct addresses.public"
        found = f"{seen.public} does not answer here: {seen.error}"
        return Finding(Stage.PLATFORM, _CHECK, Verdict.WARNING, found, todo)
    if seen.callback is None:
        todo = "correct addresses.public, or the proxy in front of the hub"
        found = (
            f"no hub answers at {seen.public}: a sign-in gets status {seen.status} and leads to no identity provider"
        )
        return Finding(Stage.PLATFORM, _CHECK, Verdict.BAD, found, todo)
    if seen.callback != wanted:
        todo = f"start the hub with this tenants.yaml, and let the identity provider allow {wanted}"
        found = f"after a sign-in browsers are sent to {seen.callback}, not to {wanted}"
        return Finding(Stage.PLATFORM, _CHECK, Verdict.BAD, found, todo)
    return Finding(Stage.PLATFORM, _CHECK, Verdict.GOOD, f"{seen.public} begins a sign-in that comes back to it")
