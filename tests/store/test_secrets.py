"""Secrets in the database: encrypted, bound to whose they are, given to jobs, their use recorded."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import Engine, select, text, update

from aifactory_hub.domain.secrets import MOST
from aifactory_hub.store.secret_tables import SecretRow
from aifactory_hub.store.secrets import TEAM, SecretMissing, Secrets, TooMany

KEY = bytes(range(32))
VALUE = "hf_abcdefgh12345678"
GIVEN = {"tenant": "nlp", "owner": "ada", "job": "j1", "attempt": 1, "now": 20.0}


@pytest.fixture
def secrets(db: Engine) -> Secrets:
    return Secrets(db, KEY)


def put(secrets: Secrets, name: str = "HF_TOKEN", value: str = VALUE, owner: str = "ada", tenant: str = "nlp") -> None:
    secrets.put(tenant, owner, name, value, by=owner or "noor", now=10.0)


def test_a_job_is_given_the_value_and_the_use_is_recorded(secrets: Secrets) -> None:
    put(secrets)
    assert secrets.give(["HF_TOKEN"], **GIVEN) == {"HF_TOKEN": VALUE}  # type: ignore[arg-type]
    (use,) = secrets.uses("nlp", "ada", "HF_TOKEN", 10)
    assert (use.job, use.attempt, use.user, use.revision, use.at) == ("j1", 1, "ada", 1, 20.0)
    (facts,) = secrets.of("nlp", "ada")
    assert (facts.name, facts.team, facts.used_at) == ("HF_TOKEN", False, 20.0)


def test_the_same_attempt_asked_again_is_one_use(secrets: Secrets) -> None:
    put(secrets)
    for _ in range(3):
        secrets.give(["HF_TOKEN"], **GIVEN)  # type: ignore[arg-type]
    assert len(secrets.uses("nlp", "ada", "HF_TOKEN", 10)) == 1


def test_nothing_in_the_database_has_the_value(secrets: Secrets, db: Engine) -> None:
    put(secrets)
    with db.connect() as connection:
        rows = connection.execute(text("SELECT * FROM secrets")).all()
    assert len(rows) == 1
    assert VALUE.encode() not in b"".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in rows[0])


def test_two_values_that_are_equal_do_not_look_equal(secrets: Secrets, db: Engine) -> None:
    put(secrets, "A")
    put(secrets, "B")
    with db.connect() as connection:
        first, second = connection.scalars(select(SecretRow.sealed))
    assert first != second


def test_a_new_value_counts_up_and_is_what_jobs_get(secrets: Secrets) -> None:
    put(secrets)
    put(secrets, value="another-value")
    assert secrets.give(["HF_TOKEN"], **GIVEN) == {"HF_TOKEN": "another-value"}  # type: ignore[arg-type]
    assert secrets.uses("nlp", "ada", "HF_TOKEN", 10)[0].revision == 2


def test_ones_own_goes_before_the_teams_and_others_are_not_seen(secrets: Secrets) -> None:
    put(secrets, owner=TEAM, value="of-the-team")
    assert secrets.give(["HF_TOKEN"], **GIVEN) == {"HF_TOKEN": "of-the-team"}  # type: ignore[arg-type]
    assert secrets.uses("nlp", TEAM, "HF_TOKEN", 10)[0].team
    put(secrets)
    put(secrets, "MINE", owner="kai")
    put(secrets, "FAR", tenant="vision")
    assert secrets.give(["HF_TOKEN"], **(GIVEN | {"job": "j2"})) == {"HF_TOKEN": VALUE}  # type: ignore[arg-type]
    assert [(each.name, each.team) for each in secrets.of("nlp", "ada")] == [("HF_TOKEN", True), ("HF_TOKEN", False)]
    assert secrets.missing("nlp", "ada", ["HF_TOKEN", "MINE", "FAR"]) == ["MINE", "FAR"]


def test_one_that_is_gone_is_named_and_nothing_is_given(secrets: Secrets) -> None:
    put(secrets)
    assert secrets.remove("nlp", "ada", "HF_TOKEN")
    assert not secrets.remove("nlp", "ada", "HF_TOKEN")
    with pytest.raises(SecretMissing, match="there is no secret HF_TOKEN of ada or of team nlp any more"):
        secrets.give(["HF_TOKEN"], **GIVEN)  # type: ignore[arg-type]


def test_a_use_is_recorded_only_if_all_are_given(secrets: Secrets) -> None:
    put(secrets)
    with pytest.raises(SecretMissing):
        secrets.give(["HF_TOKEN", "GONE"], **GIVEN)  # type: ignore[arg-type]
    assert secrets.uses("nlp", "ada", "HF_TOKEN", 10) == []


def test_another_key_reads_nothing(secrets: Secrets, db: Engine) -> None:
    put(secrets)
    with pytest.raises(SecretMissing, match="HF_TOKEN can't be decrypted"):
        Secrets(db, os.urandom(32)).give(["HF_TOKEN"], **GIVEN)  # type: ignore[arg-type]


def test_a_value_that_was_put_into_anothers_row_reads_as_nothing(secrets: Secrets, db: Engine) -> None:
    put(secrets, owner="kai", value="the-value-of-kai")
    put(secrets)
    with db.begin() as connection:
        stolen = connection.scalar(select(SecretRow.sealed).where(SecretRow.owner == "kai"))
        connection.execute(update(SecretRow).where(SecretRow.owner == "ada").values(sealed=stolen))
    with pytest.raises(SecretMissing):
        secrets.give(["HF_TOKEN"], **GIVEN)  # type: ignore[arg-type]


def test_so_many_and_no_more(secrets: Secrets) -> None:
    for number in range(MOST):
        put(secrets, f"N{number}")
    with pytest.raises(TooMany):
        put(secrets, "ONE_MORE")
    put(secrets, "N0", value="changed-value")
    put(secrets, "ONE_MORE", owner=TEAM)
