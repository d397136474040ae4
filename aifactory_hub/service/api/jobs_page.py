"""The pages for a browser, and the way in: sign-in at the hub, and the built files."""

from __future__ import annotations

import json
import re
import secrets
from html import escape
from typing import Any

from jupyterhub.utils import get_browser_protocol

from ... import __version__
from ..auth.browser_session import COOKIE, PROOF_COOKIE, page_refusal
from ..auth.hub_sign_in import HubSignIn
from ..auth.permissions import Caller
from ..errors import ServiceError, forbidden, unavailable
from ..page_files import PageFiles
from .base import Handler
from .context import Context

# Seconds that a person has to sign in at the provider before they have to begin again.
STATE_MAX_AGE = 600
_STATE_COOKIE = "aifactory-sign-in-"
_STATE = re.compile(r"[A-Za-z0-9_-]{43}")
# What a state's cookie may hold, in characters; a longer address is not come back to.
_LONGEST_NEXT = 1000
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{prefix}static/{style}">
<script src="{prefix}static/{script}" defer></script>
</head>
<body data-prefix="{prefix}" data-hub="{hub}" data-name="{name}" data-user="{user}" data-version="{version}"
  data-tenants="{tenants}" data-simulated="{simulated}" data-administrator="{administrator}">
<div id="page"><p class="aif-Empty" role="status">Loading…</p></div>
<noscript><p class="aif-Empty">This page needs JavaScript. Programs use the REST API.</p></noscript>
</body>
</html>
"""


class _BrowserHandler(Handler):
    """What page and sign-in have in common."""

    def set_default_headers(self) -> None:
        """Nothing of the page is kept, framed or told to other sites."""
        super().set_default_headers()
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")

    @property
    def sign_in(self) -> HubSignIn:
        """The way to the hub. Raises ServiceError (503) where the service knows none."""
        if self.context.sign_in is None:
            raise unavailable("no-sign-in", "This service does not know its hub's address, so nobody can sign in.")
        return self.context.sign_in

    def cookie(self, name: str, value: str, *, signed: bool = True, **more: Any) -> None:
        """Set one that no other path of this host gets."""
        public = self.context.registry.addresses.public
        protocol = get_browser_protocol(self.request) if public is None else public.partition(":")[0]
        options = {"path": self.settings["prefix"], "secure": protocol == "https", **more}
        if signed:
            self.set_signed_cookie(name, value, expires_days=None, httponly=True, samesite="Lax", **options)
        else:
            self.set_cookie(name, value, samesite="Strict", **options)

    def begin_sign_in(self) -> None:
        """To the hub, and back to this address afterwards: the address is in a signed cookie, not in a parameter."""
        state = secrets.token_urlsafe(32)
        address, verifier = self.sign_in.begin(state)
        own = self.request.uri or ""
        next_url = own if len(own) <= _LONGEST_NEXT else self.settings["prefix"]
        kept = json.dumps({"state": state, "next": next_url, "verifier": verifier})
        self.cookie(_STATE_COOKIE + state[:8], kept, max_age=STATE_MAX_AGE)
        self.redirect(address)


class _Page(_BrowserHandler):
    """A page for whoever has a session; what is shown in it is asked for by its script."""

    def initialize(self, context: Context, page: PageFiles | None = None) -> None:
        """Called by tornado with the route's arguments."""
        super().initialize(context)
        self.page = page

    async def visitor(self) -> Caller | None:
        """Whose session it is. None when the browser was sent to sign in. Raises ServiceError: 403, 503."""
        why = page_refusal(self.asking(), self.request.headers.get("Sec-Fetch-Dest"))
        if why is not None:
            raise forbidden(why)
        token = self.session_token()
        if token is not None:
            try:
                visitor = await self.caller(fresh=True)
            except ServiceError as error:
                if error.status != 401:
                    raise
            else:
                self.cookie(PROOF_COOKIE, self.proof_for(token), signed=False)
                return visitor
        self.begin_sign_in()
        return None

    def authorization(self) -> str | None:
        """The session alone. A page gives nothing away that a script of another page could read."""
        token = self.session_token()
        return None if token is None else f"Bearer {token}"

    def show(self, visitor: Caller, title: str) -> None:
        """Send the page. Raises ServiceError (503) when it was not built."""
        if self.page is None:
            message = "This page is not in this installation. In a checkout, make labextension builds it."
            raise unavailable("page-not-built", message)
        known = self.context.registry.tenants
        tenants = {name: known[name].display_name for name in self.tenants_to_read(visitor, None)}
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", _POLICY)
        given = {"prefix": self.settings["prefix"], "hub": self.settings["hub"], "user": visitor.name}
        given["name"] = self.context.registry.site.name
        given |= {"simulated": self.context.registry.cluster.simulated, "version": __version__}
        given |= {"title": title, "administrator": visitor.administers_platform}
        given |= {"script": self.page.script, "style": self.page.style, "tenants": json.dumps(tenants)}
        self.write(_PAGE.format(**{n: escape(str(v)) for n, v in given.items()}))


