"""Where the test cluster keeps things, and its fixed names and addresses."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PROGRAMS = HERE / "programs"
VALUES = HERE / "values"
# Rendered from tests/e2e/tenants.yaml, and compared with it by a test: this program itself needs no package.
RENDERED = VALUES / "rendered"
# The values that every site uses.
HELM_VALUES = REPOSITORY / "helm-values"

DEFAULT_STATE = "/var/lib/aifactory-hub-test-cluster"
TENANTS = ("nlp", "vision")
BRIDGE = "cni0"
BRIDGE_ADDRESS = "10.88.0.1"
POD_NETWORK = "10.88.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
DNS_ADDRESS = "10.96.0.10"
NODE = "node1"
CGROUP = "aifactory-test-cluster"
HUB_PORT = 8000
DEX_PORT = 5556
ISSUER = f"http://{BRIDGE_ADDRESS}:{DEX_PORT}/dex"
CLIENT_ID = "aifactory-hub"

# Simulated: the node has no GPU. Kueue and the scheduler only ever see these numbers.
SIMULATED_SLICES = {"nvidia.com/mig-1g.10gb": "7", "nvidia.com/mig-3g.40gb": "2"}
SIMULATED_LABELS = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/mig.strategy": "mixed"}

GROUPS = {
    "nlp-user": ["teams/nlp"],
    "vision-user": ["teams/vision"],
    "two-team-user": ["teams/nlp", "teams/nlp/admins", "teams/vision"],
    "no-team-user": [],
}

# What Pod Security "restricted" asks of a pod and of each of its containers: the tenants' namespaces enforce it.
RESTRICTED_POD = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "fsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one test cluster: `run` is thrown away by down, the rest is kept."""

    state: Path
    cache: Path

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def store(self) -> Path:
        """Containerd's images, kept because importing them is the slow part of a start."""
        return self.state / "image-store"

    @property
    def cgroup(self) -> str:
        """Of its own for each state folder, so that two clusters don't meet."""
        default = str(self.state) == DEFAULT_STATE
        return CGROUP if default else f"{CGROUP}-{hashlib.sha256(bytes(self.state)).hexdigest()[:8]}"

    @property
    def log(self) -> Path:
        return self.run / "log"

    @property
    def pki(self) -> Path:
        return self.run / "pki"

    @property
    def pids(self) -> Path:
        return self.run / "pids"

    @property
    def volumes(self) -> Path:
        return self.run / "volumes"

    @property
    def socket(self) -> Path:
        return self.run / "containerd.sock"

    def kubeconfig(self, user: str = "admin") -> Path:
        return self.run / "kubeconfigs" / f"{user}.kubeconfig"


def feature_gates() -> dict[str, bool]:
    """Kubernetes feature gates that every component of the next start gets, beside its defaults.

    Of ``AIFACTORY_TEST_CLUSTER_GATES``, for example ``DRAExtendedResource=true``: for a test of what is to come.
    """
    words = filter(None, os.environ.get("AIFACTORY_TEST_CLUSTER_GATES", "").split(","))
    return {name: value == "true" for name, _, value in (word.partition("=") for word in words)}


def layout() -> Layout:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    state = os.environ.get("AIFACTORY_TEST_CLUSTER_STATE") or DEFAULT_STATE
    return Layout(Path(state).absolute(), cache.absolute() / "aifactory-hub" / "test-cluster")
