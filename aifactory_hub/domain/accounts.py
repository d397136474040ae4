"""Which account a person gets: decided by the identity provider's subject, not by a name. No I/O, no clock.

A provider may give one name to two people: at the same time, where it tells ``Kim`` from ``kim``, or one after the
other, when a name is used again. Its subject identifier is never used again (OpenID Connect Core, section 8).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

# Seconds after a handover in which nobody can sign in: what the job service cached of the former person has run out.
SETTLE = 20.0
# Unicode's default-ignorable characters that are not in the category Cf.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | {
    chr(code) for code in range(0xFE00, 0xFE10)
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A person, as an identity provider names them for good."""

    issuer: str
    subject: str

    @property
    def digest(self) -> str:
        """A fixed-length key for a database index."""
        text = f"{len(self.issuer)}:{self.issuer}{self.subject}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Account:
    """A hub account and the person it belongs to.

    ``subject`` None: it belongs to whoever signs in next under the name. ``bound_at`` and ``handed_over_at`` in epoch
    seconds. ``generation`` counts handovers to another person; ``home`` and ``jobs`` are the generations whose home
    volumes, and whose jobs, schedules and files, are the account's.
    ``ending``: what belonged to the former person is still being ended.
    """

    name: str
    subject: Subject | None
    bound_at: float
    handed_over_at: float | None = None
    generation: int = 0
    home: int = 0
    jobs: int = 0
    ending: bool = False


class Outcome(Enum):
    """What a sign-in does with an account."""

    SAME = "same"  # the account is this person's
    BIND = "bind"  # the account has no person yet and becomes theirs
    REBIND = "rebind"  # the account's person is of another provider, and the site is changing providers
    OTHER_PERSON = "other person"  # refused
    HANDED_OVER = "handed over"  # refused for a moment


@dataclass(frozen=True, slots=True)
class Decision:
    """``name`` is the account's. ``owner`` is the name of the account that is in the way, if one is."""

    outcome: Outcome
    name: str
    owner: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether the person may use the account."""
        return self.outcome in (Outcome.SAME, Outcome.BIND, Outcome.REBIND)


def folded(name: str) -> str:
    """What is left of a name when case, width, invisible characters and surplus spaces are ignored.

    Two names with the same result cannot be told apart by a reader. Letters of different scripts that look alike stay
    different.
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    visible = (c for c in text if unicodedata.category(c) != "Cf" and c not in _INVISIBLE)
    return " ".join(unicodedata.normalize("NFKC", "".join(visible)).split())


def decide_account(
    name: str, person: Subject, accounts: Iterable[Account], *, now: float, rebind_until: float | None = None
) -> Decision:
    """The account that ``person``, whom the provider calls ``name``, may use.

    ``accounts`` holds every account of this person and every account whose folded name is that of ``name``; others do
    no harm. A person whom the provider has renamed keeps their account. Until ``rebind_until`` (epoch seconds) an
    account that is bound to another issuer is bound again by its name.
    """
    known = list(accounts)
    named = next((account for account in known if account.name == name), None)
    own = [account for account in known if account.subject == person]
    if own and (named is None or named not in own):
        named = max(own, key=lambda account: account.bound_at)
    if named is None:
        others = (account for account in known if folded(account.name) == folded(name))
        other = next(others, None)
        return Decision(Outcome.OTHER_PERSON, name, other.name) if other else Decision(Outcome.BIND, name)
    if named.ending or (named.handed_over_at is not None and now < named.handed_over_at + SETTLE):
        return Decision(Outcome.HANDED_OVER, named.name, named.name)
    if named.subject == person:
        return Decision(Outcome.SAME, named.name)
    if named.subject is None:
        return Decision(Outcome.BIND, named.name)
    if rebind_until is not None and now < rebind_until and named.subject.issuer != person.issuer:
        return Decision(Outcome.REBIND, named.name)
    return Decision(Outcome.OTHER_PERSON, named.name, named.name)
