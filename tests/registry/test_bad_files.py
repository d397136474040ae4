"""What is said of files that are no YAML, have several mistakes, or secrets in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.registry import RegistryError, read_registry
from aifactory_profiles import card_names

from .files import GOOD, SOURCE, changed, problems

START = "start with `apiVersion: aifactory-hub.io/v1` and `hub: main`"
WHOLE = {
    "an empty file": ("", f"{SOURCE}:1: the file is empty; {START}"),
    "nothing but comments": ("# soon\n", f"{SOURCE}:1: the file is empty; {START}"),
    "a list": ("- hub\n", f"{SOURCE}:1: the file is not a mapping; {START}"),
    "a word": ("hub\n", f"{SOURCE}:1: the file is not a mapping; {START}"),
}


@pytest.mark.parametrize(("text", "says"), WHOLE.values(), ids=WHOLE)
def test_a_file_that_is_no_mapping_is_refused(text: str, says: str) -> None:
    assert problems(text) == [says]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("hub: [a\ncluster: b\n", "2:", id="an open bracket"),
        pytest.param("hub: a\n\tcluster: b\n", "2:", id="a tab"),
        pytest.param("hub: a\n---\nhub: b\n", "2:", id="two documents"),
        pytest.param("hub: *nobody\n", "1:", id="an alias without anchor"),
        pytest.param("hub: a\x00b\n", "", id="a control character"),
        pytest.param("hub: &a [*a]\n", "", id="an alias of itself"),
    ],
)
def test_what_is_no_yaml_is_said_with_its_line(text: str, place: str) -> None:
    said = problems(text)
    assert len(said) == 1
    assert said[0].startswith(f"{SOURCE}:{place}")


def test_a_model_without_a_card_is_named_with_the_cards_that_there_are() -> None:
    said = problems(changed("[h100-80gb]", "[h100-80gb, v100-16gb]"))
    cards = f"the cards are {', '.join(card_names())}"
    assert said == [f"{SOURCE}:5: cluster.gpu_models[1]: no card for GPU model 'v100-16gb'; {cards}"]


def test_a_model_whose_nodes_can_t_be_selected_is_refused() -> None:
    said = problems(changed("[h100-80gb]", "[h100-80gb, gb300]"))
    assert len(said) == 1
    assert "nvidia.com/gpu.product of gb300 is unknown to its card" in said[0]


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file() -> None:
    text = changed("cohort: factory", "cohrt: factory")
    text = text.replace("    vcluster: {namespace: vc-vision, name: vision}\n", "")
    text = text.replace("group: teams/vision,", "group: teams/nlp,")
    text = text.replace("profiles: [mig-1g.10gb]", "profiles: [mig-1g.10gb, mig-9g.10gb]")
    text = text.replace("quota: {mig-1g.10gb: 3}", "quota: {mig-1g.10gb: three}")
    keys = [line.split(": ")[1] for line in problems(text)]
    assert keys == [
        "cluster.cohrt",
        "tenants.vision.vcluster",
        "tenants.vision.groups[0].group",
        "tenants.vision.profiles[1]",
        "tenants.vision.quota.mig-1g.10gb",
    ]


def test_no_message_shows_a_secret() -> None:
    text = changed(
        "client_id: aifactory-hub", "client_id: aifactory-hub\n  client_secret: hunter2\n  client_secret: hunter2"
    )
    assert "hunter2" not in "\n".join(problems(text))
    assert "hunter2" not in "\n".join(problems("identity: {client_secret: hunter2\nhub: [\n"))


@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.text(alphabet="abc:-[]{}\n &*!\"'#07", max_size=12))
def test_a_damaged_file_is_read_or_refused_but_never_crashes(start: int, length: int, put: str) -> None:
    text = GOOD[:start] + put + GOOD[start + length :]
    try:
        read_registry(text, SOURCE)
    except RegistryError as error:
        assert error.problems
