"""What decides whether an earlier job's result counts for a step."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from aifactory_hub.domain.datasets import GivenVersion
from aifactory_hub.domain.job_spec import JobSpec
from aifactory_hub.domain.step_cache import Deciding, cache_key, kept_since, parts, why_never_taken

IMAGE = f"images.example.org/jobs@sha256:{'a' * 64}"
SPEC = JobSpec("train", "python train.py", "mig-1g.10gb", environment={"SEED": "1"}, input_sha256="f" * 64)
# A spec with another value of each field.
OTHERS: dict[str, Any] = {
    "name": "another",
    "command": "python other.py",
    "profile": "mig-2g.20gb",
    "environment": {"SEED": "2"},
    "outputs": ("model/*",),
    "input_sha256": "e" * 64,
    "input_size": 7,
    "backend": "jobset",
    "image": "images.example.org/own",
    "priority": "low",
    "max_seconds": 60,
    "max_retries": 3,
    "retry_backoff": 1.0,
    "notify": ("https://example.org",),
    "nodes": 2,
    "template": "train",
    "parameters": {"rate": "1"},
    "source": {"file": "a.ipynb"},
    "provenance": {"commit": "c" * 40},
    "sweep": "s",
    "sweep_parameters": {"rate": 1},
    "secrets": ("TOKEN",),
}
# How it is called, from where it comes, and how often and long it is tried. The image is given apart.
DECIDES_NOTHING = frozenset(
    {
        "name",
        "input_size",
        "image",
        "priority",
        "max_seconds",
        "max_retries",
        "retry_backoff",
        "notify",
        "source",
        "provenance",
        "sweep",
        "sweep_parameters",
    }
)


def deciding(spec: JobSpec = SPEC, tenant: str = "nlp", image: str = IMAGE, **more: Any) -> Deciding:
    return Deciding(tenant, spec, image, **{"files": spec.input_sha256, **more})


def key(spec: JobSpec = SPEC, tenant: str = "nlp", image: str = IMAGE, **more: Any) -> str:
    return cache_key(deciding(spec, tenant, image, **more))


def test_each_field_of_a_job_is_in_the_table() -> None:
    assert OTHERS.keys() == {field.name for field in fields(JobSpec)}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_the_key_is_another_one_exactly_where_the_result_may_be(name: str) -> None:
    assert (key(replace(SPEC, **{name: OTHERS[name]})) == key()) == (name in DECIDES_NOTHING)


def test_team_image_template_and_data_are_in_the_key() -> None:
    template = replace(SPEC, template="train")
    claims, models = GivenVersion("claims", 1, "d" * 64, "content"), GivenVersion("model:fraud", 1, "d" * 64)
    keys = [key(), key(tenant="vision"), key(image=IMAGE.replace("a", "b")), key(template, template="1")]
    keys += [key(template, template="2"), key(data=(claims,)), key(data=(replace(claims, number=2),))]
    keys += [key(data=(replace(claims, digest="e" * 64),)), key(data=(models,)), key(data=(claims, models))]
    keys += [key(inputs=("src/**",)), key(inputs=("src/**",), files="e" * 64), key(inputs=("src/*",))]
    assert len(set(keys)) == len(keys)
    assert key(data=(claims, models)) == key(data=(models, claims))
    assert key(inputs=("a", "b")) == key(inputs=("b", "a"))
    assert key(replace(SPEC, environment={"A": "1", "B": "2"})) == key(replace(SPEC, environment={"B": "2", "A": "1"}))
    assert len(key(replace(SPEC, environment={"A": "\udcff"}))) == 64


@pytest.mark.parametrize(
    ("spec", "image", "simulated", "why"),
    [
        (SPEC, IMAGE, False, None),
        (SPEC, "images.example.org/jobs:1.0", False, "its image images.example.org/jobs:1.0 has no digest"),
        (SPEC, f"images.example.org/jobs@sha256:{'a' * 63}", False, "has no digest"),
        (SPEC, "demo/local-process", True, None),
        (replace(SPEC, secrets=("TOKEN",)), IMAGE, False, "it is given secrets"),
    ],
)
def test_what_may_change_unseen_is_never_taken(spec: JobSpec, image: str, simulated: bool, why: str | None) -> None:
    said = why_never_taken(spec, image=image, simulated=simulated)
    assert said is None if why is None else why in str(said)


def test_the_key_of_a_step_that_names_no_data_and_no_inputs_stays_what_it_was() -> None:
    assert key() == "f098488f96c152071a7f854cc4acadbc9dccc51f534905cc8b38443b515390e2"


@pytest.mark.parametrize("name", sorted(OTHERS.keys() - DECIDES_NOTHING - {"secrets", "input_sha256"}))
def test_what_makes_another_key_is_told_apart_by_a_part(name: str) -> None:
    other = parts(deciding(replace(SPEC, **{name: OTHERS[name]})))
    told = {part for part in other.keys() | parts(deciding()).keys() if other.get(part) != parts(deciding()).get(part)}
    words = {"environment": "variable SEED", "parameters": "parameter rate", "backend": "engine"}
    assert told == {words.get(name, name)}


def test_parts_have_no_values_of_variables_and_each_version() -> None:
    data = (GivenVersion("claims", 2, "e" * 64, "dvc"), GivenVersion("claims", 1, "d" * 64), GivenVersion("a", 7, "f"))
    found = parts(deciding(replace(SPEC, environment={"KEY": "hunter2"}), data=data, inputs=("src/**",)))
    assert "hunter2" not in str(found)
    assert (found["data claims"], found["data a"], found["files"]) == ("1, 2", "7", "f" * 64)
    assert {"command", "inputs", "image", "profile", "nodes", "variable KEY"} <= found.keys()


def test_files_that_go_soon_are_not_relied_on() -> None:
    day = 86400.0
    assert kept_since(100 * day, 30 * day) == 71 * day
    assert kept_since(100 * day, 1.0 * day) == 99.5 * day
