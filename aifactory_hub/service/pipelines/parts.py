"""Puts together what starts runs of pipelines and takes them forward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...registry.model import Registry
from ...store import FileStore, Jobs, Snapshots
from ...store.kept_runs import KeptRuns
from ...store.pipeline_runs import PipelineRuns
from ..background.schedules import Membership
from ..room import Room
from ..snapshot_writer import SnapshotWriter
from ..submissions import Submissions
from .acts import Acts
from .order import EmbeddedOrder
from .retention import RunRetention
from .runner import PipelineRunner
from .starter import Starter
from .step_cache import StepCache
from .step_jobs import StepFiles


@dataclass(frozen=True)
class Pipelines:
    """``runs`` has them, ``starter`` starts them, ``runner`` takes them forward, ``retention`` removes them."""

    runs: PipelineRuns
    starter: Starter
    runner: PipelineRunner
    retention: RunRetention


def assemble_pipelines(
    get_registry: Callable[[], Registry],
    *,
    jobs: Jobs,
    files: FileStore,
    snapshots: Snapshots,
    submissions: Submissions,
    room: Room,
    membership: Membership,
    acts: Acts,
    hurry: Callable[[str], None],
    clock: Callable[[], float],
) -> Pipelines:
    """The parts; nothing is started. ``hurry`` is told of each job that a run submits."""
    runs = PipelineRuns(jobs.db)

    def step_files() -> StepFiles:
        return StepFiles(jobs, files, SnapshotWriter(snapshots, files, get_registry().jobs.max_upload))

    cache = StepCache(runs, jobs, files, submissions, step_files, membership, get_registry, clock)
    runner = PipelineRunner(
        runs, jobs, submissions, step_files, room, membership, EmbeddedOrder(), acts, cache, hurry, clock
    )
    retention = RunRetention(lambda: get_registry().jobs, KeptRuns(jobs.db), clock)
    return Pipelines(runs, Starter(runs, submissions, snapshots, get_registry, clock), runner, retention)
