"""A server in a team whose API answers whatever it likes."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub.clusters import KubeApi, TenantClients
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.domain.tenants import Role
from aifactory_spawner.binding import Binding
from aifactory_spawner.overrides import marks
from aifactory_spawner.server import NO_ANSWER, Server

from ..support.hostile_api import ANSWERS, hostile
from .hub_in_memory import HubInMemory

CHOICE = {"profile": "cpu-small"}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_all_that_a_server_asks_ends_in_words(hub: HubInMemory, answer: str) -> None:
    with hostile(ANSWERS[answer]) as url:
        api = KubeApi(Credential(url), timeout=0.4)

        async def of(_tenant: str) -> KubeApi:
            return api

        cluster: Any = SimpleNamespace(clients=SimpleNamespace(api=of), watch=hub.cluster.watch)
        server = Server(cluster, Binding("nlp", "cpu-small", "nb", "vc-nlp", "nlp"), "nb-ada", marks("test", "ada"))
        asked = await asyncio.gather(
            ends(server._events("uid-1")), ends(server._delete()), ends(server.token()), ends(make(server))
        )
        await api.close()
    assert all(asked)


async def ends(call: Any) -> bool:
    """Whether it ends as one that decides nothing, or as a refusal for the person."""
    try:
        await call
    except NO_ANSWER as error:
        return str(error).isprintable()
    except Exception as error:
        return type(error).__name__ == "SpawnRefused" and str(error).isprintable()
    return True


async def make(server: Server) -> None:
    await server.create_claim({"metadata": {"name": "home-ada"}}, time.monotonic())


async def test_a_server_of_that_team_is_not_taken_for_dead_and_another_team_s_starts(hub: HubInMemory) -> None:
    ada, eve = hub.person("ada", nlp=Role.MEMBER), hub.person("eve", vision=Role.MEMBER)
    await ada.spawn("", options={"tenant": "nlp", **CHOICE})
    with hostile(ANSWERS["deep in a field that is not"]) as url:
        api = KubeApi(Credential(url), timeout=0.4)
        hub.cluster.apis["nlp"] = api  # type: ignore[assignment]
        assert await ada.spawner.poll() is None
        await eve.spawn("", options={"tenant": "vision", **CHOICE})
        assert await ada.spawner.poll() is None and await eve.spawner.poll() is None
        await api.close()


KUBECONFIGS: dict[str, str] = {
    "no YAML": "[}",
    "deep": "[" * 20_000,
    "long": "a: " + "x" * 100_000,
    "aliases": "a: &a [x]\n" + "".join(f"b{i}: &b{i} [{'*a, ' * 20}]\n" for i in range(200)),
    "a list": "[]",
    "a token with a line break": 'token: "a\\nHost: x"',
    "a token that is a list": "token: [a]",
    "a certificate that is none": "ca",
    "a key that asks for a passphrase": "key",
    "a server name that is a number": "name",
}


def kubeconfig(kind: str) -> str:
    if kind not in ("a token with a line break", "a token that is a list") and len(KUBECONFIGS[kind]) > 4:
        return KUBECONFIGS[kind]
    token = KUBECONFIGS[kind] if kind.startswith("a token") else "token: t"
    pem = "LS0tLS1CRUdJTiBFTkNSWVBURUQgUFJJVkFURSBLRVktLS0tLQo="
    cluster = {"ca": "certificate-authority-data: bm9uZQ==", "name": "tls-server-name: 7"}.get(KUBECONFIGS[kind], "")
    key = f"client-key-data: {pem}\n    client-certificate-data: {pem}" if KUBECONFIGS[kind] == "key" else ""
    return f"""current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters:
- name: c
  cluster:
    server: https://x
    {cluster}
users:
- name: u
  user:
    {token}
    {key}
"""


@pytest.mark.parametrize("kind", KUBECONFIGS)
async def test_a_kubeconfig_that_a_control_plane_spoils_is_said_and_blocks_nobody(hub: HubInMemory, kind: str) -> None:
    import base64

    secret = {"data": {"config": base64.b64encode(kubeconfig(kind).encode()).decode()}}
    service = {"spec": {"clusterIP": "127.0.0.1", "ports": [{"name": "https", "port": 1}]}}

    async def get(path: str, **_: Any) -> Any:
        return secret if "/secrets/" in path else service if "/services/" in path else {}

    clients = TenantClients(SimpleNamespace(get=get), hub.tenants, "hub-notebooks")  # type: ignore[arg-type]
    began = time.monotonic()
    health = await clients.check("nlp")
    assert not health.ok and health.reason and health.reason.isprintable()
    assert time.monotonic() - began < 5
    await clients.close()
