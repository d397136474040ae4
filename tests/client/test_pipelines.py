"""Pipelines, from Python and from a terminal, against the real service; their jobs run as real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory_hub.client.errors import Refused
from aifactory_hub.client.pipeline_commands import pipeline as commands
from aifactory_hub.client.pipelines import PipelineRun, pipeline_run, pipeline_runs, run_pipeline
from aifactory_hub.client.session import Session
from aifactory_hub.client.trigger_commands import trigger as trigger_commands
from aifactory_hub.registry.model import GitConfig

from ..support.job_service import RunningService
from ..support.pipelines import VERSION, ticking
from ..support.repositories import Repository
from .terminal import run

REPORT = "from aifactory_hub.client import report; report(metrics={'accuracy': %s})"
FRAUD = f"""{VERSION}name: fraud
defaults: {{profile: mig-1g.10gb}}
steps:
  prepare:
    command: echo 1 2 3 > rows.txt; echo note > note.log
  train:
    needs: [prepare]
    files: {{prepare: [rows.txt]}}
    matrix: {{SEED: [3, 5]}}
    command: >-
      test ! -e note.log && cat rows.txt > "model-$SEED.txt" &&
      python3 -c "import os; from aifactory_hub.client import report;
      report(metrics={{'accuracy': int(os.environ['SEED']) / 10}})"
  test:
    needs: [train]
    when: max(train.accuracy) >= 0.5
    metrics: {{BEST: max(train.accuracy)}}
    command: cat train.1/model-3.txt train.2/model-5.txt measures.py && echo "best $BEST"
"""


@pytest.fixture
async def going(service: RunningService) -> AsyncIterator[None]:
    async with ticking(service.context.pipelines):
        yield


def write(work: Path, text: str) -> Path:
    file = work / ".aifactory" / "pipeline.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


async def test_steps_run_in_order_with_files_metrics_and_a_matrix(session: Session, work: Path, going: None) -> None:
    file = write(work, FRAUD)
    one = await asyncio.to_thread(run_pipeline, file, files=work, session=session)
    assert await asyncio.to_thread(one.wait, 120) == "SUCCEEDED", one.data
    steps = one.steps
    assert [(key, step["state"], step["metrics"]) for key, step in steps.items()] == [
        ("prepare", "SUCCEEDED", {}),
        ("train.1", "SUCCEEDED", {"accuracy": 0.3}),
        ("train.2", "SUCCEEDED", {"accuracy": 0.5}),
        ("test", "SUCCEEDED", {}),
    ]
    log = await asyncio.to_thread(session.text, f"/jobs/{steps['test']['job']}/logs")
    assert log == "1 2 3\n1 2 3\nACCURACY = 0.97\nbest 0.5\n"
    told = await asyncio.to_thread(session.get, f"/jobs/{steps['train.2']['job']}/provenance")
    assert told["provenance"]["pipeline"] == {"run": one.id, "name": "fraud", "step": "train.2"}
    assert (one.data["cause"]["kind"], one.data["cause"]["by"]) == ("hand", "ada")


async def test_a_condition_stops_it_and_a_retry_begins_at_the_step(session: Session, work: Path, going: None) -> None:
    text = f"""{VERSION}
defaults: {{profile: mig-1g.10gb}}
steps:
  train: {{command: "python3 -c \\"{REPORT % 0.4}\\""}}
  test: {{needs: [train], when: train.accuracy >= 0.9, command: "true"}}
"""
    one = await asyncio.to_thread(run_pipeline, write(work, text), files=None, session=session)
    assert await asyncio.to_thread(one.wait, 60) == "STOPPED"
    assert one.data["reason"] == "test: train.accuracy is 0.4, and >= 0.9 was asked"
    again = await asyncio.to_thread(one.retry)
    assert await asyncio.to_thread(again.wait, 60) == "STOPPED"
    kept = again.steps["train"]
    assert (kept["job"], kept["taken_from"], again.data["retry_of"]) == (one.steps["train"]["job"], one.id, one.id)
    whole = await asyncio.to_thread(one.retry, "train")
    assert await asyncio.to_thread(whole.wait, 60) == "STOPPED"
    assert whole.steps["train"]["job"] != one.steps["train"]["job"]
    with pytest.raises(Refused, match=r"There is no step 'tset'. Steps: train, test."):
        await asyncio.to_thread(one.retry, "tset")


async def test_cancelling_stops_what_runs_and_begins_nothing_more(session: Session, work: Path, going: None) -> None:
    text = f"""{VERSION}
defaults: {{profile: mig-1g.10gb}}
steps:
  long: {{command: sleep 60}}
  after: {{needs: [long], command: "true"}}
