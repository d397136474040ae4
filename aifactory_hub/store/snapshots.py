"""What people's folders looked like when they submitted: files by digest, so that none is sent or kept twice.

Files come in packs, tar archives whose entries are named by their content's SHA-256, because ten thousand small files
one by one take ages over any network. A snapshot is a manifest that says which content lies under which name; together
with the packs that have the content it is all that a job needs. Both belong to one tenant and user.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, exists, insert, select, tuple_, update

from ..domain.pipeline_runs import RunState
from ..untrusted.packs import PackLimits
from ..untrusted.readers import ManifestContent, read_pack_file
from .database import writing
from .files import FileStore, Incoming, StoredFile
from .models import JobRow, PackFileRow, PackRow, ScheduleRow, SnapshotRow
from .pipeline_tables import PipelineRunRow

# Databases limit how many values one question may have.
_AT_ONCE = 500
# Rows that one transaction inserts: whoever else writes waits for no more.
_ROWS_AT_ONCE = 2000
# A large pack of which less than this part is used is not used at all: its files are sent once more and it goes.
_WORTH_IT = 0.25
_SMALL = 8 * 2**20
_CHUNK = 256 * 1024
_PLACE = (SnapshotRow.tenant, SnapshotRow.owner, SnapshotRow.sha256)


class FilesMissing(Exception):
    """A manifest names content that nobody has sent."""

    def __init__(self, digests: Sequence[str]) -> None:
        super().__init__(f"{len(digests)} files of the manifest were not sent, the first is {digests[0]}")
        self.digests = tuple(digests)


class SizeMismatch(Exception):
    """A manifest says of content that it has another size than it has."""

    def __init__(self, digest: str, said: int, found: int) -> None:
        super().__init__(f"the content {digest} has {found} bytes, and the manifest says {said}")


class SnapshotMissing(Exception):
    """A job was to be stored whose files were not sent, or are not kept any more."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder as it was. ``size`` is the sum of its files' sizes in bytes, ``packs`` are digests."""

    tenant: str
    owner: str
    sha256: str
    size: int
    packs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """A file that was sent: in which pack, and how large."""

    pack: int
    size: int


