"""A team comes to be, is kept as it should be, sleeps and wakes: on a small API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.clusters import ApiError, ApiUnreachable
from aifactory_hub.domain.provisioning import Stage
from aifactory_hub.domain.tenants import Retirement
from aifactory_hub.provisioner.chart import ChartError
from aifactory_hub.provisioner.loop import Provisioner
from aifactory_hub.registry.manifests import HUB_NAMESPACE

from .site import NAMESPACE, Site, name, site

HERE = f"/api/v1/namespaces/{NAMESPACE}"
NETWORK = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
ENFORCE = "pod-security.kubernetes.io/enforce"
QUEUES = "/apis/kueue.x-k8s.io/v1beta2/clusterqueues"


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as found:
        yield found


def stops(made: Site) -> set[str]:
    return {queue["spec"].get("stopPolicy", "None") for queue in made.queues.values()}


async def test_a_team_is_made_walls_first_and_door_last(made: Site) -> None:
    stages: list[Stage] = []
    for _ in range(12):
        record = await made.look()
        stages += [record.stage] if record.stage not in stages else []
    assert stages == [Stage.WALLS, Stage.QUEUE, Stage.CONTROL_PLANE, Stage.DOOR, Stage.READY]
    writes = made.writes()
    order = [
        next(index for index, path in enumerate(writes) if part in path)
        for part in ("/namespaces/vc-nlp", "networkpolicies", "clusterqueues", "statefulsets", "aifactory-hub-team")
    ]
    assert order == sorted(order)
    assert stops(made) == {"None"}
    assert (
        record.opened is not None
        and record.trouble == ""
        and record.sentence == "the team can start notebooks and jobs"
    )


async def test_until_the_vcluster_answers_no_ticket_is_admitted(made: Site) -> None:
    made.starts = False
    record = await made.look(8)
    assert record.stage is Stage.API and stops(made) == {"Hold"}
    assert not any("aifactory-hub-team" in path for path in made.writes()), "the hub has no right there yet"
    made.starts = True
    assert (await made.look(4)).stage is Stage.READY and stops(made) == {"None"}


async def test_a_team_that_is_as_it_should_be_is_not_written_to(made: Site) -> None:
    await made.ready()
    made.writes()
    await made.look(3)
    assert made.writes() == []


async def test_what_takes_too_long_says_so_and_what_to_do(made: Site) -> None:
    made.starts = False
    await made.look(8)
    made.now += 600
    record = await made.look()
    assert "takes longer than 180 s" in record.trouble and "kubectl describe pod" in record.todo


def every_object(made: Site) -> list[str]:
    kept = ("/configmaps/", "/secrets/hub-")
    return [path for path in made.server._objects if not any(part in path for part in kept)]


async def test_whichever_object_is_deleted_by_hand_comes_back_and_it_is_written_down(made: Site) -> None:
    await made.ready()
    paths = every_object(made)
    assert len(paths) > 20
    for path in paths:
        before = made.server._objects[path]
        made.server.remove(path)
        record = await made.look(5)
        after = made.server._objects[path]
        assert (
            after["spec" if "spec" in after else "metadata"].keys()
            == before["spec" if "spec" in before else "metadata"].keys()
        )
        assert record.stage is Stage.READY and stops(made) == {"None"}, path
        assert any(
            path.rsplit("/", 1)[1] in e.text and "again: somebody deleted it" in e.text for e in record.journal
        ), path
    assert record.healed >= len(paths)


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    (f"/api/v1/namespaces/{NAMESPACE}", {"metadata": {"labels": {ENFORCE: "privileged"}}}, "enforce"),
    (f"{HERE}/resourcequotas/aifactory-hub-pods", {"spec": {"hard": {"pods": "9999"}}}, "spec.hard.pods"),
    (f"{NETWORK}/aifactory-default-deny", {"spec": {"policyTypes": []}}, "spec.policyTypes"),
    (f"{QUEUES}/nlp", {"spec": {"cohortName": "elsewhere"}}, "spec.cohortName"),
    (f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/nlp", {"spec": {"replicas": 3}}, "spec.replicas"),
    (f"{HERE}/secrets/vc-config-nlp", {"data": {"config.yaml": "c2VjcmV0"}}, "data.config.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "changes", "field"), CHANGES, ids=[path.rsplit("/", 1)[1] for path, _, _ in CHANGES])
async def test_what_is_changed_by_hand_is_healed_with_the_name_of_who_did_it(
    made: Site, path: str, changes: dict[str, Any], field: str
) -> None:
    await made.ready()
    before = made.server._objects[path]
    made.server.edit(path, changes, "kubectl-edit")
    record = await made.look(3)
    after = made.server._objects[path]
    assert {key: after.get(key) for key in ("spec", "data")} == {key: before.get(key) for key in ("spec", "data")}
    said = record.journal[-1].text
    assert said.startswith("healed") and field in said and "changed by kubectl-edit" in said
    assert "c2VjcmV0" not in said and "aGVsbG8" not in said, "no value of a Secret is written down"
    assert record.healed == 1 and record.stage is Stage.READY


async def test_a_provisioner_that_ends_after_any_step_is_followed_by_one_that_goes_on(made: Site) -> None:
    """Each look is another process, and each write of one may be its last."""
    old = made.provisioner
    for allowed in range(1, 60):
        left = allowed

        def end(method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
            nonlocal left
            if method != "PATCH":
                return None
            left -= 1
            return {"code": 503, "message": "ended"} if left < 0 else None

        made.provisioner = Provisioner(old.api, old.provider, old.chart, clock=old.clock)
        made.server.hooks[:] = [end]
        try:
            record = await made.look(15)
        except ApiUnreachable:
            made.settle()
            assert "None" not in stops(made) or made.control_plane()["status"]["readyReplicas"], "the door is last"
            continue
        finally:
            made.server.hooks.clear()
        break
    assert record.stage is Stage.READY and stops(made) == {"None"}


async def test_a_namespace_of_somebody_else_is_left_alone(made: Site) -> None:
    made.server.put("/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": {"team": "x"}}})
    record = await made.look(5)
    assert made.writes() == []
    assert "belongs to no hub" in record.trouble and "name another namespace" in record.todo


async def test_a_namespace_that_is_being_deleted_is_waited_for(made: Site) -> None:
    going = {"name": NAMESPACE, "deletionTimestamp": "2026-01-01T00:00:00Z"}
    made.server.put("/api/v1/namespaces", {"metadata": going})
    record = await made.look(2)
    assert made.writes() == [] and "is being deleted" in record.trouble


async def test_a_vcluster_that_helm_installed_is_adopted_without_another_change(made: Site) -> None:
    """Its control plane has more than the provisioner says, and helm's own marks."""
    await made.ready()
    path = f"{made.sets}/nlp"
    made.server.remove(path)
    theirs = {"replicas": 1, "serviceName": "nlp-headless", "revisionHistoryLimit": 10}
    helm = {"name": "nlp", "labels": {"heritage": "Helm"}, "managedFields": [{"manager": "helm"}]}
    uid = made.server.put(made.sets, {"metadata": helm, "spec": theirs})["metadata"]["uid"]
    record = await made.look(4)
    control = made.control_plane()
    assert control["metadata"]["uid"] == uid and control["spec"] == theirs
    assert control["metadata"]["labels"]["aifactory-hub.io/provisioned"] == "e2e"
    assert record.stage is Stage.READY and record.journal[-1].text.startswith("changed StatefulSet nlp")


