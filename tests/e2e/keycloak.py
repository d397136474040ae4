"""A real Keycloak: the distribution from Maven Central, unpacked and built once, started anew for each run.

Kept in the cache: the built distribution. Thrown away: the database. Nothing of it needs root.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ..cluster.settings import layout
from ..support.hub_process import CLIENT_SECRET
from ..support.ports import free_port

VERSION = "26.7.3"
REALM, CLIENT = "company", "hub"
_ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
# Of a JVM that shares two cores and little memory with a cluster.
_HEAP = "-Xms64m -Xmx448m -XX:TieredStopAtLevel=1"
# Seconds. Measured on two idle cores: 33 for the build, 30 for a start; a busy machine takes several times as long.
_BUILD, _START = 600, 600


def distribution() -> Path:
    """The built distribution, made when the cache has none. Raises CalledProcessError."""
    cache = layout().cache.parent / "keycloak"
    built = cache / f"keycloak-{VERSION}"
    if (built / ".built").exists():
        return built
    cache.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(built, ignore_errors=True)
    fetch = ["mvn", "-q", "-B", _PLUGIN, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={cache}"]
    subprocess.run(fetch, check=True, timeout=_BUILD)
    archive = cache / f"keycloak-quarkus-dist-{VERSION}.zip"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(cache)
    archive.unlink()
    build = ["bash", "bin/kc.sh", "build", "--db=dev-file", "--health-enabled=true"]
    subprocess.run(build, cwd=built, check=True, timeout=_BUILD, env={**os.environ, "JAVA_OPTS_KC_HEAP": _HEAP})
    (built / ".built").touch()
    return built


def realm(hub: str) -> dict[str, Any]:
    """Nested groups, one client with PKCE, logout on both sides, and a short life for access tokens."""
    mapper = {
        "name": "groups",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-group-membership-mapper",
        "config": {"claim.name": "groups", "full.path": "true", "userinfo.token.claim": "true"},
    }
    client = {
        "clientId": CLIENT,
        "secret": CLIENT_SECRET,
        "redirectUris": [f"{hub}/hub/oauth_callback"],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{hub}/hub/login",
            "backchannel.logout.url": f"{hub}/hub/aifactory/backchannel-logout",
            "backchannel.logout.session.required": "true",
        },
        "protocolMappers": [mapper],
    }
    teams = {"name": "teams", "subGroups": [{"name": "nlp", "subGroups": [{"name": "admins"}]}, {"name": "vision"}]}
    return {"realm": REALM, "enabled": True, "sslRequired": "none", "groups": [teams], "clients": [client]}


@dataclass
class Keycloak:
    """A running one. Its admin API is used as an administrator of the company would."""

    url: str
    password: str
    people: dict[str, str] = field(default_factory=dict)  # name -> password

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/{REALM}"

    def admin(self, method: str, path: str, **body: Any) -> httpx.Response:
        """One call of the admin API. Raises HTTPStatusError."""
        ask = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": self.password}
        with httpx.Client(trust_env=False, timeout=60) as http:
            token = http.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=ask).raise_for_status()
            head = {"Authorization": f"Bearer {token.json()['access_token']}"}
            return http.request(method, f"{self.url}/admin{path}", headers=head, **body).raise_for_status()

    def add_realm(self, hub: str) -> None:
        self.admin("POST", "/realms", json=realm(hub))

    def add_person(self, name: str, *groups: str) -> None:
        """``groups`` are paths such as /teams/nlp."""
        self.people[name] = secrets.token_urlsafe(12)
        person = {
            "username": name,
            "enabled": True,
            "email": f"{name}@example.org",
            "firstName": name,
            "lastName": "Test",
            "groups": list(groups),
            "credentials": [{"type": "password", "value": self.people[name]}],
        }
        self.admin("POST", f"/realms/{REALM}/users", json=person)

    def id_of(self, name: str) -> str:
        found = self.admin("GET", f"/realms/{REALM}/users?exact=true&username={name}").json()
        return str(found[0]["id"])

    def leave(self, name: str, path: str) -> None:
        group = self.admin("GET", f"/realms/{REALM}/group-by-path{path}").json()["id"]
        self.admin("DELETE", f"/realms/{REALM}/users/{self.id_of(name)}/groups/{group}")

    def disable(self, name: str) -> None:
        user = f"/realms/{REALM}/users/{self.id_of(name)}"
        self.admin("PUT", user, json={**self.admin("GET", user).json(), "enabled": False})

    def end_sessions(self, name: str) -> None:
        self.admin("POST", f"/realms/{REALM}/users/{self.id_of(name)}/logout")

    def rotate_key(self) -> None:
        """A new signing key with a higher priority; the old one stays published."""
        realm_id = self.admin("GET", f"/realms/{REALM}").json()["id"]
        key = {
            "name": f"rsa-{secrets.token_hex(4)}",
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": realm_id,
            "config": {"priority": ["1000"], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"]},
        }
        self.admin("POST", f"/realms/{REALM}/components", json=key)

    def signing_keys(self) -> int:
        """How many keys for signatures are published."""
        keys = httpx.get(f"{self.issuer}/protocol/openid-connect/certs", trust_env=False).json()["keys"]
        return sum(key.get("use") == "sig" for key in keys)


@contextmanager
def keycloak(folder: Path) -> Iterator[Keycloak]:
    """A Keycloak with an empty database below ``folder``, on ports of its own."""
    home = folder / "keycloak"
    shutil.copytree(distribution(), home, ignore=shutil.ignore_patterns("data"))
    port, management, password = free_port(), free_port(), secrets.token_urlsafe(12)
    command = [
        "bash", "bin/kc.sh", "start", "--optimized", "--http-enabled=true", "--hostname-strict=false",
        "--http-host=127.0.0.1", f"--http-port={port}", f"--http-management-port={management}", "--cache=local",
    ]  # fmt: skip
    env = {
        **os.environ,
        "JAVA_OPTS_KC_HEAP": _HEAP,
        "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
    }
    with (folder / "keycloak.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, env=env, stdout=log, stderr=log)
    try:
        _wait_up(process, f"http://127.0.0.1:{port}/realms/master", folder / "keycloak.log")
        yield Keycloak(f"http://127.0.0.1:{port}", password)
    finally:
        process.terminate()
        process.wait(120)


def _wait_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, trust_env=False, timeout=10).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"Keycloak did not come up:\n{log.read_text(errors='replace')[-3000:]}")


@dataclass
class Browser:
    """A browser for two sites at 127.0.0.1: Keycloak's cookies are marked secure, which httpx heeds over http."""

    http: httpx.Client
    jars: dict[str, dict[str, str]] = field(default_factory=dict)

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.go("GET", url, **options)

    def go(self, method: str, url: str, *, follow: bool = True, **options: Any) -> httpx.Response:
        """One request, with the cookies of its site, and the redirects after it."""
        jar = self.jars.setdefault(httpx.URL(url).netloc.decode(), {})
        head = {**options.pop("headers", {}), "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        answer = self.http.request(method, url, headers=head, **options)
        for said in answer.headers.get_list("set-cookie"):
            name, _, value = said.split(";", 1)[0].partition("=")
            gone = "max-age=0" in said.lower() or "expires=thu, 01 jan 1970" in said.lower() or value in ("", '""')
            jar.pop(name, None) if gone else jar.__setitem__(name, value)
        if follow and answer.is_redirect:
            return self.go("GET", str(httpx.URL(url).join(answer.headers["location"])))
        return answer


def as_json(answer: httpx.Response) -> Any:
    """The body; a test that fails here shows it."""
    try:
        return json.loads(answer.text)
    except ValueError as error:
        raise AssertionError(f"{answer.status_code}: {answer.text[:500]}") from error


# The test cluster's network has no way out, so that it is fetched before.
if __name__ == "__main__":
    distribution()
