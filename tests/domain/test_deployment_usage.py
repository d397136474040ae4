"""What deployments are asked, summed up by spans."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.deployment_usage import Minute, all_of, by_steps, quantile


def asked(release: str, minute: int, *millis: float, failed: int = 0) -> Minute:
    made = Minute(release, minute)
    for number, each in enumerate(millis):
        made = made.with_one(each, failed=number < failed)
    return made


MINUTES = (asked("two", 61, 3, 400), asked("one", 61, 7, failed=1), asked("one", 59, 90_000), asked("two", 74, 4))


@pytest.mark.parametrize(
    ("step", "rows"),
    [
        (1, [(59, 1, 0), (61, 3, 1), (74, 1, 0)]),
        (15, [(45, 1, 0), (60, 4, 1)]),
        (60, [(0, 1, 0), (60, 4, 1)]),
    ],
)
def test_releases_are_one_and_spans_begin_at_whole_steps(step: int, rows: list[tuple[int, int, int]]) -> None:
    assert [(each.minute, each.asked, each.failed) for each in by_steps(MINUTES, step)] == rows


def test_the_times_of_a_span_are_those_of_all_its_requests() -> None:
    [_, span] = by_steps(MINUTES, 15)
    assert (quantile(span.buckets, 0.5), quantile(span.buckets, 0.95)) == (5, 500)
    total = all_of(MINUTES)
    assert (total.asked, total.failed, quantile(total.buckets, 0.5)) == (5, 1, 10)
    assert quantile(total.buckets, 0.95) is None, "above the last bound"


def test_nothing_asked_is_nothing() -> None:
    assert by_steps([], 15) == []
    assert (all_of([]).asked, quantile(all_of([]).buckets, 0.5)) == (0, None)