async def test_queues_that_somebody_holds_stay_held_and_it_is_said(made: Site) -> None:
    await made.ready()
    made.server.edit(f"{QUEUES}/nlp", {"spec": {"stopPolicy": "Hold"}}, "kubectl-edit")
    record = await made.look(3)
    assert made.queues["nlp"]["spec"]["stopPolicy"] == "Hold" and "held by somebody" in record.sentence


async def test_a_team_sleeps_when_it_is_quiet_and_wakes_for_a_ticket(made: Site) -> None:
    made.change(sleep_after=600)
    await made.ready()
    made.ticket()
    made.now += 1000
    assert (await made.look()).stage is Stage.READY, "a ticket keeps it awake, however old it is"
    made.ticket_ends()
    made.now += 590
    assert (await made.look()).stage is Stage.READY
    made.now += 20
    record = await made.look(2)
    assert record.stage is Stage.ASLEEP and made.control_plane()["spec"]["replicas"] == 0
    assert "a start wakes it" in record.sentence
    made.now += 5000
    made.writes()
    assert (await made.look(3)).stage is Stage.ASLEEP and made.writes() == []
    made.ticket()
    record = await made.look(3)
    assert record.stage is Stage.READY and made.control_plane()["spec"]["replicas"] == 1
    assert "aifactory-hub.io/asleep-since" not in made.control_plane()["metadata"]["annotations"]
    assert stops(made) == {"None"}, "its queues were open all the while"


async def test_what_others_paused_stays_paused_whatever_starts(made: Site) -> None:
    made.change(sleep_after=600)
    await made.ready()
    made.server.edit(f"{made.sets}/nlp", {"spec": {"replicas": 0}}, "kubectl-scale")
    made.ticket()
    record = await made.look(3)
    assert record.stage is Stage.PAUSED and made.control_plane()["spec"]["replicas"] == 0
    assert "only they end that" in record.sentence


async def test_a_team_that_sleeps_is_healed_as_it_sleeps(made: Site) -> None:
    made.change(sleep_after=600)
    await made.ready()
    made.now += 1000
    await made.look(2)
    made.server.remove(f"{HERE}/resourcequotas/aifactory-hub")
    record = await made.look(3)
    assert record.stage is Stage.ASLEEP and made.control_plane()["spec"]["replicas"] == 0
    assert f"{HERE}/resourcequotas/aifactory-hub" in made.server._objects