"""
    one = await asyncio.to_thread(run_pipeline, write(work, text), files=None, session=session)
    while one.steps["long"]["job_state"] != "RUNNING":
        await asyncio.sleep(0.05)
        await asyncio.to_thread(one.refresh)
    with pytest.raises(Refused, match="has not ended"):
        await asyncio.to_thread(one.retry)
    await asyncio.to_thread(one.cancel)
    assert await asyncio.to_thread(one.wait, 60) == "CANCELLED"
    assert {key: step["state"] for key, step in one.steps.items()} == {"long": "CANCELLED", "after": "CANCELLED"}
    assert one.steps["after"]["job"] is None


async def test_a_step_takes_what_the_run_before_made(session: Session, here: Path, going: None) -> None:
    work = here
    text = FRAUD.replace("  prepare:\n", "  prepare:\n    cache: true\n").replace(
        "  train:\n", "  train:\n    cache: true\n"
    )
    file = write(work, text)

    async def ran(cache: bool = True) -> PipelineRun:
        one = await asyncio.to_thread(run_pipeline, file, files=work, session=session, cache=cache)
        assert await asyncio.to_thread(one.wait, 120) == "SUCCEEDED", one.data
        return one

    first, second, third = [await ran() for _ in range(2)] + [await ran(cache=False)]
    told = {key: (step["cached"], step["taken_from"], step["metrics"]) for key, step in second.steps.items()}
    assert told == {
        "prepare": (True, first.id, {}),
        "train.1": (True, first.id, {"accuracy": 0.3}),
        "train.2": (True, first.id, {"accuracy": 0.5}),
        "test": (False, None, {}),
    }
    log = await asyncio.to_thread(session.text, f"/jobs/{second.steps['test']['job']}/logs")
    assert log == "1 2 3\n1 2 3\nACCURACY = 0.97\nbest 0.5\n"
    compared = await asyncio.to_thread(second.compare, first)
    sides = {pair["key"]: (pair["before"], pair["after"]) for pair in compared["steps"]}
    assert [(pair["metrics"], pair["changes"]) for pair in compared["steps"] if pair["key"] == "train.2"] == [
        ([{"name": "accuracy", "before": 0.5, "after": 0.5, "difference": 0.0}], [])
    ]
    assert [side["cost"] for side in sides["train.1"]][1] == "0"
    assert sides["train.1"][0]["running"] > 0
    assert sides["train.1"][1]["running"] is None
    said = await run(commands, "compare", first.id, third.id)
    assert said.exit_code == 0, said.output
    assert "train.2.accuracy  0.5" in said.output
    assert said.output.endswith("What was changed:\n  the run: cache: (none) -> not used\n")
    with pytest.raises(Refused, match="There is no pipeline run 'p0'"):
        await asyncio.to_thread(third.compare, "p0")
    assert (third.data["cache"], [step["cached"] for step in third.steps.values()]) == (False, [False] * 4)


async def test_the_same_key_is_one_run(session: Session, work: Path, going: None) -> None:
    file = write(work, f"{VERSION}steps: {{a: {{command: 'true', profile: mig-1g.10gb}}}}")
    first, second = [
        await asyncio.to_thread(run_pipeline, file, files=None, idempotency_key="k", session=session) for _ in range(2)
    ]
    assert first.id == second.id
    assert await asyncio.to_thread(first.wait, 60) == "SUCCEEDED"
    assert [one.id for one in await asyncio.to_thread(pipeline_runs, session=session)] == [first.id]
    file.write_text(file.read_text().replace("true", "false"))
    with pytest.raises(Refused, match="was used before"):
        await asyncio.to_thread(run_pipeline, file, files=None, idempotency_key="k", session=session)
    with pytest.raises(Refused, match="There is no pipeline run 'p0'"):
        await asyncio.to_thread(pipeline_run, "p0", session=session)


async def test_a_terminal_checks_runs_and_shows(here: Path, going: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIFACTORY_TENANT", "nlp")
    write(here, FRAUD.replace("needs: [train]", "needs: [trian]"))
    said = await run(commands, "check")
    assert said.exit_code == 1
    assert ".aifactory/pipeline.yaml:16: steps.test.needs.0: there is no step 'trian'. Steps: prepare, train, test" in (
        said.output
    )
    write(here, FRAUD.replace("mig-1g.10gb", "nope"))
    said = await run(commands, "check")
    assert said.exit_code == 1 and "prepare  refused  nope" in said.output, said.output
    refused = await run(commands, "run")
    assert refused.exit_code == 1 and "Step prepare: " in refused.output
    write(here, f"{VERSION}name: small\nsteps: {{a: {{command: 'true', profile: mig-1g.10gb}}}}")
    assert (await run(commands, "check")).output.splitlines()[1].split() == ["a", "ok", "mig-1g.10gb"]
    said = await run(commands, "run", "--wait")
    assert said.exit_code == 0, said.output
    run_id = said.output.splitlines()[0]
    assert "small  SUCCEEDED  by hand, ada" in (await run(commands, "show", run_id)).output
    assert run_id in (await run(commands, "list")).output
    assert json.loads((await run(commands, "show", run_id, "--json")).output)["state"] == "SUCCEEDED"
    assert (await run(commands, "retry", run_id, "--step", "a", "--wait")).exit_code == 0
    assert f"{run_id} small SUCCEEDED" in (await run(commands, "cancel", run_id)).output


async def test_a_step_that_fails_says_why(session: Session, work: Path, going: None) -> None:
    text = f"""{VERSION}
