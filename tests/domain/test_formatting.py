"""Words for people."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from aifactory_hub.domain.formatting import (
    duration,
    gpu_name,
    gpu_words,
    in_zone,
    minute,
    moment,
    money,
    wait_words,
)
from aifactory_hub.domain.wait_forecast import UNKNOWN, Wait
from aifactory_profiles import all_card_names, load_catalogue, load_model


@pytest.mark.parametrize(
    ("model", "profile", "words"),
    [
        ("h100-80gb", "mig-1g.10gb", "1/7 of an H100, 10 GB"),
        ("h100-80gb", "mig-3g.40gb", "3/7 of an H100, 40 GB"),
        ("h100-80gb", "mig-7g.80gb", "a whole H100, 80 GB"),
        ("h100-80gb", "mig-1g.10gb.me", "1/7 of an H100, 10 GB"),
        ("a30", "mig-1g.6gb", "1/4 of an A30, 6 GB"),
        ("b200", "mig-1g.23gb", "1/7 of a B200, 23 GB"),
    ],
)
def test_a_slice_is_told_as_a_part_of_its_gpu(model: str, profile: str, words: str) -> None:
    catalogue = load_catalogue([model], [])
    assert gpu_words(catalogue.profile(profile), catalogue.cards) == words


def test_every_model_has_a_short_name() -> None:
    names = {model: gpu_name(load_model(model)) for model in all_card_names()}
    assert names["h100-94gb"] == "H100 NVL"
    assert names["rtx-pro-6000-blackwell"] == "RTX PRO 6000 Blackwell"
    assert not [name for name in names.values() if "NVIDIA" in name or name.endswith("GB")]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 min"),
        (61, "2 min"),
        (3599, "1 h"),
        (3600, "1 h"),
        (3660, "1 h 10 min"),
        (4 * 3600, "4 h"),
        (10.2 * 3600, "11 h"),
        (47.5 * 3600, "2 days"),
        (80 * 3600, "4 days"),
    ],
)
def test_a_length_of_time_is_never_told_shorter_than_it_is(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (UNKNOWN, "unknown"),
        (Wait(None, None, 7200), "at most 2 h"),
        (Wait(600, 2400), "10 min to 40 min"),
        (Wait(600, 600, 900), "about 10 min"),
        (Wait(0, 0, 0), "no wait"),
        (Wait(0, 30, 60), "about 1 min"),
    ],
)
def test_a_wait_is_told_as_a_range(wait: Wait, words: str) -> None:
    assert wait_words(wait) == words


@pytest.mark.parametrize(("price", "text"), [("0.4", "0.40"), ("0.405", "0.405"), ("2", "2.00")])
def test_a_price_has_two_decimals_or_all_that_it_has(price: str, text: str) -> None:
    assert money(Decimal(price)) == text
    assert money(Decimal(price), "EUR") == f"{text} EUR"


AT = 1_800_000_000.0  # 2027-01-15 08:00


def test_times_in_a_sentence_are_said_on_the_clocks_of_a_zone() -> None:
    said = f"idle since {minute(AT)}, stopped at {moment(AT + 86400 * 180 + 1)}."
    there = "idle since 2027-01-15 09:00 CET, stopped at 2027-07-14 10:00:01 CEST."
    assert in_zone(said, ZoneInfo("Europe/Berlin")) == there
    assert in_zone(said, ZoneInfo("UTC")) == said
    assert in_zone(there, ZoneInfo("Asia/Tokyo")) == there


@pytest.mark.parametrize(
    "text", ["", "at 2027-13-45 08:00 UTC", "at 0001-01-01 00:00 UTC", "at 08:00 UTC", "2027-01-15T08:00:00Z"]
)
def test_what_is_no_time_of_a_sentence_stays(text: str) -> None:
    assert in_zone(text, ZoneInfo("America/New_York")) == text
