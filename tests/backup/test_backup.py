"""Backups of a site, on both databases: made while it is in use, checked, brought back, and found out when damaged."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.backup import Sources, Targets, check_backup, make_backup, restore_backup
from aifactory_hub.backup.databases import hash_at
from aifactory_hub.domain.backups import BackupError, Finding, Verdict
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.store.statements import read_chain

from ..support.postgres import Postgres
from .site import FILES, KEY, Site, held, make_site, opened


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Site:
    return make_site(database_url, tmp_path / "site")


@pytest.fixture
def empty(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Callable[[], str]:
    """Addresses of databases in which nothing is, of the same kind as the site's."""
    if database_url.startswith("sqlite"):
        return lambda: f"sqlite:///{tmp_path / 'restored.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database


@pytest.fixture
def small(tmp_path: Path) -> Site:
    """On SQLite alone, for what is no matter of the database."""
    return make_site(f"sqlite:///{tmp_path / 'small.sqlite'}", tmp_path / "small")


def scratch(site: Site, empty: Callable[[], str]) -> str | None:
    return None if site.url.startswith("sqlite") else empty()


@contextmanager
def changed_manifest(folder: Path) -> Iterator[Any]:
    """As somebody changes it who knows its form: its own SHA-256 is right again."""
    manifest = folder / "manifest.json"
    data = json.loads(manifest.read_text())
    del data["sha256"]
    yield data
    data["sha256"] = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    manifest.write_text(json.dumps(data))


def wrong(findings: list[Finding]) -> dict[str, str]:
    return {each.check: each.seen for each in findings if each.verdict is not Verdict.GOOD}


def test_what_was_kept_is_well_and_comes_back_while_the_site_goes_on(
    site: Site, empty: Callable[[], str], tmp_path: Path
) -> None:
    folder, target = tmp_path / "backup", tmp_path / "target"
    with opened(site.url) as live:
        made = make_backup(site.sources(KEY, copy=True), folder, 7.0)
        assert made.databases[0].chains["the ledger"].entries == 6
        Ledger(live).append(held("p3"))
    findings = check_backup(folder, KEY, scratch(site, empty))
    assert wrong(findings) == {}
    assert {"the ledger of the service's database", "the chain of statements of the service's database"} <= {
        each.check for each in findings
    }
    url = empty()
    said = restore_backup(folder, Targets(url, None, target / "files", target / "tenants", KEY))
    assert [line.split(",")[0] for line in said][1:] == ["3 files", "2 keys", "1 files of tenants.yaml"]
    with opened(url) as db:
        assert (Ledger(db).verify().events, Ledger(db).verify().problem) == (6, None)
        assert read_chain(db).statements == 1
    assert {key: (target / "files" / key).read_bytes() for key in FILES} == FILES
    assert (target / "files/job-tokens.secret").read_bytes() == site.secret
    assert (target / "tenants/tenants.yaml").read_text() == site.tenants.read_text()


def test_an_entry_that_is_another_one_is_found_although_the_chain_is_whole(
    site: Site, empty: Callable[[], str], tmp_path: Path
) -> None:
    make_backup(site.sources(), tmp_path / "backup", 7.0)
    with changed_manifest(tmp_path / "backup") as data:
        data["databases"][0]["chains"]["the ledger"] |= {"entries": 6, "head": "0" * 64}
    found = wrong(check_backup(tmp_path / "backup", None, scratch(site, empty)))
    assert list(found) == ["the ledger of the service's database"]


def test_a_database_with_something_in_it_is_never_written_to(
    site: Site, empty: Callable[[], str], tmp_path: Path
) -> None:
    make_backup(site.sources(), tmp_path / "backup", 7.0)
    with pytest.raises(BackupError, match=r"is there already|has tables"):
        restore_backup(tmp_path / "backup", Targets(site.url))
    with opened(site.url) as db:
        assert Ledger(db).verify().events == 6


def test_no_password_is_in_the_backup_or_in_what_is_said(site: Site, tmp_path: Path) -> None:
    make_backup(site.sources(), tmp_path / "backup", 7.0)
    password = site.url.partition("://test:")[2].partition("@")[0] or "a password"
    for path in (tmp_path / "backup").rglob("*"):
        if path.is_file():
            assert password.encode() not in path.read_bytes(), path
    broken = site.url.replace("/t", "/nothing-") if "postgres" in site.url else f"sqlite:///{tmp_path}/nothing"
    with pytest.raises(BackupError) as error:
        make_backup(Sources(broken), tmp_path / "other", 7.0)
    assert password not in str(error.value)


def test_keys_are_named_or_encrypted_and_never_in_the_clear(small: Site, tmp_path: Path) -> None:
    by_name = make_backup(small.sources(copy=True), tmp_path / "one", 7.0)
    assert by_name.keys is not None
    assert list(by_name.keys.names) == ["credentials/trigger.secret", "job-tokens.secret"]
    encrypted = make_backup(small.sources(KEY, copy=True), tmp_path / "two", 7.0)
    assert encrypted.keys is not None and encrypted.keys.encrypted is not None
    for path in [*(tmp_path / "one").rglob("*"), *(tmp_path / "two").rglob("*")]:
        if path.is_file():
            assert small.secret not in path.read_bytes()
            assert b"a password" not in path.read_bytes()
    assert wrong(check_backup(tmp_path / "two")) == {"the service's keys": "they are encrypted"}
    assert "can't be decrypted" in wrong(check_backup(tmp_path / "two", bytes(32)))["the service's keys"]
    with pytest.raises(BackupError, match="--keys-with"):
        restore_backup(tmp_path / "two", Targets(files=tmp_path / "files"))
    assert not (tmp_path / "files").exists(), "nothing is written before all is known"


