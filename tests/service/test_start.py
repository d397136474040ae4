"""A service that can't start says why, without a traceback, and with exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = {"AIFACTORY_HUB_SERVICE_TOKEN": "t", "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api"}
TENANTS = """\
apiVersion: aifactory-hub.io/v1
hub: main
cluster: {name: host, gpu_models: [h100-80gb], carved: {mig-1g.10gb: 7}, simulated: true}
identity: {issuer: "http://idp.invalid", client_id: aifactory-hub}
addresses: {hub_api: "http://hub.invalid/hub/api", service: "http://hub.invalid/services/aifactory/"}
notebook: {image: "notebook:1"}
jobs: {image: "notebook:1"}
tenants:
  nlp:
    display_name: Language
    vcluster: {namespace: vc-nlp, name: nlp}
    groups: [{group: teams/nlp, role: member}]
    profiles: [mig-1g.10gb]
    quota: {mig-1g.10gb: 3}
"""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"JUPYTERHUB_API_URL": ""}, "JUPYTERHUB_API_URL is not set"),
        ({"AIFACTORY_HUB_TENANTS": "missing.yaml"}, "missing.yaml: the file can't be read"),
        ({"AIFACTORY_HUB_TENANTS": "with-rules.yaml"}, "bad.yaml:1: not valid YAML"),
        ({"KUBECONFIG": "missing.conf"}, "the host's kubeconfig can't be read"),
        (
            {"AIFACTORY_HUB_SERVICE_DATABASE": "sqlite:////no-such-folder/x.sqlite"},
            "AIFACTORY_HUB_SERVICE_DATABASE can't be used",
        ),
    ],
    ids=["settings", "registry", "rules", "credentials", "database"],
)
def test_what_keeps_the_service_from_starting_is_said(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    (tmp_path / "tenants.yaml").write_text(TENANTS)
    (tmp_path / "with-rules.yaml").write_text(f"{TENANTS}policies: {{folder: rules}}\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/bad.yaml").write_text("rules: [")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIFACTORY", "JUPYTERHUB"))}
    started = subprocess.run(
        [sys.executable, "-c", "from aifactory_hub.service import main; main()"],
        env={**kept, **GOOD, "KUBECONFIG": "", **changes},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert started.returncode == 2
    assert said in started.stderr
    assert "Traceback" not in started.stderr
