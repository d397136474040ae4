"""The repository against a real SQLite file and a real PostgreSQL."""

from __future__ import annotations

import importlib
import pkgutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, update

from aifactory_hub import store
from aifactory_hub.domain.job_spec import JobSpec
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.store import Artifact, JobFilter, JobRecord, Jobs, migrate
from aifactory_hub.store.migrations.versions.v0008_search import fill_search
from aifactory_hub.store.models import Base, JobRow, SnapshotRow


def make_job(job_id: str = "j1", **changes: Any) -> JobRecord:
    """A job; ``changes`` of what is asked, or of the rest."""
    spec = JobSpec("train", "python train.py", "mig-1g.10gb", environment={"A": "1"}, outputs=("*.bin",))
    asked = {f.name: changes.pop(f.name) for f in fields(JobSpec) if f.name in changes}
    record = JobRecord(
        id=job_id,
        tenant="nlp",
        owner="ada",
        key=f"key-{job_id}",
        request_digest="d" * 64,
        submitted_at=100.0,
        spec=replace(spec, **asked),
    )
    return replace(record, **changes)


def test_the_migrations_make_exactly_the_models_tables(db: Engine) -> None:
    for module in pkgutil.iter_modules(store.__path__):
        importlib.import_module(f"{store.__name__}.{module.name}")
    with db.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing_and_keeps_jobs(db: Engine, jobs: Jobs) -> None:
    jobs.add(make_job())
    migrate(db)
    assert jobs.get("j1") == make_job()


def test_a_record_comes_back_as_it_was_stored(jobs: Jobs) -> None:
    moments: dict[str, Any] = {f.name: 7.5 for f in fields(JobRecord) if f.name.endswith("_at")}
    full = make_job(
        state=JobState.RUNNING,
        outputs=None,
        reason="why",
        exit_code=3,
        input_sha256="a" * 64,
        input_size=5,
        **moments,
    )
    with jobs.db.begin() as connection:
        snapshot = {"tenant": full.tenant, "owner": full.owner, "sha256": full.spec.input_sha256}
        connection.execute(insert(SnapshotRow).values(**snapshot, size=5, packs=[], used_at=0.0))
    assert jobs.add(full) == full
    assert jobs.get("j1") == full


def test_one_key_of_one_owner_in_one_tenant_is_one_job(jobs: Jobs) -> None:
    first = jobs.add(make_job("j1", key="k"))
    assert jobs.add(make_job("j2", key="k")).id == first.id
    assert jobs.add(make_job("j3", key="k", owner="bob")).id == "j3"
    assert jobs.add(make_job("j4", key="k", tenant="vision")).id == "j4"
    assert jobs.get("j2") is None


def test_of_many_adds_with_one_key_at_once_one_wins(jobs: Jobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda n: jobs.add(make_job(f"j{n}", key="k")).id, range(24)))
    assert len(set(stored)) == 1


def test_a_final_state_never_changes(jobs: Jobs) -> None:
    jobs.add(make_job())
    jobs.finish("j1", JobState.SUCCEEDED, reason=None, exit_code=0, now=5.0)
    jobs.finish("j1", JobState.FAILED, reason="late", exit_code=1, now=6.0)
    jobs.set_state("j1", JobState.RUNNING, "late", now=7.0)
    jobs.ask_cancel("j1", by="eve", now=8.0)
    found = jobs.get("j1")
    assert found is not None
    assert (found.state, found.finished_at, found.exit_code) == (JobState.SUCCEEDED, 5.0, 0)
    assert (found.attempts, found.cancel_asked_at) == ((), None)


def test_each_state_keeps_the_first_time_it_was_reached(jobs: Jobs) -> None:
    jobs.add(make_job())
    for now, state in enumerate((JobState.QUEUED, JobState.STARTING, JobState.RUNNING, JobState.RUNNING), 200):
        jobs.set_state("j1", state, None, now=float(now))
    found = jobs.get("j1")
    assert found is not None
    assert (found.current.queued_at, found.current.starting_at, found.current.running_at) == (200.0, 201.0, 202.0)


def test_what_ends_after_the_final_state_is_still_recorded(jobs: Jobs) -> None:
    jobs.add(make_job())
    jobs.finish("j1", JobState.FAILED, reason="r", exit_code=1, now=5.0)
    jobs.attempts.record_log("j1", 1, size=9, sha256="b" * 64)
    jobs.attempts.record_report("j1", 1, {"exit_code": 1})
    assert [job.id for job in jobs.live()] == ["j1"]
    jobs.mark_cleaned("j1", now=6.0)
    assert jobs.live() == []
    found = jobs.get("j1")
    assert found is not None
    assert (found.current.log_size, found.current.report, found.live) == (9, {"exit_code": 1}, False)