defaults: {{profile: mig-1g.10gb}}
steps:
  bad: {{command: exit 3}}
  after: {{needs: [bad], command: "true"}}
  beside: {{command: "true"}}
"""
    one = await asyncio.to_thread(run_pipeline, write(work, text), files=None, session=session)
    assert await asyncio.to_thread(one.wait, 60) == "FAILED"
    assert one.data["reason"] == "bad: the command ended with exit code 3"
    assert {key: step["state"] for key, step in one.steps.items()} == {
        "bad": "FAILED",
        "after": "SKIPPED",
        "beside": "SUCCEEDED",
    }


async def test_a_terminal_handles_triggers(
    here: Path, service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIFACTORY_TENANT", "nlp")
    repository = Repository.at(tmp_path / "repositories")
    repository.commit({".aifactory/pipeline.yaml": f"{VERSION}steps: {{a: {{command: x, profile: mig-1g.10gb}}}}"})
    repository.push()
    git = GitConfig(hosts=("git.example.org",), folders=(str(repository.bare.parent),))
    service.context.provider._registry = replace(service.context.registry, git=git)
    said = await run(trigger_commands, "add", str(repository.bare), "--provider", "local", "--branch", "*")
    assert said.exit_code == 0, said.output
    local = said.output.strip()
    assert f"{local}  on     ada    {repository.bare}" in (await run(trigger_commands, "list")).output
    assert "a     ok       mig-1g.10gb" in (await run(trigger_commands, "test", local)).output
    wrong = await run(trigger_commands, "add", "https://evil.example.org/a", "--provider", "github")
    assert wrong.exit_code == 1 and "is not among this site's Git hosts: git.example.org" in wrong.output
    unset = await run(
        trigger_commands, "add", "https://git.example.org/a", "--provider", "gitea", "--token-variable", "NOT_SET"
    )
    assert unset.exit_code == 2 and "NOT_SET is not set" in unset.output
    monkeypatch.setenv("GIT_TOKEN", "s3cret")
    made = await run(
        trigger_commands, "add", "https://git.example.org/a", "--provider", "gitea", "--token-variable", "GIT_TOKEN"
    )
    assert made.exit_code == 0 and "/services/aifactory/hooks/" in made.output and "s3cret" not in made.output
    hosted = made.output.split()[0]
    assert "and signs with whsec_" in (await run(trigger_commands, "rotate", hosted)).output
    assert (await run(trigger_commands, "pause", hosted)).exit_code == 0
    assert "paused" in (await run(trigger_commands, "list")).output
    assert (await run(trigger_commands, "resume", hosted)).exit_code == 0
    assert "REF" in (await run(trigger_commands, "events", local)).output
    assert (await run(trigger_commands, "delete", hosted)).output == f"{hosted} is deleted\n"


async def test_data_of_a_step_is_checked_given_and_found_again(
    here: Path, session: Session, service: RunningService, going: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIFACTORY_TENANT", "nlp")
    text = f"{VERSION}steps: {{train: {{command: 'true', profile: mig-1g.10gb, cache: true, data: [claims@latest]}}}}"
    file = write(here, text)
    said = await run(commands, "check")
    assert said.exit_code == 1
    assert "data has 'claims@latest': team nlp has no such version. Write <dataset>@<number>." in said.output

    async def version(digest: str) -> None:
        asked = {"kind": "content", "digest": digest * 64}
        await asyncio.to_thread(session.post, "/datasets/claims/versions", asked)

    await asyncio.to_thread(session.post, "/datasets", {"name": "claims", "data_class": "internal", "uri": "s3://x"})
    await version("a")
    assert "data claims@1" in (await run(commands, "check")).output
    first = await asyncio.to_thread(run_pipeline, file, files=None, session=session)
    assert await asyncio.to_thread(first.wait, 120) == "SUCCEEDED", first.data
    await version("b")
    second = await asyncio.to_thread(run_pipeline, file, files=None, session=session)
    assert await asyncio.to_thread(second.wait, 120) == "SUCCEEDED", second.data
    step = second.steps["train"]
    assert (step["data"], step["cached"]) == (["claims@latest"], False)
    why = f"data claims @1 became @2 since run {first.id}; claims@2 is declared, not verified"
    assert step["cache_reason"] == why
    assert why in (await run(commands, "show", second.id)).output
    compared = await run(commands, "compare", first.id, second.id)
    assert f"train: data: claims@1 ({'a' * 12}) -> claims@2 ({'b' * 12})" in compared.output
    graph = await asyncio.to_thread(session.get, "/lineage", {"of": f"job:{step['job']}", "direction": "up"})
    assert [node["label"] for node in graph["nodes"] if node["kind"] == "data"] == ["claims@2"]
