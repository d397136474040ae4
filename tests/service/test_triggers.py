"""From a push to a run, with real repositories in folders: what starts something, what does not, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.pipeline_runs import RunState
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.triggers import EventState
from aifactory_hub.service.trigger_request_types import TriggerRequest
from aifactory_hub.service.triggers.timetable import time_after

from ..support.pipelines import VERSION
from .trigger_site import PIPELINE, Site, trigger_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with trigger_site(tmp_path) as site:
        yield site


async def test_what_is_there_starts_nothing_and_a_push_does(site: Site) -> None:
    trigger = site.make()
    await site.look()
    assert (site.events(trigger), site.runs()) == ([], [])
    before = site.repository.head()
    commit = await site.push({"train.py": "print(2)\n"})
    (event,) = site.events(trigger)
    (run,) = site.runs()
    assert (event.state, event.run, event.number) == (EventState.STARTED, run.id, 2)
    assert (run.owner, run.trigger, run.name) == ("ada", trigger.id, "fraud")
    assert {n: run.cause[n] for n in ("kind", "ref", "commit", "before", "forced", "by")} == {
        "kind": "push",
        "ref": "refs/heads/main",
        "commit": commit,
        "before": before,
        "forced": False,
        "by": None,
    }
    await site.world.service.pipelines.runner.tick()
    (job,) = site.world.service.jobs.newest(["nlp"], limit=9)
    told = job.spec.provenance
    assert told is not None and (told["commit"], told["pipeline"]["run"]) == (commit, run.id)
    text, _ = site.world.service.snapshots.manifest("nlp", "ada", str(job.spec.input_sha256))
    assert ".aifactory/pipeline.yaml" in text and "train.py" in text


async def test_looking_again_and_again_starts_it_once(site: Site) -> None:
    site.make()
    await site.look()
    await site.push()
    for _ in range(5):
        await site.look()
    assert len(site.runs()) == 1


async def test_to_and_fro_is_an_event_each_time(site: Site) -> None:
    trigger = site.make()
    await site.look()
    first = site.repository.head()
    second = await site.push({"a": "1"})
    for commit in (first, second, first):
        site.repository.git("reset", "--quiet", "--hard", commit)
        site.repository.push(force=True)
        await site.look()
    events = site.events(trigger)
    assert [event.new for event in reversed(events)] == [second, first, second, first]
    assert [event.forced for event in reversed(events)] == [False, True, False, True]
    assert len({run.id for run in site.runs()}) == 4


async def test_of_several_pushes_at_once_the_last_counts(site: Site) -> None:
    trigger = site.make(quiet=30.0)
    await site.look()
    parts, clock = site.parts, site.world.clock
    for number in range(3):
        site.repository.commit({"a": str(number)})
        site.repository.push()
        parts.stored.ring([trigger.id], now=clock.now)
        await parts.watcher.tick()
        await parts.watcher.settle()
        clock.pass_by(5)
        await parts.run_maker.tick()
    assert site.runs() == []
    clock.pass_by(31)
    await parts.run_maker.tick()
    assert [event.state.value for event in site.events(trigger)] == ["STARTED", "SUPERSEDED", "SUPERSEDED"]
    assert site.runs()[0].cause["commit"] == site.repository.head()


async def test_branches_and_tags_are_chosen_by_patterns_and_tags_lead_to_commits(site: Site) -> None:
    trigger = site.make(branches=["release/*"], tags=["v*"])
    await site.look()
    await site.push({"a": "1"})
    assert site.events(trigger) == []
    site.repository.git("tag", "-a", "-m", "one", "v1")
    for name in ("release/1", "release/a/b", "other"):
        site.repository.git("branch", name)
    site.repository.push("v1", "release/1", "release/a/b", "other")
    await site.look()
    assert sorted(event.ref for event in site.events(trigger)) == ["refs/heads/release/1", "refs/tags/v1"]
    assert {run.cause["commit"] for run in site.runs()} == {site.repository.head()}
    assert {run.cause["kind"] for run in site.runs()} == {"push", "tag"}


async def test_paths_are_compared_by_the_trees(site: Site) -> None:
    trigger = site.make(paths=["src/**", "*.py"])
    await site.look()
    await site.push({"README.md": "1"})
    assert site.said(trigger) == ("SKIPPED", "none of the 1 changed files fits the trigger's paths")
    await site.push({"src/deep/a.txt": "1"})
    assert site.said(trigger)[0] == "STARTED"
    # Gone again within one push: nothing of it is left in the trees.
    site.repository.commit({"x.py": "1"})
    (site.repository.clone / "x.py").unlink()
    await site.push({"notes.md": "2"})
    assert site.said(trigger)[0] == "SKIPPED"


async def test_five_branches_at_once_are_five_runs(site: Site) -> None:
    site.make(branches=["feature/*"])
    await site.look()
    for number in range(5):
        site.repository.git("branch", f"feature/{number}")
    site.repository.push(*(f"feature/{number}" for number in range(5)))
    await site.look()
    assert sorted(str(run.cause["ref"]) for run in site.runs()) == [f"refs/heads/feature/{n}" for n in range(5)]


async def test_a_branch_that_is_deleted_starts_nothing_and_may_end_its_runs(site: Site) -> None:
    trigger = site.make(branches=["*"], cancel_on_delete=True)
    await site.look()
    site.repository.git("branch", "try")
    site.repository.push("try")
    await site.look()
    (run,) = site.runs()
    site.repository.push(":try")
    await site.look()
    assert site.said(trigger) == ("SKIPPED", f"try was deleted: run {run.id} is cancelled")
    await site.world.service.pipelines.runner.tick()
    assert site.runs()[0].state is RunState.CANCELLED


@pytest.mark.parametrize(
    ("message", "author", "asked", "said"),
    [
        ("x\n\nAIFactory-Job: j1", "ann@example.org", {}, "the commit was made by a job of this hub"),
        ("x", "bot@example.org", {"ignore_authors": ["bot@example.org"]}, "commits of bot@example.org start nothing"),
        ("x [skip factory]", "ann@example.org", {"skip_mark": True}, "the commit says [skip factory]"),
        ("x [skip factory]", "ann@example.org", {}, None),
    ],
)
async def test_commits_that_start_nothing(
    site: Site, message: str, author: str, asked: dict[str, Any], said: str | None
) -> None:
    trigger = site.make(**asked)
    await site.look()
    await site.push({"a": "1"}, message, GIT_AUTHOR_EMAIL=author)
    assert site.said(trigger) == (("STARTED", None) if said is None else ("SKIPPED", said))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({".aifactory/pipeline.yaml": "steps: ["}, ".aifactory/pipeline.yaml can't be used: line 1: not valid YAML"),
        ({".aifactory/pipeline.yaml": VERSION + "steps: {a: {}}"}, "steps.a: a step has one of"),
        ({".aifactory/pipeline.yaml": "x" * 70_000}, "has 70000 bytes, and at most 65536 are allowed"),
        ({".aifactory/pipeline.yaml": PIPELINE.replace("mig-1g.10gb", "nope")}, "Step train: "),
        ({"big.bin": "x" * 3000}, "those of one job may have 2000"),
    ],
)
async def test_what_can_t_be_run_says_why(site: Site, files: dict[str, str], said: str) -> None:
    registry = site.world.registry
    small = replace(registry, jobs=replace(registry.jobs, max_upload=2000 if "big.bin" in files else 10**6))
    site.world.service.provider._registry = small
    trigger = site.make()
    await site.look()
    await site.push(files)
    state, reason = site.said(trigger)
    assert state == "REFUSED" and said in str(reason), reason
    assert site.runs() == []


async def test_without_a_pipeline_file_nothing_is_started(site: Site) -> None:
    trigger = site.make(pipeline="ci/other.yaml")
    await site.look()
    commit = await site.push()
    assert site.said(trigger) == ("REFUSED", f"there is no ci/other.yaml in {commit[:12]}")


async def test_a_branch_is_run_as_it_is_when_its_time_comes(site: Site) -> None:
    trigger = site.make(cron="0 3 * * *", paths=["nothing.txt"])
    await site.look()
    assert site.runs() == [] and trigger.next_time is not None
    site.world.clock.now = trigger.next_time + 1
    await site.parts.timetable.tick()
    await site.parts.timetable.tick()
    await site.look()
    (event,), (run,) = site.events(trigger), site.runs()
    assert (event.state, event.scheduled, event.new) == (EventState.STARTED, True, site.repository.head())
    assert (run.cause["kind"], run.cause["commit"]) == ("schedule", site.repository.head())
    after = site.now(trigger).next_time
    assert after is not None and after - trigger.next_time == 24 * 3600


async def test_of_times_that_passed_while_the_service_was_away_one_is_made_up(site: Site) -> None:
    trigger = site.make(cron="0 3 * * *")
    await site.look()
    assert trigger.next_time is not None
    site.world.clock.now = trigger.next_time + 5 * 24 * 3600
    for _ in range(3):
        await site.parts.timetable.tick()
        await site.look()
    assert len(site.runs()) == 1


async def test_with_times_alone_a_push_starts_nothing_and_the_next_time_runs_it(site: Site) -> None:
    trigger = site.make(cron="0 3 * * *", pushes=False)
    await site.look()
    commit = await site.push({"train.py": "print(3)\n"})
    assert (site.events(trigger), site.runs()) == ([], [])
    next_time = site.now(trigger).next_time
    assert next_time is not None
    site.world.clock.now = next_time + 1
    await site.parts.timetable.tick()
    await site.look()
    assert [run.cause["commit"] for run in site.runs()] == [commit]


async def test_a_paused_trigger_has_no_times_and_makes_none_up(site: Site) -> None:
    trigger = site.make(cron="0 3 * * *")
    await site.look()
    site.parts.stored.set_paused(trigger.id, True, now=1.0)
    assert trigger.next_time is not None
    site.world.clock.now = trigger.next_time + 1
    await site.parts.timetable.tick()
    await site.look()
    now = site.world.clock.now
    site.parts.stored.set_paused(trigger.id, False, now=now, next_time=time_after(trigger, now))
    await site.parts.timetable.tick()
    await site.look()
    assert (site.events(trigger), site.runs()) == ([], [])
    assert time_after(site.make(key="without"), now) is None


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"cron": "whenever"}, "cron"),
        ({"cron": "0 3 * * *", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"pushes": False}, "pushes"),
    ],
)
def test_times_that_are_none_are_refused(site: Site, asked: dict[str, Any], field: str) -> None:
    request = {"key": "k", "url": str(site.repository.bare), "provider": "local", **asked}
    refused = site.parts.desk.make("ada", "nlp", TriggerRequest.model_validate(request))
    assert isinstance(refused, Refusal) and refused.field == field
