"""Which image a job runs in."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.images import JobImage, own_image, repository
from aifactory_hub.domain.pods import PodFact

DIGEST = f"sha256:{'a' * 64}"
SITE = "images.example.org/team/notebook:1.0"
NOTEBOOK = PodFact("vc-nlp", "nlp", "notebooks", "nb-ada", "u", "host", "Running")


def choose(pod: PodFact | None, of_notebooks: str = SITE) -> JobImage:
    return own_image(
        pod, of_notebooks=(of_notebooks, "images.example.org/torch@sha256:1"), of_jobs="images.example.org/jobs:2"
    )


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("images.example.org/team/notebook:1.0", "images.example.org/team/notebook"),
        (f"images.example.org:5000/notebook:1.0@{DIGEST}", "images.example.org:5000/notebook"),
        ("localhost/notebook", "localhost/notebook"),
        ("jupyter/minimal-notebook:2026", "docker.io/jupyter/minimal-notebook"),
        ("python", "docker.io/library/python"),
        ("python:3.12", "docker.io/library/python"),
    ],
)
def test_a_repository_has_one_name(image: str, name: str) -> None:
    assert repository(image) == name


@pytest.mark.parametrize(
    "told",
    [f"images.example.org/team/notebook@{DIGEST}", f"docker-pullable://images.example.org/team/notebook@{DIGEST}"],
)
def test_a_job_runs_in_the_image_of_its_notebook(told: str) -> None:
    assert choose(NOTEBOOK._replace(image_id=told)) == JobImage(f"images.example.org/team/notebook@{DIGEST}")


def test_names_of_docker_s_own_registry_are_compared_in_full() -> None:
    found = choose(NOTEBOOK._replace(image_id=f"docker.io/jupyter/minimal@{DIGEST}"), "jupyter/minimal:2026")
    assert found.why is None


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        (None, "no notebook of yours"),
        (NOTEBOOK._replace(phase="Failed", image_id=f"images.example.org/team/notebook@{DIGEST}"), "no notebook"),
        (NOTEBOOK._replace(deleting=True, image_id=f"images.example.org/team/notebook@{DIGEST}"), "no notebook"),
        (NOTEBOOK, "does not tell the digest"),
        (NOTEBOOK._replace(image_id=DIGEST), "does not tell the digest"),
        (NOTEBOOK._replace(image_id="images.example.org/team/notebook:1.0"), "does not tell the digest"),
        (NOTEBOOK._replace(image_id=f"images.example.org/other@{DIGEST}"), "runs in images.example.org/other"),
    ],
)
def test_where_it_is_not_known_or_not_the_site_s_the_site_s_is_taken_and_said(pod: PodFact | None, why: str) -> None:
    found = choose(pod)
    assert found.name == "images.example.org/jobs:2"
    assert why in str(found.why)
