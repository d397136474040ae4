"""Clients of tenants: rotated, revoked, hanging and recreated vClusters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from aifactory_hub.clusters import ApiUnreachable, KubeApi, TenantClients, TenantUnavailable, tenant_clients
from aifactory_hub.clusters.credentials import Credential
from aifactory_hub.domain.tenants import VCluster

from ..support.certificates import ServerTls, server_tls
from ..support.kube_objects import kubeconfig, make_tenant, secret, service
from ..support.kube_server import KubeServer, kube_server

SECRET = "hub-notebooks"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may need longer for the host's answer than people should wait for one."""
    monkeypatch.setattr(tenant_clients, "READ", 4.0)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Rig:
    """A host, two tenants' API servers, and what the hub has of them."""

    host: KubeServer
    servers: dict[str, KubeServer]
    tls: dict[str, ServerTls]
    clients: TenantClients
    clock: Clock = field(default_factory=Clock)

    def publish(self, tenant: str, token: str, tls: ServerTls | None = None) -> None:
        where = f"/api/v1/namespaces/vc-{tenant}"
        config = kubeconfig((tls or self.tls[tenant]).ca, token)
        self.host.put(f"{where}/secrets", secret(SECRET, config))
        self.host.put(f"{where}/services", service(tenant, self.servers[tenant].port))


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    tls = {"nlp": server_tls(), "vision": server_tls()}
    async with (
        kube_server() as host,
        kube_server(tls["nlp"].context, tokens={"nlp-1"}) as nlp,
        kube_server(tls["vision"].context, tokens={"vision-1"}) as vision,
    ):
        api, clock = KubeApi(Credential(host.url)), Clock()
        tenants = {name: make_tenant(name) for name in ("nlp", "vision", "ghost")}
        clients = TenantClients(api, tenants, SECRET, clock=clock, drain=0.2, probe=0.5)
        made = Rig(host, {"nlp": nlp, "vision": vision}, tls, clients, clock)
        made.publish("nlp", "nlp-1")
        made.publish("vision", "vision-1")
        try:
            yield made
        finally:
            await clients.close()
            await api.close()


async def test_each_tenant_has_a_client_of_its_own_and_it_is_kept() -> None:
    async with rig() as r:
        nlp, vision = await r.clients.api("nlp"), await r.clients.api("vision")
        assert nlp is not vision
        assert await r.clients.api("nlp") is nlp
        await nlp.create("/api/v1/namespaces/notebooks/pods", {"metadata": {"name": "nb"}})
        assert (await vision.get("/api/v1/namespaces/notebooks/pods"))["items"] == []
        reads = [path for _, path, _ in r.host.requests if "vc-nlp/secrets" in path]
        assert len(reads) == 1


async def test_before_the_first_check_nothing_is_claimed() -> None:
    async with rig() as r:
        health = r.clients.health("nlp")
        assert (health.ok, health.reason, health.since) == (False, "not checked yet", None)


async def test_a_rotated_secret_gives_a_new_client_and_the_old_one_is_closed_after_a_while() -> None:
    async with rig() as r:
        old = await r.clients.api("nlp")
        r.servers["nlp"].tokens = {"nlp-2"}
        r.publish("nlp", "nlp-2")
        r.clock.now += 31
        new = await r.clients.api("nlp")
        assert new is not old and not old.closed
        await asyncio.sleep(0.4)
        assert old.closed
        assert await new.text("/readyz") == "ok"


async def test_a_revoked_token_is_noticed_at_once_when_a_call_is_refused() -> None:
    async with rig() as r:
        api = await r.clients.api("nlp")
        r.servers["nlp"].tokens = {"nlp-2"}
        with pytest.raises(Exception, match="401"):
            await api.get("/api/v1/namespaces/notebooks/pods")
        with pytest.raises(TenantUnavailable, match="refuses the hub's credential"):
            await r.clients.api("nlp")
        r.publish("nlp", "nlp-2")
        r.clock.now += 3
        assert await (await r.clients.api("nlp")).text("/readyz") == "ok"


