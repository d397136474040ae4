"""The demo's repository: a push in a person's folder starts its pipeline, and each step runs."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from aifactory_hub.demo.repositories import adopt, furnish_repository, repositories
from aifactory_hub.demo.site import Ports, tenants_yaml
from aifactory_hub.engines.serving.local import LocalServing
from aifactory_hub.pipeline_file import read_pipeline
from aifactory_hub.registry import read_registry
from aifactory_hub.registry.model import GitConfig, Registry
from aifactory_hub.service.background.periodic import PeriodicTasks

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import RunningService, make_registry, running_service
from ..support.local_runs import LocalRuns
from ..support.repositories import run_git


@asynccontextmanager
async def demo_service(folder: Path, runs: LocalRuns) -> AsyncIterator[RunningService]:
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    git = GitConfig(folders=(str(repositories(folder)),), poll=1)

    def registry(url: str) -> Registry:
        return replace(make_registry(service=url), git=git)

    serving = LocalServing(folder / "releases")
    async with running_service(
        folder / "service", hub=hub, registry=registry, engine=runs.engine, serving=serving
    ) as service:
        context = service.context
        calls = {
            "triggers": (0.1, context.triggers.tick),
            "pipelines": (0.1, context.pipelines.runner.tick),
            "deployments": (0.1, context.deployments.tick),
        }
        tasks = [asyncio.create_task(PeriodicTasks(calls).run()), asyncio.create_task(adopt(context, folder))]
        try:
            yield service
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await context.triggers.watcher.settle()
            await serving.close()
    await hub.stop()


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs what the extra [demo] installs")
async def test_a_push_in_a_person_s_folder_starts_the_pipeline(tmp_path: Path) -> None:
    homes = tmp_path / "homes"
    home = homes / "nlp" / "ada"
    home.mkdir(parents=True)
    runs = LocalRuns(tmp_path / "node")
    try:
        async with demo_service(tmp_path, runs) as service, service.http("ada") as http:
            furnish_repository(homes, home, "nlp", "ada")
            furnish_repository(homes, home, "nlp", "ada")  # what is there stays
            clone = home / "digits"
            while not (found := service.context.triggers.stored.all()) or found[0].watched_at is None:
                await asyncio.sleep(0.05)
            file = clone / ".aifactory" / "pipeline.yaml"
            file.write_text(file.read_text().replace("cpu-small", "mig-1g.10gb"))
            run_git(clone, "commit", "--quiet", "--all", "-m", "another profile")
            run_git(clone, "push", "--quiet")
            async with asyncio.timeout(240):
                while True:
                    listed = (await http.get("/tenants/nlp/pipeline-runs")).json()["runs"]
                    if listed and listed[0]["state"] != "RUNNING":
                        break
                    await asyncio.sleep(0.1)
            (run,) = listed
            assert (run["state"], run["name"], run["owner"]) == ("SUCCEEDED", "digits", "ada"), run
            assert run["cause"]["commit"] == run_git(clone, "rev-parse", "HEAD").strip()
            steps = {step["step"]: step for step in run["steps"]}
            assert "The best accuracy is 0.9" in (await http.get(f"/jobs/{steps['test']['job']}/logs")).text
            assert (steps["publish"]["result"]["version"], steps["release"]["result"]["alias"]) == (1, "staging")
            assert steps["serve"]["result"]["deployment"] == "digits"
            blank = {"name": "pixels", "datatype": "FP64", "shape": [1, 64], "data": [0] * 64}
            answer = await http.post("/tenants/nlp/deployments/digits/infer", json={"inputs": [blank]})
            assert answer.json()["outputs"][0]["shape"] == [1], answer.text
    finally:
        runs.close()


def test_the_demo_s_pipeline_is_one_and_its_teams_have_its_profile(tmp_path: Path) -> None:
    source = Path(adopt.__code__.co_filename).parent / "repository" / "pipeline.yaml.in"
    pipeline = read_pipeline(source.read_bytes()).pipeline
    registry = read_registry(tenants_yaml(Ports(1, 2, 3, 4, 5), str(tmp_path)), "demo")
    assert registry.git.folders == (str(tmp_path),)
    for tenant in registry.tenants.values():
        assert {step.profile for step in pipeline.steps} <= set(tenant.profiles)


def test_a_folder_of_the_same_name_is_left_alone(tmp_path: Path) -> None:
    homes = tmp_path / "homes"
    home = homes / "nlp" / "ada"
    (home / "digits").mkdir(parents=True)
    furnish_repository(homes, home, "nlp", "ada")
    assert list((home / "digits").iterdir()) == [] and not repositories(tmp_path).exists()
