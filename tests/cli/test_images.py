"""``aifactory-hub images``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli.app import main

from ..registry.files import GOOD, with_environments

DIGEST = f"sha256:{'a' * 64}"
CHART = Path(__file__).parents[1] / "data/chart.yaml"
ENVIRONMENTS = """\
  torch:
    kind: lab
    versions:
      "1": {image: DIGEST}
"""


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    file = tmp_path / "tenants.yaml"
    file.write_text(GOOD, encoding="utf-8")
    return file


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["images", *map(str, arguments)], input=stdin)


def test_each_image_of_the_file_and_of_what_is_rendered_is_there_once(tenants: Path) -> None:
    done = run("--for", tenants, CHART)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines == sorted(set(lines))
    assert {
        "registry.example.org/aifactory/hub:0.2.0-z2jh4.4.0",
        "registry.example.org/aifactory/provisioner:0.2.0",
    } < set(lines)
    assert any("notebook" in each for each in lines)


def test_what_needs_an_image_is_told_of_every_kind_of_template(tenants: Path) -> None:
    found = {each["image"]: each for each in json.loads(run("--for", tenants, "--json", CHART).stdout)}
    users = found["registry.example.org/aifactory/hub:0.2.0-z2jh4.4.0"]["needed_by"]
    assert set(users) == {
        "Deployment aifactory-jobs", "CronJob aifactory-backup", "Job aifactory-apply", "Pod aifactory-doctor"
    }  # fmt: skip


def test_versions_of_environments_are_there_by_digest(tenants: Path) -> None:
    tenants.write_text(with_environments(ENVIRONMENTS), encoding="utf-8")
    done = run("--for", tenants, "--json")
    assert done.exit_code == 0, done.output
    assert {
        "image": f"images.example.org/torch@{DIGEST}",
        "by_digest": True,
        "needed_by": ["environment torch"],
    } in json.loads(done.stdout)


def test_lists_and_init_containers_and_standard_input(tenants: Path) -> None:
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"initContainers": [{"image": "a/init:1"}], "containers": []},
    }
    done = run("--for", tenants, "-", stdin=json.dumps({"kind": "List", "items": [pod]}))
    assert "a/init:1" in done.stdout.splitlines()


def test_an_image_by_tag_is_named_with_what_needs_it(tenants: Path) -> None:
    done = run("--for", tenants, "--by-digest")
    assert done.exit_code == 1
    assert "is no digest: notebook.image" in done.stderr
    text = GOOD
    for line in GOOD.splitlines():
        if "image: " in line:
            text = text.replace(line, line.split("image: ")[0] + f'image: "images.example.org/one@{DIGEST}"')
    tenants.write_text(text, encoding="utf-8")
    assert run("--for", tenants, "--by-digest").exit_code == 0


@pytest.mark.parametrize(("text", "said"), [("a: [", "is not YAML"), ("just text", "no object"), ("a: 1", "no object")])
def test_what_is_no_list_of_objects_is_refused(tenants: Path, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(text)
    done = run("--for", tenants, file)
    assert done.exit_code == 2 and said in done.output
    assert run("--for", tenants, tmp_path / "nothing").exit_code == 2