def test_a_backup_is_its_owner_s_alone(small: Site, tmp_path: Path) -> None:
    make_backup(small.sources(KEY), tmp_path / "backup", 7.0)
    for path in (tmp_path / "backup").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize(
    "name", ["databases/service.sqlite", "files.jsonl", "keys.enc", "tenants/tenants.yaml", "manifest.json"]
)
@pytest.mark.parametrize("how", ["a byte", "cut", "gone"])
def test_damage_to_any_file_is_found(small: Site, tmp_path: Path, name: str, how: str) -> None:
    folder = tmp_path / "backup"
    make_backup(small.sources(KEY), folder, 7.0)
    path = folder / name
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(
            content[:middle] + (b"" if how == "cut" else bytes([content[middle] ^ 1]) + content[middle + 1 :])
        )
    if name == "manifest.json":
        with pytest.raises(BackupError, match=r"manifest.json"):
            check_backup(folder, KEY)
    else:
        assert list(wrong(check_backup(folder, KEY))) == ["files of the backup are as they were written"]
    with pytest.raises(BackupError):
        restore_backup(folder, Targets(f"sqlite:///{tmp_path}/restored.sqlite"))
    assert not (tmp_path / "restored.sqlite").exists()


def test_a_file_of_a_job_that_was_changed_is_named(small: Site, tmp_path: Path) -> None:
    make_backup(small.sources(copy=True), tmp_path / "backup", 7.0)
    (tmp_path / "backup/files/jobs/j-one/log-1").write_bytes(b"other\n")
    found = wrong(check_backup(tmp_path / "backup"))
    assert found == {"the service's files": "jobs/j-one/log-1: its SHA-256 is another one"}


def test_a_ledger_that_was_changed_is_not_kept_as_if_it_were_well(small: Site, tmp_path: Path) -> None:
    with closing(sqlite3.connect(small.url.removeprefix("sqlite:///"))) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("UPDATE usage_events SET at = at + 1 WHERE seq = 2")
        connection.commit()
    with pytest.raises(BackupError, match="event 2 is not as it was written"):
        make_backup(small.sources(), tmp_path / "backup", 7.0)
    assert not (tmp_path / "backup/manifest.json").exists()
    with pytest.raises(BackupError, match="that was completed"):
        check_backup(tmp_path / "backup")


def test_tables_of_a_later_version_are_not_taken_for_known_ones(small: Site, tmp_path: Path) -> None:
    with closing(sqlite3.connect(small.url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    make_backup(small.sources(), tmp_path / "backup", 7.0)
    found = wrong(check_backup(tmp_path / "backup"))
    assert found == {"this version knows the tables of the service's database": "revision 9999 is not known"}


def test_the_hub_s_database_is_kept_beside_the_service_s(small: Site, tmp_path: Path) -> None:
    from jupyterhub import orm

    hub = f"sqlite:///{tmp_path / 'jupyterhub.sqlite'}"
    orm.new_session_factory(url=hub)().close()
    made = make_backup(Sources(small.url, hub), tmp_path / "backup", 7.0)
    assert [(each.name, bool(each.revision)) for each in made.databases] == [("service", True), ("hub", True)]
    assert "tenants.yaml" in made.lacks
    assert wrong(check_backup(tmp_path / "backup")) == {}
    restore_backup(tmp_path / "backup", Targets(hub_database=f"sqlite:///{tmp_path / 'new.sqlite'}"))
    assert (tmp_path / "new.sqlite").is_file()
    with pytest.raises(BackupError, match="lacks the hub's database"):
        make_backup(Sources(small.url), tmp_path / "second", 7.0)
        restore_backup(tmp_path / "second", Targets(hub_database=f"sqlite:///{tmp_path / 'other.sqlite'}"))


def test_a_folder_with_something_in_it_is_left_alone(small: Site, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("x")
    with pytest.raises(BackupError, match="is not empty: give a new folder"):
        make_backup(small.sources(), tmp_path / "full", 7.0)
    make_backup(small.sources(copy=True), tmp_path / "backup", 7.0)
    with pytest.raises(BackupError, match="is not empty: move away"):
        restore_backup(tmp_path / "backup", Targets(files=tmp_path / "full"))
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../outside"])
def test_a_manifest_leads_nowhere_else(small: Site, tmp_path: Path, name: str) -> None:
    make_backup(small.sources(), tmp_path / "backup", 7.0)
    with changed_manifest(tmp_path / "backup") as data:
        data["tenants"][0]["file"] = name
    with pytest.raises(BackupError, match="no path inside of a backup"):
        check_backup(tmp_path / "backup")


def test_what_follows_a_dump_is_no_fault(site: Site) -> None:
    with opened(site.url) as db:
        sixth = hash_at(db, "the ledger", 6)
        Ledger(db).append(held("p4"))
        assert hash_at(db, "the ledger", 6) == sixth
        assert hash_at(db, "the ledger", 99) == ""
