"""Quantities: read, written, added."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_profiles import Resources, format_bytes, parse_cpu, parse_memory


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
    ],
)
def test_memory_is_read_in_bytes(text: str, count: int) -> None:
    assert parse_memory(text) == count


@pytest.mark.parametrize(("text", "count"), [("500m", 500), ("2", 2000), ("1.5", 1500), ("0.25", 250), ("1.005", 1005)])
def test_cpu_is_read_in_thousandths_of_a_core(text: str, count: int) -> None:
    assert parse_cpu(text) == count


@pytest.mark.parametrize("text", ["", "1.5Gi", "-1Gi", "16 Gi", "16gi", "16GiB", "Gi", "1e3", " 1", "1\n"])
def test_what_is_no_memory_quantity_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 512Mi or 16Gi"):
        parse_memory(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5m", "two", "1.0005", "1,5", ".5", "1.", "1\n"])
def test_what_is_no_cpu_quantity_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 500m, 2 or"):
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
