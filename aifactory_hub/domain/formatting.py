"""Sizes, shares, times and prices in words that a person reads at a glance: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from zoneinfo import ZoneInfo

from aifactory_profiles import Card, Profile, format_bytes

from .wait_forecast import Wait

# "NVIDIA H100 80GB" is an H100 to people; how much memory there is, is said for the slice.
_MAKER = re.compile(r"^NVIDIA ")
_MEMORY = re.compile(r" \d+ ?GB$")
# Letters whose names begin with a vowel: an H100, an A100, but a B200 and a GH200.
_VOWELS = "AEFHILMNORSX"


def gpu_name(card: Card) -> str:
    """The model as people call it: ``H100``."""
    return _MEMORY.sub("", _MAKER.sub("", card.display_name))


def gpu_words(profile: Profile, cards: Iterable[Card]) -> str:
    """What part of which GPU it is: ``1/7 of an H100, 10 GB``; "" for a profile without one.

    The fraction is of the compute, and the gigabytes are those of the slice's name: what a program gets is less.
    """
    card = next((card for card in cards if card.name == profile.gpu_model), None)
    if card is None:
        return profile.gpu_model or ""
    name = gpu_name(card)
    one = f"{'an' if name[0] in _VOWELS else 'a'} {name}"
    if profile.slice is None:
        if profile.shared_by is not None:
            return f"{one}, time-sliced ({profile.shared_by} per GPU)" if profile.shared_by > 1 else one
        count = sum(profile.devices.values())
        return f"{count} whole {name}" if count > 1 else f"a whole {name}"
    piece = card.slice(profile.slice)
    part = (
        f"a whole {name}" if piece.compute == card.compute_slices else f"{piece.compute}/{card.compute_slices} of {one}"
    )
    return f"{part}, {piece.named_gb} GB"


def cores(millicores: int) -> str:
    """``0.5``"""
    return f"{millicores / 1000:g}"


def size(count: int) -> str:
    """``2 GiB``"""
    text = format_bytes(count)
    return f"{text[:-2]} {text[-2:]}B" if text.endswith("i") else f"{count} bytes"


def span(least: str, most: str) -> str:
    """``1 to 2``, or one of them where both are the same."""
    return least if least == most else f"{least} to {most}"


def moment(at: float) -> str:
    """A time in seconds since 1970, such as ``2026-11-22 10:00:00 UTC``."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def minute(at: float) -> str:
    """As ``moment``, without the seconds. Sentences write times in one of these two ways, so that ``in_zone`` and the
    pages find them."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


_IN_SENTENCES = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC\b")


def in_zone(text: str, zone: ZoneInfo) -> str:
    """A sentence with its times on the clocks of a zone: ``2026-12-01 14:05 UTC`` is ``2026-12-01 15:05 CET``."""

    def there(found: re.Match[str]) -> str:
        form = "%Y-%m-%d %H:%M:%S" if found[1] else "%Y-%m-%d %H:%M"
        try:
            at = datetime.strptime(found[0], f"{form} UTC").replace(tzinfo=UTC)
            return at.astimezone(zone).strftime(f"{form} %Z")
        except (ValueError, OverflowError):  # no such day, or none that a zone knows
            return found[0]

    return _IN_SENTENCES.sub(there, text)


def iso(at: float) -> str:
    """A time in seconds since 1970 for programs, such as ``2026-11-22T10:00:00Z``."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def iso_millis(at: float) -> str:
    """As ``iso``, with milliseconds, such as ``2026-11-22T10:00:00.250+00:00``: the form of the REST API."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def stored_seconds(at: datetime | None) -> float | None:
    """Seconds since 1970 of a time in the hub's database, which is in UTC without a time zone."""
    return None if at is None else at.replace(tzinfo=UTC).timestamp()


def money(price: Decimal, currency: str = "") -> str:
    """An amount with its currency: at least two decimals, and all of those that the price has."""
    shortest = price.normalize()
    amount = f"{price:.2f}" if int(shortest.as_tuple().exponent) > -2 else f"{shortest:f}"
    return f"{amount} {currency}" if currency else amount


def duration(seconds: float) -> str:
    """A length of time as a person plans with it: rounded up, so never shorter than it is."""
    minutes = ceil(max(0.0, seconds) / 60)
    if minutes <= 1:
        return "1 min"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(ceil(minutes / 10) * 10, 60)
    if hours < 10:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    hours = ceil(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{ceil(hours / 24)} days"


def wait_words(wait: Wait) -> str:
    """The expected wait as a range; "unknown" when nothing can be said."""
    if wait.low is None or wait.high is None:
        return "unknown" if wait.most is None else f"at most {duration(wait.most)}"
    if wait.high == 0:
        return "no wait"
    low, high = duration(wait.low), duration(wait.high)
    return f"about {high}" if low == high else f"{low} to {high}"
