"""Starting a server: what is made, in which order, and what is left when it does not work out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from jupyterhub import orm

from aifactory_hub.admission import AdmissionUnavailable, NotAdmitted
from aifactory_hub.admission.queue_order import Eviction
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.tickets import TicketRequest, TicketState
from aifactory_profiles import Resources
from aifactory_spawner.refusals import SpawnRefused

from ..support.tenants import SMALL
from .hub_in_memory import CHOICE, HubInMemory, Person, make_hub, start

WHERE = ("vc-nlp", "nlp", "notebooks", "nb-ada")


async def pod_of(hub: HubInMemory, tenant: str = "nlp", name: str = "nb-ada") -> dict[str, Any]:
    return hub.cluster.apis[tenant].objects[f"/api/v1/namespaces/notebooks/pods/{name}"]


async def tickets(hub: HubInMemory, tenant: str = "nlp") -> list[Any]:
    return await hub.admission.tickets(tenant)


async def test_the_pod_is_made_as_the_profile_and_the_site_say(hub: HubInMemory) -> None:
    spawner = await start(hub.person("ada", nlp=Role.MEMBER))
    assert spawner.server.url == "http://10.1.0.7:8888/user/ada/"
    pod = await pod_of(hub)
    container = pod["spec"]["containers"][0]
    assert container["resources"] == {
        "requests": {"cpu": 0.5, "memory": 2**31, SMALL.resource: "1"},
        "limits": {"cpu": 0.5, "memory": 2**31, SMALL.resource: "1"},
    }
    assert container["args"][:3] == ["python3", "-m", "jupyterhub.singleuser"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["spec"]["securityContext"] == {"fsGroup": 1000}
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert pod["spec"]["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "home-ada"}
    assert container["volumeMounts"][0]["mountPath"] == "/home/jovyan"
    assert (
        pod["metadata"]["labels"].items()
        >= {
            "aifactory-hub.io/tenant": "nlp",
            "aifactory-hub.io/owner": "ada",
            "aifactory-hub.io/hub": "test",
        }.items()
    )


async def test_the_environment_names_tenant_and_service_and_holds_no_token_of_the_provider(hub: HubInMemory) -> None:
    await start(hub.person("ada", nlp=Role.MEMBER))
    env = {e["name"]: e.get("value") for e in (await pod_of(hub))["spec"]["containers"][0]["env"]}
    assert env["AIFACTORY_TENANT"] == "nlp"
    assert env["AIFACTORY_PROFILE"] == "mig-1g.10gb"
    assert env["AIFACTORY_SERVICE_URL"] == "http://hub.example/services/aifactory/"
    assert "a-token-of-the-provider" not in str(await pod_of(hub))


async def test_the_servers_token_reaches_its_own_tenant_only(hub: HubInMemory) -> None:
    spawner = await start(hub.person("ada", nlp=Role.MEMBER, vision=Role.MEMBER))
    scopes = orm.APIToken.find(hub.db, spawner.api_token).scopes
    assert "custom:aifactory:jobs:submit!group=tenant-nlp" in scopes
    assert "access:services!service=aifactory" in scopes
    assert not [scope for scope in scopes if "vision" in scope]


async def test_the_ticket_is_held_before_the_pod_exists(hub: HubInMemory) -> None:
    held: list[bool] = []
    create = hub.cluster.apis["nlp"].create_object

    async def look_then_create(path: str, body: dict[str, Any], shape: Any) -> dict[str, Any]:
        if path.endswith("/pods"):
            held.extend(ticket.active for ticket in await tickets(hub))
        return await create(path, body, shape)

    hub.cluster.apis["nlp"].create_object = look_then_create  # type: ignore[method-assign]
    await start(hub.person("ada", nlp=Role.MEMBER))
    assert held == [True]


async def test_the_progress_tells_every_step_with_seconds_to_who_asks_late(hub: HubInMemory) -> None:
    spawner = await start(hub.person("ada", nlp=Role.MEMBER))
    told = [event["message"] async for event in spawner.progress()]
    assert [line.split(":")[0] for line in told] == ["quota", "queue", "pod", "pod", "image", "ready"]
    assert all(line.endswith(" s)") for line in told)
    assert "asks 1 of nvidia.com/mig-1g.10gb (h100-80gb), 0 of 2 are used" in told[0]


@pytest.mark.parametrize(
    ("options", "status", "reason", "said"),
    [
        ({**CHOICE, "tenant": "vision"}, 403, "not-a-member", "You can't start servers in team 'vision'"),
        ({**CHOICE, "tenant": "nowhere"}, 403, "not-a-member", "You can't start servers in team 'nowhere'"),
        ({**CHOICE, "profile": "mig-7g.80gb"}, 403, "profile-not-allowed", "no profile 'mig-7g.80gb'"),
        ({"tenant": "nlp"}, 400, "choice-missing", "Choose a profile"),
        ({}, 400, "choice-missing", "Choose a profile"),
        ({**CHOICE, "image": "evil:1"}, 400, "bad-field", "no option 'image'"),
        ({"tenant": ["nlp"], "profile": "x"}, 400, "bad-field", "a text was expected"),
    ],
    ids=["another team", "no team", "another profile", "no profile", "nothing", "unknown option", "not a text"],
)
async def test_a_choice_that_is_not_hers_is_refused_before_anything_is_made(
    hub: HubInMemory, options: dict[str, Any], status: int, reason: str, said: str
) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER, vision=Role.VIEWER)
    with pytest.raises(SpawnRefused) as refused:
        await ada.spawn("", options=options)
    assert refused.value.status_code == status
    assert refused.value.reason == reason
    assert said in refused.value.jupyterhub_message
    assert hub.cluster.journal == []
    assert await tickets(hub) == []
    assert "aifactory" not in ada.orm_spawners[""].state


async def test_options_that_are_no_object_are_refused_and_do_not_spoil_the_next_start(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    with pytest.raises(SpawnRefused, match=r"The options are \['nlp'\]; an object with tenant and profile") as refused:
        await ada.spawn("", options=["nlp"])
    assert refused.value.status_code == 400
    hub.restart()
    # The hub has stored them.
    with pytest.raises(SpawnRefused):
        await hub.people["ada"].spawn("")
    await start(hub.people["ada"])


async def test_a_full_quota_is_refused_with_its_numbers_before_anything_is_made(hub: HubInMemory) -> None:
    await start(hub.person("ada", nlp=Role.MEMBER))
    await start(hub.person("bob", nlp=Role.MEMBER))
    before = list(hub.cluster.journal)
    with pytest.raises(SpawnRefused, match=r"Asked 1, used 2, limit 2 of nvidia.com/mig-1g.10gb") as refused:
        await start(hub.person("cyd", nlp=Role.MEMBER))
    assert "Fits now: cpu-small, mig-3g.40gb" in refused.value.jupyterhub_message
    assert refused.value.status_code == 409
    assert hub.cluster.journal == before


async def test_a_tenant_that_does_not_answer_is_refused_with_the_reason(hub: HubInMemory) -> None:
    hub.cluster.down["nlp"] = "it did not answer within 3 s"
    with pytest.raises(SpawnRefused, match="it did not answer within 3 s") as refused:
        await start(hub.person("ada", nlp=Role.MEMBER))
    assert refused.value.status_code == 503
    assert await tickets(hub) == []


async def test_a_start_in_a_team_that_sleeps_files_its_ticket_which_wakes_it(hub: HubInMemory) -> None:
    hub.cluster.down["nlp"] = "its vCluster sleeps"
    hub.cluster.asleep.add("nlp")
    starting = asyncio.create_task(start(hub.person("ada", nlp=Role.MEMBER)))
    async with asyncio.timeout(30):
        while not await tickets(hub):
            await asyncio.sleep(0.05)
    # As the provisioner does for a ticket.
    del hub.cluster.down["nlp"]
    async with asyncio.timeout(30):
        await starting


async def test_a_queue_that_does_not_answer_is_refused_and_leaves_nothing(hub: HubInMemory) -> None:
    async def silent(*_: Any) -> Any:
        raise AdmissionUnavailable("no answer")

    hub.admission.usage = silent  # type: ignore[method-assign, assignment]
    with pytest.raises(SpawnRefused) as refused:
        await start(hub.person("ada", nlp=Role.MEMBER))
    assert refused.value.status_code == 503
    assert hub.cluster.journal == []


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        ("refused", "exceeded quota: mig"),
        ("no image", "ImagePullBackOff: no such image"),
        ("exits", "ended with exit code 7: boom"),
    ],
)
async def test_a_pod_that_never_will_run_is_told_at_once_and_removed(hub: HubInMemory, fate: str, said: str) -> None:
    hub.cluster.fate = fate
    ada = hub.person("ada", nlp=Role.MEMBER)
    with pytest.raises(SpawnRefused, match=said):
        async with asyncio.timeout(4):
            await start(ada)
    assert hub.cluster.pods_in("nlp") == []
    assert await tickets(hub) == []
    assert ada.spawners[""].server is None


async def running_but_silent(hub: HubInMemory, ada: Person) -> asyncio.Future[Any]:
    """A start whose container has begun, and does not listen."""
    hub.cluster.silent = True
    starting = asyncio.ensure_future(start(ada))
    while WHERE not in hub.cluster.watch.found:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert not starting.done()
    assert await ada.spawners[""].poll() is None
    return starting


async def test_a_process_that_ends_after_it_began_is_told_at_once_and_removed(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    starting = await running_but_silent(hub, ada)
    hub.cluster.watch.change(WHERE, ready=False, exit_code=7, message="boom")
    with pytest.raises(SpawnRefused, match="ended with exit code 7: boom"):
        async with asyncio.timeout(4):
            await starting
    assert hub.cluster.pods_in("nlp") == []
    assert await tickets(hub) == []


async def test_a_pod_that_is_deleted_while_its_process_begins_is_told(hub: HubInMemory) -> None:
    starting = await running_but_silent(hub, hub.person("ada", nlp=Role.MEMBER))
    hub.cluster.watch.hide(WHERE)
    with pytest.raises(SpawnRefused, match="was deleted while it started"):
        async with asyncio.timeout(4):
            await starting
    assert await tickets(hub) == []


async def test_a_process_that_never_listens_is_given_up_in_time(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    ada.spawners[""].http_timeout = 1
    starting = await running_but_silent(hub, ada)
    with pytest.raises(SpawnRefused, match=r"runs, but nothing answers at 10\.1\.0\.7:8888"):
        async with asyncio.timeout(4):
            await starting
    assert hub.cluster.pods_in("nlp") == []


async def test_a_pod_that_does_not_come_in_time_is_given_up_and_removed() -> None:
    hub = make_hub(start_timeout=1)
    hub.cluster.fate = "pending"
    with pytest.raises(SpawnRefused, match="did not start in time: the pod is Pending"):
        await start(hub.person("ada", nlp=Role.MEMBER))
    assert hub.cluster.pods_in("nlp") == []
    assert await tickets(hub) == []


async def test_quota_that_does_not_come_in_time_is_given_back() -> None:
    hub = make_hub(start_timeout=1, nlp={SMALL: 1})
    ada = hub.person("ada", nlp=Role.MEMBER)
    # Taken between the look at the quota and the ticket.
    usage, steps = hub.admission.usage, []

    async def then_taken(tenant: str) -> Any:
        seen = await usage(tenant)
        steps.append(ada.spawners[""].start_log)
        resources = Resources(devices={SMALL.resource: 1})
        await hub.admission.request(
            TicketRequest(tenant, "job-1", "job", "1", "bob", "p", resources, "batch", flavor=SMALL.flavor)
        )
        with suppress(NotAdmitted):  # held at the first look, and evicted for the notebook at a later one
            await hub.admission.hold(tenant, "job-1")
        return seen

    hub.admission.usage = then_taken  # type: ignore[method-assign]
    with pytest.raises(SpawnRefused, match="no quota became free in time"):
        await start(ada)
    assert [ticket.name for ticket in await tickets(hub)] == ["job-1"]
    assert hub.cluster.pods_in("nlp") == []
    told = [event["message"] async for event in steps[0].follow()]
    assert any("Position 1 of 1 in the queue of team nlp" in line for line in told)


async def test_a_ticket_that_was_held_and_lost_its_quota_before_the_pod_is_filed_again(hub: HubInMemory) -> None:
    hold, first = hub.admission.hold, True

    async def unanswered(tenant: str, name: str) -> None:
        nonlocal first
        await hold(tenant, name)
        if first:
            first = False
            key = next(key for key, filed in hub.admission._filed.items() if filed.request.name == name)  # type: ignore[attr-defined]
            hub.admission._evict(Eviction(key, "it was taken back"))  # type: ignore[attr-defined]
            raise AdmissionUnavailable("no answer")

    hub.admission.hold = unanswered  # type: ignore[method-assign]
    await start(hub.person("ada", nlp=Role.MEMBER))
    (ticket,) = await tickets(hub)
    assert ticket.state is TicketState.ADMITTED and ticket.active


async def test_a_start_that_is_called_off_leaves_nothing(hub: HubInMemory) -> None:
    hub.cluster.fate = "pending"
    ada = hub.person("ada", nlp=Role.MEMBER)
    starting = asyncio.ensure_future(start(ada))
    while not hub.cluster.pods_in("nlp"):
        await asyncio.sleep(0.01)
    assert await ada.spawners[""].poll() is None
    starting.cancel()
    await ada.spawners[""].stop()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert hub.cluster.pods_in("nlp") == []
    assert await tickets(hub) == []


async def test_a_pod_of_somebody_else_under_the_same_name_is_left_alone(hub: HubInMemory) -> None:
    body = {"metadata": {"name": "nb-ada", "labels": {"aifactory-hub.io/hub": "other"}}}
    await hub.cluster.apis["nlp"].create("/api/v1/namespaces/notebooks/pods", body)
    with pytest.raises(SpawnRefused, match="It is left alone"):
        await start(hub.person("ada", nlp=Role.MEMBER))
    assert hub.cluster.pods_in("nlp") == ["nb-ada"]
    assert await tickets(hub) == []


async def test_what_an_earlier_start_of_this_server_left_is_replaced_and_not_counted() -> None:
    hub = make_hub(nlp={SMALL: 1})
    ada = hub.person("ada", nlp=Role.MEMBER)
    await start(ada)
    first = await pod_of(hub)
    ada.orm_spawners[""].state = {}
    hub.db.commit()
    hub.restart()
    await start(hub.people["ada"])
    assert (await pod_of(hub))["metadata"]["uid"] != first["metadata"]["uid"]
    assert len(await tickets(hub)) == 1
    await hub.close()


async def test_a_failed_profile_does_not_leak_into_the_next_start(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    hub.cluster.fate = "exits"
    with pytest.raises(SpawnRefused):
        await start(ada)
    hub.cluster.fate = "runs"
    await start(ada, profile="cpu-small")
    pod = await pod_of(hub)
    assert set(pod["spec"]["containers"][0]["resources"]["limits"]) == {"cpu", "memory"}
    assert "nodeSelector" not in pod["spec"]
    # Without a device it stays off GPU nodes.
    assert "tolerations" not in pod["spec"]


async def test_the_next_start_in_another_team_makes_a_home_there_too(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER, vision=Role.MEMBER)
    await start(ada)
    await ada.stop("")
    await start(ada, tenant="vision")
    assert hub.cluster.claims_in("nlp") == hub.cluster.claims_in("vision") == ["home-ada"]
    assert hub.cluster.pods_in("nlp") == []
    assert hub.cluster.pods_in("vision") == ["nb-ada"]


async def test_two_people_with_one_name_scheme_never_share_a_pod(hub: HubInMemory) -> None:
    await start(hub.person("ada", nlp=Role.MEMBER), "b")
    await start(hub.person("ada--b", nlp=Role.MEMBER))
    assert len(set(hub.cluster.pods_in("nlp"))) == 2


async def test_a_hub_that_dies_while_it_starts_a_server_finds_it_again(hub: HubInMemory) -> None:
    ada = hub.person("ada", nlp=Role.MEMBER)
    hub.cluster.fate = "pending"
    starting = asyncio.ensure_future(start(ada))
    while not hub.cluster.pods_in("nlp"):
        await asyncio.sleep(0.01)
    state = dict(ada.orm_spawners[""].state)
    starting.cancel()
    await asyncio.wait([starting])
    assert state["aifactory"]["tenant"] == "nlp"
    assert state["aifactory"]["namespace_uid"] == "uid-of-nlp"
    assert state["aifactory"]["started"] is False