class Snapshots:
    """Packs and snapshots: where they are is in the file store, what is in them in the database. Methods block."""

    def __init__(self, db: Engine, files: FileStore) -> None:
        self._db = db
        self._files = files

    def missing(self, tenant: str, owner: str, digests: Sequence[str], *, now: float) -> list[str]:
        """Those of a folder's files that have to be sent. The others are kept for another hour at least."""
        known = self._known(tenant, owner, digests)
        used = Counter[int]()
        for file in known.values():
            used[file.pack] += file.size
        with self._db.connect() as connection:
            packs = _rows(connection, select(PackRow).where(PackRow.id.in_([*used])))
        good = {
            pack["id"]
            for pack in packs
            if (pack["content"] <= _SMALL or used[pack["id"]] >= _WORTH_IT * pack["content"])
            # A database that was restored from a backup may know packs that went since.
            and self._files.size(self._files.pack(tenant, owner, pack["sha256"])) is not None
        }
        with writing(self._db) as connection:
            connection.execute(update(PackRow).where(PackRow.id.in_(good)).values(used_at=now))
        return [digest for digest in dict.fromkeys(digests) if digest not in known or known[digest].pack not in good]

    def take_pack(
        self, tenant: str, owner: str, incoming: Incoming, announced: str, *, most: int, now: float
    ) -> StoredFile:
        """Keep a pack whose content is at most ``most`` bytes. Raises BadPack, ReadingFailed, DigestMismatch."""
        incoming.complete(announced=announced)
        found = read_pack_file(incoming.path, PackLimits(most))
        stored = incoming.keep(self._files.pack(tenant, owner, announced), announced=announced)
        place = {"tenant": tenant, "owner": owner, "sha256": announced}
        with writing(self._db) as connection:
            connection.execute(delete(PackRow).filter_by(**place))
            values = {**place, "size": stored.size, "content": sum(found.values()), "used_at": now}
            pack_id = connection.execute(insert(PackRow).values(**values)).inserted_primary_key[0]  # type: ignore[index]
        # After a crash between two of these, files whose row is missing are only sent once more.
        rows = [{"pack_id": pack_id, "sha256": sha256, "size": size} for sha256, size in found.items()]
        for begin in range(0, len(rows), _ROWS_AT_ONCE):
            with writing(self._db) as connection:
                connection.execute(insert(PackFileRow), rows[begin : begin + _ROWS_AT_ONCE])
        return stored

    def take_manifest(
        self, tenant: str, owner: str, incoming: Incoming, announced: str, named: ManifestContent, *, now: float
    ) -> Snapshot:
        """Keep a manifest that was read and names what ``named`` says.

        The file has, before the manifest itself, a line with the packs. Raises FilesMissing, SizeMismatch,
        DigestMismatch.
        """
        incoming.complete(announced=announced)
        packs = self._packs_of(tenant, owner, named)
        first = f"{json.dumps({'packs': packs, 'size': named.size})}\n".encode()
        with self._files.incoming(len(first) + incoming.size) as whole:
            whole.write(first)
            _copy(incoming.path, whole)
            kept = whole.keep(self._files.manifest(tenant, owner, announced))
        snapshot = Snapshot(tenant, owner, announced, named.size, tuple(packs))
        with writing(self._db) as connection:
            _note(connection, snapshot, kept.size, now)
        return snapshot

    def use(self, tenant: str, owner: str, sha256: str, *, now: float) -> Snapshot | None:
        """The snapshot for what is about to be stored and needs it: kept for an hour, and then as long as that does."""
        with writing(self._db) as connection:
            return use_snapshot(connection, tenant, owner, sha256, now=now)

    def manifest(self, tenant: str, owner: str, sha256: str) -> tuple[str, tuple[str, ...]]:
        """The manifest as it was sent, and the digests of the packs. Raises BlobMissing."""
        first, _, rest = self._files.read(self._files.manifest(tenant, owner, sha256)).partition(b"\n")
        return rest.decode(), tuple(json.loads(first)["packs"])

    def adopt(self, *, now: float) -> int:
        """Note again what jobs need and a database from a backup does not know; how many snapshots that were.

        To be called at the start, after the journal.
        """
        known = exists().where(_same_snapshot())
        columns = (JobRow.tenant, JobRow.owner, JobRow.input_sha256)
        query = select(*columns).where(JobRow.input_sha256.is_not(None), JobRow.inputs_dropped_at.is_(None), ~known)
        with self._db.connect() as connection:
            lost = [(row.tenant, row.owner, str(row.input_sha256)) for row in connection.execute(query.distinct())]
        for tenant, owner, sha256 in lost:
            if self._files.size(self._files.manifest(tenant, owner, sha256)) is not None:
                self._adopt(tenant, owner, sha256, now)
        return len(lost)

    def measure(self) -> None:
        """Note the sizes of manifests that an older version of this service has kept. To be called at the start."""
        with self._db.connect() as connection:
            unknown = [tuple(row) for row in connection.execute(select(*_PLACE).where(SnapshotRow.stored.is_(None)))]
        for place in unknown:
            size = self._files.size(self._files.manifest(*place))
            with writing(self._db) as connection:
                connection.execute(update(SnapshotRow).where(tuple_(*_PLACE) == place).values(stored=size or 0))

    def collect(self, *, before: float) -> int:
        """Remove snapshots last used before ``before`` that no job, schedule or run of
        a pipeline needs, and packs that no snapshot needs;
        how many files went."""
        return self._collect_snapshots(before) + self._collect_packs(before)

    def _collect_snapshots(self, before: float) -> int:
        needed = exists().where(_same_snapshot(), JobRow.inputs_dropped_at.is_(None))
        old = select(*_PLACE)
        with writing(self._db) as connection:
            scheduled = _scheduled(connection) | _in_pipelines(connection)
            query = old.where(SnapshotRow.used_at < before, ~needed).limit(_AT_ONCE)
            gone = [tuple(row) for row in connection.execute(query) if tuple(row) not in scheduled]
            if gone:
                # Asked once more: a job may have been stored since that uses one of them.
                place = tuple_(*_PLACE).in_(gone)
                going = delete(SnapshotRow).where(place, SnapshotRow.used_at < before)
                gone = [tuple(row) for row in connection.execute(going.returning(*_PLACE))]
        # The record first: a kill between the two leaves a file too many, never a snapshot without its manifest.
        self._files.delete([self._files.manifest(*place) for place in gone])
        return len(gone)

    def _collect_packs(self, before: float) -> int:
        with writing(self._db) as connection:
            old = _rows(connection, select(PackRow).where(PackRow.used_at < before).limit(_AT_ONCE))
            if not old:
                return 0
            needed = {
                (row.tenant, row.owner, pack)
                for row in connection.execute(select(SnapshotRow.tenant, SnapshotRow.owner, SnapshotRow.packs))
                for pack in row.packs
            }
            gone = [pack for pack in old if (pack["tenant"], pack["owner"], pack["sha256"]) not in needed]
            ids = [pack["id"] for pack in gone]
            connection.execute(delete(PackFileRow).where(PackFileRow.pack_id.in_(ids)))
            connection.execute(delete(PackRow).where(PackRow.id.in_(ids)))
        self._files.delete([self._files.pack(pack["tenant"], pack["owner"], pack["sha256"]) for pack in gone])
        return len(gone)

    def _known(self, tenant: str, owner: str, digests: Sequence[str]) -> dict[str, _Known]:
        found: dict[str, _Known] = {}
        columns = (PackFileRow.sha256, PackFileRow.pack_id, PackFileRow.size)
        query = select(*columns).join(PackRow).where(PackRow.tenant == tenant, PackRow.owner == owner)
        with self._db.connect() as connection:
            for some in _parts(digests):
                # The newest pack last, so that it counts.
                rows = connection.execute(query.where(PackFileRow.sha256.in_(some)).order_by(PackFileRow.pack_id))
                found |= {row.sha256: _Known(row.pack_id, row.size) for row in rows}
        return found

    def _packs_of(self, tenant: str, owner: str, named: ManifestContent) -> list[str]:
        """The packs that have what a manifest names, in their order. Raises FilesMissing, SizeMismatch."""
        known = self._known(tenant, owner, list(named.sizes))
        missing = [digest for digest in named.sizes if digest not in known]
        if missing:
            raise FilesMissing(missing)
        for digest, size in named.sizes.items():
            if known[digest].size != size:
                raise SizeMismatch(digest, size, known[digest].size)
        packs: list[str] = []
        ids = sorted({file.pack for file in known.values()})
        with self._db.connect() as connection:
            for begin in range(0, len(ids), _AT_ONCE):
                some = PackRow.id.in_(ids[begin : begin + _AT_ONCE])
                packs += connection.scalars(select(PackRow.sha256).where(some).order_by(PackRow.id))
        return packs

    def _adopt(self, tenant: str, owner: str, sha256: str, now: float) -> None:
        content = self._files.read(self._files.manifest(tenant, owner, sha256))
        first, stored = json.loads(content.partition(b"\n")[0]), len(content)
        with writing(self._db) as connection:
            _note(connection, Snapshot(tenant, owner, sha256, first["size"], tuple(first["packs"])), stored, now)


