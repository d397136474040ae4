"""Quantities: read, written, added."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_profiles import Resources, format_bytes, parse_cpu, parse_memory, parse_quantity


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("512", 512),
        ("1Ki", 1024),
        ("512Mi", 512 * 2**20),
        ("16Gi", 2**34),
        ("1Ti", 2**40),
        ("5k", 5000),
        ("2G", 2 * 10**9),
        ("1.5Gi", 1536 * 2**20),
        (".5Gi", 2**29),
        ("1e9", 10**9),
        ("1E9", 10**9),
        ("1E", 10**18),
        ("1Pi", 2**50),
        ("128974848000m", 128974848),
        ("1.5", 2),  # there is no half a byte
        ("0", 0),
    ],
)
def test_memory_is_read_in_bytes(text: str, count: int) -> None:
    assert parse_memory(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("500m", 500),
        ("2", 2000),
        ("1.5", 1500),
        ("0.25", 250),
        ("1.005", 1005),
        (".5", 500),
        ("1.", 1000),
        ("100u", 1),
        ("1.5m", 2),
        ("1.0005", 1001),
        ("2k", 2_000_000),
        ("1e0", 1000),
    ],
)
def test_cpu_is_read_in_thousandths_of_a_core(text: str, count: int) -> None:
    assert parse_cpu(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "two",
        "16 Gi",
        "16gi",
        "16g",
        "16GB",
        "16GiB",
        "Gi",
        " 1",
        "1\n",
        "1,5",
        "1_024",
        "1e",
        "1e1000",
        "\u0662",
    ],
)
def test_what_is_no_quantity_is_refused_with_an_example(text: str) -> None:
    for parse in (parse_quantity, parse_memory, parse_cpu):
        with pytest.raises(ValueError, match=r"write for example 500m, 2, 1\.5 or 16Gi"):
            parse(text)


@pytest.mark.parametrize("text", ["9" * 30, "9Ei", "1e30", "99999Pi"])
def test_more_than_kubernetes_can_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="more than Kubernetes can count"):
        parse_quantity(text)


@pytest.mark.parametrize("text", ["-1", "-1Gi", "-500m"])
def test_less_than_nothing_is_a_quantity_and_no_amount(text: str) -> None:
    assert parse_quantity(text) < 0
    with pytest.raises(ValueError, match="is below 0"):
        parse_memory(text)
    with pytest.raises(ValueError, match="is below 0"):
        parse_cpu(text)


@given(st.integers(min_value=0, max_value=2**50))
def test_bytes_are_written_so_that_they_read_back_the_same(count: int) -> None:
    assert parse_memory(format_bytes(count)) == count


AMOUNTS = st.builds(
    Resources,
    st.integers(0, 9),
    st.integers(0, 9),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 3)),
)


@given(AMOUNTS, AMOUNTS)
def test_adding_and_taking_away_again_changes_nothing(one: Resources, other: Resources) -> None:
    assert one + other == other + one
    assert one + other - other == one
    assert one + Resources() == one
    assert hash(one + other) == hash(other + one)


def test_amounts_for_kubernetes_are_strings() -> None:
    amount = Resources(1500, 2**31, {"nvidia.com/mig-1g.10gb": 1, "none": 0})
    assert amount.kubernetes() == {"cpu": "1500m", "memory": "2Gi", "nvidia.com/mig-1g.10gb": "1"}
