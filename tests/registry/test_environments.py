"""The environments of ``tenants.yaml``: what is read, and what is said of a wrong one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from aifactory_hub.domain.environments import GpuUse, Kind, State
from aifactory_hub.registry import load_registry, read_registry
from aifactory_hub.registry.contents import look_at
from aifactory_hub.registry.policies import allowed_images
from aifactory_hub.registry.update import update_of

from .files import GOOD, SOURCE, problems, with_environments

FIRST = GOOD.count("\n") + 1  # the line of `environments`
ONE = """\
  lab:
    versions: {"1": {image: "DIGEST"}}
"""
WHOLE = """\
  torch:
    display_name: PyTorch
    kind: lab
    versions:
      "2": {image: "DIGEST"}
      "1": {image: "DIGEST", state: deprecated, until: 2027-01-31, successor: "2", why: old}
      "0": {image: "DIGEST", state: blocked, why: it has a hole}
    needs: {memory: 8Gi, gpu: required, driver: ">=550.90", device_memory: 9Gi}
    teams: [nlp]
    hooks: {start: [date]}
  app:
    kind: command
    command: [app, "{port}"]
    versions: {"1": {image: "DIGEST"}}
"""


def test_a_whole_section_is_read() -> None:
    registry = read_registry(with_environments(WHOLE), SOURCE)
    torch, app = registry.environments.values()
    assert (torch.display_name, torch.kind, torch.teams, torch.hooks) == ("PyTorch", Kind.LAB, ("nlp",), ("date",))
    assert [version.state for version in torch.versions.values()] == [State.CURRENT, State.DEPRECATED, State.BLOCKED]
    assert torch.versions["1"].until == datetime(2027, 2, 1, tzinfo=UTC).timestamp()
    needs = torch.needs
    assert (needs.memory_bytes, needs.gpu) == (8 * 2**30, GpuUse.REQUIRED)
    assert (needs.driver, needs.device_bytes) == ((550, 90), 9 * 2**30)
    assert (app.command, app.reports, torch.reports) == (("app", "{port}"), False, True)


def test_a_file_without_the_section_is_as_before() -> None:
    assert read_registry(GOOD, SOURCE).environments == {}


def test_its_images_may_run_in_tenants_pods() -> None:
    registry = read_registry(with_environments(ONE), SOURCE)
    assert f"images.example.org/torch@sha256:{'a' * 64}" in allowed_images(registry)


def test_a_changed_environment_is_a_change_that_needs_no_restart() -> None:
    old, new = read_registry(GOOD, SOURCE), read_registry(with_environments(ONE), SOURCE)
    assert (update_of(old, new).settings, update_of(old, new).fixed) == (("environments",), ())


# name: (the section, what is said, with the line counted from `environments`)
WRONG = {
    "a tag": (
        '  lab:\n    versions: {"1": {image: "x:1"}}\n',
        (2, "environments.lab.versions.1.image: x:1 has no digest, so what runs could change under its name; "),
    ),
    "a number as version": (
        '  lab:\n    versions: {2026.10: {image: "DIGEST"}}\n',
        (2, "environments.lab.versions.2026.1: 2026.1 is not text; write the version in quotes"),
    ),
    "no version": ("  lab:\n    versions: {}\n", (2, "environments.lab.versions: is empty; ")),
    "an unknown kind": (ONE + "    kind: rstudio\n", (3, "environments.lab.kind: 'rstudio' is not possible here")),
    "an unknown team": (
        ONE + "    teams: [nlq]\n",
        (3, "environments.lab.teams[0]: there is no tenant 'nlq'; did"),
    ),
    "no team": (ONE + "    teams: []\n", (3, "environments.lab.teams: is empty, so no team has it")),
    "no command": (ONE + "    kind: command\n", (1, "environments.lab: kind command needs a command")),
    "a command of another kind": (ONE + "    command: [x]\n", (3, "environments.lab.command: counts with `kind: comm")),
    "a command without a port": (
        ONE + "    kind: command\n    command: [x]\n",
        (4, "environments.lab.command: nothing says where it listens; put {port}"),
    ),
    "an end of a current version": (
        '  lab:\n    versions: {"1": {image: "DIGEST", until: 2027-01-01}}\n',
        (2, "environments.lab.versions.1.until: counts with `state: deprecated` only"),
    ),
    "blocked without a reason": (
        '  lab:\n    versions: {"1": {image: "DIGEST", state: blocked}}\n',
        (2, "environments.lab.versions.1: a blocked version needs a reason"),
    ),
    "a successor that is none": (
        '  lab:\n    versions: {"1": {image: "DIGEST", successor: "2"}}\n',
        (2, "environments.lab.versions.1.successor: there is no version '2'; the others are none"),
    ),
    "its own successor": (
        '  lab:\n    versions: {"1": {image: "DIGEST", successor: "1"}}\n',
        (2, "environments.lab.versions.1.successor: a version can't follow itself"),
    ),
    "no driver": (ONE + "    needs: {driver: new}\n", (3, "environments.lab.needs.driver: 'new' is not a version of")),
    "a name with an @": ('  "a@b":\n    versions: {"1": {image: "DIGEST"}}\n', (1, "environments.a@b: 'a@b' is not")),
}


@pytest.mark.parametrize(("section", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_is_named_with_line_key_and_what_to_write(section: str, said: tuple[int, str]) -> None:
    (found,) = problems(with_environments(section, GOOD.replace("simulated: true", "simulated: false")))
    line, text = said
    assert found.startswith(f"{SOURCE}:{FIRST + line}: {text}")


def test_a_simulated_cluster_may_have_images_without_a_digest() -> None:
    assert "simulated: true" in GOOD
    real = GOOD.replace("simulated: true", "simulated: false")
    section = '  lab:\n    versions: {"1": {image: "x:1"}}\n'
    assert read_registry(with_environments(section), SOURCE).environments
    assert len(problems(with_environments(section, real))) == 1


LOCKED = '  lab:\n    versions: {"1": {image: "DIGEST", lock: lab.txt}}\n'


def test_a_lock_gives_the_packages_with_their_names_in_one_form(tmp_path: Path) -> None:
    (tmp_path / "lab.txt").write_text(
        "# made by uv\nnumpy==2.1.0 \\\n    --hash=sha256:ab\nRuamel.YAML[jinja]==0.18 ; python_version > '3'\n"
    )
    (tmp_path / "tenants.yaml").write_text(with_environments(LOCKED))
    version = load_registry(tmp_path / "tenants.yaml").environments["lab"].versions["1"]
    assert version.packages == {"numpy": "2.1.0", "ruamel-yaml": "0.18"}


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "can't be read: No such file"), (b"numpy>=2\n", "line 1 pins no package"), (b"\xff", "can't decode")],
    ids=["missing", "not pinned", "not UTF-8"],
)
def test_a_lock_that_is_none_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "lab.txt").write_bytes(content)
    file = tmp_path / "tenants.yaml"
    file.write_text(with_environments(LOCKED))
    with pytest.raises(Exception, match=said):
        load_registry(file)


def test_a_changed_lock_is_a_changed_file(tmp_path: Path) -> None:
    file = tmp_path / "tenants.yaml"
    file.write_text(with_environments(LOCKED))
    (tmp_path / "lab.txt").write_text("numpy==1\n")
    before = look_at(file, ["lab.txt"]).key
    (tmp_path / "lab.txt").write_text("numpy==2\n")
    assert look_at(file, ["lab.txt"]).key != before