def test_lists_are_newest_first_in_pages_and_by_tenant_and_owner(jobs: Jobs) -> None:
    for n in range(5):
        jobs.add(make_job(f"j{n}", submitted_at=100.0 + n // 2, owner="ada" if n % 2 else "bob"))
    jobs.add(make_job("other", tenant="vision", submitted_at=500.0))
    pages = []
    last = None
    while page := jobs.newest(["nlp"], limit=2, before=last):
        pages.append([job.id for job in page])
        last = page[-1]
    assert pages == [["j4", "j3"], ["j2", "j1"], ["j0"]]
    assert [job.id for job in jobs.newest(["nlp"], where=JobFilter(owner="ada"), limit=9)] == ["j3", "j1"]
    assert jobs.newest([], limit=9) == []


def test_a_list_of_several_tenants_goes_on_where_its_page_ended(jobs: Jobs) -> None:
    for n in range(6):  # two of a time each, so that the ids decide
        jobs.add(make_job(f"j{n}", tenant=("nlp", "vision", "speech")[n % 3], submitted_at=100.0 + n // 2))
    pages, last = [], None
    while page := jobs.newest(["vision", "nlp", "nlp"], limit=3, before=last):
        pages.append([job.id for job in page])
        last = page[-1]
    assert pages == [["j4", "j3", "j1"], ["j0"]]
    assert jobs.newest(["nlp", "nobody"], limit=9, where=JobFilter(owner="nobody")) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("übung", "Übung 3"),
        ("ubung", "Übung 3"),
        ("ÜBUNG", "u\u0308bung"),  # the letter and its accent apart, as macOS writes names
        ("обучение", "ОБУЧЕНИЕ"),
        ("strasse", "Straße"),
        ("STRAẞE", "straße"),
        ("istanbul", "İSTANBUL"),
        ("\uff42ert", "BERT"),  # letters as wide as Chinese ones
        ("100%_", "100%_"),
    ],
)
def test_a_text_is_found_whatever_its_case_and_accents(jobs: Jobs, text: str, name: str) -> None:
    jobs.add(make_job("j1", name=name))
    jobs.add(make_job("j2", name="100 percent", command=f"echo {name}x; true"))
    jobs.add(make_job("j3", name="other"))
    found = jobs.newest(["nlp"], where=JobFilter(text=text), limit=9)
    assert sorted(job.id for job in found) == ["j1", "j2"]


def test_jobs_of_an_earlier_version_are_found_too(db: Engine, jobs: Jobs) -> None:
    for number in range(3):
        jobs.add(make_job(f"j{number}", name=f"Übung {number}"))
    with db.begin() as connection:
        connection.execute(update(JobRow).values(search=""))
    assert jobs.newest(["nlp"], where=JobFilter(text="übung"), limit=9) == []
    with db.begin() as connection:
        fill_search(connection)
    assert len(jobs.newest(["nlp"], where=JobFilter(text="übung"), limit=9)) == 3


def test_lists_are_filtered_by_state_and_text(jobs: Jobs) -> None:
    jobs.add(make_job("j1", name="Train 100%", command="python train.py"))
    jobs.add(make_job("j2", name="other", command="echo TRAIN_ING", state=JobState.RUNNING))
    jobs.add(make_job("j3", name="third", command="true", state=JobState.FAILED))

    def found(**wanted: Any) -> list[str]:
        return sorted(job.id for job in jobs.newest(["nlp"], where=JobFilter(**wanted), limit=9))

    assert found(states=(JobState.RUNNING, JobState.FAILED)) == ["j2", "j3"]
    assert found(text="train") == ["j1", "j2"]
    assert found(text="100%") == ["j1"]  # a sign of the pattern language is a plain sign here
    assert found(text="n_i") == ["j2"]
    assert found(text="j3") == ["j3"]
    assert found(text="train", states=(JobState.FAILED,)) == []
    assert sorted(job.id for job in jobs.some(["j1", "j3", "j9"])) == ["j1", "j3"]


def test_every_change_is_told_once_it_is_stored(jobs: Jobs) -> None:
    told: list[tuple[str, str]] = []

    def tell(job_id: str) -> None:
        job = jobs.get(job_id)
        told.append((job_id, "gone" if job is None else job.state.value))

    jobs.listen(tell)
    jobs.add(make_job())
    jobs.set_state("j1", JobState.RUNNING, None, now=1.0)
    jobs.finish("j1", JobState.FAILED, reason=None, exit_code=1, now=2.0)
    assert told == [("j1", "PENDING"), ("j1", "RUNNING"), ("j1", "FAILED")]


def test_several_listen_and_one_that_raises_silences_nobody(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    def broken(job_id: str) -> None:
        raise RuntimeError(job_id)

    first, last = list[str](), list[str]()
    end = jobs.listen(first.append)
    jobs.listen(broken)
    jobs.listen(last.append)
    jobs.add(make_job())
    end()
    jobs.attempts.intend_run("j1", 1, token_hash="t", now=1.0)
    assert (first, last) == (["j1"], ["j1", "j1"])
    assert caplog.text.count("a listener to changes of jobs failed") == 2


def test_artifacts_are_listed_by_name_and_replaced_by_name(jobs: Jobs) -> None:
    jobs.add(make_job())
    for name, size in (("b", 1), ("a", 2), ("b", 3)):
        jobs.put_artifact("j1", Artifact(name, size, "c" * 64, 1.0))
    assert [(a.name, a.size) for a in jobs.artifacts("j1")] == [("a", 2), ("b", 3)]
    assert jobs.artifacts("none") == []


def test_known_says_which_ids_have_a_record(jobs: Jobs) -> None:
    jobs.add(make_job())
    assert jobs.known(["j1", "j2"]) == {"j1"}


def test_many_threads_that_write_at_once_all_get_their_turn(jobs: Jobs) -> None:
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda n: jobs.add(make_job(f"j{n}")), range(200)))
    assert len(jobs.live()) == 200
