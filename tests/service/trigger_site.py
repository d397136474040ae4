"""A service, and a real repository in a folder that it watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.triggers import RefEvent
from aifactory_hub.registry.model import GitConfig
from aifactory_hub.service.trigger_request_types import TriggerRequest
from aifactory_hub.service.triggers.run_maker import RunMaker
from aifactory_hub.store.pipeline_runs import PipelineRun
from aifactory_hub.store.triggers import Trigger

from ..support.job_service import make_registry
from ..support.pipelines import VERSION
from ..support.repositories import Repository
from .world import World

PIPELINE = f"""{VERSION}name: fraud
steps:
  train: {{profile: mig-1g.10gb, command: python train.py}}
"""
FILES = {".aifactory/pipeline.yaml": PIPELINE, "train.py": "print(1)\n"}


@dataclass
class Site:
    """A service, and a repository that has a pipeline."""

    world: World
    repository: Repository

    def make(self, *, owner: str = "ada", key: str = "t", **asked: Any) -> Trigger:
        request = {"key": key, "url": str(self.repository.bare), "provider": "local", "quiet": 0.0, **asked}
        made = self.parts.desk.make(owner, "nlp", TriggerRequest.model_validate(request))
        assert not isinstance(made, Refusal), made
        trigger: Trigger = made[0]
        return trigger

    @property
    def parts(self) -> Any:
        return self.world.service.triggers

    async def look(self, run_maker: RunMaker | None = None) -> None:
        """Time passes, the repository is asked, and what was seen is decided."""
        self.world.clock.pass_by(400)
        await self.parts.watcher.tick()
        await self.parts.watcher.settle()
        self.world.clock.pass_by(10)
        for _ in range(2):
            await (run_maker or self.parts.run_maker).tick()

    async def push(self, files: dict[str, str] | None = None, message: str = "work", **who: str) -> str:
        """Commit and push to main; the commit."""
        commit = self.repository.commit(files, message, **who)
        self.repository.push()
        await self.look()
        return commit

    def events(self, trigger: Trigger) -> list[RefEvent]:
        found: list[RefEvent] = self.parts.stored.events(trigger.id, limit=50)
        return found

    def said(self, trigger: Trigger) -> tuple[str, str | None]:
        newest = self.events(trigger)[0]
        return newest.state.value, newest.reason

    def runs(self) -> list[PipelineRun]:
        return self.world.service.pipelines.runs.newest("nlp", limit=50)

    def now(self, trigger: Trigger) -> Trigger:
        found: Trigger = self.parts.stored.get(trigger.id)
        return found


@contextmanager
def trigger_site(tmp_path: Path) -> Iterator[Site]:
    """The service with a repository of one commit."""
    folder = tmp_path / "repositories"
    repository = Repository.at(folder)
    repository.commit(FILES, "first")
    repository.push()
    world = World(tmp_path / "service", registry=replace(make_registry(), git=GitConfig(folders=(str(folder),))))
    yield Site(world, repository)
    world.close()
