"""One API server: what counts as an answer, and what as none."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from pathlib import Path

import pytest

from aifactory_hub.clusters import ApiError, ApiNonsense, ApiUnreachable, KubeApi
from aifactory_hub.clusters.credentials import Credential

from ..support.certificates import server_tls
from ..support.kube_server import kube_server

PODS = "/api/v1/namespaces/notebooks/pods"


async def test_objects_are_created_read_patched_and_deleted() -> None:
    async with kube_server() as server:
        api = KubeApi(Credential(server.url))
        made = await api.create(PODS, {"metadata": {"name": "nb", "labels": {"a": "1"}}})
        await api.merge_patch(f"{PODS}/nb", {"metadata": {"labels": {"b": "2"}}})
        assert (await api.get(f"{PODS}/nb"))["metadata"]["labels"] == {"a": "1", "b": "2"}
        assert len((await api.get(PODS, {"labelSelector": "b=2"}))["items"]) == 1
        await api.delete(f"{PODS}/nb", uid="somebody else's")
        assert await api.get(f"{PODS}/nb"), "the uid is a condition"
        await api.delete(f"{PODS}/nb", uid=made["metadata"]["uid"])
        await api.delete(f"{PODS}/nb")
        with pytest.raises(ApiError) as error:
            await api.get(f"{PODS}/nb")
        assert (error.value.status, error.value.reason) == (404, "NotFound")
        await api.close()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (429, "too many requests"),
        (500, 'Internal error occurred: failed calling webhook "mjob.kb.io"'),
        (502, "bad gateway"),
        (503, "no endpoints"),
        (504, "timeout"),
    ],
)
async def test_what_decides_nothing_is_no_answer(status: int, message: str) -> None:
    async with kube_server() as server:
        api = KubeApi(Credential(server.url))
        server.faults.status, server.faults.message = status, message
        with pytest.raises(ApiUnreachable, match=message.split('"')[0].strip()):
            await api.get(PODS)
        await api.close()


async def test_a_slow_server_is_unreachable_after_the_timeout() -> None:
    async with kube_server() as server:
        api = KubeApi(Credential(server.url), timeout=0.3)
        server.faults.delay = 5
        began = time.monotonic()
        with pytest.raises(ApiUnreachable, match=r"within 0\.3 s"):
            await api.get(PODS)
        assert time.monotonic() - began < 2
        await api.close()


async def test_a_connection_that_nobody_takes_fails_by_the_short_timeout() -> None:
    listening = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, backlog=1, start_serving=False)
    port = listening.sockets[0].getsockname()[1]
    api = KubeApi(Credential(f"https://127.0.0.1:{port}"), connect_timeout=0.3, timeout=30)
    began = time.monotonic()
    with pytest.raises(ApiUnreachable):
        await api.get(PODS)
    assert time.monotonic() - began < 3
    await api.close()
    listening.close()


async def test_a_closed_port_is_unreachable() -> None:
    async with kube_server() as server:
        url = server.url
    api = KubeApi(Credential(url))
    with pytest.raises(ApiUnreachable, match="can't be connected to"):
        await api.get(PODS)
    await api.close()


async def test_each_client_trusts_only_its_own_authority() -> None:
    ours, theirs = server_tls(), server_tls()
    troubles: list[str] = []
    async with kube_server(ours.context) as server:
        good = KubeApi(Credential(server.url, ca=ours.ca))
        bad = KubeApi(Credential(server.url, ca=theirs.ca), on_trouble=lambda: troubles.append("told"))
        assert await good.text("/readyz") == "ok"
        with pytest.raises(ApiUnreachable, match="certificate"):
            await bad.text("/readyz")
        assert troubles == ["told"]
        await good.close()
        await bad.close()


async def test_an_expired_certificate_is_unreachable_and_says_so() -> None:
    expired = server_tls(days=-1)
    async with kube_server(expired.context) as server:
        api = KubeApi(Credential(server.url, ca=expired.ca))
        with pytest.raises(ApiUnreachable, match="expired"):
            await api.text("/readyz")
        await api.close()


async def test_a_revoked_token_is_an_answer_and_is_told() -> None:
    troubles: list[str] = []
    async with kube_server(tokens={"new"}) as server:
        api = KubeApi(Credential(server.url, token="old"), on_trouble=lambda: troubles.append("told"))
        with pytest.raises(ApiError) as error:
            await api.get(PODS)
        assert error.value.status == 401 and troubles == ["told"]
        await api.close()


async def test_a_token_file_is_read_when_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("new\n")
    async with kube_server(tokens={"new"}) as server:
        api = KubeApi(Credential(server.url, token_file=tmp_path / "token"))
        assert (await api.get(PODS))["items"] == []
        await api.close()


async def test_a_closed_client_is_unreachable() -> None:
    async with kube_server() as server:
        api = KubeApi(Credential(server.url))
        await api.close()
        with pytest.raises(ApiUnreachable, match="closed"):
            await api.get(PODS)


async def test_a_redirect_is_not_followed() -> None:
    async with kube_server() as server:
        server.faults.status = 302
        api = KubeApi(Credential(server.url, token="secret"))
        with pytest.raises(ApiNonsense, match="answered 302, which no Kubernetes API does"):
            await api.get(PODS)
        await api.close()


@pytest.mark.parametrize(
    "path", ["/api/../secrets", "/api//pods", "/api/v1/pods?x=1", "api/v1", "/api/v1/pods/", "/a%2e"]
)
async def test_a_name_can_not_become_another_path(path: str) -> None:
    async with kube_server() as server:
        api = KubeApi(Credential(server.url))
        with pytest.raises(ValueError, match="not the path"):
            await api.get(path)
        assert server.requests == []
        await api.close()


async def test_secrets_are_in_no_text_of_a_credential_and_no_file_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    credential = Credential("https://127.0.0.1:1", ca=server_tls().ca, token="hush")
    api = KubeApi(credential)
    assert "hush" not in repr(credential) and "BEGIN" not in repr(credential)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    await api.close()


async def test_the_process_wide_default_is_left_alone() -> None:
    from kubernetes_asyncio import client

    before = client.Configuration._default
    api = KubeApi(Credential("https://127.0.0.1:1", token="hush"))
    assert client.Configuration._default is before
    assert api.core_v1.api_client.configuration.host == "https://127.0.0.1:1"
    await api.close()
    gc.collect()
