"""A real API server with nothing behind it: etcd and kube-apiserver, as the test cluster has built them."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.console import ClusterError
from tests.cluster.programs import program
from tests.cluster.settings import layout

from ..support.ports import free_port

TOKEN = "conformance"
_STARTS = 60.0
BROKEN = "resulted in error"


def missing() -> str:
    """Why there is no API server to be had here; empty where there is."""
    try:
        for name in ("etcd", "kube-apiserver"):
            program(layout(), name)
    except ClusterError as error:
        return str(error)
    return ""


@dataclass
class ApiServer:
    """It is asked in the name of anybody."""

    http: httpx.Client

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Make an object of the cluster."""
        places = {
            "Namespace": "/api/v1/namespaces",
            "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
            "ValidatingAdmissionPolicyBinding": (
                "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
            ),
        }
        answer = self.http.post(places[manifest["kind"]], json=dict(manifest))
        assert answer.status_code == 201, (answer.text, manifest)

    def refusal(self, pod: Mapping[str, Any], namespace: str) -> str:
        """Why the namespace's syncer may not make this pod; empty where it may. Nothing is made."""
        made = {**pod, "metadata": {"name": "tried", "namespace": namespace}}
        syncer = {"Impersonate-User": f"system:serviceaccount:{namespace}:vc-team"}
        path = f"/api/v1/namespaces/{namespace}/pods"
        answer = self.http.post(path, params={"dryRun": "All"}, json=made, headers=syncer)
        # What can't be evaluated is refused as what is wrong with the request.
        broken = answer.status_code == 422 and BROKEN in answer.text
        assert broken or answer.status_code in (201, 403), answer.text
        return "" if answer.status_code == 201 else str(answer.json()["message"])


@contextmanager
def api_server(folder: Path, authorization: str = "AlwaysAllow") -> Iterator[ApiServer]:
    """Running; ``folder`` is its own."""
    (folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(pem)
    etcd, peers, secure = (free_port() for _ in range(3))
    with (
        _running(_etcd(folder, etcd, peers), folder / "etcd.log"),
        _running(_apiserver(folder, etcd, secure, authorization), folder / "apiserver.log"),
    ):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        # Its certificate is its own, made a moment ago.
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        address = f"https://127.0.0.1:{secure}"
        with httpx.Client(base_url=address, headers=headers, verify=trust, timeout=30, trust_env=False) as http:
            _ready(http, folder / "apiserver.log")
            yield ApiServer(http)


def _etcd(folder: Path, client: int, peer: int) -> list[str]:
    return [
        program(layout(), "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
    ]


def _apiserver(folder: Path, etcd: int, port: int, authorization: str) -> list[str]:
    return [
        program(layout(), "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        # Nobody is told of it. Without one the server looks for a default route, which a network of its own has not.
        "--advertise-address=192.0.2.1",
        f"--cert-dir={folder}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        f"--authorization-mode={authorization}",
        "--disable-admission-plugins=ServiceAccount",
        "--service-account-issuer=https://conformance.invalid",
        f"--service-account-key-file={folder / 'key.pem'}",
        f"--service-account-signing-key-file={folder / 'key.pem'}",
        "--service-cluster-ip-range=10.96.0.0/24",
    ]


@contextmanager
def _running(argv: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(argv, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def _ready(http: httpx.Client, log: Path) -> None:
    until = time.monotonic() + _STARTS
    while time.monotonic() < until:
        try:
            if http.get("/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"no API server: {json.dumps(log.read_text()[-2000:])}")
