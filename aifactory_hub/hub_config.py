"""``configure(c)``: JupyterHub set up from tenants.yaml and the environment, in one call."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from jupyterhub.auth import Authenticator
from jupyterhub.services.service import Service

from .auth.roles import custom_scopes, load_roles, session_scopes
from .constants import SERVICE_NAME
from .hub_pages import LOGO, TEMPLATES
from .hub_pages.job_service import Ask, asking
from .registry import Registry, RegistryError, RegistryProvider
from .registry.granted import Fetch, GrantedTeams, read_answer
from .settings import HubSettings, SettingsError, read_hub_settings

# Seconds. What the identity provider says of a person is asked for again after this long.
AUTH_REFRESH_AGE = 30
# Seconds. A proxy that starts again knows no notebook until the hub looks at its routes, which it does this often.
ROUTES_INTERVAL = 10
SERVICE_TIMEOUT = 1


def configure(c: Any, tenants: str | Path | None = None) -> None:
    """Set up ``c``. What was set on ``c`` before stays, save what makes up the tenants.

    ``tenants`` is the path of tenants.yaml; by default what AIFACTORY_HUB_TENANTS names. With a bad file or
    environment the process ends with exit code 1, and what to write instead is on standard error.
    """
    try:
        settings = read_hub_settings()
        # Beside the database, which the hub's working folder holds by default.
        provider = RegistryProvider.open(tenants or settings.tenants, settings.history.parent)
    except (SettingsError, RegistryError) as error:
        _refuse(error)
    if provider.status.trouble:
        print(provider.status.trouble, file=sys.stderr)
    registry = provider.registry
    _set_hub(c)
    _set_pages(c)
    _set_outside(c, registry.addresses.public)
    _set_identity(c, registry, settings)
    provider.follow_granted(_granted_teams(registry, settings))
    _set_provider(c, provider)
    _set_rights(c, registry)
    _set_service(c, settings)


def _refuse(error: Exception | str) -> NoReturn:
    print(f"The hub can't start:\n{error}", file=sys.stderr)
    # A traceback would hide the one line that the administrator needs.
    raise SystemExit(1) from None


def _default(c: Any, section: str, name: str, value: Any, *parents: str) -> None:
    """Set a trait unless the administrator did, on this class or on one that it inherits from."""
    if not any(f"{place}.{name}" in c for place in (section, *parents)):
        setattr(c[section], name, value)


def _set_hub(c: Any) -> None:
    _default(c, "JupyterHub", "authenticator_class", "aifactory")
    _default(c, "JupyterHub", "spawner_class", "aifactory")
    _default(c, "JupyterHub", "allow_named_servers", True)
    # A restart of the hub must leave the notebooks running.
    _default(c, "JupyterHub", "cleanup_servers", False)
    # By default five minutes, in which nobody would reach a notebook after a restart of the proxy.
    _default(c, "JupyterHub", "last_activity_interval", ROUTES_INTERVAL)
    if "JupyterHub.hub_bind_url" not in c:
        # Pods have to reach the hub's API, and the default is the loopback address.
        _default(c, "JupyterHub", "hub_ip", "0.0.0.0")  # noqa: S104


def _set_pages(c: Any) -> None:
    """Our templates after the administrator's and before JupyterHub's, our logo, and Home after the sign-in."""
    c.JupyterHub.template_paths = [*_before(c, "JupyterHub", "template_paths", []), str(TEMPLATES)]
    _default(c, "JupyterHub", "logo_file", str(LOGO))
    _default(c, "JupyterHub", "redirect_to_server", False)


def _set_outside(c: Any, public: str | None) -> None:
    """What browsers see: the hub's address, and cookies that no other site's requests carry."""
    options: dict[str, Any] = {"samesite": "Lax"}
    if public is not None:
        _default(c, "JupyterHub", "public_url", public)
        parents = ("GenericOAuthenticator", "OAuthenticator")
        _default(c, "AIFactoryAuthenticator", "oauth_callback_url", f"{public}hub/oauth_callback", *parents)
        if public.startswith("https://"):
            options["secure"] = True
    settings = dict(_before(c, "JupyterHub", "tornado_settings", {}))
    given = settings.get("cookie_options", {})
    theirs = {name.lower() for name in given}
    settings["cookie_options"] = {**{name: value for name, value in options.items() if name not in theirs}, **given}
    c.JupyterHub.tornado_settings = settings


def _before(c: Any, section: str, name: str, default: Any) -> Any:
    """What the administrator set, or has added to."""
    value = c[section].get(name, default)
    return value.get_value(default) if hasattr(value, "get_value") else value


def _set_identity(c: Any, registry: Registry, settings: HubSettings) -> None:
    section, identity = c.AIFactoryAuthenticator, registry.identity
    section.issuer = identity.issuer
    section.client_id = identity.client_id
    section.client_secret = settings.client_secret.reveal()
    section.username_claim = identity.username_claim
    section.scope = list(identity.scopes)
    parents = ("GenericOAuthenticator", "OAuthenticator", "Authenticator")
    if settings.ca_file is not None:
        _default(c, "AIFactoryAuthenticator", "ca_file", str(settings.ca_file))
    _default(c, "AIFactoryAuthenticator", "auth_refresh_age", AUTH_REFRESH_AGE, *parents)
    # Who is let in is decided by the tenants' groups, which the hub can't see when it looks for a rule at its start.
    _default(c, "AIFactoryAuthenticator", "any_allow_config", True, *parents)
    for place in ("AIFactoryAuthenticator", *parents):
        _refuse_unsafe(c, place)
    if "auth_refresh_strict" in Authenticator.class_traits():
        # Without it (6.1) a token keeps stale rights after the account was closed; before 6.1 it was the only way.
        _default(c, "AIFactoryAuthenticator", "auth_refresh_strict", True, *parents)


def _refuse_unsafe(c: Any, place: str) -> None:
    """Settings without which leaving a team would mean nothing."""
    if f"{place}.auth_refresh_age" in c and c[place].auth_refresh_age <= 0:
        _refuse(
            f"{place}.auth_refresh_age is {c[place].auth_refresh_age}: nobody would ever be asked about again, so who "
            f"leaves a team would keep it; write seconds, for example {AUTH_REFRESH_AGE}."
        )
    if f"{place}.auth_refresh_strict" in c and not c[place].auth_refresh_strict:
        _refuse(f"{place}.auth_refresh_strict is False: a closed account's tokens would go on working; remove it.")


def _set_rights(c: Any, registry: Registry) -> None:
    c.JupyterHub.custom_scopes.update(custom_scopes())
    c.JupyterHub.load_roles.extend(load_roles(registry.tenants))


def _set_service(c: Any, settings: HubSettings) -> None:
    entry: dict[str, Any] = {
        "name": SERVICE_NAME,
        "url": settings.service_bind.url,
        "api_token": settings.service_token.reveal(),
        # The administrator runs it: asking each person whether they trust it would teach them to click "yes".
        "oauth_no_confirm": True,
        # What the session of a browser may do there: no more than its person may.
        "oauth_client_allowed_scopes": session_scopes(),
    }
    if "timeout" in Service.class_traits():
        # The hub would otherwise wait half a minute at its start for a service that starts after it.
        entry["timeout"] = SERVICE_TIMEOUT
    c.JupyterHub.services.append(entry)


def _granted_teams(registry: Registry, settings: HubSettings) -> Fetch:
    """Asks the job service for the teams that people asked for."""
    ask: list[Ask] = []

    async def fetch() -> GrantedTeams:
        if not ask:  # where a loop runs
            url = f"{settings.service_bind.url}{urlsplit(registry.addresses.service).path}"
            ask.append(asking(url, settings.service_token.reveal(), SERVICE_TIMEOUT))
        return read_answer(await ask[0]("site/teams"))

    return fetch


def _set_provider(c: Any, provider: RegistryProvider) -> None:
    """Both follow tenants.yaml; what is set elsewhere here is of the start, see ``registry.update.FIXED``."""
    for section in (c.AIFactoryAuthenticator, c.TenantKubeSpawner):
        section.registry_provider = provider
        section.get_registry = provider.current
