"""A person's session in a browser: decides whether a request that comes with its cookie may use it.

The cookie holds a token of the hub, signed. A request that comes with it is then judged as any other with that token. A
browser sends a cookie by itself, whoever made it ask, so a request of a script also has to prove that it comes from the
page of this service.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

COOKIE = "aifactory-session"
# The page's script reads this cookie and sends its value in the header; a stream of events, which can't have headers,
# in the parameter. The names are JupyterHub's.
PROOF_COOKIE = PROOF_PARAMETER = "_xsrf"
PROOF_HEADER = "X-XSRFToken"
# Days. The hub ends its tokens earlier; this only bounds a signed cookie.
MOST_DAYS = 14
_OWN_SITE = ("same-origin", "none")


@dataclass(frozen=True, slots=True)
class Asking:
    """What a browser says of a request. ``proof`` is what the page sent; None where there is none."""

    method: str
    host: str
    fetch_site: str | None
    fetch_mode: str | None
    origin: str | None
    proof: str | None

    @classmethod
    def of(cls, method: str, host: str, headers: Mapping[str, str], parameter: str | None) -> Asking:
        """Read the headers of a request."""
        return cls(
            method,
            host,
            headers.get("Sec-Fetch-Site"),
            headers.get("Sec-Fetch-Mode"),
            headers.get("Origin"),
            headers.get(PROOF_HEADER) or parameter,
        )

    @property
    def foreign(self) -> bool:
        """Whether another site made the browser ask. Browsers without Sec-Fetch-Site send Origin with what changes."""
        if self.fetch_site is not None:
            return self.fetch_site not in _OWN_SITE
        return self.origin is not None and urlsplit(self.origin).netloc != self.host


def proof_of(key: bytes, token: str) -> str:
    """What the page of the session with this token proves itself with."""
    return hmac.new(key, f"jobs-page:{token}".encode(), hashlib.sha256).hexdigest()


def refusal(asking: Asking, proof: str) -> str | None:
    """Why the session can't be used for this request; None when it can.

    A file may also be opened as a page of its own: no script of another page can read it then.
    """
    if asking.foreign:
        return "Another site made your browser send this request, so your session is not used for it."
    if asking.proof is not None and hmac.compare_digest(asking.proof.encode(), proof.encode()):
        return None
    if asking.method in ("GET", "HEAD") and asking.fetch_mode == "navigate":
        return None
    return "This request does not come from a page of your session. Load the page again."


def page_refusal(asking: Asking, destination: str | None) -> str | None:
    """Why the page itself can't be had like this: only a person opens it, not a script or a frame of another page."""
    opened = asking.fetch_mode in (None, "navigate") and destination in (None, "document")
    return None if opened else "This page can only be opened as a page of its own."
