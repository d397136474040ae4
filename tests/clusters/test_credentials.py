"""Kubeconfigs: what is taken and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory_hub.clusters.credentials import CredentialError, in_cluster, parse_kubeconfig

from ..support.kube_objects import kubeconfig

GOOD = kubeconfig("-----BEGIN CERTIFICATE-----", "hush")


def test_the_current_context_is_taken() -> None:
    credential = parse_kubeconfig(GOOD)
    assert credential.server == "https://localhost:8443"
    assert (credential.ca, credential.token) == ("-----BEGIN CERTIFICATE-----", "hush")
    assert credential.at("https://10.96.0.7:443").server == "https://10.96.0.7:443"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "not valid YAML"),
        ("[]", "not a mapping"),
        ("{}", "current-context"),
        (GOOD.replace("current-context: my-vcluster", "current-context: other"), "contexts"),
        (GOOD.replace("token:", "exec:"), "exec"),
        (GOOD.replace("user: {token", "user: {username: ada, token"), "username"),
        (GOOD.replace("server:", "insecure-skip-tls-verify: true, server:"), "insecure-skip-tls-verify"),
        (GOOD.replace("-data: ", "-data: not-base64"), "certificate-authority-data"),
        (GOOD.replace("certificate-authority-data", "certificate-authority"), "certificate-authority"),
        (GOOD.replace("token:", "tokenFile:"), "tokenFile"),
    ],
)
def test_a_kubeconfig_that_can_not_be_used_names_the_field_and_no_secret(text: str, named: str) -> None:
    with pytest.raises(CredentialError, match=named) as error:
        parse_kubeconfig(text)
    assert "hush" not in str(error.value)


def test_the_hosts_kubeconfig_may_name_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("PEM")
    text = GOOD.split("certificate-authority-data")[0] + "certificate-authority: ca.crt}}]\n" + GOOD.splitlines()[-1]
    assert parse_kubeconfig(text, folder=tmp_path).ca == "PEM"


def test_a_pod_uses_its_service_account(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("PEM")
    assert in_cluster(tmp_path).token_file == tmp_path / "token"
    with pytest.raises(CredentialError, match="no service account"):
        in_cluster(tmp_path / "nowhere")
