"""Models in the database: versions, statements, what happened to aliases, keys."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.models import Alias, AliasMove, ModelFacts, ModelVersion, VersionState, alias_after
from ..signing.keys import KeyFacts
from ..signing.manifest import FileSet
from . import statements
from .database import writing
from .model_rows import (
    KEYS,
    MODELS,
    MOVES,
    VERSIONS,
    files_of_row,
    key_of,
    model_of,
    move_of,
    move_values,
    version_of,
    version_values,
)
from .model_tables import AliasMoveRow, ModelRow, ModelUseRow, ModelVersionRow, SigningKeyRow
from .models import JobRow
from .statements import Draft

_AT_ONCE = 500


class AliasChanged(Exception):
    """The alias is not as it was when it was decided to move it: look again."""


class FilesGone(Exception):
    """The job's files were removed before they could be held."""


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A model with its aliases, how many versions it has, and the newest of them. ``numbers`` are the numbers of the
    versions that aliases lead to or led to before, by id."""

    model: ModelFacts
    aliases: tuple[Alias, ...]
    count: int
    newest: ModelVersion | None
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ModelUse:
    """Somebody, or their job, took files of a version; ``job`` is empty where no job did. Times are epoch seconds."""

    version: str
    user: str
    job: str
    first_at: float
    last_at: float


class ModelRegistry:
    """Models of all teams. Methods block and are safe in any thread; one process changes them (see lease).

    ``holding`` is to be had while a job's files are removed, and while a version that needs them is added: so that none
    is removed that a version refers to.
    """

    def __init__(self, db: Engine) -> None:
        self.db = db
        self.holding = threading.RLock()
        self._turn = threading.RLock()

    def find(self, tenant: str, name: str) -> ModelFacts | None:
        """The team's model of this name."""
        with self.db.connect() as connection:
            row = connection.execute(MODELS.where(ModelRow.tenant == tenant, ModelRow.name == name)).one_or_none()
        return None if row is None else model_of(row._mapping)

    def model(self, model_id: str) -> ModelFacts | None:
        """The model of this id."""
        with self.db.connect() as connection:
            row = connection.execute(MODELS.where(ModelRow.id == model_id)).one_or_none()
        return None if row is None else model_of(row._mapping)

    def summaries(self, tenants: Collection[str]) -> list[ModelSummary]:
        """The models of these teams, by team and name."""
        with self.db.connect() as connection:
            query = MODELS.where(ModelRow.tenant.in_(tenants)).order_by(ModelRow.tenant, ModelRow.name)
            models = [model_of(row._mapping) for row in connection.execute(query)]
            return [_summary(connection, model) for model in models]

    def summary(self, model: ModelFacts) -> ModelSummary:
        """One model's."""
        with self.db.connect() as connection:
            return _summary(connection, model)

    def versions(self, model: str, *, limit: int, before: int | None = None) -> list[ModelVersion]:
        """The model's newest versions first; ``before`` goes on after the one of that number."""
        query = VERSIONS.where(ModelVersionRow.model == model)
        if before is not None:
            query = query.where(ModelVersionRow.number < before)
        query = query.order_by(ModelVersionRow.number.desc()).limit(limit)
        with self.db.connect() as connection:
            return [version_of(row._mapping) for row in connection.execute(query)]

    def version(self, version_id: str) -> ModelVersion | None:
        """The version of this id."""
        return self._one(ModelVersionRow.id == version_id)

    def of_number(self, model: str, number: int) -> ModelVersion | None:
        """The model's version of this number."""
        return self._one(ModelVersionRow.model == model, ModelVersionRow.number == number)

    def of_job(self, jobs: Collection[str]) -> list[ModelVersion]:
        """The versions that came from these jobs, at most some hundred jobs, the oldest first."""
        query = VERSIONS.where(ModelVersionRow.job.in_(jobs)).order_by(ModelVersionRow.at, ModelVersionRow.id)
        with self.db.connect() as connection:
            return [version_of(row._mapping) for row in connection.execute(query)]

    def some_versions(self, ids: Collection[str]) -> list[ModelVersion]:
        """Those of these versions that there are, at most some hundred, the oldest first."""
        query = VERSIONS.where(ModelVersionRow.id.in_(ids)).order_by(ModelVersionRow.at, ModelVersionRow.id)
        with self.db.connect() as connection:
            return [version_of(row._mapping) for row in connection.execute(query)]

    def _one(self, *where: Any) -> ModelVersion | None:
        with self.db.connect() as connection:
            row = connection.execute(VERSIONS.where(*where)).one_or_none()
        return None if row is None else version_of(row._mapping)

    def files(self, version: str) -> FileSet:
        """The files of a version. Raises ValueError where its row has been tampered with."""
        with self.db.connect() as connection:
            query = select(ModelVersionRow.files).where(ModelVersionRow.id == version)
            return files_of_row(connection.execute(query).scalar_one())

    def held_files(self, job: str) -> set[str]:
        """The names, among the job's files, of those that versions refer to."""
        query = select(ModelVersionRow.folder, ModelVersionRow.files).where(ModelVersionRow.job == job)
        with self.db.connect() as connection:
            return {f"{folder}{name}" for folder, files in connection.execute(query) for name, _, _ in files}

    def held_jobs(self, jobs: Sequence[str]) -> set[str]:
        """Those of these jobs whose files versions refer to."""
        found: set[str] = set()
        with self.db.connect() as connection:
            for begin in range(0, len(jobs), _AT_ONCE):
                some = ModelVersionRow.job.in_(jobs[begin : begin + _AT_ONCE])
                found |= set(connection.scalars(select(ModelVersionRow.job).where(some).distinct()))
        return found

    def add(
        self, model: ModelFacts, version: ModelVersion, files: FileSet, drafts: Sequence[Draft]
    ) -> tuple[ModelVersion, bool]:
        """Add a version, and its model if the team has none of that name; whether it is new.

        The same files of the same attempt of a job are the same version. Raises FilesGone.
        """
        with self._turn, self.holding, writing(self.db) as connection:
            there = _model(connection, model)
            same = VERSIONS.where(
                ModelVersionRow.model == there.id,
                ModelVersionRow.job == version.job,
                ModelVersionRow.attempt == version.attempt,
                ModelVersionRow.digest == version.digest,
            )
            earlier = connection.execute(same).one_or_none()
            if earlier is not None:
                return version_of(earlier._mapping), False
            if connection.scalar(select(JobRow.artifacts_dropped_at).where(JobRow.id == version.job)) is not None:
                raise FilesGone(version.job)
            last = select(func.max(ModelVersionRow.number)).where(ModelVersionRow.model == there.id)
            added = replace(version, model=there.id, number=int(connection.scalar(last) or 0) + 1)
            connection.execute(insert(ModelVersionRow).values(**version_values(added, files)))
            statements.append(connection, drafts, version.at)
        return added, True

    def moves(self, model: str, alias: str | None = None) -> list[AliasMove]:
        """What happened to the model's aliases, or to one, in its order."""
        with self.db.connect() as connection:
            return _moves(connection, model, alias)

    def alias(self, model: str, name: str) -> Alias:
        """Where an alias leads now; one that nobody has ever moved leads nowhere."""
        return alias_after(name, self.moves(model, name))

    def move(self, expected: Alias, move: AliasMove, draft: Draft) -> AliasMove:
        """Add what happens to an alias, with its signed statement. Raises AliasChanged when it is not as ``expected``
        any more."""
        with self._turn, writing(self.db) as connection:
            now = alias_after(move.alias, _moves(connection, move.model, move.alias))
            if now != expected:
                raise AliasChanged(move.alias)
            (number,) = statements.append(connection, [draft], move.at)
            added = replace(move, number=number)
            connection.execute(insert(AliasMoveRow).values(**move_values(added)))
        return added

    def set_state(self, version: str, state: VersionState, why: str, draft: Draft, at: float) -> None:
        """Change a version's state, with the signed statement of it."""
        with self._turn, writing(self.db) as connection:
            where = (ModelVersionRow.id == version, ModelVersionRow.state != state.value)
            changed = connection.execute(update(ModelVersionRow).where(*where).values(state=state.value, why=why))
            if changed.rowcount:
                statements.append(connection, [draft], at)

    def numbers(self, versions: Collection[str]) -> dict[str, int]:
        """The numbers of these versions by id."""
        with self.db.connect() as connection:
            return _numbers(connection, versions)

    def uses(self, versions: Collection[str]) -> list[ModelUse]:
        """Who took files of these versions, at most some hundred versions, the newest first."""
        query = select(ModelUseRow.__table__).where(ModelUseRow.version.in_(versions))
        with self.db.connect() as connection:
            rows = connection.execute(query.order_by(ModelUseRow.last_at.desc()).limit(_AT_ONCE))
            return [ModelUse(**row._mapping) for row in rows]

    def given_to(self, job: str) -> list[ModelVersion]:
        """The versions that a job was submitted with, the oldest first."""
        query = select(ModelUseRow.version).where(ModelUseRow.job == job)
        with self.db.connect() as connection:
            ids = list(connection.scalars(query))
        return self.some_versions(ids)

    def note_use(self, version: str, user: str, job: str, at: float) -> None:
        """Record that somebody, or their job, took files of the version; ``job`` is empty where no job did."""
        table: Any = sqlite if self.db.dialect.name == "sqlite" else postgresql
        values = {"version": version, "user": user, "job": job, "first_at": at, "last_at": at}
        new = table.insert(ModelUseRow).values(**values)
        with writing(self.db) as connection:
            connection.execute(
                new.on_conflict_do_update(index_elements=["version", "user", "job"], set_={"last_at": at})
            )

    def keys(self) -> dict[str, KeyFacts]:
        """All keys that ever signed, by id, the oldest first."""
        with self.db.connect() as connection:
            rows = connection.execute(KEYS.order_by(SigningKeyRow.created_at, SigningKeyRow.id))
            return {row.id: key_of(row._mapping) for row in rows}

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Nothing else is added to the chain meanwhile by this process."""
        with self._turn:
            yield

    def add_key(self, key: KeyFacts, at: float, draft: Callable[[int], Draft]) -> None:
        """Add a key that signs from now on; those before it are put out of use. ``draft`` is made with the number that
        its statement will have."""
        with self._turn, writing(self.db) as connection:
            number = statements.head(connection)[0]
            connection.execute(update(SigningKeyRow).where(SigningKeyRow.last.is_(None)).values(last=number))
            values = {"id": key.id, "public": key.public, "first": number + 1, "last": None, "created_at": at}
            connection.execute(insert(SigningKeyRow).values(**values, revoked=None, why=""))
            statements.append(connection, [draft(number + 1)], at)

    def revoke_key(self, key: str, why: str, at: float, draft: Draft) -> bool:
        """Record that nothing of the key is believed any more; False when it was revoked before or there is none."""
        with self._turn, writing(self.db) as connection:
            number = statements.head(connection)[0]
            where = (SigningKeyRow.id == key, SigningKeyRow.revoked.is_(None))
            values = {"revoked": at, "why": why, "last": func.coalesce(SigningKeyRow.last, number)}
            if not connection.execute(update(SigningKeyRow).where(*where).values(**values)).rowcount:
                return False
            statements.append(connection, [draft], at)
        return True

    def add_statements(self, drafts: Sequence[Draft], at: float) -> None:
        """Add statements that change nothing else, such as those that are signed anew."""
        with self._turn, writing(self.db) as connection:
            statements.append(connection, drafts, at)


def _model(connection: Connection, wanted: ModelFacts) -> ModelFacts:
    """The team's model of this name, made if there is none."""
    query = MODELS.where(ModelRow.tenant == wanted.tenant, ModelRow.name == wanted.name)
    row = connection.execute(query).one_or_none()
    if row is not None:
        return model_of(row._mapping)
    values = {name: getattr(wanted, name) for name in ModelFacts.__slots__}
    connection.execute(insert(ModelRow).values(**values))
    return wanted


