"""The authenticator: OpenID Connect by issuer alone, groups into tenants. Overrides hooks, not flows."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from jupyterhub import orm
from jupyterhub.traitlets import Callable
from jupyterhub.utils import url_path_join
from oauthenticator.generic import GenericOAuthenticator
from sqlalchemy import select
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from traitlets import Instance, Integer, TraitError, Unicode, default, validate

from .. import hub_pages
from ..constants import APPROVERS_GROUP
from ..domain.accounts import Subject
from ..domain.mapping import TenantMapping
from ..domain.membership_policy import Policy, SessionStatus
from ..domain.tenants import hub_groups
from ..registry import Registry, RegistryProvider
from . import memberships, routes
from .accounts import Accounts
from .budget_stops import BudgetStops
from .claims import ClaimError, GroupsClaim, mail_from_claims, username_from_claims, with_name_claims
from .handlers import CallbackHandler, LoginHandler
from .handover import Handovers
from .id_token import IdTokenError, OtherSubject, verify_userinfo
from .logout import LogoutHandler, LogoutTokens
from .membership_poller import AT_ONCE, MembershipPoller
from .memberships import StoredSession, claimed_groups
from .pages import ProblemPage, no_team_page
from .provider import Provider, ProviderUnreachable
from .public_address import outside_origin
from .session_refresh import Renewal
from .sign_ins import SignIns
from .sources import USERINFO, Answer, claims_of, read_groups, what_arrived
from .team_roles import TeamRoles
from .token_response import VERIFIED, VERIFIED_BEFORE

# The largest answer that is read of a provider, in bytes: 20,000 groups fit.
_LARGEST_ANSWER = 4 * 2**20
# Characters. OpenID Connect allows 255.
_LONGEST_SUBJECT = 1024
# So many requests at once go to the provider: the poller's, and as many of people who sign in or send requests.
_AT_ONCE = 2 * AT_ONCE
# The status that tornado's clients give to a request without an answer; libcurl's to a refused connection, too.
_NO_ANSWER = 599


class SignedAnswer(Exception):
    """The provider answered with a JWT where JSON was expected."""

    def __init__(self, body: bytes) -> None:
        super().__init__("a signed answer")
        self.token = body.decode("ascii", "replace").strip()


class AIFactoryAuthenticator(GenericOAuthenticator):
    """Signs people in with the company's identity provider and keeps which tenants they belong to.

    The identity provider's groups are matched by ``domain.mapping``; only ``tenant-...`` groups reach
    the hub. Who is in no tenant is refused, at sign-in and at each refresh.
    """

    login_handler = LoginHandler
    callback_handler = CallbackHandler
    logout_handler = LogoutHandler

    issuer = Unicode(config=True, help="The identity provider's issuer URL, exactly as it calls itself.")
    get_registry = Callable(None, allow_none=True, config=True, help="Returns the tenant registry; set by configure().")
    registry_provider = Instance(
        RegistryProvider, None, allow_none=True, config=True, help="Follows tenants.yaml; set by configure()."
    )
    ca_file = Unicode(
        config=True,
        help="File in PEM form with the authorities that vouch for the identity provider, in place of the public ones; "
        "set by configure() from AIFACTORY_HUB_CA_FILE. A site that sets http_request_kwargs says ca_certs there.",
    )
    groups_function = Callable(
        None,
        allow_none=True,
        config=True,
        help="A site's own way to the groups: takes an auth.sources.Answer, returns a list of names; may be async. "
        "Whatever it raises means that nothing is known, never that somebody is in no group.",
    )
    sweep_interval = Integer(
        20, config=True, help="Seconds between two looks after people with running servers or live jobs."
    )

    _provider: Provider | None = None
    _mapping: tuple[Registry, TenantMapping] | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sign_ins = SignIns()
        self.logout_tokens = LogoutTokens()
        self.renewal = Renewal(self, self._teams_changed)
        self.poller: MembershipPoller | None = None
        self._accounts: Accounts | None = None

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
        # Not SSL_CERT_FILE: libcurl, which Zero to JupyterHub's chart has the hub use, does not read it.
        authorities = {"ca_certs": self.ca_file} if self.ca_file else {}
        return {"connect_timeout": 5.0, "request_timeout": 10.0, **authorities}

    @default("http_client")
    def _bounded_client(self) -> Any:
        # A client of its own: tornado's shared one makes ten requests at a time, and what waits longer than
        # connect_timeout for its turn counts as "no answer".
        client = AsyncHTTPClient.configured_class()
        limited = "max_body_size" in inspect.signature(client.initialize).parameters
        limits = {"max_body_size": _LARGEST_ANSWER} if limited else {}  # libcurl's has none before tornado 6.6
        return AsyncHTTPClient(force_instance=True, max_clients=_AT_ONCE, **limits)

    @validate("auth_refresh_age")
    def _refresh_is_on(self, proposal: Any) -> Any:
        if proposal["value"] <= 0:
            raise TraitError(
                "auth_refresh_age is 0, so nobody who leaves a team would ever lose it; write seconds, for example 30"
            )
        return proposal["value"]

    def get_handlers(self, app: Any) -> list[Any]:
        """As upstream, and the hub pages of ours: JupyterHub's ``extra_handlers`` is deprecated."""
        self._accounts = Accounts(app.db, self._rebind_until, self.log)
        # Users come from the database: the hub's own mapping has only those that were asked for since its start.
        self._accounts.begin(lambda: app.db.scalars(select(orm.User.name)), app.users.get)
        if (until := self._rebind_until()) is not None and time.time() < until:
            self.log.warning("identity.rebind_until: accounts of another issuer are bound anew by their name")
        self.handovers = Handovers(self._accounts, app, self.log)
        self.handovers.begin()
        self.poller = MembershipPoller.begin(self, app)
        self.budget_stops = BudgetStops.begin(app, lambda: self.registry)
        hub_pages.begin(app)
        if self.registry_provider is not None:
            TeamRoles.begin(self.registry_provider, app.db)
        return [*super().get_handlers(app), *hub_pages.routes(), *routes.routes()]

    # What tenants.yaml says

    @property
    def registry(self) -> Registry:
        found: Registry = self.get_registry()
        return found

    @property
    def where_groups_are(self) -> GroupsClaim:
        return GroupsClaim.of(self.registry.identity)

    @property
    def accounts(self) -> Accounts:
        """The persons that accounts are bound to. Available from ``get_handlers`` on, which has the database."""
        if self._accounts is None:
            raise RuntimeError("the hub has not asked for its handlers yet")
        return self._accounts

    def _rebind_until(self) -> float | None:
        return self.registry.identity.rebind_until

    @property
    def leaving(self) -> Policy:
        identity = self.registry.identity
        return Policy(stop=identity.on_leaving == "stop", grace=identity.leaving_grace)

    @property
    def mapping(self) -> TenantMapping:
        """The registry's rules, compiled once for each registry."""
        registry = self.registry
        if self._mapping is None or self._mapping[0] is not registry:
            self._mapping = (registry, registry.mapping())
        return self._mapping[1]

    def _teams_changed(self, name: str) -> None:
        if self.poller is not None:
            self.poller.soon(name)

    # What the provider says

    @property
    def provider(self) -> Provider:
        if self._provider is None:
            self._provider = Provider(self.issuer, self.httpfetch)
        return self._provider

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

    def get_callback_url(self, handler: Any = None) -> str:
        """Where the provider sends browsers back to: the redirect address that is registered there."""
        if self.oauth_callback_url or handler is None:
            return str(super().get_callback_url(handler))
        return url_path_join(outside_origin(handler), handler.hub.server.base_url, "oauth_callback")

    async def fetch(self, req: Any, label: str = "fetching", parse_json: bool = True, **kwargs: Any) -> Any:
        """As upstream; "no answer" becomes ProviderUnreachable, so that it is never taken for a "no"."""
        try:
            answer = await super().fetch(req, label, False, **kwargs)
            return _content(answer) if parse_json else answer
        except HTTPClientError as error:
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            what = "can't be reached" if error.code == _NO_ANSWER else "does not answer"
            raise ProviderUnreachable(f"the identity provider at {self.issuer} {what}") from error
        except OSError as error:
            raise ProviderUnreachable(f"the identity provider at {self.issuer} can't be reached") from error
        except (ValueError, RecursionError) as error:
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
            if signing_in and not isinstance(handler, CallbackHandler):
                raise IdTokenError("a sign-in begins in a browser, at this hub")
            nonce = handler.sent_nonce() if signing_in else None
            token_info[VERIFIED] = await self.provider.verify(id_token, client_id=self.client_id, nonce=nonce)
        return token_info

    async def token_to_user(self, token_info: Mapping[str, Any]) -> dict[str, Any]:
        """The userinfo answer, with what only the ID token has of the name. Refuses one about somebody else.

        A signed answer (application/jwt) is verified with the provider's keys.
        """
        await self.discover()
        try:
            user_info: dict[str, Any] = await super().token_to_user(token_info)
        except SignedAnswer as signed:
            token = signed.token
            user_info = await self.provider.check(
                lambda keys: verify_userinfo(token, keys, issuer=self.issuer, client_id=self.client_id)
            )
        subject = user_info.get("sub") if isinstance(user_info, dict) else None
        if not isinstance(subject, str) or not subject:
            raise IdTokenError("the identity provider's userinfo answer names no subject (sub)")
        if (token_info.get(VERIFIED) or {}).get("sub", subject) != subject:
            raise OtherSubject("the identity provider's userinfo answer is about somebody else (sub)")
        if len(subject) > _LONGEST_SUBJECT or not subject.isprintable():
            raise IdTokenError("the identity provider's userinfo answer has a subject (sub) that can't be kept")
        if callable(self.username_claim):
            return user_info
        return with_name_claims(user_info, token_info.get(VERIFIED) or {}, self.username_claim)

    async def auth_model_of(self, token_info: Mapping[str, Any]) -> dict[str, Any]:
        """The auth model of whoever a token is for, as at a sign-in."""
        model: dict[str, Any] = await self._token_to_auth_model(token_info)
        return model

    def user_info_to_username(self, user_info: Mapping[str, Any]) -> str:
        if callable(self.username_claim):
            return str(super().user_info_to_username(user_info))
        try:
            return username_from_claims(user_info, self.username_claim)
        except ClaimError as error:
            raise ProblemPage(HTTPStatus.FORBIDDEN, str(error)) from error

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        auth_state = auth_model["auth_state"]
        person = Subject(self.issuer, auth_state[self.user_auth_state_key]["sub"])
        name = await self._account_of(person, auth_model["name"])
        # The provider's name may be another by now: rights that go by name are those of the account.
        auth_model |= {"name": name, "admin": True if name in self.admin_users else None}
        try:
            groups = await self.groups_of(auth_state)
        except ClaimError as error:
            self.log.error("Groups of %s can't be read: %s", auth_model["name"], error)
            raise ProblemPage(HTTPStatus.FORBIDDEN, str(error)) from error
        token_info = auth_state["token_response"]
        claims = token_info.get(VERIFIED) or {}
        now = time.time()
        lasts = token_info.get("refresh_expires_in")
        email, verified = mail_from_claims(auth_state[self.user_auth_state_key], claims)
        auth_state[memberships.KEY] = StoredSession(
            subject=person.subject,
            issuer=person.issuer,
            tenants=self.mapping.roles(groups),
            resolved_at=now,
            session=claims.get("sid"),
            session_ends=now + lasts if isinstance(lasts, int | float) and lasts > 0 else None,
            groups=claimed_groups(groups, self.mapping),
            email=email,
            email_verified=verified,
        ).to_auth_state()
        if self.renewal.account is None:
            self._check_that_it_can_be_renewed(token_info)
            self.sign_ins.note(auth_model["name"], groups, self.mapping, now)
        return auth_model

    async def _account_of(self, person: Subject, name: str) -> str:
        """The one place where a person is held against an account, at sign-in and at renewal. Raises OtherPerson.

        A sign-in is bound only when everything else allows it, see ``CallbackHandler.auth_to_user``; who is asked about
        again is signed in already.
        """
        await self.accounts.ready(name)
        if self.renewal.account is not None:
            return self.accounts.bind(self.renewal.account, person).name
        return self.accounts.decide(name, person).name

    def _check_that_it_can_be_renewed(self, token_info: Mapping[str, Any]) -> None:
        """Groups in a token are as old as the token: only a new one says who has left."""
        source = self.registry.identity.groups_source
        if source != USERINFO and self.groups_function is None and not token_info.get("refresh_token"):
            raise ProblemPage(
                HTTPStatus.FORBIDDEN,
                f"Groups are read from the {source.replace('_', ' ')}, but the identity provider gave this hub no way "
                "to renew it. Its administrator has to allow the scope offline_access and add it to identity.scopes.",
            )

    def answer_of(self, auth_state: Mapping[str, Any]) -> Answer:
        """What the provider said, as kept."""
        token_info = auth_state.get("token_response") or {}
        return Answer(
            userinfo=auth_state[self.user_auth_state_key],
            proved=None if token_info.get(VERIFIED_BEFORE) else token_info.get(VERIFIED),
            access_token=auth_state["access_token"],
        )

    async def groups_of(self, auth_state: Mapping[str, Any]) -> tuple[str, ...]:
        """The groups in what the provider said. Raises ClaimError, IdTokenError or ProviderUnreachable."""
        return await read_groups(
            self.answer_of(auth_state),
            self.registry.identity.groups_source,
            self.where_groups_are,
            self.groups_function,
            self.provider,
            self.client_id,
        )

    # Who is let in

    async def get_user_groups(self, auth_state: Mapping[str, Any]) -> set[str]:
        """The hub groups, from the tenants alone: the identity provider's own never reach the hub's database."""
        groups = set(hub_groups(memberships.from_auth_state(auth_state)))
        return groups | {APPROVERS_GROUP} if self._approves(auth_state) else groups

    def _approves(self, auth_state: Mapping[str, Any]) -> bool:
        kept = memberships.read_kept(auth_state)
        return kept is not None and kept.standing is SessionStatus.KNOWN and bool(kept.approves_by(self.mapping))

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """In a tenant, an approver, or let in by configuration. Raises 403 with a page that says what to ask for."""
        if auth_model is None or await super().check_allowed(username, auth_model):
            return True
        auth_state = auth_model["auth_state"]
        if memberships.from_auth_state(auth_state) or self._approves(auth_state):
            return True
        raise no_team_page(username, await self._what_arrived(auth_state))

    async def _what_arrived(self, auth_state: Mapping[str, Any]) -> str:
        if groups := await self.groups_of(auth_state):
            return f"The identity provider sent {len(groups)} groups of yours, and none of them leads to a team here."
        if self.groups_function is not None:
            return "The identity provider sent no groups of yours."
        source = self.registry.identity.groups_source
        claims = await claims_of(self.answer_of(auth_state), source, self.provider, self.client_id)
        return what_arrived(claims, source, self.where_groups_are)

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> Any:
        """Ask the provider again, with the allow check made again: see ``Renewal``."""
        if self.refresh_user_hook is not None:
            refreshed = await self._call_refresh_user_hook(user, await user.get_auth_state())
            if refreshed is not None:
                self.renewal.answered(user.name)
                return refreshed
        return await self.renewal.renew(user)


def _content(answer: Any) -> Any:
    """The JSON of an answer. Raises SignedAnswer, and ValueError or RecursionError for what is none."""
    if answer.headers.get("Content-Type", "").startswith("application/jwt"):
        raise SignedAnswer(answer.body)
    return json.loads(answer.body.decode("utf-8", "replace")) if answer.body else None
