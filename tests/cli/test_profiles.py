"""``aifactory-hub profiles``: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_profiles import all_card_names

OWN = """
name: lab-gpu
display_name: Lab GPU
products: [LAB-GPU]
compute_slices: 2
memory_slices: 2
sources: {products: s, compute_slices: s, memory_slices: s, compute: s, memory: s, max: s, starts: s, resource: s}
slices:
  - {name: 1g.1gb, compute: 1, memory: 1, max: 2, starts: [0, 1], usable_gib: unknown, resource: nvidia.com/mig-1g.1gb}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["profiles", *arguments], catch_exceptions=False)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_every_model_is_listed() -> None:
    heads = [line.partition(":")[0] for line in run("list").output.splitlines() if not line.startswith(" ")]
    assert tuple(heads) == all_card_names()


def test_what_is_unknown_is_listed_as_unknown() -> None:
    lines = run("list", "--model", "rtx-pro-6000-blackwell").output.splitlines()
    assert lines[0].endswith("4 compute and unknown memory slices")
    assert lines[2].split() == ["mig-1g.24gb", "1/4", "unknown", "4", "unknown", "unknown", "nvidia.com/mig-1g.24gb"]


def test_a_card_of_one_s_own_is_listed(own: Path) -> None:
    result = run("list", "--card", str(own))
    assert result.exit_code == 0
    assert result.output.startswith("lab-gpu: Lab GPU, 2 compute and 2 memory slices")
    assert "h100" not in result.output


def test_a_card_of_one_s_own_is_explained_and_fitted(own: Path) -> None:
    assert "1g.1gb of an Lab GPU" in run("explain", "lab-gpu", "1g.1gb", "--card", str(own)).output
    assert run("fit", "lab-gpu", "1g.1gb", "1g.1gb", "--card", str(own)).exit_code == 0


def test_a_bad_card_is_refused_with_file_and_line(own: Path) -> None:
    own.write_text(OWN.replace("max: 2", "max: 3"), encoding="utf-8")
    result = run("list", "--card", str(own))
    assert result.exit_code == 2
    assert f"{own}:9: slices[0].max: 3 of 1g.1gb have only 2 starts" in result.stderr


def test_a_card_that_is_no_text_is_refused(own: Path) -> None:
    own.write_bytes(b"name: \xff")
    assert f"{own}: byte 6 is not UTF-8" in run("list", "--card", str(own)).stderr


def test_two_cards_of_one_name_are_refused(own: Path) -> None:
    assert "another --card is called 'lab-gpu' too" in run("list", "--card", str(own), "--card", str(own)).stderr


def test_a_slice_is_explained_with_the_source_of_each_figure() -> None:
    lines = [line.strip() for line in run("explain", "h100-80gb", "mig-1g.20gb").output.splitlines()]
    assert lines[0] == "1g.20gb of an NVIDIA H100 80GB, on the menu mig-1g.20gb"
    figures = lines[1:-1]
    assert "starts: 0,2,4,6" in figures and "share: 1/4 of a GPU" in figures
    assert all(line.startswith("from: ") for line in figures[1::2])
    assert lines[-1].startswith("note: go-nvml's mocks")


def test_a_figure_that_is_unknown_is_explained_with_the_reason() -> None:
    output = run("explain", "b200", "1g.23gb").output
    assert "usable_gib: unknown\n    why: sources disagree: 20.5 to 22 GiB" in output


def test_slices_that_fit_are_shown_with_their_places_and_the_rest() -> None:
    result = run("fit", "h100-80gb", "3g.40gb@0", "1g.10gb")
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "1g.10gb, 3g.40gb on one NVIDIA H100 80GB: fits"
    assert lines[1:3] == ["  3g.40gb: memory slice 0 to 3", "  1g.10gb: memory slice 6"]
    rows = {line.split()[0]: line.split()[1:3] for line in lines[4:]}
    assert rows["2g.20gb"] == ["1", "1"]
    assert rows["7g.80gb"] == ["0", "0"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(
            "h100-80gb 3g.40gb 3g.40gb 1g.10gb", 1, "9 memory slices are more than the GPU's 8", id="too much"
        ),
        pytest.param(
            "h100-80gb 1g.10gb@1 1g.10gb@3 1g.10gb@5 2g.20gb", 1, "would fit if all could move", id="fragmented"
        ),
        pytest.param("rtx-pro-6000-blackwell 1g.24gb 2g.48gb", 3, "unknown, the card does not know", id="unknown"),
        pytest.param("rtx-pro-6000-blackwell 1g.24gb 1g.24gb", 0, "where: unknown", id="fits somewhere"),
        pytest.param("h100-80gb --at-least 18GB", 0, "1g.20gb, 21.07 GB usable (19.62 GiB), 1/4 of", id="measured"),
        pytest.param("a100-80gb --at-least 18GB", 0, "1g.20gb, 20.00 GB by its name, what a program", id="by name"),
        pytest.param("h100-80gb 1g.10gb@9", 2, "1g.10gb can't start at 9; it can at 0, 1", id="no such start"),
        pytest.param("h100-80gb 1g.10gb@x", 2, "has no memory slice after the @", id="no number"),
        pytest.param("h100-80gb 9g.90gb", 2, "h100-80gb has no slice '9g.90gb'", id="no such slice"),
        pytest.param("v100 1g.10gb", 2, "no card for GPU model 'v100'", id="no such model"),
        pytest.param("h100-80gb --at-least 1,5GB", 2, "'1,5GB' is not an amount of memory", id="no amount"),
        pytest.param("h100-80gb --at-least 90GB", 2, "the most is 85.09 GB", id="more than the GPU has"),
    ],
)
def test_fit_ends_with_its_answer(arguments: str, code: int, says: str) -> None:
    result = run("fit", *arguments.split())
    assert result.exit_code == code
    assert says in " ".join(result.output.split())


def test_the_schema_is_printed_as_json() -> None:
    assert json.loads(run("schema").output)["title"] == "GPU card"
