"""What an hour costs, since when: versions of prices, and money that adds up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

# A price per second has this many decimals, so that price times seconds is exact to the last of them.
_SECOND = Decimal("0.000000000001")
# Currencies of ISO 4217 without hundredths, and with thousandths.
_WHOLE = frozenset({"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"}) | {
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF")
}
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
# Far more digits than any bill has: nothing is ever rounded by it.
EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """The price of a profile from ``effective_from`` (seconds since 1970) until the next version.

    ``per_hour`` None: from then on it has none, which is not the same as free. ``number`` counts the versions of all
    profiles.
    """

    profile: str
    effective_from: int
    per_hour: Decimal | None
    currency: str = ""
    number: int = 0

    @property
    def per_second(self) -> Decimal | None:
        """To 12 decimals, half to even."""
        if self.per_hour is None:
            return None
        return EXACT.divide(self.per_hour, Decimal(3600)).quantize(_SECOND, ROUND_HALF_EVEN, EXACT)


@dataclass(frozen=True, slots=True)
class Prices:
    """All versions, by profile and in order of their start."""

    versions: Mapping[str, tuple[PriceVersion, ...]]

    @classmethod
    def of(cls, versions: Iterable[PriceVersion]) -> Prices:
        found: dict[str, list[PriceVersion]] = {}
        for version in sorted(versions, key=lambda v: (v.effective_from, v.number)):
            found.setdefault(version.profile, []).append(version)
        return cls({profile: tuple(each) for profile, each in found.items()})

    def at(self, profile: str, at: int) -> PriceVersion | None:
        """The version that counts in this second; None where there is none yet."""
        versions = self.versions.get(profile, ())
        place = bisect_right(versions, at, key=lambda v: v.effective_from)
        return versions[place - 1] if place else None

    def starts(self, start: int, end: int, profile: str | None = None) -> list[int]:
        """The seconds within ``(start, end)`` at which the profile's price changes, or that of any."""
        those = self.versions.values() if profile is None else [self.versions.get(profile, ())]
        return sorted({v.effective_from for each in those for v in each if start < v.effective_from < end})


class PriceRefused(ValueError):
    """A price that can't be taken. The text names the field, the value and what to do."""


def changed(known: Prices, wanted: Mapping[str, Decimal | None], currency: str, begin: int) -> list[PriceVersion]:
    """The versions that begin at ``begin``, because the site's prices are ``wanted`` and were others before.

    A profile that is not in ``wanted`` any more keeps its last price: what runs of it goes on. Only where the currency
    is another one, it has no price from then on.
    """
    new = []
    for profile in sorted({*wanted, *(p for p in known.versions if other_currency(known, currency))}):
        last = known.versions.get(profile, ())[-1:]
        per_hour = wanted.get(profile)
        if last and last[0].per_hour == per_hour and (per_hour is None or last[0].currency == currency):
            continue
        if profile not in wanted and last[0].currency == currency:
            continue
        if not last and per_hour is None:
            continue
        new.append(PriceVersion(profile, begin, per_hour, currency))
    return new


def other_currency(known: Prices, currency: str) -> bool:
    """Whether a price that counts now is in another currency."""
    last = [versions[-1] for versions in known.versions.values()]
    return any(each.per_hour is not None and each.currency != currency for each in last)


def refuse(new: Sequence[PriceVersion], known: Prices, *, open_from: int) -> None:
    """Raises PriceRefused for versions that would change what is closed, or mix currencies in what is open.

    ``open_from`` is the first second that no closed month has.
    """
    for version in new:
        if version.effective_from < open_from:
            raise PriceRefused(
                f"the price of {version.profile} from {version.effective_from} on is in a closed month: "
                f"let it begin at {open_from} or later, and correct the closed month with a correction"
            )
    every = Prices.of([*(v for each in known.versions.values() for v in each), *_numbered(new, known)])
    count = [each for profile in every.versions for each in _since(every, profile, open_from)]
    for version in new:
        for each in count:
            if version.per_hour is not None and each.currency != version.currency:
                raise PriceRefused(
                    f"billing.currency is {version.currency or 'not set'}, and {each.profile} is billed in "
                    f"{each.currency or 'no currency'} in the month that is open: close that month first, or keep "
                    f"{each.currency or 'it unset'} until then"
                )


def _numbered(new: Sequence[PriceVersion], known: Prices) -> list[PriceVersion]:
    """The new versions with the numbers after those that there are."""
    last = max((v.number for each in known.versions.values() for v in each), default=0)
    return [replace(version, number=last + 1 + place) for place, version in enumerate(new)]


def _since(prices: Prices, profile: str, start: int) -> list[PriceVersion]:
    """The profile's prices that count at ``start`` or later."""
    at = {start, *(v.effective_from for v in prices.versions[profile] if v.effective_from > start)}
    found = [prices.at(profile, each) for each in sorted(at)]
    return [version for version in found if version is not None and version.per_hour is not None]


def digits(currency: str) -> int:
    """Decimals of an amount in this currency; 2 where it is not known."""
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def rounded(amount: Decimal, currency: str) -> Decimal:
    """To the currency's smallest coin, half to even."""
    return amount.quantize(Decimal(1).scaleb(-digits(currency)), ROUND_HALF_EVEN, EXACT)


def shared_out(amounts: Sequence[Decimal], currency: str, total: Decimal | None = None) -> list[Decimal]:
    """The amounts in whole coins, so that their sum is the rounded sum: the largest remainders are rounded up.

    ``total``: the sum that they have, less than a coin from their exact one.
    """
    coin = Decimal(1).scaleb(-digits(currency))
    whole = rounded(_sum(amounts), currency) if total is None else total
    floors = [amount.quantize(coin, ROUND_FLOOR, EXACT) for amount in amounts]
    left = int(EXACT.divide(EXACT.subtract(whole, _sum(floors)), coin))
    by_remainder = sorted(range(len(amounts)), key=lambda i: (floors[i] - amounts[i], i))
    for place in by_remainder[:left]:
        floors[place] += coin
    return floors


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    found = Decimal(0)
    for amount in amounts:
        found = EXACT.add(found, amount)
    return found
