"""``configure(c)``: what it sets, what it leaves, and how a bad file or environment ends."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from aifactory_hub.hub_config import configure

from ..support.hub_process import TENANTS, environment, hub_command
from ..support.ports import free_port


@pytest.fixture
def tenants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "tenants.yaml"
    path.write_text(TENANTS.format(issuer="https://idp.example"))
    for name, value in environment(path).items():
        if name.startswith(("AIFACTORY", "JUPYTERHUB")):
            monkeypatch.setenv(name, value)
    return path


def configured(**before: dict[str, Any]) -> Config:
    c = Config()
    for section, values in before.items():
        for name, value in values.items():
            setattr(c[section], name, value)
    configure(c)
    return c


def lazy(value: Any) -> Any:
    return value.get_value([]) if hasattr(value, "get_value") else value


def test_one_call_sets_up_the_hub(tenants: Path) -> None:
    c = configured()
    assert c.JupyterHub.authenticator_class == c.JupyterHub.spawner_class == "aifactory"
    assert c.JupyterHub.cleanup_servers is False
    # A proxy that starts again is given its routes within this many seconds.
    assert c.JupyterHub.last_activity_interval == 10
    assert c.AIFactoryAuthenticator.issuer == "https://idp.example"
    assert c.AIFactoryAuthenticator.auth_refresh_age == 30
    assert set(c.TenantKubeSpawner.get_registry().tenants) == {"nlp"}
    service = lazy(c.JupyterHub.services)[0]
    assert service["name"] == "aifactory"
    assert service["url"] == "http://127.0.0.1:9"
    # Without them the session of a browser there could do nothing.
    assert set(service["oauth_client_allowed_scopes"]) > {"custom:aifactory:jobs:read"}
    assert {role["name"] for role in lazy(c.JupyterHub.load_roles)} >= {"tenant-nlp-member", "aifactory-service"}
    assert "load_groups" not in c.JupyterHub


def test_cookies_are_for_this_site_and_what_the_administrator_says_of_them_stays(tenants: Path) -> None:
    assert configured().JupyterHub.tornado_settings == {"cookie_options": {"samesite": "Lax"}}
    mine = {"cookie_options": {"SameSite": "None", "expires_days": 1}, "slow_spawn_timeout": 3}
    assert configured(JupyterHub={"tornado_settings": mine}).JupyterHub.tornado_settings == mine


def test_the_outside_address_is_the_hubs_and_the_redirect_addresss(tenants: Path) -> None:
    text = tenants.read_text().replace("service: ", "public: https://hub.example.org/jupyter, service: ")
    tenants.write_text(text)
    c = configured()
    assert c.JupyterHub.public_url == "https://hub.example.org/jupyter/"
    assert c.AIFactoryAuthenticator.oauth_callback_url == "https://hub.example.org/jupyter/hub/oauth_callback"
    assert c.JupyterHub.tornado_settings["cookie_options"] == {"samesite": "Lax", "secure": True}
    mine = configured(GenericOAuthenticator={"oauth_callback_url": "https://other.example/hub/oauth_callback"})
    assert "oauth_callback_url" not in mine.AIFactoryAuthenticator


def test_what_the_administrator_set_stays(tenants: Path) -> None:
    role = {"name": "ours", "scopes": []}
    c = configured(
        JupyterHub={
            "load_roles": [role],
            "services": [{"name": "cull"}],
            "hub_bind_url": "http://:1",
            "allow_named_servers": False,
        },
        Authenticator={"auth_refresh_age": 300},
    )
    assert role in c.JupyterHub.load_roles
    assert [service["name"] for service in c.JupyterHub.services] == ["cull", "aifactory"]
    assert c.JupyterHub.allow_named_servers is False
    assert "hub_ip" not in c.JupyterHub
    assert "auth_refresh_age" not in c.AIFactoryAuthenticator


def test_our_templates_come_after_the_administrators_own(tenants: Path) -> None:
    c = configured(JupyterHub={"template_paths": ["/site/templates"]})
    first, second = c.JupyterHub.template_paths
    assert first == "/site/templates"
    assert (Path(second) / "spawn_pending.html").is_file()


def test_people_come_to_home_under_our_logo_unless_the_site_says_otherwise(tenants: Path) -> None:
    c = configured()
    assert c.JupyterHub.redirect_to_server is False
    assert Path(c.JupyterHub.logo_file).is_file()
    c = configured(JupyterHub={"redirect_to_server": True, "logo_file": "/site/logo.png"})
    assert (c.JupyterHub.redirect_to_server, c.JupyterHub.logo_file) == (True, "/site/logo.png")


def test_another_path_can_be_given(tenants: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(tenants.read_text().replace("hub: test", "hub: second"))
    c = Config()
    configure(c, tenants=other)
    assert c.TenantKubeSpawner.get_registry().hub == "second"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("hub: test", "hub: test\nhubb: x", ["tenants.yaml:4: hubb", "did you mean hub?"]),
        ("quota: {mig-1g.10gb: 1}", "quota: {mig-1g.10gb: many}", ["many"]),
    ],
    ids=["unknown key", "quota that is no number"],
)
def test_a_bad_file_ends_the_hub_with_one_line_and_no_traceback(
    tmp_path: Path, before: str, after: str, said: list[str]
) -> None:
    path = tmp_path / "tenants.yaml"
    path.write_text(TENANTS.format(issuer="https://idp.example").replace(before, after))
    ended = run_hub(tmp_path, environment(path))
    assert ended.returncode == 1
    assert "The hub can't start" in ended.stderr
    assert "Traceback" not in ended.stderr
    for words in said:
        assert words in ended.stderr


def test_a_missing_variable_ends_the_hub_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tenants.yaml"
    path.write_text(TENANTS.format(issuer="https://idp.example"))
    ended = run_hub(tmp_path, environment(path, AIFACTORY_HUB_CLIENT_SECRET=None))
    assert ended.returncode == 1
    assert "AIFACTORY_HUB_CLIENT_SECRET is not set" in ended.stderr
    assert "Traceback" not in ended.stderr


def run_hub(folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = hub_command(folder, free_port())
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
