"""Times of questions to Prometheus: what is read, and what would cost too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.query_times import (
    LONGEST_SPAN,
    MOST_POINTS,
    Points,
    TimeRefused,
    read_points,
    read_span,
    read_step,
    read_time,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("1790841600.5", 1790841600.5),
        ("1.7908416e9", 1790841600.0),
        ("2026-10-01T08:00:00Z", 1790841600.0),
        ("2026-10-01T10:00:00+02:00", 1790841600.0),
        ("2026-10-01T08:00:00", 1790841600.0),
    ],
)
def test_moments(text: str, seconds: float) -> None:
    assert read_time("time", text) == seconds


@pytest.mark.parametrize(
    "text", ["", "now", "-1", "nan", "inf", "1e300", "2026-13-01", "9999-12-31T23:59:59Z", "1" * 40]
)
def test_what_is_no_moment_is_named(text: str) -> None:
    with pytest.raises(TimeRefused, match=r"^end is ") as found:
        read_time("end", text)
    assert found.value.field == "end"


@pytest.mark.parametrize(
    ("text", "seconds"), [("1", 1), ("15.5", 15.5), ("1m", 60), ("1h30m", 5400), ("1500ms", 1.5), ("1d", 86400)]
)
def test_steps(text: str, seconds: float) -> None:
    assert read_step(text) == seconds


@pytest.mark.parametrize(
    "text", ["0", "-5", "0.5", "999ms", "", "m", "5 m", "1x", "nan", "inf", "1e300", "401d", "1h-5m"]
)
def test_what_is_no_step_is_named(text: str) -> None:
    with pytest.raises(TimeRefused, match="step is") as found:
        read_step(text)
    assert found.value.field == "step"


def test_ranges() -> None:
    assert read_points("100", "200", "10s") == Points(100.0, 200.0, 10.0)
    assert read_points("100", "100", "1h").span == 0
    assert read_points("0", str(MOST_POINTS - 1), "1")
    for start, end, step, field in (
        ("200", "100", "10", "end"),
        ("0", str(MOST_POINTS), "1", "step"),
        ("0", str(LONGEST_SPAN + 1), "1d", "start"),
    ):
        with pytest.raises(TimeRefused) as found:
            read_points(start, end, step)
        assert found.value.field == field


def test_where_series_are_looked_for() -> None:
    assert read_span(None, None, 1e6) == (1e6 - 86400, 1e6)
    assert read_span(None, "500", 1e6) == (0.0, 500.0)
    assert read_span("10", None, 1e6) == (10.0, 1e6)
    with pytest.raises(TimeRefused):
        read_span("2e6", None, 1e6)
    with pytest.raises(TimeRefused):
        read_span("0", None, 1e9)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=10))
def test_any_text_is_read_or_refused(start: str, end: str, step: str) -> None:
    try:
        found = read_points(start, end, step)
    except TimeRefused:
        return
    assert 0 <= found.start <= found.end and found.span / found.step < MOST_POINTS
