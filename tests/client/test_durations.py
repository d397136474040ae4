"""Durations as people write them, such as 1h30m."""

from __future__ import annotations

import pytest

from aifactory_hub.client.durations import seconds_of, spoken
from aifactory_hub.client.errors import ClientError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), (90, 90), (1.4, 1), ("90s", 90), ("1.5h", 5400), ("1h 30m", 5400), ("2d", 172800)],
)
def test_durations(text: str | float, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "4x", "-1h", 0, "0", "0.5", "-3", True, "1h!"])
def test_what_is_no_duration(text: str | float) -> None:
    with pytest.raises(ClientError):
        seconds_of(text)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.9, "59s"), (75, "1m 15s"), (3900, "1h 05m")])
def test_spoken(seconds: float, text: str) -> None:
    assert spoken(seconds) == text