async def test_a_start_at_the_moment_of_falling_asleep_wakes_it_again(made: Site) -> None:
    """The ticket comes after the look at the tickets and before the scaling."""
    made.change(sleep_after=600)
    await made.ready()
    made.now += 1000

    def start(method: str, path: str, body: dict[str, Any]) -> None:
        if method == "PATCH" and path.endswith("/statefulsets/nlp") and body["spec"]["replicas"] == 0:
            made.ticket()

    made.server.hooks.append(start)
    await made.look()
    assert made.control_plane()["spec"]["replicas"] == 0
    record = await made.look(3)
    assert record.stage is Stage.READY and made.control_plane()["spec"]["replicas"] == 1


async def test_a_team_that_ends_is_drained_and_kept_and_comes_back(made: Site) -> None:
    await made.ready()
    made.ticket()
    made.change(retirement=Retirement(at=made.now + 100))
    assert (await made.look(3)).stage is Stage.READY and stops(made) == {"None"}, "it is only said so far"
    made.now += 100
    record = await made.look(3)
    assert record.stage is Stage.DRAINING and stops(made) == {"HoldAndDrain"}
    assert made.control_plane()["spec"]["replicas"] == 1, "what ends needs its vCluster"
    made.ticket_ends()
    record = await made.look(3)
    assert record.stage is Stage.RETIRED and made.control_plane()["spec"]["replicas"] == 0
    assert "is kept" in record.sentence or "are kept" in record.sentence
    made.now += 10**8
    made.writes()
    assert (await made.look(2)).stage is Stage.RETIRED and made.writes() == [], "time deletes nothing"
    made.change(retirement=None)
    record = await made.look(5)
    assert record.stage is Stage.READY and stops(made) == {"None"}
    assert made.control_plane()["spec"]["replicas"] == 1


async def test_a_chart_that_reaches_further_is_refused(made: Site, tmp_path: Path) -> None:
    helm = tmp_path / "helm"
    for kind, where in (("Service", "kube-system"), ("Secret", "default")):
        text = f"kind: {kind}\\nmetadata: {{name: x, namespace: '{where}'}}"
        helm.write_text(f'#!/bin/sh\nprintf "{text}"\n')
        with pytest.raises(ChartError, match="another namespace"):
            await made.look()
        made.provisioner.chart._rendered.clear()
    assert made.writes() == [], "nothing is made of half a team"


async def test_roles_of_the_chart_are_left_out(made: Site, tmp_path: Path) -> None:
    with (tmp_path / "helm").open("a") as helm:
        helm.write(
            """print("---\\nkind: ClusterRole\\nmetadata: {name: x}\\n---\\nkind: Role\\nmetadata: {name: y}")\n"""
        )
    assert (await made.ready()).stage is Stage.READY
    assert not any("/roles/" in path or "/clusterroles/" in path for path in made.writes())


async def test_helm_that_fails_is_said_without_values(made: Site, tmp_path: Path) -> None:
    (tmp_path / "helm").write_text("#!/bin/sh\ncat \"$6\" >/dev/null\necho 'Error: no such chart' >&2; exit 1\n")
    with pytest.raises(ChartError, match="Error: no such chart"):
        await made.look()


async def until(what: Any) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.05)


def state(made: Site) -> str:
    found = [
        each
        for each in made.server.objects(f"/api/v1/namespaces/{HUB_NAMESPACE}/configmaps")
        if name(each) == "aifactory-team-nlp"
    ]
    return str(found[0]["data"]["state"]) if found else ""


async def test_the_loop_makes_the_teams_and_hears_of_changes(made: Site) -> None:
    async def world() -> None:
        while True:
            made.settle()
            await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(made.provisioner.run()), asyncio.create_task(world())]
    try:
        await until(lambda: '"stage": "ready"' in state(made))
        policy = f"{NETWORK}/aifactory-dns"
        made.server.remove(policy)
        await until(lambda: policy in made.server._objects)
        made.change(sleep_after=1)
        made.now += 1000
        await until(lambda: '"stage": "asleep"' in state(made))
        made.ticket()
        await until(lambda: '"stage": "ready"' in state(made))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_host_that_is_away_stops_nothing(made: Site) -> None:
    await made.ready()
    made.server.faults.status = 503
    with pytest.raises(ApiUnreachable):
        await made.look()
    made.server.faults.status = None
    assert (await made.look()).stage is Stage.READY


async def test_a_right_that_is_missing_is_said(made: Site) -> None:
    def refuse(method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        refused = method == "PATCH" and "networkpolicies" in path
        return {"code": 403, "reason": "Forbidden", "message": "cannot patch networkpolicies"} if refused else None

    made.server.hooks.append(refuse)
    with pytest.raises(ApiError, match="cannot patch networkpolicies"):
        await made.look(3)
