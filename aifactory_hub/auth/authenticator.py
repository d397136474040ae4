"""The authenticator: OpenID Connect by issuer alone, groups into tenants. Overrides hooks, not flows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from jupyterhub.traitlets import Callable
from oauthenticator.generic import GenericOAuthenticator
from tornado import web
from tornado.httpclient import HTTPClientError
from traitlets import Integer, List, Unicode, default

from .. import hub_pages
from ..domain.mapping import TenantMapping
from ..domain.tenants import hub_groups
from ..registry import Registry
from . import memberships
from .claims import ClaimError, GroupsClaim, groups_from_claims, username_from_claims
from .handlers import CallbackHandler, LoginHandler
from .id_token import IdTokenError
from .pages import ProblemPage, no_team_page
from .provider import Provider, ProviderUnreachable

# Where the subject that the ID token proved is kept among the token response, so that each later userinfo
# answer is held against it.
_PROVED_SUBJECT = "aifactory_subject"


class AIFactoryAuthenticator(GenericOAuthenticator):
    """Signs people in with the company's identity provider and keeps which tenants they belong to.

    The identity provider's groups are matched by ``domain.mapping``; only ``tenant-...`` groups reach
    the hub. Who is in no tenant is refused, at sign-in and at each refresh.
    """

    login_handler = LoginHandler
    callback_handler = CallbackHandler

    issuer = Unicode(config=True, help="The identity provider's issuer URL, exactly as it calls itself.")
    groups_claim = List(Unicode(), ["groups"], config=True, help="Path of the groups in the userinfo answer.")
    get_registry = Callable(None, allow_none=True, config=True, help="Returns the tenant registry; set by configure().")
    stale_grace = Integer(
        900,
        config=True,
        help="Seconds for which a person keeps her tenants while the identity provider does not answer.",
    )

    _provider: Provider | None = None
    _mapping: tuple[Registry, TenantMapping] | None = None

    @default("manage_groups")
    def _manage_groups_by_default(self) -> bool:
        return True

    @default("enable_auth_state")
    def _enable_auth_state_by_default(self) -> bool:
        return True

    @default("refresh_pre_spawn")
    def _refresh_before_spawn(self) -> bool:
        return True

    @default("login_service")
    def _name_on_the_button(self) -> str:
        return "your company account"

    @default("http_request_kwargs")
    def _short_timeouts(self) -> dict[str, Any]:
        return {"connect_timeout": 3.0, "request_timeout": 10.0}

    def get_handlers(self, app: Any) -> list[Any]:
        """As upstream, and the hub pages of ours: JupyterHub's ``extra_handlers`` is deprecated."""
        hub_pages.begin(app)
        return [*super().get_handlers(app), *hub_pages.routes()]

    async def discover(self) -> None:
        """Fill in the provider's addresses, unless configured. Raises ProviderUnreachable."""
        found = await self.provider.endpoints()
        addresses = {
            "authorize_url": found.authorization,
            "token_url": found.token,
            "userdata_url": found.userinfo,
        }
        for trait, address in addresses.items():
            if not getattr(self, trait):
                setattr(self, trait, address)

    @property
    def provider(self) -> Provider:
        if self._provider is None:
            self._provider = Provider(self.issuer, self.httpfetch)
        return self._provider

    @property
    def mapping(self) -> TenantMapping:
        """The registry's rules, compiled once for each registry."""
        registry = self.get_registry()
        if self._mapping is None or self._mapping[0] is not registry:
            self._mapping = (registry, registry.mapping())
        return self._mapping[1]

    async def fetch(self, req: Any, label: str = "fetching", parse_json: bool = True, **kwargs: Any) -> Any:
        """As upstream; "no answer" becomes ProviderUnreachable, so that it is never taken for a "no"."""
        try:
            return await super().fetch(req, label, parse_json, **kwargs)
        except HTTPClientError as error:
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            raise ProviderUnreachable(f"the identity provider at {self.issuer} does not answer") from error
        except OSError as error:
            raise ProviderUnreachable(f"the identity provider at {self.issuer} can't be reached") from error
        except ValueError as error:
            raise ProviderUnreachable(f"the identity provider at {self.issuer} answered nonsense") from error

    async def get_token_info(self, handler: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        """As upstream, and the ID token is verified: one has to come with a code, one may with a refresh."""
        await self.discover()
        token_info: dict[str, Any] = await super().get_token_info(handler, params)
        signing_in = params.get("grant_type") == "authorization_code"
        id_token = token_info.get("id_token")
        if signing_in and not id_token:
            raise IdTokenError("the identity provider sent no ID token")
        if id_token:
            nonce = handler.sent_nonce() if signing_in else None
            claims = await self.provider.verify(id_token, client_id=self.client_id, nonce=nonce)
            token_info[_PROVED_SUBJECT] = claims["sub"]
        return token_info

    async def token_to_user(self, token_info: Mapping[str, Any]) -> dict[str, Any]:
        """The userinfo answer. Refuses one about somebody other than the ID token named."""
        await self.discover()
        user_info: dict[str, Any] = await super().token_to_user(token_info)
        subject = user_info.get("sub") if isinstance(user_info, dict) else None
        if not isinstance(subject, str) or not subject:
            raise IdTokenError("the identity provider's userinfo answer names no subject (sub)")
        if token_info.get(_PROVED_SUBJECT, subject) != subject:
            raise IdTokenError("the identity provider's userinfo answer is about somebody else (sub)")
        return user_info

    def user_info_to_username(self, user_info: Mapping[str, Any]) -> str:
        if callable(self.username_claim):
            return str(super().user_info_to_username(user_info))
        try:
            return username_from_claims(user_info, self.username_claim)
        except ClaimError as error:
            raise ProblemPage(HTTPStatus.FORBIDDEN, str(error)) from error

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        auth_state = auth_model["auth_state"]
        user_info = auth_state[self.user_auth_state_key]
        try:
            groups = groups_from_claims(user_info, GroupsClaim(tuple(self.groups_claim)))
        except ClaimError as error:
            self.log.error("Sign-in of %s refused: %s", auth_model["name"], error)
            raise ProblemPage(HTTPStatus.FORBIDDEN, str(error)) from error
        found = self.mapping.roles(groups)
        auth_state[memberships.KEY] = memberships.to_auth_state(
            found, subject=user_info["sub"], issuer=self.issuer, resolved_at=time.time()
        )
        return auth_model

    async def get_user_groups(self, auth_state: Mapping[str, Any]) -> set[str]:
        """The hub groups, from the tenants alone: the identity provider's own never reach the hub's database."""
        return set(hub_groups(memberships.from_auth_state(auth_state)))

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """In a tenant, or let in by configuration. Raises 403 with a page that says what to ask for."""
        if auth_model is None or await super().check_allowed(username, auth_model):
            return True
        if memberships.from_auth_state(auth_model["auth_state"]):
            return True
        raise no_team_page(username)

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> Any:
        """As upstream, with the allow check made again.

        False (sign in again) for somebody who lost her last tenant: her hub groups are taken away at once, since
        the hub itself keeps them. While the provider does not answer, what it said last holds for ``stale_grace``.
        """
        before = (await user.get_auth_state() or {}).get(memberships.KEY) or {}
        try:
            model = await super().refresh_user(user, handler, **kwargs)
        except ProviderUnreachable as error:
            fresh_enough = time.time() - before.get("resolved_at", 0) < self.stale_grace
            self.log.warning("%s keeps her tenants: %s. %s", user.name, fresh_enough, error)
            return fresh_enough
        except IdTokenError as error:
            self.log.warning("%s has to sign in again: %s", user.name, error)
            return False
        if not isinstance(model, dict):
            return model
        now = model["auth_state"][memberships.KEY]
        if before and (now["iss"], now["sub"]) != (before.get("iss"), before.get("sub")):
            self.log.warning("%s has to sign in again: the provider knows another subject now", user.name)
            return False
        return model if await self._still_allowed(user, model) else False

    async def _still_allowed(self, user: Any, model: dict[str, Any]) -> bool:
        try:
            return await self.check_allowed(user.name, model)
        except web.HTTPError:
            self.log.warning("%s is in no team any more", user.name)
            user.sync_groups([])
            await user.save_auth_state(None)
            return False