async def test_a_vcluster_made_anew_with_another_authority_is_trusted_when_its_secret_says_so() -> None:
    async with rig() as r:
        api = await r.clients.api("nlp")
        other = server_tls()
        await r.servers["nlp"].stop()
        await r.servers["nlp"].start(other.context)
        with pytest.raises(ApiUnreachable, match="TLS"):
            await api.text("/readyz")
        with pytest.raises(TenantUnavailable, match="TLS"):
            await r.clients.api("nlp")
        r.publish("nlp", "nlp-1", other)
        r.clock.now += 3
        assert await (await r.clients.api("nlp")).text("/readyz") == "ok"


async def test_a_tenant_that_hangs_is_refused_quickly_and_costs_the_others_nothing() -> None:
    async with rig() as r:
        await r.clients.api("vision")
        r.servers["nlp"].faults.delay = 30
        before = len(r.servers["nlp"].requests)
        asking = [asyncio.create_task(r.clients.api("nlp")) for _ in range(20)]
        await asyncio.sleep(0)
        await r.clients.api("vision")
        assert not any(task.done() for task in asking), "the other team waits for the one that hangs"
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert len(r.servers["nlp"].requests) - before <= 1, "twenty callers wait for one probe"
        assert all(isinstance(answer, TenantUnavailable) for answer in answers)
        assert "did not answer within 0.5 s" in str(answers[0])


async def test_who_asks_during_a_check_of_one_that_hangs_waits_for_that_one_only() -> None:
    async with rig() as r:
        await r.clients.check("nlp")
        r.servers["nlp"].faults.delay = 30
        before = len(r.servers["nlp"].requests)
        under_way = asyncio.create_task(r.clients.check("nlp"))
        while len(r.servers["nlp"].requests) == before:
            await asyncio.sleep(0.01)
        assert not (await r.clients.check("nlp")).ok
        assert len(r.servers["nlp"].requests) == before + 1, "who asks meanwhile gets that probe's answer"
        assert not (await under_way).ok
        r.servers["nlp"].faults.delay = 0
        assert (await r.clients.check("nlp")).ok, "an answer of before is none to a new question"


async def test_health_says_since_when_and_changes_back() -> None:
    async with rig() as r:
        assert (await r.clients.check("nlp")).ok
        await r.servers["nlp"].stop()
        r.clock.now = 2000
        down = await r.clients.check("nlp")
        r.clock.now = 2050
        still = await r.clients.check("nlp")
        assert not down.ok and down.since == still.since == 2000
        assert down.reason is not None and "can't be connected to" in down.reason
        await r.servers["nlp"].start(r.tls["nlp"].context)
        assert (await r.clients.check("nlp")).since == 2050


async def test_a_host_that_does_not_answer_makes_no_tenant_unavailable() -> None:
    async with rig() as r:
        api = await r.clients.api("nlp")
        await r.host.stop()
        r.clock.now += 31
        assert await r.clients.api("nlp") is api
        with pytest.raises(TenantUnavailable, match="the host cluster"):
            await r.clients.api("vision")


@pytest.mark.parametrize(
    ("tenant", "named"),
    [("ghost", "missing in namespace vc-ghost"), ("nobody", "not in the tenant registry")],
)
async def test_a_tenant_without_a_vcluster_is_refused_in_words(tenant: str, named: str) -> None:
    async with rig() as r:
        with pytest.raises(TenantUnavailable, match=named) as error:
            await r.clients.api(tenant)
        assert str(error.value).startswith(f"The vCluster of team {tenant} can't be used now: ")


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ({"metadata": {"name": SECRET}, "data": {}}, "no kubeconfig under the key config"),
        ({"metadata": {"name": SECRET}, "data": {"config": "%%%"}}, "no kubeconfig under the key config"),
        (secret(SECRET, "[]"), "not a mapping"),
    ],
)
async def test_a_broken_secret_is_named_without_its_content(broken: dict[str, object], named: str) -> None:
    async with rig() as r:
        r.host.put("/api/v1/namespaces/vc-nlp/secrets", broken)
        with pytest.raises(TenantUnavailable, match=named):
            await r.clients.api("nlp")


async def test_background_checks_cover_all_tenants_and_never_raise() -> None:
    async with rig() as r:
        task = r.clients.watch_health(interval=0.05)
        async with asyncio.timeout(30):
            while not all(r.clients.health(name).since for name in ("nlp", "vision", "ghost")):
                await asyncio.sleep(0.02)
        assert r.clients.health("nlp").ok and r.clients.health("vision").ok
        assert not r.clients.health("ghost").ok
        assert not task.done()


