"""Signs people in at the hub: JupyterHub's OAuth for services."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuth
from tornado.httputil import url_concat
from tornado.web import HTTPError

from ...constants import SERVICE_NAME
from ..errors import ServiceError, unavailable

CALLBACK = "oauth_callback"
_TIMEOUT = 10.0


class HubSignIn:
    """The way to the hub and back. ``prefix`` is the service's own, e.g. /services/aifactory/."""

    def __init__(self, api_url: str, api_token: str, prefix: str) -> None:
        self.hub = urlsplit(api_url).path.rstrip("/").removesuffix("/api") + "/"
        self._auth: Any = HubOAuth(
            api_url=api_url,
            api_token=api_token,
            base_url=prefix,
            hub_host="",
            hub_prefix=self.hub,
            oauth_client_id=f"service-{SERVICE_NAME}",
            oauth_redirect_uri=f"{prefix}{CALLBACK}",
        )

    def begin(self, state: str) -> tuple[str, str | None]:
        """Where the hub asks who somebody is, and the verifier of PKCE, which JupyterHub 5 does not have."""
        asked, verifier = {"state": state}, None
        if hasattr(self._auth, "generate_pkce_code_challenge"):
            verifier, challenge, method = self._auth.generate_pkce_code_challenge()
            asked |= {"code_challenge": challenge, "code_challenge_method": method}
        return url_concat(self._auth.login_url, asked), verifier

    async def token_for(self, code: str, verifier: str | None) -> str:
        """The person's token. Raises ServiceError: 400 for a code that the hub does not take, 503 without an answer."""
        more = {} if verifier is None else {"code_verifier": verifier}
        try:
            async with asyncio.timeout(_TIMEOUT):
                return str(await self._auth.token_for_code(code, sync=False, **more))
        except TimeoutError as error:
            raise _silent() from error
        except HTTPError as error:
            # JupyterHub's class says the same of a hub that refuses and of one that can't be reached.
            message = "The hub did not complete this sign-in: it took too long, was used before, or the hub is away."
            raise ServiceError(400, "sign-in-incomplete", message) from error


def _silent() -> ServiceError:
    return unavailable("hub-unavailable", "The hub does not answer now, so you can't be signed in. Try again soon.")
