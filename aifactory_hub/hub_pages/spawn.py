"""The spawn page: a link may choose on it, and only its form starts a server.

JupyterHub's own page starts a server for a GET with a query. Any page of any site could then make a signed-in browser
take GPUs, for a link needs no token of the hub's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from jupyterhub import version_info
from jupyterhub.handlers.pages import SpawnHandler
from tornado import web

# JupyterHub reads these itself, and starts nothing by them. Before 6 it knew no display names, and any name but "next"
# was an option that started a server.
_RESERVED = ("next", "display_name") if version_info >= (6,) else ("next",)
# JupyterHub 6 writes options in a query with it.
_PREFIX = "opt-"


class SpawnPage(SpawnHandler):
    """As JupyterHub's, in its place. ``preselected`` is what the link chose: fields, each a list of values."""

    preselected: Mapping[str, Sequence[str]]

    def get(self, user_name: str | None = None, server_name: str = "") -> Any:
        """The form. Whatever the query says, nothing is started."""
        self.preselected = take_choice(self.request.query_arguments, self.request.arguments)
        return super().get(user_name=user_name, server_name=server_name)

    def post(self, user_name: str | None = None, server_name: str = "") -> Any:
        """As upstream; 400 for a form that is not UTF-8."""
        for values in self.request.body_arguments.values():
            if any(_text(value) is None for value in values):
                raise web.HTTPError(HTTPStatus.BAD_REQUEST, "The form is not UTF-8.")
        return super().post(user_name=user_name, server_name=server_name)


def take_choice(query: dict[str, list[bytes]], arguments: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """Take from a request's ``query`` all that JupyterHub would read as the options of a server, and return it.

    ``arguments`` loses the same. A value that is not UTF-8 is dropped.
    """
    taken: dict[str, list[str]] = {}
    for name in [name for name in query if name not in _RESERVED]:
        values = [text for text in map(_text, query.pop(name)) if text is not None]
        arguments.pop(name, None)
        taken.setdefault(name.removeprefix(_PREFIX), []).extend(values)
    for name in [name for name, values in query.items() if any(_text(value) is None for value in values)]:
        del query[name]
        arguments.pop(name, None)
    for name in ("_xsrf", "display_name"):
        taken.pop(name, None)
    return taken


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
