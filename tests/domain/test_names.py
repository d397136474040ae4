"""Names: valid for Kubernetes, and never the same for two different inputs."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from aifactory_hub.domain import names
from aifactory_hub.domain.names import join, label_value, server_id, shares_name, slug

VALID = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
# kubespawner and vCluster add to a name, so it must stay far below the 63 characters of a DNS label.
LONGEST = 40

# Mostly what people are called, and now and then anything at all.
NAMELIKE = st.text(alphabet="abxn01-_.@ABÜ ", max_size=45)
ANY = st.one_of(
    NAMELIKE, st.text(max_size=60), st.from_regex(r"[a-z]{1,5}(-{1,3}[a-z0-9x]{1,14}){0,3}", fullmatch=True)
)
LISTS = st.lists(ANY, min_size=1, max_size=4)


def assert_valid(name: str) -> None:
    assert VALID.fullmatch(name), name
    assert len(name) <= LONGEST, name
    assert "-x-" not in f"-{name}-", name


@given(ANY)
@example("")
@example("x")
@example("x-1abc")
@example("--")
@example("\ud800")
def test_every_slug_is_a_valid_name(text: str) -> None:
    assert_valid(slug(text))


@given(st.lists(ANY, max_size=4))
@example([])
@example(["", ""])
@example(["x-1", "2"])
def test_every_join_is_a_valid_name(parts: list[str]) -> None:
    assert_valid(join(*parts))


@given(ANY, ANY)
@example("Alice", "alice")
@example("a.b", "a-b")
@example("a-x-b", "a-b")
def test_two_texts_have_two_slugs(one: str, other: str) -> None:
    assume(one != other)
    assert slug(one) != slug(other)


@given(ANY)
def test_a_name_that_looks_like_a_digest_is_not_taken_for_one(text: str) -> None:
    """Nobody can choose a name that equals another person's slug."""
    crafted = slug(text)
    assume(crafted != text)
    assert slug(crafted) != crafted


@given(LISTS, LISTS)
@example(["ab", "c"], ["a", "bc"])
@example(["a", "b"], ["a--b"])
@example(["a"], ["a", ""])
@example(["a", "b--c"], ["a--b", "c"])
def test_two_lists_have_two_joins(one: list[str], other: list[str]) -> None:
    assume(one != other)
    assert join(*one) != join(*other)


@given(st.tuples(ANY, ANY), st.tuples(ANY, ANY))
@example(("a", ""), ("a", "a"))
@example(("a--b", ""), ("a", "b"))
@example(("a---0123456789ab", ""), ("A", ""))
def test_two_servers_have_two_ids(one: tuple[str, str], other: tuple[str, str]) -> None:
    assume(one != other)
    assert server_id(*one) != server_id(*other)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("alice", "alice", id="plain names pass"),
        pytest.param("alice-b", "alice-b", id="inner dashes pass"),
        pytest.param("Alice", "alice---cb0668f3b4ee", id="capitals"),
        pytest.param("alice@example.org", "alice-example-org---7d28f764f964", id="mail addresses"),
    ],
)
def test_names_stay_what_they_are(text: str, wanted: str) -> None:
    # A change here would give these people's pods and volumes new names, and lose them the old ones.
    assert slug(text) == wanted


def test_a_server_without_a_name_is_called_like_its_user() -> None:
    assert server_id("alice", "") == "alice"
    assert server_id("alice", "big") == "alice--big"
    assert server_id("Alice", "big") == "alice-big---8a83927bde02"


def test_a_label_value_that_kubernetes_takes_is_left_as_it_is() -> None:
    assert label_value("mig-1g.10gb") == "mig-1g.10gb"


@given(st.text(max_size=200))
def test_any_text_makes_a_label_value(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", label_value(text))
    assert len(label_value(text)) <= 63


def test_who_shares_a_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shares_name("Ada.B", ["ada", "Ada.B", "ada-b.", "bob"]) is None
    monkeypatch.setattr(names, "_digest", lambda kind, *parts: "0123456789ab")
    assert shares_name("Ada.B", ["ada", "Ada.B", "ada-b.", "bob"]) == "ada-b."
    assert shares_name("ada", ["Ada", "ada"]) is None
