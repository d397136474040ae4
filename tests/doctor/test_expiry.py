"""What doctor says of certificates and credentials that end, and of those that have."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from aifactory_hub.clusters import KubeApi
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.doctor.expiry import certificate_end, credential_end, expiry_finding, expiry_findings
from aifactory_hub.domain.doctor import Finding, Stage, Verdict
from aifactory_hub.registry import read_registry

from ..support.certificates import server_tls
from ..support.kube_objects import kubeconfig, secret
from ..support.kube_server import KubeServer, kube_server
from .test_command import TENANTS

NOW = float(int(time.time()))
DAY = 86_400


def token(**claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2lnbmF0dXJl"


@asynccontextmanager
async def https(days: int) -> AsyncIterator[int]:
    """The port of a server on 127.0.0.1 whose certificate ends in so many days."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_tls(days=days).context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("left", "verdict", "said"),
    [
        (60 * DAY, Verdict.GOOD, "it ends in 60 days"),
        (13 * DAY, Verdict.WARNING, "it ends in 13 days"),
        (-3 * DAY, Verdict.BAD, "it ended 3 days ago"),
    ],
)
def test_it_is_said_before_it_ends(left: float, verdict: Verdict, said: str) -> None:
    found = expiry_finding("the certificate of hub", Stage.PLATFORM, NOW + left, NOW, "renew it")
    assert found == Finding(
        Stage.PLATFORM, "the certificate of hub", verdict, said, "" if verdict is Verdict.GOOD else "renew it"
    )


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        (token(exp=1_800_000_000), 1_800_000_000.0),
        (token(sub="hub"), None),
        (token(exp="soon"), None),
        ("opaque", None),
        ("a.b.c", None),
        (f"e30.{base64.urlsafe_b64encode(b'[' * 100_000).decode()}.x", None),
    ],
)
def test_a_token_ends_when_it_says_so(text: str, ends: float | None) -> None:
    assert credential_end(Credential("https://here", token=text)) == ends


async def test_a_certificate_is_read_though_nobody_vouches_for_it_or_it_has_ended() -> None:
    for days in (90, -3):
        async with https(days) as port:
            ends = await certificate_end("127.0.0.1", port)
        assert ends is not None
    assert await certificate_end("127.0.0.1", port) is None, "nobody listens there any more"


async def findings(host: KubeServer, port: int, now: float) -> dict[str, Finding]:
    registry = read_registry(TENANTS, "here")
    address = f"https://127.0.0.1:{port}/"
    registry = replace(registry, addresses=replace(registry.addresses, public=address, hub_api=address))
    api = KubeApi(Credential(host.url))
    try:
        found = await expiry_findings(registry, api, now)
    finally:
        await api.close()
    assert len({each.check for each in found}) == len(found)
    return {each.check: each for each in found}


async def test_addresses_and_credentials_of_teams_are_looked_at_and_each_once() -> None:
    async with kube_server() as host, https(90) as port:
        nlp = "/api/v1/namespaces/vc-nlp/secrets"
        host.put(nlp, secret("hub-notebooks", kubeconfig("ca", token(exp=NOW + 5 * DAY))))
        host.put(nlp, secret("hub-jobs", kubeconfig("ca", token())))
        host.put("/api/v1/namespaces/vc-vision/secrets", secret("hub-jobs", "no kubeconfig"))
        found = await findings(host, port, NOW)
        assert set(found) == {
            f"the certificate of 127.0.0.1:{port}",
            "the credential that the hub has for team nlp",
            "the credential that the job service has for team nlp",
        }, "what can't be read is for other checks"
        ends = found["the credential that the hub has for team nlp"]
        assert (ends.verdict, ends.seen) == (Verdict.WARNING, "it ends in 5 days")
        assert "kubectl -n vc-nlp rollout restart" in ends.todo
        assert found["the credential that the job service has for team nlp"].seen == "it has no end"
        later = await findings(host, port, NOW + 400 * DAY)
        assert {each.verdict for check, each in later.items() if "job service" not in check} == {Verdict.BAD}