def _moves(connection: Connection, model: str, alias: str | None) -> list[AliasMove]:
    query = MOVES.where(AliasMoveRow.model == model)
    if alias is not None:
        query = query.where(AliasMoveRow.alias == alias)
    return [move_of(row._mapping) for row in connection.execute(query.order_by(AliasMoveRow.number))]


def _summary(connection: Connection, model: ModelFacts) -> ModelSummary:
    moves = _moves(connection, model.id, None)
    names = sorted({move.alias for move in moves})
    aliases = tuple(alias_after(name, [move for move in moves if move.alias == name]) for name in names)
    mine = VERSIONS.where(ModelVersionRow.model == model.id)
    newest: Row[Any] | None = connection.execute(mine.order_by(ModelVersionRow.number.desc()).limit(1)).one_or_none()
    count = select(func.count()).select_from(ModelVersionRow).where(ModelVersionRow.model == model.id)
    return ModelSummary(
        model,
        aliases,
        int(connection.scalar(count) or 0),
        None if newest is None else version_of(newest._mapping),
        _numbers(connection, {each for move in moves for each in (move.before, move.after) if each is not None}),
    )


def _numbers(connection: Connection, versions: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for begin in range(0, len(wanted := sorted(versions)), _AT_ONCE):
        some = ModelVersionRow.id.in_(wanted[begin : begin + _AT_ONCE])
        rows = connection.execute(select(ModelVersionRow.id, ModelVersionRow.number).where(some))
        found |= {row.id: row.number for row in rows}
    return found


def new_model_id() -> str:
    """A fresh id."""
    return f"m{secrets.token_hex(6)}"


def new_version_id() -> str:
    """A fresh id."""
    return f"v{secrets.token_hex(6)}"
