"""What the identity provider's claims say, and what they may not look like: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..domain.mail_addresses import is_mail_address

if TYPE_CHECKING:
    from ..registry import IdentityConfig

# Claims come from outside: what is quoted on a page or in a log is bounded.
_LONGEST_QUOTE = 80
_LONGEST_USERNAME = 255
_LONGEST_GROUP = 1024
# Real directories end far below this.
MOST_GROUPS = 20_000


class ClaimError(Exception):
    """A claim of a shape that nothing may be concluded from. The text says what arrived and what was expected."""


@dataclass(frozen=True, slots=True)
class GroupsClaim:
    """Where the groups are, and how they are written there.

    ``separator`` splits a text; without one a text is refused. ``field`` is where objects have their name.
    """

    path: tuple[str, ...] = ("groups",)
    separator: str | None = None
    field: str | None = None

    @classmethod
    def of(cls, identity: IdentityConfig) -> GroupsClaim:
        """What tenants.yaml says of it."""
        return cls(tuple(identity.groups_claim), identity.groups_separator, identity.groups_field)

    @property
    def name(self) -> str:
        return ".".join(self.path)


def groups_from_claims(claims: Mapping[str, Any], where: GroupsClaim) -> tuple[str, ...]:
    """The groups; () when the claim is missing, null or empty.

    Raises ClaimError for whatever else than a list of names (or what ``where`` says of texts and objects), for more
    than MOST_GROUPS, and when the provider says that it left the groups out because there are too many.
    """
    name = where.name
    if _left_out(claims, where.path):
        raise ClaimError(
            f"The identity provider did not send the claim {name!r} because you are in too many groups. "
            "Its administrator has to limit which groups it sends to this hub."
        )
    value: Any = claims
    for step in where.path:
        if not isinstance(value, Mapping):
            raise ClaimError(f"The claim {name!r} can't be read: {step!r} was looked for in {_shape(value)}.")
        value = value.get(step)
        if value is None:
            return ()
    if isinstance(value, str) and where.separator is not None:
        value = [part.strip() for part in value.split(where.separator) if part.strip()]
    return group_names(value, where)


def group_names(value: Any, where: GroupsClaim) -> tuple[str, ...]:
    """The names in a list, as ``groups_from_claims`` has it. Raises ClaimError."""
    name = where.name
    if not isinstance(value, list):
        raise ClaimError(f"The claim {name!r} is {_shape(value)}; a list of group names was expected.")
    if len(value) > MOST_GROUPS:
        raise ClaimError(f"The claim {name!r} has {len(value)} groups; {MOST_GROUPS} at most are read.")
    return tuple(_group(item, where) for item in value)


def _group(item: Any, where: GroupsClaim) -> str:
    if where.field is not None and isinstance(item, Mapping):
        found = item.get(where.field)
        if not isinstance(found, str):
            what = "missing" if found is None else _shape(found)
            raise ClaimError(f"In the claim {where.name!r} the field {where.field!r} of an object is {what}.")
        item = found
    if not isinstance(item, str):
        raise ClaimError(f"The claim {where.name!r} is a list with {_shape(item)} in it; only names were expected.")
    if not item.isascii() and any("\ud800" <= letter <= "\udfff" for letter in item):
        raise ClaimError(f"The claim {where.name!r} has the name {_quote(item)}, which is no text.")
    if len(item) > _LONGEST_GROUP:
        raise ClaimError(f"The claim {where.name!r} has the name {_quote(item)}; {_LONGEST_GROUP} characters at most.")
    return item


def username_from_claims(claims: Mapping[str, Any], claim: str) -> str:
    """The user name as the provider sent it. Raises ClaimError when it is missing or can't be a name here."""
    value = claims.get(claim)
    if not isinstance(value, str) or not value.strip():
        shown = "missing" if value is None else _shape(value)
        raise ClaimError(f"The claim {claim!r}, which gives the user name, is {shown}; a text was expected.")
    if len(value) > _LONGEST_USERNAME or "/" in value or not value.isprintable() or value != value.strip():
        raise ClaimError(
            f"The user name {_quote(value)} can't be used here: at most {_LONGEST_USERNAME} printable characters "
            "without a slash are, and no space at either end."
        )
    if claim == "email":
        _check_verified(claims.get("email_verified"), value)
    return value


def mail_from_claims(userinfo: Mapping[str, Any], proved: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The address that messages to this person go to, and whether the provider says that it is verified.

    It is taken from the userinfo answer, else from the verified ID token (``proved``). What the provider says of being
    verified is taken with the address that it was said of. One that it has not verified is none.
    """
    claims = userinfo if userinfo.get("email") is not None else proved
    address, verified = claims.get("email"), claims.get("email_verified")
    if verified is None and proved.get("email") == address:
        verified = proved.get("email_verified")
    if not is_mail_address(address):
        return None, False
    return (address, _is_true(verified)) if verified is None or _is_true(verified) else (None, False)


def _is_true(verified: Any) -> bool:
    return verified is True or (isinstance(verified, str) and verified.lower() == "true")


def _check_verified(verified: Any, address: str) -> None:
    """Some providers (Cognito, JumpCloud) send the truth value as text."""
    if _is_true(verified):
        return
    if verified is None:
        raise ClaimError(
            f"The identity provider does not say whether it has verified the address {_quote(address)}: the claim "
            "'email_verified' is missing. Its administrator has to add it, or take another identity.username_claim."
        )
    raise ClaimError(
        f"The identity provider has not verified the address {_quote(address)}, so it does not say who you are."
    )


def with_name_claims(userinfo: Mapping[str, Any], proved: Mapping[str, Any], claim: str) -> dict[str, Any]:
    """The userinfo answer and, where it lacks the user name, the name of the verified ID token (``proved``).

    Some providers (Entra ID) send it in the ID token only. Both are about the same subject: that is the caller's to
    check. Whether an address is verified is taken with the address it was said of.
    """
    found = dict(userinfo)
    if found.get(claim) is None and proved.get(claim) is not None:
        found[claim] = proved[claim]
        found.pop("email_verified", None)
    same = found.get(claim) is not None and found.get(claim) == proved.get(claim)
    if claim == "email" and same and found.get("email_verified") is None and "email_verified" in proved:
        found["email_verified"] = proved["email_verified"]
    return found


def arrived(claims: Mapping[str, Any], where: GroupsClaim, source: str) -> str:
    """What came instead of groups, for somebody who has to find out why: names of claims only, never values."""
    if len(where.path) == 1 and where.name in claims:
        return f"The claim {where.name!r} of the {source} did arrive, and there is no group in it."
    names = sorted(str(name)[:_LONGEST_QUOTE] for name in claims)
    shown = ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
    return f"Expected: groups in the claim {where.name!r} of the {source}. Arrived: {shown or 'no claims'}."


def _left_out(claims: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Entra's overage (and OpenID Connect's distributed claims): the value is elsewhere, and not here."""
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
