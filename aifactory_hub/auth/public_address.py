"""The hub's address as a browser sees it."""

from __future__ import annotations

from typing import Any

from jupyterhub.utils import get_browser_protocol


def outside_origin(handler: Any) -> str:
    """Scheme and host: what the administrator said, else what this browser asked for.

    Of several proxies in a row the outermost says with which scheme: JupyterHub's own proxy appends its own.
    """
    said = handler.settings.get("public_url") or handler.authenticator.oauth_callback_url
    if said:
        scheme, _, rest = str(getattr(said, "geturl", lambda: said)()).partition("://")
        return f"{scheme}://{rest.split('/', 1)[0]}"
    return f"{get_browser_protocol(handler.request)}://{handler.request.host}"