class JobsPage(_Page):
    """The list of jobs, or one of them."""

    async def get(self, job_id: str | None = None) -> None:
        """The page for whoever has a session, a redirect to sign in for all others.

        Raises ServiceError: 404 when there is no such job in the person's teams, 403, 503.
        """
        visitor = await self.visitor()
        if visitor is None:
            return
        if job_id is not None:
            await self.job_for(visitor, job_id)
        self.show(visitor, "Jobs")


class TeamPage(_Page):
    """What a team holds, what waits, and what it has used."""

    async def get(self, tenant: str) -> None:
        """The page for the people of the team. Raises ServiceError: 403 for all others, 503."""
        visitor = await self.visitor()
        if visitor is None:
            return
        if tenant not in self.tenants_to_read(visitor, None):
            raise forbidden(f"You are in no team {tenant!r}. Your team's admin can add you to it.")
        self.show(visitor, "Team")


class ModelsPage(_Page):
    """The models of a team."""

    async def get(self, tenant: str) -> None:
        """The page for the people of the team. Raises ServiceError: 403 for all others, 503."""
        visitor = await self.visitor()
        if visitor is None:
            return
        if tenant not in self.tenants_to_read(visitor, None):
            raise forbidden(f"You are in no team {tenant!r}. Your team's admin can add you to it.")
        self.show(visitor, "Models")


class PipelinesPage(_Page):
    """Runs of a team's pipelines, and what starts them."""

    async def get(self, tenant: str) -> None:
        """The page for the people of the team. Raises ServiceError: 403 for all others, 503."""
        visitor = await self.visitor()
        if visitor is None:
            return
        if tenant not in self.tenants_to_read(visitor, None):
            raise forbidden(f"You are in no team {tenant!r}. Your team's admin can add you to it.")
        self.show(visitor, "Pipelines")


class PlatformPage(_Page):
    """All teams, for administrators of the platform; others read there that it is not for them."""

    async def get(self) -> None:
        """The page. Raises ServiceError: 503."""
        visitor = await self.visitor()
        if visitor is None:
            return
        self.set_status(200 if visitor.administers_platform else 403)
        self.show(visitor, "Platform")


class ApprovalsPage(_Page):
    """What waits for approval, and what was decided."""

    async def get(self, approval_id: str | None = None) -> None:
        """The page for whoever has a session, which says when there is no such approval. Raises ServiceError: 503."""
        if (visitor := await self.visitor()) is not None:
            self.show(visitor, "Approvals")


class NotificationsPage(_Page):
    """Where people choose what they are told by mail."""

    async def get(self) -> None:
        """The page for whoever has a session. Raises ServiceError: 503."""
        if (visitor := await self.visitor()) is not None:
            self.show(visitor, "Notifications")


class TeamsPage(_Page):
    """Where people ask for a team, and see how far their requests are."""

    async def get(self) -> None:
        """The page for whoever has a session. Raises ServiceError: 503."""
        if (visitor := await self.visitor()) is not None:
            self.show(visitor, "Teams")


class Callback(_BrowserHandler):
    """Where the hub sends the browser back to."""

    async def get(self) -> None:
        """Begin a session. Raises ServiceError: 400 for a sign-in that did not begin in this browser."""
        kept = self._kept(self.get_query_argument("state", ""))
        self._forget_states()
        if self.get_query_argument("error", ""):
            raise forbidden("The hub did not let you in. An administrator of the hub can tell you why.")
        code = self.get_query_argument("code", "")
        token = await self.sign_in.token_for(code, kept["verifier"])
        # As for any token: who may not use the service gets no session.
        await self.context.gate.caller(f"Bearer {token}", fresh=True)
        self.cookie(COOKIE, token)
        self.redirect(kept["next"])

    def _kept(self, state: str) -> dict[str, Any]:
        known = _STATE.fullmatch(state) is not None
        cookie = self.get_signed_cookie(_STATE_COOKIE + state[:8], max_age_days=1) if known else None
        kept: dict[str, Any] = {} if cookie is None else json.loads(cookie)
        if not kept or not secrets.compare_digest(kept["state"], state):
            message = "This sign-in did not begin in this browser, or more than ten minutes ago. Sign in again."
            raise ServiceError(400, "unknown-sign-in", message)
        return kept

    def _forget_states(self) -> None:
        for name in self.request.cookies:
            if name.startswith(_STATE_COOKIE):
                self.clear_cookie(name, path=self.settings["prefix"])


class Static(Handler):
    """The built files. They are the same for everybody, and never change under their names."""

    def initialize(self, context: Context, page: PageFiles | None = None) -> None:
        """Called by tornado with the route's arguments."""
        super().initialize(context)
        self.page = page

    def get(self, name: str) -> None:
        """One of them. Raises ServiceError (404)."""
        found = None if self.page is None else self.page.files.get(name)
        if found is None:
            raise ServiceError(404, "unknown-path", f"There is nothing at {self.request.path}.")
        self.set_header("Content-Type", found.media_type)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.write(found.content)
