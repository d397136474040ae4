"""The notebook's own image as the service learns it: from the host's watch, for the one who submits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from aifactory_hub import constants
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.service.images import Images

from ..support.job_service import RunningService, make_registry

DIGEST = f"sha256:{'a' * 64}"
JOB = {"command": "true", "profile": "mig-1g.10gb"}


class Watch:
    """Only what is asked of the real one."""

    def __init__(self, *pods: PodFact, stale: bool = False) -> None:
        self._pods = {(pod.host_namespace, pod.vcluster, pod.namespace, pod.name): pod for pod in pods}
        self.stale = stale

    def pod(self, vcluster: Any, namespace: str, name: str) -> PodFact | None:
        return self._pods.get((vcluster.namespace, vcluster.name, namespace, name))


def notebook(name: str, owner: str, user: str = "ada", **labels: str) -> PodFact:
    registry = make_registry()
    marks: Mapping[str, str] = {
        constants.LABEL_HUB: registry.hub,
        constants.LABEL_OWNER_KIND: "server",
        constants.LABEL_OWNER: owner,
        constants.LABEL_USER: user,
        **labels,
    }
    image = registry.notebook.image.rpartition(":")[0]
    where = registry.tenants["nlp"].vcluster
    return PodFact(
        where.namespace, where.name, "notebooks", name, "u", "h", "Running", labels=marks, image_id=f"{image}@{DIGEST}"
    )


def images(*pods: PodFact, stale: bool = False) -> Images:
    return Images(make_registry, Watch(*pods, stale=stale))  # type: ignore[arg-type]


def test_a_job_of_a_notebook_runs_in_its_image_by_digest() -> None:
    found = images(notebook("nb-ada", "ada")).of("nlp", "ada", "")
    assert (found.name.endswith(f"@{DIGEST}"), found.why) == (True, None)


def test_each_of_a_person_s_servers_has_its_own() -> None:
    named = images(notebook("nb-ada--big", "ada--big"))
    assert named.of("nlp", "ada", "big").why is None
    assert "no notebook of yours" in str(named.of("nlp", "ada", "").why)


@pytest.mark.parametrize(
    ("tenant", "user", "server", "why"),
    [
        ("nlp", "ada", None, "not submitted from a notebook"),
        ("nlp", "bob", "", "no notebook of yours"),
        ("vision", "ada", "", "no notebook of yours"),
    ],
)
def test_nobody_else_s_counts(tenant: str, user: str, server: str | None, why: str) -> None:
    assert why in str(images(notebook("nb-ada", "ada")).of(tenant, user, server).why)


@pytest.mark.parametrize("label", [constants.LABEL_HUB, constants.LABEL_USER, constants.LABEL_OWNER])
def test_a_pod_of_that_name_that_is_not_the_hub_s_does_not_count(label: str) -> None:
    assert images(notebook("nb-ada", "ada", **{label: "other"})).of("nlp", "ada", "").why is not None


def test_a_deaf_watch_says_so() -> None:
    assert "does not tell now" in str(images(stale=True).of("nlp", "ada", "").why)


async def test_the_job_and_its_dry_run_say_what_it_runs_in(service: RunningService) -> None:
    """Without a watch it is the site's, and the dry run says why."""
    async with service.http("ada") as http:
        dry = (await http.post("/jobs/dry-run", json={**JOB, "server": ""})).json()
        made = (await http.post("/jobs", json={**JOB, "key": "k", "server": ""})).json()
        again = await http.post("/jobs", json={**JOB, "key": "k", "server": "other"})
    (image,) = [verdict for verdict in dry["verdicts"] if verdict["check"] == "image"]
    assert (image["ok"], "in the site's image, " in image["detail"]) == (True, True)
    assert (made["image"], made["own_image"]) == (make_registry().jobs.image, False)
    assert again.status_code == 200  # where it is submitted from is a note, not what is asked for


async def test_a_job_keeps_the_image_that_it_was_submitted_with(service: RunningService) -> None:
    service.context.submissions._images = images(notebook("nb-ada", "ada"))
    async with service.http("ada") as http:
        dry = (await http.post("/jobs/dry-run", json={**JOB, "server": ""})).json()
        made = (await http.post("/jobs", json={**JOB, "key": "k", "server": ""})).json()
        told = (await http.get(f"/jobs/{made['id']}/provenance")).json()
    assert dry["verdicts"][-1]["detail"].startswith("It runs in the notebook's own image, ")
    assert (made["image"].endswith(f"@{DIGEST}"), made["own_image"]) == (True, True)
    assert told["image"] == made["image"]
    service.context.submissions._images = images()
    job = service.context.jobs.get(made["id"])
    assert job is not None
    assert job.spec.image == made["image"]
