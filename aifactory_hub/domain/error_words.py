"""What an error page says: what happened, and where to go. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

# How JupyterHub begins to say that a right is missing, and what it says of a form without its token.
_NO_SCOPE = "Action is not authorized with current scopes"
_XSRF = "xsrf"
_TITLES = {
    400: "This request is not complete",
    401: "You are not signed in",
    403: "You may not do this",
    404: "This was not found",
    405: "This address takes no such request",
    409: "Not now",
    424: "The server does not run",
    429: "Too many requests",
    500: "The hub made a mistake",
    502: "A part of the hub does not answer",
    503: "Not available now",
}
_NO_ANSWER = (
    "If it is your server, look at Home whether it runs, and start it again. If it is a page of the hub, such as Jobs, "
    "try again in a minute."
)
_TEXTS = {
    404: "There is no page at this address. The link is old, or a letter in it is wrong.",
    405: "Open the page again from Home.",
    500: "It is in the hub's log. Try again; if it stays, tell an administrator what you did and when.",
    503: "Try again in a minute.",
}


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """``details`` are for an administrator."""

    title: str
    text: str
    details: str = ""


def error_words(status: int, message: str | None, *, from_proxy: bool = False) -> ErrorWords:
    """By the status of the answer and the ``message`` of who refused, which may be empty.

    ``from_proxy``: what is at the address does not answer, and the proxy asks the hub for a page that says so.
    """
    said = (message or "").strip()
    if from_proxy and status == HTTPStatus.SERVICE_UNAVAILABLE:
        return ErrorWords("This does not answer now", _NO_ANSWER)
    if status == HTTPStatus.FORBIDDEN and said.startswith(_NO_SCOPE):
        text = "Your account does not have the right to see this page or to do this. An administrator can give it."
        return ErrorWords("This is not for your account", text, said)
    if status == HTTPStatus.FORBIDDEN and _XSRF in said.lower():
        text = "The page that sent this is too old, or it is not one of the hub's. Open the page again and repeat it."
        return ErrorWords("This request can't be trusted", text, said)
    title = _TITLES.get(status, "This can't be done")
    return ErrorWords(title, said or _TEXTS.get(status, "Go back, and try again."))
