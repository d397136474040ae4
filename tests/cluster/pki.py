"""Certificates and kubeconfig files of the host cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from .console import ClusterError, together
from .settings import BRIDGE_ADDRESS, NODE, Layout

_NAMES = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost"
# name -> subject, subjectAltName, certificate authority
CERTIFICATES = {
    "apiserver": ("/CN=kube-apiserver", f"{_NAMES},IP:127.0.0.1,IP:10.96.0.1,IP:{BRIDGE_ADDRESS}", "ca"),
    "admin": ("/O=system:masters/CN=admin", "DNS:admin", "ca"),
    "controller-manager": ("/CN=system:kube-controller-manager", "DNS:kcm", "ca"),
    "scheduler": ("/CN=system:kube-scheduler", "DNS:scheduler", "ca"),
    "node": (f"/O=system:nodes/CN=system:node:{NODE}", f"DNS:{NODE},IP:127.0.0.1,IP:{BRIDGE_ADDRESS}", "ca"),
    "proxy": ("/CN=system:kube-proxy", "DNS:proxy", "ca"),
    # Of an authority of its own: whoever has it may speak for any user to an aggregated API.
    "front-proxy": ("/CN=front-proxy-client", "DNS:front-proxy", "front-proxy-ca"),
}
_EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(folder: Path, *argv: str) -> None:
    done = subprocess.run(["openssl", *argv], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"openssl {argv[0]}: {done.stderr[-500:]}")


def make(where: Layout) -> None:
    where.pki.mkdir(parents=True, exist_ok=True)
    where.pki.chmod(0o700)
    where.kubeconfig().parent.mkdir(parents=True, exist_ok=True)
    folder = where.pki
    for ca in ("ca", "front-proxy-ca"):
        request = ["req", "-x509", *_EC, "-keyout", f"{ca}.key", "-out", f"{ca}.crt", "-days", "3650"]
        _openssl(folder, *request, "-subj", f"/CN=test-cluster-{ca}")
    _openssl(folder, "genrsa", "-out", "service-account.key", "2048")
    together([lambda name=name: _certificate(folder, name) for name in CERTIFICATES])  # type: ignore[misc]
    for user in ("admin", "controller-manager", "scheduler", "node", "proxy"):
        credentials = {"client-certificate": f"{folder}/{user}.crt", "client-key": f"{folder}/{user}.key"}
        write_kubeconfig(where.kubeconfig(user), "https://127.0.0.1:6443", f"{folder}/ca.crt", credentials)


def _certificate(folder: Path, name: str) -> None:
    subject, names, ca = CERTIFICATES[name]
    _openssl(folder, "req", *_EC, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    serial = str(list(CERTIFICATES).index(name) + 2)
    sign = ["x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-set_serial", serial]
    _openssl(folder, *sign, "-days", "3650", "-out", f"{name}.crt", "-extfile", f"{name}.ext")


def write_kubeconfig(path: Path, server: str, authority: str, user: dict[str, str]) -> None:
    """JSON is YAML; the authority is a path, or data in base64."""
    key = "certificate-authority" if authority.startswith("/") else "certificate-authority-data"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, key: authority}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1))
