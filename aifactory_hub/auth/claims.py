"""What the identity provider's claims say, and what they may not look like: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Claims come from outside: what is quoted on a page or in a log is bounded.
_LONGEST_QUOTE = 80
_LONGEST_USERNAME = 255


class ClaimError(Exception):
    """A claim of a shape that nothing may be concluded from. The text says what arrived and what was expected."""


def groups_from_claims(claims: Mapping[str, Any], path: Sequence[str]) -> tuple[str, ...]:
    """The groups at ``path``; () when the claim is missing, null or empty.

    Raises ClaimError for a string (whose letters would be taken for groups), for a list of anything but strings,
    and when the provider says that it left the groups out because there are too many.
    """
    name = ".".join(path)
    if _left_out(claims, path):
        raise ClaimError(
            f"The identity provider did not send the claim {name!r} because you are in too many groups. "
            "Its administrator has to limit which groups it sends to this hub."
        )
    value: Any = claims
    for step in path:
        if not isinstance(value, Mapping):
            raise ClaimError(f"The claim {name!r} can't be read: {step!r} was looked for in {_shape(value)}.")
        value = value.get(step)
        if value is None:
            return ()
    if not isinstance(value, list):
        raise ClaimError(f"The claim {name!r} is {_shape(value)}; a list of group names was expected.")
    for item in value:
        if not isinstance(item, str):
            raise ClaimError(f"The claim {name!r} is a list with {_shape(item)} in it; only names were expected.")
    return tuple(value)


def username_from_claims(claims: Mapping[str, Any], claim: str) -> str:
    """The user name as the provider sent it. Raises ClaimError when it is missing or can't be a name here."""
    value = claims.get(claim)
    if not isinstance(value, str) or not value.strip():
        shown = "missing" if value is None else _shape(value)
        raise ClaimError(f"The claim {claim!r}, which gives the user name, is {shown}; a text was expected.")
    if len(value) > _LONGEST_USERNAME or "/" in value or not value.isprintable():
        raise ClaimError(
            f"The user name {_quote(value)} can't be used here: at most {_LONGEST_USERNAME} printable characters "
            "without a slash are."
        )
    if claim == "email" and claims.get("email_verified") is not True:
        raise ClaimError(
            f"The identity provider has not verified the address {_quote(value)}, so it does not say who you are."
        )
    return value


def _left_out(claims: Mapping[str, Any], path: Sequence[str]) -> bool:
    elsewhere = claims.get("_claim_names")
    return len(path) == 1 and isinstance(elsewhere, Mapping) and path[0] in elsewhere and path[0] not in claims


def _shape(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {_quote(value)}"
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "something else")


def _quote(text: str) -> str:
    short = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
    return repr(short)
