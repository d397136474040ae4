"""Steps of pipelines that are given data, and what their cache makes of it; the cluster is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.datasets import DataClass, Dataset, DatasetVersion
from aifactory_hub.domain.pipeline_runs import PipelineStepState, RunState
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.pipeline_file import read_pipeline
from aifactory_hub.service.pipelines.starter import Started
from aifactory_hub.store.datasets import Datasets

from ..support.pipelines import VERSION
from ..support.rules import change_rules, site_rules
from .test_gates import about
from .test_step_cache import go_on, start, state
from .world import World

ONE = f"""{VERSION}name: one
defaults: {{profile: mig-1g.10gb}}
steps:
  train: {{command: train, cache: true, data: [claims@latest]}}
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "disk")
    world.gates = site_rules(tmp_path / "rules", about("nothing", "true"), clock=world.clock)
    world.restart()
    yield world
    world.close()


def version(world: World, digest: str, *, kind: str = "content", name: str = "claims") -> int:
    """The number of a version of a dataset with this digest, in team nlp."""
    datasets, now = Datasets(world.service.jobs.db), world.clock()
    made, _ = datasets.add(Dataset(f"d-{name}", "nlp", name, "s3://data", DataClass.PERSONAL, "", now, "ada"))
    row = DatasetVersion(f"v-{name}-{digest}", made.id, 0, kind, digest * 64, None, None, "ada", now)
    return datasets.add_version(row)[0].number


def given(world: World, job: str | None) -> list[str]:
    return [each.reference for each in world.service.submissions.data.of_job(str(job)).versions]


def refused(world: World, text: str, **more: Any) -> Refusal:
    asked: dict[str, Any] = {"files": None, "cause": {"kind": "hand", "by": "ada"}} | more
    found = world.service.pipelines.starter.start("ada", "nlp", "k", read_pipeline(text.encode()), **asked)
    assert isinstance(found, Refusal), found
    return found


async def test_a_steps_job_is_given_what_its_names_mean_when_it_begins(world: World) -> None:
    version(world, "a")
    run = start(world, "1", ONE)
    version(world, "b")
    made = await go_on(world, run)
    assert (state(world, run), given(world, made["train"].job_id)) == (RunState.SUCCEEDED, ["claims@2"])


async def test_what_means_nothing_is_refused_with_step_field_and_value(world: World) -> None:
    version(world, "a")
    found = refused(world, ONE.replace("claims@latest", "claims@7"))
    assert found.field == "steps.train.data"
    assert found.message == "Step train: data has 'claims@7': team nlp has no such version. Write <dataset>@<number>."
    file = read_pipeline(ONE.encode())
    (checked,) = world.service.pipelines.starter.check("ada", "nlp", file.pipeline)
    assert [each.reference for each in checked.data] == ["claims@1"]
    (other,) = world.service.pipelines.starter.check("ada", "vision", file.pipeline)
    assert other.refusal is not None


async def test_a_new_version_makes_a_cached_step_run_and_the_same_one_does_not(world: World) -> None:
    version(world, "a")
    first = start(world, "1", ONE)
    assert (await go_on(world, first))["train"].cache_reason == (
        "no earlier run has this step with cache; claims@1 is declared, not verified"
    )
    taken = (await go_on(world, start(world, "2", ONE)))["train"]
    assert (taken.taken_from, taken.cache_reason) == (
        first.id,
        "nothing that decides it has changed; claims@1 is declared, not verified",
    )
    version(world, "b", kind="listing")
    second = start(world, "3", ONE)
    ran = (await go_on(world, second))["train"]
    assert (ran.cached, given(world, ran.job_id)) == (False, ["claims@2"])
    assert ran.cache_reason is not None
    assert ran.cache_reason.startswith("data claims @1 became @2 since run ")
    assert ran.cache_reason.endswith("; claims@2 is known by a listing, not by content")
    again = (await go_on(world, start(world, "4", ONE.replace("latest", "1"))))["train"]
    assert (again.cached, again.taken_from) == (True, first.id), "the same version under another name"


async def test_rules_see_the_class_of_a_steps_data_also_where_a_result_would_be_taken(
    world: World, tmp_path: Path
) -> None:
    assert world.gates is not None
    version(world, "a")
    await go_on(world, start(world, "1", ONE))
    second = start(world, "2", ONE)
    rule = about("no-personal", "!job.data.exists(each, each['class'] == 'personal')")
    change_rules(world.gates, tmp_path / "rules", rule)
    assert refused(world, ONE).message.startswith("Step train: no-personal says no")
    step = (await go_on(world, second))["train"]
    assert (step.state, step.job_id) == (PipelineStepState.FAILED, None)
    assert str(step.reason).startswith("no-personal says no")


async def test_a_service_that_is_killed_before_it_notes_the_job_keys_it_by_what_it_was_given(world: World) -> None:
    class Killed(BaseException):
        pass

    def end(*args: object, **more: object) -> None:
        raise Killed

    version(world, "a")
    first, runner = start(world, "1", ONE), world.service.pipelines.runner
    mortal: Any = type("Mortal", (), {"__getattr__": lambda self, name: getattr(runner.runs, name), "begin": end})()
    with pytest.raises(Killed):
        await replace(runner, runs=mortal).tick()
    version(world, "b")
    world.restart()
    made = (await go_on(world, first))["train"]
    assert (given(world, made.job_id), (made.cache_parts or {})["data claims"]) == (["claims@1"], "1")
    assert not (await go_on(world, start(world, "2", ONE)))["train"].cached


