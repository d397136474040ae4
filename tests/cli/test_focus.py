"""``aifactory-hub bill --focus``: from the service's database to files."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from focus_data_toolkit import lint_focus_1_4_structure
from sqlalchemy import text

from aifactory_hub.cli.app import main
from aifactory_hub.store.billing import Billing
from aifactory_hub.store.database import migrate, open_db, writing
from aifactory_hub.store.ledger import Ledger, Position

from ..registry.files import GOOD
from ..support.usage import FACTS, NOVEMBER, NOW, OCTOBER

DATABASE = "AIFACTORY_HUB_SERVICE_DATABASE"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Billing:
    """The database of a service that bills; the command finds it as the service does."""
    zoned = "billing: {currency: EUR, time_zone: Europe/Amsterdam, mode: chargeback}\nprofiles:\n"
    (tmp_path / "tenants.yaml").write_text(GOOD.replace("profiles:\n", zoned, 1), encoding="utf-8")
    monkeypatch.setenv("AIFACTORY_HUB_TENANTS", str(tmp_path / "tenants.yaml"))
    monkeypatch.setenv(DATABASE, f"sqlite:///{tmp_path / 'service.sqlite'}")
    db = open_db(f"sqlite:///{tmp_path / 'service.sqlite'}")
    migrate(db)
    Ledger(db).append(FACTS, Position("7", NOW))
    billing = Billing(db)
    billing.follow({"small": Decimal("1.50")}, "EUR", OCTOBER.start)
    return billing


def bill(*words: str) -> Result:
    return CliRunner().invoke(main, ["bill", *words])


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "cost_and_usage.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("site")
def test_a_month_that_goes_on_is_written_as_far_as_it_was_heard(tmp_path: Path) -> None:
    done = bill("2026-11", "--focus", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    rows = table(tmp_path / "out")
    assert f"{tmp_path / 'out' / 'cost_and_usage.csv'}: {len(rows)} rows" in done.output
    assert "1 line has no price and is not in it; see manifest.json." in done.output
    assert lint_focus_1_4_structure("Cost and Usage", rows).violations == ()
    assert {(row["ResourceId"], row["PricingQuantity"]) for row in rows} == {
        *(("a1", "7200.0"), ("b1", "3600.0"), ("x1", "100.0"), ("e1", "3600.0")),
    }
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["until"] == "2026-11-04T23:00:00Z"


def test_a_closed_month_is_what_was_billed(tmp_path: Path, site: Billing) -> None:
    made = site.close(OCTOBER, "Europe/Amsterdam", by="root", now=NOW, heard_at=NOW)
    done = bill("2026-10", "--focus", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert [(row["ResourceId"], row["BilledCost"]) for row in table(tmp_path / "out")] == [("b1", "1.50")]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["status"], manifest["bill_digest"]) == ("closed", made.digest)
    assert NOVEMBER.start == OCTOBER.end


@pytest.mark.usefixtures("site")
def test_the_older_version_and_parquet_are_written_when_asked_for(tmp_path: Path) -> None:
    done = bill("2026-11", "--focus", str(tmp_path / "out"), "--focus-version", "1.2", "--format", "parquet")
    assert done.exit_code == 0, done.output
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["cost_and_usage.parquet", "manifest.json"]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["2026-13", "--focus", "out"], "2026-13"),
        (["2027-01", "--focus", "out"], "nothing was heard yet of what ran in 2027-01: name a month that has begun"),
        (["2026-11", "--focus", "."], ". is there already: name a folder that is not, or remove it"),
        (
            ["2026-11", "--focus", "out", "--csv"],
            "--focus writes files of all teams: leave --team, --csv and --json out",
        ),
    ],
)
def test_what_cant_be_written_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = bill(*words)
    assert done.exit_code != 0
    assert says in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("database", "says"),
    [
        ("sqlite:///none.sqlite", "there is no database at sqlite:///none.sqlite"),
        ("postgresql+psycopg://hub:s3cret@127.0.0.1:1/hub", "the service's database can't be read (OperationalError)"),
    ],
)
def test_a_database_that_is_not_there_is_said_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATABASE, database)
    done = bill("2026-11", "--focus", "out")
    assert done.exit_code == 1
    assert says in done.output
    assert "s3cret" not in done.output
    assert not (tmp_path / "none.sqlite").exists()


def test_holds_are_made_anew_where_the_database_is(site: Billing, tmp_path: Path) -> None:
    db = open_db(f"sqlite:///{tmp_path / 'service.sqlite'}")
    with writing(db) as connection:
        connection.execute(text("UPDATE usage_holds SET start = 0"))
    assert "run `aifactory-hub usage rebuild`" in str(Ledger(db).verify().problem)
    done = CliRunner().invoke(main, ["usage", "rebuild"])
    assert (done.exit_code, done.output.endswith("holds are made anew.\n")) == (0, True)
    assert Ledger(db).verify().problem is None
    db.dispose()


def test_a_database_that_is_not_there_is_named(site: Billing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, "sqlite:////nowhere/service.sqlite")
    done = CliRunner().invoke(main, ["usage", "rebuild"])
    assert done.exit_code == 1
    assert (
        "there is no database at sqlite:////nowhere/service.sqlite: set AIFACTORY_HUB_SERVICE_DATABASE" in done.output
    )
