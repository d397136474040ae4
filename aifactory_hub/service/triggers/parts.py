"""Puts together what watches repositories and starts pipelines from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ...registry.model import Registry
from ...store import FileStore, Jobs, Snapshots
from ...store.commit_statuses import CommitStatuses
from ...store.triggers import Triggers
from ..background.schedules import Membership
from ..pipelines.acts import Acts
from ..pipelines.parts import Pipelines, assemble_pipelines
from ..pipelines.starter import Starter
from ..room import Room
from ..snapshot_writer import SnapshotWriter
from ..submissions import Submissions
from .calls import CallTaker
from .desk import TriggerDesk
from .keys import TriggerKeys
from .run_maker import RunMaker
from .status_teller import StatusTeller
from .timetable import Timetable
from .watcher import Watcher


@dataclass(frozen=True)
class TriggerParts:
    """``stored`` has the triggers, ``desk`` makes them, ``calls`` takes deliveries, ``watcher`` asks repositories,
    ``timetable`` knows their times, ``run_maker`` starts runs and ``teller`` tells hosts how commits stand."""

    stored: Triggers
    keys: TriggerKeys
    desk: TriggerDesk
    calls: CallTaker
    watcher: Watcher
    run_maker: RunMaker
    statuses: CommitStatuses
    teller: StatusTeller
    timetable: Timetable

    async def tick(self) -> None:
        """Begin everything that is due; what takes long goes on behind it."""
        await self.calls.tick()
        await self.watcher.tick()
        await self.timetable.tick()
        await self.run_maker.begin()
        await self.teller.begin()


def assemble_both(
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
    protocols: tuple[str, ...] = ("https",),
) -> tuple[Pipelines, TriggerParts]:
    """What takes runs forward, and what starts them from repositories; see assemble_pipelines, assemble_triggers."""
    pipelines = assemble_pipelines(
        get_registry,
        jobs=jobs,
        files=files,
        snapshots=snapshots,
        submissions=submissions,
        room=room,
        membership=membership,
        acts=acts,
        hurry=hurry,
        clock=clock,
    )
    triggers = assemble_triggers(
        get_registry,
        jobs=jobs,
        files=files,
        snapshots=snapshots,
        starter=pipelines.starter,
        room=room,
        membership=membership,
        clock=clock,
        protocols=protocols,
    )
    return pipelines, triggers


def assemble_triggers(
    get_registry: Callable[[], Registry],
    *,
    jobs: Jobs,
    files: FileStore,
    snapshots: Snapshots,
    starter: Starter,
    room: Room,
    membership: Membership,
    clock: Callable[[], float],
    protocols: tuple[str, ...] = ("https",),
) -> TriggerParts:
    """The parts; nothing is started. ``protocols`` other than https are for tests."""
    stored, keys = Triggers(jobs.db), TriggerKeys(files, get_registry, protocols)
    statuses = CommitStatuses(jobs.db)
    calls = CallTaker(stored, keys, clock)

    def writer() -> SnapshotWriter:
        return SnapshotWriter(snapshots, files, get_registry().jobs.max_upload)

    def page(tenant: str) -> str | None:
        where = get_registry().addresses
        return (
            None
            if where.public is None
            else f"{where.public.rstrip('/')}{urlsplit(where.service).path}pipelines/{tenant}"
        )

    return TriggerParts(
        stored,
        keys,
        TriggerDesk(stored, keys, starter, get_registry, clock, calls.forget),
        calls,
        Watcher(stored, keys, get_registry, clock),
        RunMaker(stored, keys, starter, membership, writer, room, clock),
        statuses,
        StatusTeller(statuses, stored, keys, page, clock),
        Timetable(stored, clock),
    )
