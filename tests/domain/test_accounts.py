"""Which account a person gets: by the provider's subject, whatever the names look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.accounts import SETTLE, Account, Outcome, Subject, decide_account, folded

NOW = 1_000_000.0
ONE, TWO = Subject("https://idp", "sub-1"), Subject("https://idp", "sub-2")
OLD = Subject("https://old-idp", "sub-1")
KIM = Account("kim", ONE, NOW - 1000)


@pytest.mark.parametrize(
    ("name", "person", "accounts", "outcome", "account"),
    [
        ("kim", ONE, [], Outcome.BIND, "kim"),
        ("kim", ONE, [KIM], Outcome.SAME, "kim"),
        ("kim", TWO, [KIM], Outcome.OTHER_PERSON, "kim"),
        ("kim", OLD, [KIM], Outcome.OTHER_PERSON, "kim"),
        ("\uff4bim", TWO, [KIM], Outcome.OTHER_PERSON, "\uff4bim"),
        ("kim", TWO, [Account("kim", None, NOW)], Outcome.BIND, "kim"),
        ("kim", TWO, [Account("\uff4bim", ONE, NOW)], Outcome.OTHER_PERSON, "kim"),
        ("kim.lee", ONE, [KIM], Outcome.SAME, "kim"),
        ("lee", TWO, [KIM, Account("lee", TWO, NOW)], Outcome.SAME, "lee"),
        ("kim", TWO, [KIM, Account("lee", TWO, NOW)], Outcome.SAME, "lee"),
        ("kim", ONE, [KIM, Account("lee", ONE, NOW)], Outcome.SAME, "kim"),
        ("new", ONE, [KIM, Account("lee", ONE, NOW)], Outcome.SAME, "lee"),
        ("kim", ONE, [Account("kim", ONE, NOW - 99, ending=True)], Outcome.HANDED_OVER, "kim"),
        ("kim", ONE, [Account("kim", ONE, NOW, handed_over_at=NOW - SETTLE + 1)], Outcome.HANDED_OVER, "kim"),
        ("kim", ONE, [Account("kim", ONE, NOW, handed_over_at=NOW - SETTLE)], Outcome.SAME, "kim"),
        ("kim", TWO, [Account("kim", None, NOW - 99, handed_over_at=NOW - 99)], Outcome.BIND, "kim"),
    ],
    ids=[
        "a new name", "the same person", "another subject", "the same subject of another issuer", "folds to it",
        "made by an administrator", "another account folds to it", "renamed at the provider", "two people",
        "renamed to another's name", "two accounts of one person", "two accounts, renamed", "handover under way",
        "handed over a moment ago", "handed over", "handed over to whoever comes next",
    ],
)  # fmt: skip
def test_whose_account_it_is(
    name: str, person: Subject, accounts: list[Account], outcome: Outcome, account: str
) -> None:
    decision = decide_account(name, person, accounts, now=NOW)
    assert (decision.outcome, decision.name) == (outcome, account)


@pytest.mark.parametrize(
    ("issuer", "until", "outcome"),
    [
        ("https://new-idp", NOW + 1, Outcome.REBIND),
        ("https://new-idp", NOW, Outcome.OTHER_PERSON),
        ("https://new-idp", None, Outcome.OTHER_PERSON),
        ("https://idp", NOW + 1, Outcome.OTHER_PERSON),
    ],
    ids=["in the window", "after it", "no window", "in the window, of the same issuer"],
)
def test_an_account_is_bound_anew_only_for_another_issuer_and_in_a_window(
    issuer: str, until: float | None, outcome: Outcome
) -> None:
    decision = decide_account("kim", Subject(issuer, "sub-9"), [KIM], now=NOW, rebind_until=until)
    assert decision.outcome is outcome


@pytest.mark.parametrize(
    "name",
    [
        "Kim",
        "KIM",
        "\u212aim",
        "kim ",
        " kim",
        "k\u200bim",
        "\uff4bim",
        "\ufeffkim",
        "kim\u2060",
        "kim\u3000",
        "kim\ufe0f",
    ],
)
def test_names_that_a_reader_cannot_tell_apart_fold_together(name: str) -> None:
    assert folded(name) == "kim"


@pytest.mark.parametrize("name", ["kim.", "kim2", "k im", "kïm", "\u043aim", "kim@example.org"])
def test_names_that_differ_stay_different(name: str) -> None:
    assert folded(name) != "kim"


NAMES = st.sampled_from(["kim", "Kim", "\uff4bim", "lee", "kim "])
PEOPLE = st.sampled_from([ONE, TWO, OLD])


@given(st.lists(st.tuples(NAMES, PEOPLE), max_size=12))
def test_no_account_ever_has_two_people_and_no_folded_name_two_accounts_of_different_people(
    sign_ins: list[tuple[str, Subject]],
) -> None:
    accounts: dict[str, Account] = {}
    for at, (name, person) in enumerate(sign_ins):
        decision = decide_account(name, person, accounts.values(), now=NOW + at)
        if decision.outcome is Outcome.BIND:
            assert decision.name not in accounts
            accounts[decision.name] = Account(decision.name, person, NOW + at)
        elif decision.allowed:
            assert accounts[decision.name].subject == person
    people: dict[str, set[Subject | None]] = {}
    for account in accounts.values():
        people.setdefault(folded(account.name), set()).add(account.subject)
    assert all(len(those) == 1 for those in people.values())


@given(st.text(max_size=20))
def test_folding_is_done_after_one_time(name: str) -> None:
    assert folded(folded(name)) == folded(name)
