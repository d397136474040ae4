"""What a test needs to know of the running cluster. Run the test itself inside its network:
`python3 -m tests.cluster exec -- python -m pytest ...`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import cluster, dex, vclusters
from .console import ClusterError
from .images import NOTEBOOK
from .namespaces import Namespaces
from .programs import program
from .settings import BRIDGE_ADDRESS, CLIENT_ID, HUB_PORT, ISSUER, SIMULATED_SLICES, TENANTS, layout


@dataclass(frozen=True, slots=True)
class Tenant:
    """`api` is reachable from the network namespace; `hub_secrets` are Secrets in `namespace`, key `config`."""

    name: str
    namespace: str
    api: str
    admin_kubeconfig: Path
    service: str
    hub_secrets: tuple[str, ...] = vclusters.SECRETS
    queue: str = "gpu"
    notebooks: str = "notebooks"
    jobs: str = "jobs"


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    email: str  # what is typed at the sign-in page
    password: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Access:
    state: Path
    log: Path
    kubectl: str
    admin_kubeconfig: Path
    hub_kubeconfig: Path
    bridge: str
    hub_url: str
    issuer: str
    client_id: str
    client_secret: str
    accounts: dict[str, Account]
    tenants: dict[str, Tenant]
    notebook_image: str
    storage_class: str
    simulated_slices: dict[str, str]

    def set_groups(self, account: str, groups: list[str]) -> None:
        """Change someone's groups at the provider; they count from the next sign-in or refresh."""
        dex.set_groups(layout(), account, groups)

    @contextmanager
    def account(self, name: str, email: str, groups: list[str]) -> Iterator[Account]:
        """One more account at the provider, meanwhile."""
        password = dex.add_account(layout(), name, email, groups)
        try:
            yield Account(name, email, password, tuple(groups))
        finally:
            dex.remove_account(layout(), email)


def access() -> Access:
    """Of the running cluster; ClusterError with the reason when there is none."""
    where = layout()
    reason = cluster.why_not_running(where)
    if reason:
        raise ClusterError(f"no test cluster: {reason}")
    provider = dex.read_config(where)
    client = provider["clients"][0]
    accounts = {a["name"]: Account(a["name"], a["email"], a["password"], tuple(a["groups"]))
                for a in provider["accounts"]}  # fmt: skip
    return Access(
        state=where.run,
        log=where.log,
        kubectl=program(where, "kubectl"),
        admin_kubeconfig=where.kubeconfig(),
        hub_kubeconfig=where.kubeconfig("hub"),
        bridge=BRIDGE_ADDRESS,
        hub_url=f"http://{BRIDGE_ADDRESS}:{HUB_PORT}",
        issuer=ISSUER,
        client_id=CLIENT_ID,
        client_secret=client["secret"],
        accounts=accounts,
        tenants={name: _tenant(name) for name in TENANTS},
        notebook_image=NOTEBOOK,
        storage_class="local",
        simulated_slices=dict(SIMULATED_SLICES),
    )


def _tenant(name: str) -> Tenant:
    where = layout()
    namespaces = Namespaces(where)
    return Tenant(name, vclusters.host_namespace(name), vclusters.api_address(namespaces, name),
                  where.kubeconfig(f"{name}-admin"), name)  # fmt: skip
