"""What differs between what is wanted and what is there."""

from __future__ import annotations

import copy
from typing import Any

from aifactory_hub.registry import read_registry
from aifactory_hub.registry.changes import (
    ANNOTATION_GRANTED,
    Action,
    Difference,
    Ref,
    change_of,
    marked,
    ref_of,
    surplus,
)
from aifactory_hub.registry.render import host_objects

from .files import GOOD, SOURCE, kueue_object

REGISTRY = read_registry(GOOD, SOURCE)
QUEUE = marked(kueue_object(REGISTRY, "nlp"), "main")


def stored(manifest: dict[str, Any], *managers: str) -> dict[str, Any]:
    """As the API server answers it."""
    live = copy.deepcopy(manifest)
    live["metadata"] |= {"uid": "u1", "resourceVersion": "7", "generation": 2}
    live["metadata"]["managedFields"] = [{"manager": name} for name in ("aifactory-hub", *managers)]
    live["status"] = {"pendingWorkloads": 3}
    return live


def first_quota(queue: dict[str, Any]) -> dict[str, Any]:
    quota: dict[str, Any] = queue["spec"]["resourceGroups"][0]["flavors"][0]["resources"][0]
    return quota


def test_what_is_not_there_is_created() -> None:
    assert change_of(QUEUE, None, None).action is Action.CREATE


def test_what_is_as_wanted_is_kept_whatever_the_server_notes_beside_it() -> None:
    assert change_of(QUEUE, stored(QUEUE, "kueue"), {**stored(QUEUE), "status": {}}).action is Action.KEEP


def test_another_figure_in_the_file_is_a_change_of_ours() -> None:
    before = marked(copy.deepcopy(QUEUE), "main")
    before["metadata"]["annotations"]["aifactory-hub.io/applied"] = "an older one"
    first_quota(before)["nominalQuota"] = "1"
    change = change_of(QUEUE, stored(before, "kubectl-edit"), stored(QUEUE))
    assert (change.action, change.by_hand) == (Action.CHANGE, ())
    path = "spec.resourceGroups[0].flavors[h100-80gb].resources[nvidia.com/mig-1g.10gb].nominalQuota"
    assert Difference(path, "1", "3") in change.differences


def test_another_figure_on_the_host_is_a_change_by_hand_and_says_whose() -> None:
    live = stored(QUEUE, "kubectl-edit")
    first_quota(live)["nominalQuota"] = "9"
    change = change_of(QUEUE, live, stored(QUEUE))
    assert change.by_hand == ("kubectl-edit",)
    assert [(d.now, d.wanted) for d in change.differences] == [("9", "3")]


def test_what_the_file_says_no_more_is_surplus() -> None:
    wanted = [marked(manifest, "main") for manifest in host_objects(REGISTRY, ["nlp"])]
    live = [*wanted, QUEUE | {"metadata": {"name": "robots"}}]
    assert [change.ref for change in surplus(live, wanted)] == [Ref("ClusterQueue", "", "robots")]


def test_what_was_made_for_a_team_that_somebody_asked_for_is_no_surplus() -> None:
    live = [{"kind": "ClusterQueue", "metadata": {"name": "audio", "annotations": {ANNOTATION_GRANTED: "true"}}}]
    assert surplus(live, []) == []


def test_every_object_is_told_apart() -> None:
    refs = [ref_of(manifest) for manifest in host_objects(REGISTRY)]
    assert len(refs) == len(set(refs))