async def test_a_new_tenant_is_seen_long_before_the_next_check_of_all_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tenant_clients, "NEWCOMERS", 0.05)
    async with rig() as r:
        r.host.put("/api/v1/namespaces/vc-nlp/secrets", {"metadata": {"name": SECRET}, "data": {}})
        r.clients.watch_health(interval=3600)

        def reads(tenant: str) -> int:
            return sum(f"vc-{tenant}/secrets" in path for _, path, _ in r.host.requests)

        async with asyncio.timeout(30):
            while not (r.clients.health("vision").ok and reads("nlp") > 2):
                await asyncio.sleep(0.02)
            r.publish("nlp", "nlp-1")
            while not r.clients.health("nlp").ok:
                await asyncio.sleep(0.02)
            r.clock.now += tenant_clients.NEW_FOR
            before = reads("ghost")
            await asyncio.sleep(0.5)
        assert reads("ghost") <= before + 1, "what never answers is not new any more; one look may have been under way"
        assert reads("vision") == 1, "what answered is looked at with all"


async def test_a_tenant_that_comes_is_connected_to_and_one_that_is_forgotten_is_let_go() -> None:
    async with rig() as r:
        known = {name: make_tenant(name) for name in ("nlp", "vision", "ghost")}
        r.clients.forget("nlp")
        with pytest.raises(TenantUnavailable, match="not in the tenant registry"):
            await r.clients.api("nlp")
        r.clients.follow({name: known[name] for name in ("nlp", "vision")})
        nlp = await r.clients.api("nlp")
        vision = await r.clients.api("vision")
        r.clients.follow(known)
        assert await r.clients.api("nlp") is nlp and await r.clients.api("vision") is vision, "who stays keeps theirs"
        r.clients.forget("nlp")
        assert not nlp.closed, "calls that are under way may end"
        async with asyncio.timeout(20):
            while not nlp.closed:
                await asyncio.sleep(0.02)


async def test_a_tenant_that_comes_back_elsewhere_is_connected_to_there() -> None:
    async with rig() as r:
        before = await r.clients.api("nlp")
        moved = replace(make_tenant("nlp"), vcluster=VCluster("vc-vision", "vision"))
        r.clients.follow({"nlp": moved})
        after = await r.clients.api("nlp")
        assert after is not before and str(r.servers["vision"].port) in after.server


async def test_a_check_that_is_under_way_opens_nothing_for_a_tenant_that_was_forgotten() -> None:
    async with rig() as r:
        entry = r.clients._entry("nlp")
        async with entry.lock:
            check = asyncio.create_task(r.clients.check("nlp"))
            await asyncio.sleep(0)
            r.clients.forget("nlp")
        await check
        assert entry.api is None


async def scaled_to_none(r: Rig, annotations: dict[str, str]) -> tuple[str, bool]:
    """Why the team's vCluster can't be used, and whether it sleeps."""
    control = {"metadata": {"name": "nlp", "annotations": annotations}, "spec": {"replicas": 0}}
    r.host.put("/apis/apps/v1/namespaces/vc-nlp/statefulsets", control)
    await r.servers["nlp"].stop()
    health = await r.clients.check("nlp")
    assert not health.ok
    return health.reason or "", health.asleep


async def test_what_the_provisioner_put_to_sleep_is_not_paused() -> None:
    async with rig() as r:
        reason, asleep = await scaled_to_none(r, {"aifactory-hub.io/asleep-since": "1"})
        assert asleep and "sleeps and wakes for whatever starts" in reason
        r.host.patch("/apis/apps/v1/namespaces/vc-nlp/statefulsets/nlp", {"spec": {"replicas": 1}})
        r.clock.now += 60
        assert (await r.clients.check("nlp")).asleep, "one that wakes does not answer yet"
        await r.servers["nlp"].start(r.tls["nlp"].context)
        r.clock.now += 60
        health = await r.clients.check("nlp")
        assert health.ok and not health.asleep


async def test_what_somebody_else_paused_does_not_sleep() -> None:
    async with rig() as r:
        reason, asleep = await scaled_to_none(r, {"loft.sh/paused": "true"})
        assert not asleep and "it is paused" in reason
