"""The documentation: every page is reached, every link leads somewhere, nothing is missing from the reference."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from aifactory_hub.cli import main
from aifactory_hub.domain.pipeline_schema import SCHEMA
from aifactory_hub.domain.refusals import RefusalReason
from aifactory_hub.registry import read_registry
from aifactory_hub.service.file_answer_types import LimitsAnswer

from ..conftest import Golden
from . import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
SITE = YAML(typ="safe", pure=True).load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def in_navigation(entries: list[Any]) -> list[str]:
    values = [value for entry in entries for value in entry.values()]
    return [page for value in values for page in (in_navigation(value) if isinstance(value, list) else [value])]


ANNOUNCED = set(SITE.get("not_in_nav", "").split())


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(in_navigation(SITE["nav"])) == [page for page in PAGES if page not in ANNOUNCED]


@pytest.mark.parametrize("page", ["settings", "commands", "rest"])
def test_the_reference_is_as_the_code(page: str, golden: Golden) -> None:
    golden.check(f"../../docs/reference/{page}.md", getattr(reference, f"{page}_page")())


def test_the_pipeline_schema_is_the_one_that_files_are_checked_by(golden: Golden) -> None:
    golden.check("../../docs/reference/pipeline.schema.json", json.dumps(SCHEMA, indent=2) + "\n")


def test_every_field_of_a_pipeline_is_on_its_page() -> None:
    text = (DOCS / "pipelines.md").read_text(encoding="utf-8")
    fields = SCHEMA["properties"]["steps"]["additionalProperties"]["properties"]
    assert [name for name in fields if f"`{name}`" not in text] == []


def test_every_environment_variable_is_described() -> None:
    assert reference.environment_in_code() == set(reference.ENVIRONMENT)


def test_every_setting_of_ours_has_a_help() -> None:
    for kind in reference.CLASSES:
        for name, trait in reference.own_traits(kind).items():
            assert trait.help, f"{kind.__name__}.{name}"


def test_every_command_and_option_says_what_it_is_for() -> None:
    for path, command in reference.commands(main, "aifactory-hub"):
        assert (command.help or "").strip(), path
        for option in command.params:
            # An argument is told in the usage.
            assert not isinstance(option, click.Option) or option.help, f"{path} {option.opts}"


def test_the_reference_names_nobody_s_home() -> None:
    """A default that is a path is written with ~, or the page would differ from machine to machine."""
    for page in ("settings", "commands", "rest"):
        assert str(Path.home()) not in getattr(reference, f"{page}_page")()


def test_every_refusal_has_its_row_and_no_row_is_of_another() -> None:
    text = (DOCS / "reference" / "refusals.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([0-9]+) \| (.+) \| (.+) \|$", text, flags=re.MULTILINE)
    told = sorted((reason, int(status)) for reason, status, _, _ in rows)
    assert told == sorted((reason.value, int(reason.status)) for reason in RefusalReason)


def test_every_limit_of_the_job_service_is_described() -> None:
    text = (DOCS / "job-service.md").read_text(encoding="utf-8")
    table = text[text.index("## Limits") : text.index("## Room")]
    told = set(LimitsAnswer.__annotations__) - {"simulated"}
    assert set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)))) == told


# Commands in the pages whose example needs nothing but a file. Brackets are what may be left out: no example.
EXAMPLE = re.compile(r"^ *(aifactory-hub (?:tenants|explain-groups|profiles|doctor .*--offline).*)$", re.MULTILINE)


# A cluster, a hub or a second file.
NEEDS_MORE = re.compile(r"tenants (plan|apply|diff|status|purge)|--user|--claims")


def examples() -> list[tuple[str, str]]:
    found = [(page, line) for page in PAGES for line in EXAMPLE.findall((DOCS / page).read_text(encoding="utf-8"))]
    found = [(page, line) for page, line in found if "[" not in line and not NEEDS_MORE.search(line)]
    return [(page, line.partition("#")[0].partition("|")[0].partition(">")[0].strip()) for page, line in found]


@pytest.fixture
def example_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of docs/tenants-yaml.md, with the tenant that add-a-team.md adds."""
    block = re.search(r"```yaml\n(.*?)```", (DOCS / "tenants-yaml.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert block is not None
    robots = """\
  robots:
    vcluster: {namespace: vc-robots, name: robots}
    groups: [{group: teams/robots, role: member}]
    profiles: [cpu-small]
"""
    (tmp_path / "tenants.yaml").write_text(block[1].rstrip("\n") + "\n" + robots)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("example_file")
@pytest.mark.parametrize(("page", "line"), examples(), ids=lambda value: value)
def test_examples_work(page: str, line: str) -> None:
    done = CliRunner().invoke(main, line.split()[1:])
    assert done.exit_code == 0, f"{page}: {line}\n{done.output}"


def test_the_addresses_of_the_installation_page_are_accepted() -> None:
    install = (DOCS / "install.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(addresses:.*?)```", install, flags=re.DOTALL)
    assert block is not None
    example = (DOCS / "tenants-yaml.md").read_text(encoding="utf-8")
    file = re.search(r"```yaml\n(.*?)```", example, flags=re.DOTALL)
    assert file is not None
    text = re.sub(r"^addresses:\n(  .*\n)+", block[1], file[1], flags=re.MULTILINE)
    assert read_registry(text, "tenants.yaml").addresses.hub_api.endswith("aifactory-system.svc:8081/hub/api")


def test_files_that_the_pages_name_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"`?(helm-values/[\w./-]*\w)", (DOCS / page).read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{page}: {name}"