async def test_a_dataset_that_a_job_of_a_matrix_reads_is_given_to_each(world: World) -> None:
    version(world, "a")
    text = ONE.replace("cache: true", "matrix: {SEED: [1, 2]}")
    made = await go_on(world, start(world, "1", text))
    assert [given(world, step.job_id) for step in made.values()] == [["claims@1"], ["claims@1"]]
    assert len({step.job_id for step in made.values()}) == 2


SRC = {"src/train.py": b"1", "src/net.py": b"1", "requirements.txt": b"torch", "README.md": b"hello"}
NARROW = ONE.replace(", data: [claims@latest]", "").replace("true", '{inputs: ["src/**", "requirements.txt"]}')


async def test_only_the_files_that_fit_decide(world: World) -> None:
    first = start(world, "1", NARROW, files=world.send(SRC))
    await go_on(world, first)
    readme = start(world, "2", NARROW, files=world.send({**SRC, "README.md": b"other"}))
    taken = (await go_on(world, readme))["train"]
    assert (taken.taken_from, taken.cache_reason) == (
        first.id,
        "nothing that decides it has changed; of the run's files src/**, requirements.txt decide",
    )
    changed = start(world, "3", NARROW, files=world.send({**SRC, "README.md": b"other", "src/train.py": b"2"}))
    ran = (await go_on(world, changed))["train"]
    assert (ran.cached, ran.cache_reason) == (False, f"src/train.py changed since run {readme.id}")
    assert (await go_on(world, start(world, "4", NARROW.replace("src/**", "src"), files=world.send(SRC))))[
        "train"
    ].cache_reason == f"src/train.py changed, inputs changed since run {changed.id}"


async def test_without_inputs_the_file_that_changed_is_named_too(world: World) -> None:
    whole = ONE.replace(", data: [claims@latest]", "")
    first = start(world, "1", whole, files=world.send(SRC))
    await go_on(world, first)
    fewer = {name: content for name, content in SRC.items() if name != "src/net.py"}
    ran = (await go_on(world, start(world, "2", whole, files=world.send({**fewer, "README.md": b"x"}))))["train"]
    assert ran.cache_reason == f"README.md changed, src/net.py is gone since run {first.id}"


async def test_files_of_needed_steps_decide_in_any_case(world: World) -> None:
    text = f"""{VERSION}name: two
defaults: {{profile: mig-1g.10gb}}
steps:
  a: {{command: make}}
  b: {{needs: [a], command: train, cache: {{inputs: [src]}}}}
"""
    first = start(world, "1", text, files=world.send(SRC))
    await go_on(world, first)
    other = world.send({**SRC, "README.md": b"x"})
    assert (await go_on(world, start(world, "2", text, files=other)))["b"].cached
    ran = (await go_on(world, start(world, "3", text, files=other), files={"rows.txt": b"4"}))["b"]
    assert (ran.cached, str(ran.cache_reason).startswith("rows.txt changed since run ")) == (False, True)


async def test_inputs_that_fit_no_file_are_refused_when_the_run_starts(world: World) -> None:
    found = refused(world, NARROW.replace("src/**", "scr/**"), files=world.send(SRC))
    assert found.field == "steps.train.cache.inputs"
    assert found.message.startswith("Step train: cache.inputs has 'scr/**', which fits none of the run's 4 files.")
    assert "none of the run's 0 files" in refused(world, NARROW).message
    assert world.service.pipelines.runs.newest("nlp", limit=9) == []


@pytest.mark.parametrize("why", ["no cache", "failed", "dropped", "approval"])
async def test_why_a_step_runs_whose_parts_are_the_same_is_said(world: World, tmp_path: Path, why: str) -> None:
    whole = ONE.replace(", data: [claims@latest]", "")
    first = start(world, "1", whole)
    made = (await go_on(world, first, code=1 if why == "failed" else 0))["train"]
    if why == "dropped":
        world.service.jobs.mark_dropped(str(made.job_id), "artifacts", now=world.clock())
    if why == "approval":
        assert world.gates is not None
        change_rules(world.gates, tmp_path / "rules", about("ask", "false", approval=[{"role": "admin"}]))
    ran = (await go_on(world, start(world, "2", whole, cache=why != "no cache")))["train"]
    assert (ran.cached, ran.cache_reason) == (
        False,
        {
            "no cache": "this run takes no earlier result",
            "failed": f"in run {first.id} it has not succeeded",
            "dropped": f"what it gave back in run {first.id} is no longer kept, or not for long enough",
            "approval": "a rule asks for an approval of it",
        }[why],
    )


async def test_a_run_that_is_repeated_is_started_with_the_same_data_names(world: World) -> None:
    version(world, "a")
    first = start(world, "1", ONE)
    await go_on(world, first, code=1)
    ended = world.service.pipelines.runs.get(first.id)
    assert ended is not None
    again = world.service.pipelines.starter.again(ended, "2", None)
    assert isinstance(again, Started)
    assert given(world, (await go_on(world, again.run))["train"].job_id) == ["claims@1"]
