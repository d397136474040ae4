"""What may be concluded from claims, and what may not."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.auth.claims import (
    MOST_GROUPS,
    ClaimError,
    GroupsClaim,
    arrived,
    groups_from_claims,
    mail_from_claims,
    username_from_claims,
    with_name_claims,
)


@pytest.mark.parametrize(
    ("claims", "path", "groups"),
    [
        ({"groups": ["a", "b"]}, ["groups"], ("a", "b")),
        ({}, ["groups"], ()),
        ({"groups": None}, ["groups"], ()),
        ({"groups": []}, ["groups"], ()),
        ({"realm": {"groups": ["a"]}}, ["realm", "groups"], ("a",)),
        ({"realm": {}}, ["realm", "groups"], ()),
        ({"https://x.example/groups": ["a"]}, ["https://x.example/groups"], ("a",)),
    ],
    ids=["list", "missing", "null", "empty", "nested", "nested and missing", "a name with dots"],
)
def test_groups_are_read_as_they_are(claims: dict[str, Any], path: list[str], groups: tuple[str, ...]) -> None:
    assert groups_from_claims(claims, GroupsClaim(tuple(path))) == groups


@pytest.mark.parametrize(
    ("claims", "path", "said"),
    [
        ({"groups": "nlp"}, ["groups"], "the text 'nlp'; a list of group names was expected"),
        ({"groups": [{"name": "nlp"}]}, ["groups"], "a list with an object in it"),
        ({"groups": {"nlp": True}}, ["groups"], "is an object"),
        ({"groups": 7}, ["groups"], "is a number"),
        ({"groups": ["a", None]}, ["groups"], "a list with something else in it"),
        ({"realm": "x"}, ["realm", "groups"], "'groups' was looked for in the text 'x'"),
        ({"_claim_names": {"groups": "src1"}}, ["groups"], "too many groups"),
    ],
    ids=["string", "objects", "object", "number", "null inside", "path through a text", "left out for size"],
)
def test_groups_of_another_shape_are_refused_and_never_taken_for_none(
    claims: dict[str, Any], path: list[str], said: str
) -> None:
    with pytest.raises(ClaimError, match=said.replace("(", r"\(")):
        groups_from_claims(claims, GroupsClaim(tuple(path)))


def test_five_thousand_groups_are_no_problem() -> None:
    groups = [f"g{n}" for n in range(5000)]
    assert groups_from_claims({"groups": groups}, GroupsClaim()) == tuple(groups)


@pytest.mark.parametrize(
    ("value", "where", "groups"),
    [
        ("nlp", GroupsClaim(separator=","), ("nlp",)),
        (" nlp , vision,", GroupsClaim(separator=","), ("nlp", "vision")),
        ("", GroupsClaim(separator=","), ()),
        (["a,b"], GroupsClaim(separator=","), ("a,b",)),
        ([{"name": "nlp"}, "vision"], GroupsClaim(field="name"), ("nlp", "vision")),
        (["/teams/nlp/admins"], GroupsClaim(), ("/teams/nlp/admins",)),
    ],
    ids=["one in a text", "several in a text", "empty text", "only texts are split", "objects", "a path is one name"],
)
def test_a_site_can_say_how_its_groups_are_written(value: Any, where: GroupsClaim, groups: tuple[str, ...]) -> None:
    assert groups_from_claims({"groups": value}, where) == groups


@pytest.mark.parametrize(
    ("value", "where", "said"),
    [
        ([{"id": "x"}], GroupsClaim(field="name"), "the field 'name' of an object is missing"),
        ([{"name": ["x"]}], GroupsClaim(field="name"), "the field 'name' of an object is a list"),
        (["g"] * (MOST_GROUPS + 1), GroupsClaim(), "20001 groups; 20000 at most"),
        (["x" * 2000], GroupsClaim(), "1024 characters at most"),
        (7, GroupsClaim(separator=","), "is a number"),
    ],
    ids=["no field", "a list in the field", "too many", "a huge name", "a number is never split"],
)
def test_too_much_or_too_odd_is_refused_in_few_words(value: Any, where: GroupsClaim, said: str) -> None:
    with pytest.raises(ClaimError, match=said) as refused:
        groups_from_claims({"groups": value}, where)
    assert len(str(refused.value)) < 300


def test_what_arrived_is_told_without_any_value() -> None:
    empty = arrived({"groups": [], "sub": "secret-7"}, GroupsClaim(), "ID token")
    assert empty == "The claim 'groups' of the ID token did arrive, and there is no group in it."
    text = arrived({"sub": "secret-7", "roles": ["x"]}, GroupsClaim(("resource", "groups")), "userinfo answer")
    assert text == "Expected: groups in the claim 'resource.groups' of the userinfo answer. Arrived: roles, sub."


@pytest.mark.parametrize(
    ("claims", "claim", "said"),
    [
        ({}, "name", "is missing"),
        ({"name": 7}, "name", "is a number"),
        ({"name": "  "}, "name", "a text was expected"),
        ({"name": "a/b"}, "name", "without a slash"),
        ({"name": "a\nb"}, "name", "printable"),
        ({"name": "x" * 300}, "name", "at most 255"),
        ({"email": "a@b", "email_verified": False}, "email", "has not verified"),
        ({"email": "a@b", "email_verified": "false"}, "email", "has not verified"),
        ({"email": "a@b", "email_verified": 1}, "email", "has not verified"),
        ({"email": "a@b", "email_verified": "yes"}, "email", "has not verified"),
        ({"email": "a@b"}, "email", "'email_verified' is missing"),
        ({"name": "kim "}, "name", "no space at either end"),
    ],
    ids=[
        "missing", "number", "blank", "slash", "newline", "too long", "unverified", "unverified in text", "a number",
        "another text", "nothing said of verified", "space at the end",
    ],
)  # fmt: skip
def test_a_claim_that_is_no_name_is_refused(claims: dict[str, Any], claim: str, said: str) -> None:
    with pytest.raises(ClaimError, match=said) as refused:
        username_from_claims(claims, claim)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("verified", [True, "true", "True"])
def test_a_verified_address_is_a_name(verified: object) -> None:
    assert username_from_claims({"email": "a@b.c", "email_verified": verified}, "email") == "a@b.c"


@pytest.mark.parametrize(
    ("userinfo", "proved", "claim", "wanted"),
    [
        ({"sub": "1"}, {"preferred_username": "kim"}, "preferred_username", {"preferred_username": "kim"}),
        ({"name": "here"}, {"name": "there"}, "name", {"name": "here"}),
        ({"name": None}, {"name": "there"}, "name", {"name": "there"}),
        ({}, {"email": "a@b", "email_verified": True}, "email", {"email": "a@b", "email_verified": True}),
        ({"email": "a@b"}, {"email": "a@b", "email_verified": True}, "email", {"email_verified": True}),
        ({"email": "x@y"}, {"email": "a@b", "email_verified": True}, "email", {"email_verified": None}),
        ({"email_verified": True}, {"email": "a@b"}, "email", {"email": "a@b", "email_verified": None}),
        ({"email": "a@b", "email_verified": False}, {"email": "a@b", "email_verified": True}, "email",
         {"email_verified": False}),
        ({"sub": "1"}, {"groups": ["teams/nlp"], "name": "kim"}, "name", {"groups": None}),
    ],
    ids=[
        "only in the ID token", "in both", "null in userinfo", "address only in the ID token", "verified only there",
        "another address there", "verified of another address", "they do not agree", "nothing else is taken",
    ],
)  # fmt: skip
def test_the_name_is_taken_from_where_the_provider_puts_it(
    userinfo: dict[str, Any], proved: dict[str, Any], claim: str, wanted: dict[str, Any]
) -> None:
    found = with_name_claims(userinfo, proved, claim)
    assert {name: found.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("userinfo", "proved", "found"),
    [
        ({"email": "a@b.c", "email_verified": True}, {}, ("a@b.c", True)),
        ({"email": "a@b.c", "email_verified": "true"}, {}, ("a@b.c", True)),
        ({"email": "a@b.c"}, {}, ("a@b.c", False)),
        ({"email": "a@b.c", "email_verified": False}, {}, (None, False)),
        ({"email": "a@b.c", "email_verified": "false"}, {}, (None, False)),
        ({"email": "a@b.c", "email_verified": False}, {"email": "a@b.c", "email_verified": True}, (None, False)),
        ({"email": "a@b.c"}, {"email": "a@b.c", "email_verified": True}, ("a@b.c", True)),
        ({"email": "a@b.c"}, {"email": "x@y.z", "email_verified": True}, ("a@b.c", False)),
        ({"email": "a@b.c"}, {"email": "a@b.c", "email_verified": False}, (None, False)),
        ({}, {"email": "x@y.z", "email_verified": True}, ("x@y.z", True)),
        ({"email_verified": True}, {"email": "x@y.z"}, ("x@y.z", False)),
        ({"email": ["a@b.c"], "email_verified": True}, {}, (None, False)),
        ({"email": "a@b.c\nBcc: x@y.z", "email_verified": True}, {}, (None, False)),
        ({}, {}, (None, False)),
    ],
)
def test_where_messages_go(userinfo: dict[str, Any], proved: dict[str, Any], found: tuple[str | None, bool]) -> None:
    assert mail_from_claims(userinfo, proved) == found
