"""The OpenID Connect provider: its accounts, its client and its configuration."""

from __future__ import annotations

import json
import secrets
import signal
from typing import Any

from . import processes
from .namespaces import Namespaces
from .settings import BRIDGE_ADDRESS, CLIENT_ID, DEX_PORT, GROUPS, HUB_PORT, ISSUER, Layout

# Where a hub under test may listen; more than one can run at a time.
HUB_PORTS = (HUB_PORT, *range(HUB_PORT + 1, HUB_PORT + 10))


def redirects() -> list[str]:
    hosts = (BRIDGE_ADDRESS, "127.0.0.1", "localhost")
    return [f"http://{host}:{port}/hub/oauth_callback" for port in HUB_PORTS for host in hosts]


def write_config(where: Layout) -> None:
    client = {"id": CLIENT_ID, "secret": secrets.token_urlsafe(24), "name": "AIFactory Hub"}
    accounts = [
        {"name": name, "email": email(name), "password": secrets.token_urlsafe(12), "groups": groups}
        for name, groups in GROUPS.items()
    ]
    config = {"listen": f"{BRIDGE_ADDRESS}:{DEX_PORT}", "issuer": ISSUER,
              "clients": [{**client, "redirectURIs": redirects()}], "accounts": accounts}  # fmt: skip
    _save(where, config)


def _save(where: Layout, config: dict[str, Any]) -> None:
    path = where.run / "dex.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))


def email(account: str) -> str:
    """What one types at dex's sign-in page."""
    return f"{account}@example.org"


def read_config(where: Layout) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((where.run / "dex.json").read_text())
    return config


def set_groups(where: Layout, account: str, groups: list[str]) -> None:
    """Change someone's groups in the running provider, as an administrator of it would."""
    config = read_config(where)
    next(a for a in config["accounts"] if a["name"] == account)["groups"] = groups
    _change(where, config)


def add_account(where: Layout, name: str, email: str, groups: list[str]) -> str:
    """Give the running provider one more account, and return its password. ``name`` may be of any shape."""
    config, password = read_config(where), secrets.token_urlsafe(12)
    others = [account for account in config["accounts"] if account["email"] != email]
    config["accounts"] = [*others, {"name": name, "email": email, "password": password, "groups": groups}]
    _change(where, config)
    return password


def remove_account(where: Layout, email: str) -> None:
    """Take an account out of the running provider; one that is not there is no error."""
    config = read_config(where)
    config["accounts"] = [account for account in config["accounts"] if account["email"] != email]
    _change(where, config)


def _change(where: Layout, config: dict[str, Any]) -> None:
    """From now on the running provider has this configuration's accounts."""
    _save(where, config)
    nsenter = processes.load(where.pids / "dex.json")
    for pid in processes.children(nsenter.pid) if nsenter and Namespaces(where).holder else []:
        identity = processes.identify(pid)
        if identity:
            identity.kill(signal.SIGHUP)
