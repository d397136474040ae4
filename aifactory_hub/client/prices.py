"""Amounts of money in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def price_words(amount: object, cost: Mapping[str, Any]) -> str:
    """``0.40 EUR``; ``cost`` is the answer that the amount is in. A service before this one names no currency."""
    currency = cost.get("currency")
    return f"{amount} {currency}" if currency else str(amount)