def use_snapshot(connection: Connection, tenant: str, owner: str, sha256: str, *, now: float) -> Snapshot | None:
    """See Snapshots.use; in a transaction that goes on."""
    query = update(SnapshotRow).filter_by(tenant=tenant, owner=owner, sha256=sha256).values(used_at=now)
    found = _rows(connection, query.returning(SnapshotRow.size, SnapshotRow.packs))
    return Snapshot(tenant, owner, sha256, found[0]["size"], tuple(found[0]["packs"])) if found else None


def _same_snapshot() -> Any:
    return and_(
        JobRow.tenant == SnapshotRow.tenant,
        JobRow.owner == SnapshotRow.owner,
        JobRow.input_sha256 == SnapshotRow.sha256,
    )


def _note(connection: Connection, snapshot: Snapshot, stored: int, now: float) -> None:
    place = {"tenant": snapshot.tenant, "owner": snapshot.owner, "sha256": snapshot.sha256}
    connection.execute(delete(SnapshotRow).filter_by(**place))
    values = {**place, "size": snapshot.size, "packs": list(snapshot.packs), "used_at": now, "stored": stored}
    connection.execute(insert(SnapshotRow).values(**values))


def _scheduled(connection: Connection) -> set[tuple[str, str, str]]:
    rows = connection.execute(select(ScheduleRow.tenant, ScheduleRow.owner, ScheduleRow.request))
    return {(tenant, owner, request["files"]) for tenant, owner, request in rows if request.get("files")}


def _in_pipelines(connection: Connection) -> set[tuple[str, str, str]]:
    """What runs of pipelines that go on have begun with: a step that begins in days may need it."""
    columns = (PipelineRunRow.tenant, PipelineRunRow.owner, PipelineRunRow.files)
    going = (PipelineRunRow.state == RunState.RUNNING.value, PipelineRunRow.files.is_not(None))
    return {(tenant, owner, str(files)) for tenant, owner, files in connection.execute(select(*columns).where(*going))}


def _copy(source: Path, target: Incoming) -> None:
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            target.write(chunk)


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(query)]


def _parts(digests: Collection[str]) -> Iterator[list[str]]:
    wanted = list(dict.fromkeys(digests))
    for begin in range(0, len(wanted), _AT_ONCE):
        yield wanted[begin : begin + _AT_ONCE]
